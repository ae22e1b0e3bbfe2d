"""How an evening is judged: comments and events are brought together and held against what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from broadcaster.chat.blocked import blocked
from broadcaster.chat.model import Kind
from broadcaster.chat.pool import Limits, Pool
from broadcaster.saidlog import Keep, Said, SaidLog
from pipeline.journal import Journal
from pipeline.wire import Report
from tests.lab import audience, evening_page
from tests.lab.aftermath import AT_THE_END, MERGED, NO_TURN, Event, Heard, Story, again, faults, latencies, stories
from tests.lab.audience import Line, Sent
from tests.lab.evening import heard as said_in
from tests.lab.evening import recorded_to, tree_of

BEGAN_S = 1_800_000_000.0
ENDED_S = BEGAN_S + 180
DATA = Path(__file__).parents[1] / "data"


def sent(number: int, text: str = "how much?", expect: str = "either", after_s: float = 0.0, **fields: str) -> Sent:
    says, never = (tuple(filter(None, [fields.pop(name, "")])) for name in ("says", "never"))
    given = {"text": text, "user": f"viewer {number}", **fields}
    line = Line(number, after_s, given, expect, "a note", says, never)
    at_s = BEGAN_S + after_s
    return Sent(line, f"{round(at_s * 1000)}-{number}", at_s, given)


def answered(of: Sent, became: str = "aired", at_s: float = BEGAN_S + 5, **facts: str) -> Event:
    told = {"event": "chat.answered", "id": of.id, "lane": "reply", "turn": f"answer:{of.id}", "became": became}
    return {**told, "ts": f"{at_s:.3f}", "source": "faq", **facts}


def heard(of: Sent, text: str = "It is 46 dollars.", name: str = "0", **facts: float) -> Heard:
    return Heard(f"answer:{of.id}:{name}", 0, text, "reply", BEGAN_S + 4, recorded_s=facts.get("recorded_s"))


def told(
    comments: Sequence[Sent], events: Sequence[Event], words: Sequence[Heard] = (), why: dict[int, str] | None = None
) -> list[Story]:
    return stories(comments, events, words, why or {}, ENDED_S)


def test_a_comment_has_its_events_its_words_and_the_stops_of_its_turn() -> None:
    one, other = sent(1, expect="answered"), sent(2, id="own-id", expect="answered")
    stop = {"event": "guard.stopped", "id": f"answer:{one.id}:q", "rule": "words"}
    elsewhere = {"event": "guard.stopped", "id": "script:7", "rule": "words"}
    events = [stop, elsewhere, answered(one), answered(other)]
    found = told([one, other], events, [heard(one, name="q"), heard(one), heard(other)])
    assert [(story.became, len(story.said), len(story.stops)) for story in found] == [
        ("answered", 2, 1),
        ("answered", 1, 0),
    ]
    assert not faults(found, [], {})


def test_who_asked_the_same_is_answered_with_another() -> None:
    first, second = sent(1), sent(2, expect="answered")
    merged = {"event": "chat.merged", "id": second.id, "lane": "reply", "turn": f"answer:{first.id}"}
    found = told([first, second], [answered(first), merged], [heard(first)])
    assert found[1].became == MERGED and found[1].said == [heard(first)] and not found[1].wrong


@pytest.mark.parametrize(
    ("expect", "event", "wrong"),
    [
        ("answered", {"event": "chat.dropped", "reason": "unanswered", "why": "nobody"}, "nobody knew: nobody"),
        ("answered", {"event": "chat.answered", "became": "stopped", "turn": "t", "ts": "1"}, "not answered: stopped"),
        ("not answered", {"event": "chat.answered", "became": "aired", "turn": "t", "ts": "1"}, "it was answered"),
        ("not answered", {"event": "chat.answered", "became": "stopped", "turn": "t", "ts": "1"}, ""),
        ("not answered", {"event": "chat.dropped", "reason": "unanswered"}, ""),
        ("either", {"event": "chat.dropped", "reason": "unanswered"}, ""),
    ],
)
def test_an_expectation_that_was_not_met_is_told_with_the_way(expect: str, event: Event, wrong: str) -> None:
    one = sent(1, expect=expect)
    (found,) = told([one], [{**event, "id": one.id}])
    assert found.wrong.endswith(wrong) and bool(found.wrong) == bool(wrong)


def test_an_answer_to_something_else_is_no_answer_also_where_it_was_given_with_another() -> None:
    right, wrong, with_another = (sent(at, expect="answered", says="46 dollars") for at in (1, 2, 3))
    other = sent(4, says="46 dollars")
    merged = {"event": "chat.merged", "id": with_another.id, "turn": f"answer:{right.id}"}
    events = [answered(right, answer="It is 46 dollars."), answered(wrong, answer="It is blue."), merged]
    found = told([right, wrong, with_another, other], [*events, answered(other, answer="Hello.")])
    assert [bool(story.wrong) for story in found] == [False, True, False, True]
    assert found[1].wrong == "it was answered, but not with '46 dollars'"


def test_who_had_no_turn_is_no_fault_unless_he_goes_before_others_or_chat_counts_fewer() -> None:
    viewer, buyer = sent(1, expect="answered"), sent(2, expect="answered", buyer="1")
    found = told([viewer, buyer], [])
    assert [story.became for story in found] == [NO_TURN, NO_TURN]
    assert [bool(story.wrong) for story in found] == [False, True]
    assert len(faults(found, [], {"stale": 2})) == 1
    assert len(faults(found, [], {"stale": 1})) == 2


def test_what_intake_passes_over_is_wrong_only_where_an_answer_was_expected() -> None:
    spam, question = sent(1, expect="not answered"), sent(2, expect="answered")
    found = told([spam, question], [], why={1: "link", 2: "code"})
    assert [story.wrong for story in found] == ["", "it was not answered: code"]


def test_an_answer_that_the_end_broke_off_is_no_fault() -> None:
    cut, said = sent(1, expect="answered"), sent(2, expect="answered")
    events = [answered(cut, "lost", at_s=ENDED_S + 1)]
    found = told([cut, said], events, [heard(said)])
    assert [story.became for story in found] == [AT_THE_END, AT_THE_END]
    assert not faults(found, [], {})


def test_whoever_is_answered_or_heard_twice_is_found() -> None:
    one, other = sent(1), sent(2)
    merged = {"event": "chat.merged", "id": other.id, "turn": f"answer:{one.id}"}
    words = [heard(one), heard(one)]
    wrong = faults(told([one, other], [answered(one), answered(one), answered(other), merged], words), words, {})
    assert [text.partition(" ")[0] for text in wrong] == ["#1", "#2", f"answer:{one.id}:0"]
    assert "answered 2 times" in wrong[0] and "said 2 times" in wrong[2]


def test_the_same_id_again_is_not_taken_for_an_answer() -> None:
    first, again_ = sent(1, id="m", expect="answered"), sent(2, id="m", expect="not answered")
    found = told([first, again_], [answered(first)], why={2: "duplicate"})
    assert [story.became for story in found] == ["answered", "duplicate"]


def test_words_that_must_not_be_said_are_found_whoever_says_them() -> None:
    one, other = sent(1, never="Is Free"), sent(2)
    words = [heard(other, "All of it is free today.")]
    (wrong,) = faults(told([one, other], [answered(other)], words), words, {})
    assert wrong.startswith("#1") and wrong.endswith(f"answer:{other.id}:0")


def test_latencies_leave_remarks_out_and_the_same_answer_soon_after_is_told() -> None:
    one, other, third = sent(1), sent(2), sent(3)
    events = [
        answered(one, entry="faq:post", total_ms="1000", air_ms="400"),
        answered(other, at_s=BEGAN_S + 20, entry="faq:post", total_ms="3000"),
        answered(third, source="remark", total_ms="90000"),
    ]
    assert latencies(events) == {"total_ms": (2, 1000.0, 3000.0), "air_ms": (1, 400.0, 400.0)}
    assert len(again(events)) == 1
    assert not again([events[0], answered(other, at_s=BEGAN_S + 60, entry="faq:post")])


def test_what_is_passed_over_by_itself_is_known_from_the_words_and_the_viewer() -> None:
    pool = Pool(Limits(moments=frozenset(set(Kind) - {Kind.COMMENT})), BEGAN_S)
    pool.block(blocked(["nightbot"], ["crypto"]))
    comments = [
        sent(1, "is there a teapot?", after_s=1, user="ann"),
        sent(2, "https://example.com/x", after_s=2),
        sent(3, "is there a teapot?", after_s=3, user="ann"),
        sent(4, "is there a teapot?", after_s=4, user="ben"),
        sent(5, "", after_s=5),
        sent(6, "crypto for you", after_s=6),
        sent(7, "hello", after_s=7, user="nightbot"),
        sent(8, "how long?", after_s=8, id="same"),
        sent(9, "how long?", after_s=9, id="same", user="carl"),
        sent(10, "how old?", after_s=10, sent=f"{BEGAN_S - 600}"),
        sent(11, "and when?", after_s=100),
    ]
    why = audience.passed_over(comments, pool)
    assert why.pop(5).startswith("refused: text")
    assert why == {2: "link", 3: "repeated", 6: "blocked word", 7: "blocked user", 9: "duplicate", 10: "stale"}


def test_the_page_has_a_row_for_each_comment_and_hides_nothing() -> None:
    odd = sent(1, "a|b \u202e<script>", never="x", expect="answered")
    empty = sent(2, "x" * 900, after_s=61.23)
    word = Heard(f"answer:{odd.id}:0", 0, "Yes.", "reply", BEGAN_S + 4, recorded_s=12.34)
    remark = Heard("answer:remark-1:0", 0, "Welcome!", "reply", BEGAN_S + 70, whole=False)
    events = [answered(odd, total_ms="1500")]
    found = told([odd, empty], events, [word, remark])
    page = evening_page.written("head", BEGAN_S, found, events, [word, remark], ["a fault"], {"stale": 1}, 0)
    rows = [line for line in page.splitlines() if line.startswith(("| 1 ", "| 2 "))]
    assert [line.replace("\\|", "").count("|") for line in rows] == [8, 8]
    assert "\\\\u202e\\<script\\>" in rows[0] and "[0:04.0 rec 0:12.3] Yes." in rows[0]
    assert "1:01.2" in rows[1] and "(900 characters)" in rows[1]
    assert "* a fault" in page and "stale 1" in page and "[1:10.0] (cut) Welcome!" in page


@pytest.mark.parametrize("name", ["evening-en.jsonl", "evening-zh.jsonl"])
def test_the_comments_that_come_with_it_can_be_read(name: str) -> None:
    lines = audience.read(DATA / name)
    assert len(lines) == 200 and {line.expect for line in lines} == {"answered", "not answered", "either"}
    assert all(0 <= line.after_s <= 150 and line.note for line in lines)
    assert [line.number for line in lines] == list(range(1, 201))


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "comments.jsonl"
    path.write_text('{"after_s": 1, "text": "a", "expect": "either", "note": "n"}\n{"expect": "maybe", "note": ""}\n')
    with pytest.raises(ValueError, match=r"comments\.jsonl:2: expect"):
        audience.read(path)


def test_the_room_of_an_evening_reaches_nobody(tmp_path: Path) -> None:
    path = tmp_path / "room.yaml"
    path.write_text(
        "room: shop\nredis: redis://elsewhere/0\nalarms: {webhook: 'https://example.com/x'}\nstate_dir: /var/lib/x\n"
        "chat: {again_s: 5, connectors: [{name: a, kind: twitch, channel: b}]}\n"
        "outputs: [{name: main, url: 'rtmp://example.com/live/key'}]\n"
    )
    tree = tree_of(path, tmp_path)
    assert tree["chat"] == {"again_s": 5} and not {"redis", "alarms", "state_dir"} & set(tree)
    assert [one["url"] for one in tree["outputs"]] == [f"file:{tmp_path}/evening.mp4"]
    assert tree["control"] == {"listen": "127.0.0.1:0"}


def test_the_place_in_the_recording_is_counted_back_from_its_last_picture() -> None:
    opened, closed = {"event": "playout.opened", "slot": 100}, {"event": "playout.closed", "slots": 51}
    skipped = {"event": "clock.skipped", "slots": 25}
    assert recorded_to([opened, skipped, closed], [1990.0]) == (175 * 1920, 1.99)
    assert recorded_to([opened, opened, closed], [1990.0]) is None
    assert recorded_to([opened, closed], []) is None


def test_a_sentence_has_the_place_of_the_airing_that_viewers_heard(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.open()
    for what, sample in (("sentence", 48_000), ("cut", 60_000), ("sentence", 96_000), ("sentence_aired", 120_000)):
        journal.append(Report(0, what, "answer:m:0", sample // 1920, sample, BEGAN_S + sample / 48_000))
    journal.close()
    log = SaidLog(tmp_path / "said", Keep())
    common: dict[str, Any] = {
        "text": "Yes.",
        "source": "",
        "lane": "reply",
        "utterance": "answer:m:0",
        "sentence": 0,
        "of": 1,
    }
    ends: dict[str, Any] = {"begin": "", "end": "", "voice": "", "provider": "", "label": "", "heard_s": 0.5}
    first = Said(seq=2, begin_s=BEGAN_S + 1, end_s=BEGAN_S + 1.25, whole=False, ended="cut", **common, **ends)
    whole = Said(seq=4, begin_s=BEGAN_S + 2, end_s=BEGAN_S + 2.5, whole=True, ended="", **common, **ends)
    log.append([first, whole], date(2027, 1, 15))
    log.close()
    words = said_in(tmp_path, (480_000, 9.5))
    assert [(word.whole, word.recorded_s) for word in words] == [(False, 0.5), (True, 1.5)]
    assert [word.recorded_s for word in said_in(tmp_path, None)] == [None, None]
