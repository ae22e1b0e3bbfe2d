"""How a room is judged whose language model fails on air: what of it was heard, when, and how the script goes on."""

from __future__ import annotations

import pytest

from benchmarks.answers import FOR_NOBODY
from broadcaster.saidlog import Said
from tests.completions_service import FAULTS
from tests.lab.aftermath import Heard, Story, stories
from tests.lab.answer_faults import CASES, HEALTH, _in_turn, _of_fault, behind_s, holes, unsaid_s
from tests.lab.audience import ANSWERED, EITHER, Line, Sent

BEGAN_S = 1_800_000_000.0
SCRIPT = (("One.", "Two."), ("Three.",))
ASKED = "do trees talk"
UNKNOWN = {"event": "chat.dropped", "id": "q1", "reason": "unanswered", "why": "knowledge: nothing; llm: HTTP 500"}
CUT = {"event": "chat.answered", "id": "q1", "turn": "answer:q1", "became": "aired", "source": "llm", "why": "llm: cut"}


def said(utterance: str, sentence: int = 0, begin_s: float = 0.0, end_s: float = 2.0) -> Said:
    times = ("", BEGAN_S + begin_s, "", BEGAN_S + end_s)
    return Said(1, *times, end_s - begin_s, True, "", "Words.", "script", "script", utterance, sentence, 1, "", "", "")


def told(event: dict[str, str] | None, answer: str = "", expect: str = EITHER) -> Story:
    """Of a question at which the model fails."""
    fields = {"text": ASKED, "id": "q1", "user": "Anna"}
    sent = Sent(Line(1, 0.0, fields, expect, "HTTP 500", ("Trees",)), "1-1", BEGAN_S, fields)
    events = [] if event is None else [{**event, "ts": f"{BEGAN_S + 3}", **({"answer": answer} if answer else {})}]
    words = [Heard("answer:q1:0", 0, answer, "reply", BEGAN_S + 2)] if answer else []
    return stories([sent], events, words, {}, BEGAN_S + 60)[0]


def test_every_fault_is_met_once_with_a_question_in_health_behind_it() -> None:
    turn = list(_in_turn(CASES))
    assert len(CASES) <= len(FOR_NOBODY) and len(turn) == 2 * len(CASES)
    assert [one.name == HEALTH for one in turn] == [False, True] * len(CASES)
    asked = [one.asked for one in turn]
    assert len(asked) == len(set(asked))
    assert {one.fault for one in CASES} - {"", "never ends"} <= set(FAULTS)
    for one in CASES:
        assert one.says in one.writes and not any(words in f"{one.says} {one.asked}".casefold() for words in one.never)
        assert one.fault or all(words in one.writes.casefold() for words in one.never), one.name


@pytest.mark.parametrize(
    ("story", "asked", "reached", "met"),
    [
        (told(UNKNOWN), [ASKED], "nobody answers (HTTP 500)", True),
        (told(CUT, "Trees do."), [ASKED], "whole sentences alone (cut)", True),
        (told({**CUT, "source": "faq"}, "Trees are sold out."), [ASKED], "the shop's files answer (cut)", True),
        (told(CUT, "Bushes do."), [ASKED], "it was answered, but not with 'Trees'", False),
        (told(UNKNOWN, expect=ANSWERED), [ASKED], "it was not answered: nobody knew: knowledge: nothing; ", False),
        (told({**CUT, "why": ""}, "Trees do."), [ASKED], "whole sentences alone ()", False),
        (told({**CUT, "became": "cut short"}, "Trees do."), [ASKED], "whole sentences alone (cut)", False),
        (told(UNKNOWN), [], "the model was not asked", False),
        (told(None), [ASKED], "nobody answers ()", False),
    ],
)
def test_a_fault_is_met_when_it_was_asked_told_why_and_heard_in_whole_sentences(
    story: Story, asked: list[str], reached: str, met: bool
) -> None:
    figure = _of_fault(story, asked)
    assert figure.reached.startswith(reached) and figure.met is met


def test_an_answer_is_behind_what_it_takes_and_the_sentence_that_is_on_air_then() -> None:
    spoken = [said("script:0:0", 0, 0.0, 2.0), said("script:0:0", 1, 2.0, 5.0), said("script:0:1", 0, 5.0, 7.0)]
    assert behind_s(BEGAN_S, BEGAN_S + 2.4, spoken) == 0.0
    assert behind_s(BEGAN_S, BEGAN_S + 5.0, spoken) == 0.0
    assert behind_s(BEGAN_S, BEGAN_S + 7.0, spoken) == 2.0
    assert behind_s(BEGAN_S, BEGAN_S + 3.0, []) == 0.5


def test_a_voice_of_which_nobody_noted_anything_is_counted() -> None:
    sound = [(number / 50, 1000.0 if number < 300 else 1.0) for number in range(500)]
    assert unsaid_s(sound, [(0.0, 6.0)]) == 0.0
    assert unsaid_s(sound, [(0.0, 2.0), (4.0, 6.0)]) == pytest.approx(1.0, abs=0.05)
    assert unsaid_s(sound, []) == pytest.approx(6.0, abs=0.05)


def test_a_script_that_leaves_a_sentence_out_or_says_one_again_has_a_hole() -> None:
    whole = [said("script:0:0"), said("script:0:0", 1), said("answer:q1:0"), said("script:0:1"), said("script:1:0")]
    assert holes(whole, SCRIPT) == 0
    assert holes(whole[1:], SCRIPT) == 0
    assert holes([*whole[:1], *whole[2:]], SCRIPT) == 1
    assert holes([whole[0], whole[0], *whole[1:]], SCRIPT) == 1
