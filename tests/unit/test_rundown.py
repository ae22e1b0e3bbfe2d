"""The rules of the rundown, as tables and as facts over random play."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import takewhile

import pytest

from broadcaster.rundown import Placed, Rundown
from broadcaster.utterance import LANES, Key, Utterance

NOW_S = 1_000.0


def utterance(name: str, count: int = 1, lane: str = "command", mode: str = "append", **more: object) -> Utterance:
    sentences = tuple(f"{name}{index}" for index in range(count))
    return Utterance(id=name, sentences=sentences, lane=LANES[lane], mode=mode, **more)  # type: ignore[arg-type]


def say(rundown: Rundown, count: int = 1) -> list[Key]:
    """Give away sentences one by one, as the timeline does."""
    said = []
    for _ in range(count):
        for key in rundown.plan(1, NOW_S):
            rundown.begin(key)
            said.append(key)
    return said


def order(rundown: Rundown, count: int = 20) -> str:
    return " ".join(f"{name}{sentence}" for name, sentence in say(rundown, count))


# each: what is added and when ("|" = one sentence is said), and the order in which sentences are said
CASES = {
    "within a lane first come first said": ([("a", 1, "command", "append"), ("b", 1, "command", "append")], "a0 b0"),
    "lane orders what waits": (
        [(lane, 1, lane, "append") for lane in ("script", "scheduled", "reply", "command", "live")],
        "live0 command0 reply0 scheduled0 script0",
    ),
    "a higher lane begins at a sentence end and the script resumes": (
        [("s", 3, "script", "append"), "|", ("c", 2, "command", "append")],
        "s0 c0 c1 s1 s2",
    ),
    "append of the same lane waits for the utterance on air": (
        [("a", 3, "command", "append"), "|", ("b", 1, "command", "append")],
        "a0 a1 a2 b0",
    ),
    "insert goes first at the next sentence end": (
        [("a", 3, "command", "append"), ("b", 1, "command", "append"), "|", ("i", 1, "command", "insert")],
        "a0 i0 a1 a2 b0",
    ),
    "insert of a lower lane still goes first": (
        [("a", 2, "live", "append"), "|", ("i", 2, "reply", "insert")],
        "a0 i0 i1 a1",
    ),
    "inserts keep their order": (
        [("a", 2, "command", "append"), "|", ("i", 1, "command", "insert"), ("j", 1, "command", "insert")],
        "a0 i0 j0 a1",
    ),
    "an insert that has begun is finished before the next of its lane": (
        [("i", 2, "reply", "insert"), "|", ("j", 1, "reply", "insert")],
        "i0 i1 j0",
    ),
    "an insert of a higher lane breaks one that has begun": (
        [("i", 2, "reply", "insert"), "|", ("j", 1, "live", "insert")],
        "i0 j0 i1",
    ),
    "now below the lane on air is an insert": (
        [("a", 2, "live", "append"), "|", ("n", 1, "command", "now"), ("b", 1, "live", "append")],
        "a0 n0 a1 b0",
    ),
    "now cuts its own lane and the cut sentence is said again": (
        [("a", 2, "command", "append"), "|", ("n", 1, "command", "now")],
        "a0 n0 a0 a1",
    ),
    "now cuts the script, which is said again from the cut sentence": (
        [("s", 3, "script", "append"), "|", "|", ("n", 2, "reply", "now"), ("c", 1, "command", "append")],
        "s0 s1 n0 n1 c0 s0 s1 s2",
    ),
    "the newest now goes first": (
        [("a", 1, "command", "now"), ("b", 1, "command", "now"), ("c", 1, "reply", "now")],
        "b0 a0 c0",
    ),
    "what was broken off twice nests": (
        [("s", 2, "script", "append"), "|", ("c", 2, "reply", "append"), "|", ("l", 1, "live", "append")],
        "s0 c0 l0 c1 s1",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_rules(name: str) -> None:
    steps, expected = CASES[name]
    rundown = Rundown()
    said = []
    for step in steps:
        if step == "|":
            said += say(rundown)
        else:
            rundown.add(utterance(step[0], step[1], step[2], step[3]))
    words = [f"{key[0]}{key[1]}" for key in said] + order(rundown).split()
    assert " ".join(words) == expected


def test_now_tells_whether_it_cuts() -> None:
    rundown = Rundown()
    assert rundown.add(utterance("a", 2, "live")) is Placed.WAITS
    say(rundown)
    assert rundown.add(utterance("b", 1, "command", "now")) is Placed.WAITS
    assert rundown.add(utterance("c", 1, "live", "now")) is Placed.CUTS
    assert rundown.out == ()


def test_heard_sentences_are_not_said_again_after_a_cut() -> None:
    rundown = Rundown()
    rundown.add(utterance("a", 4))
    say(rundown, 3)
    rundown.sentence_heard(("a", 0))
    rundown.sentence_heard(("a", 1))
    rundown.add(utterance("n", 1, "live", "now"))
    assert order(rundown) == "n0 a2 a3"


def test_a_cut_utterance_that_turns_out_to_be_heard_is_not_resumed_meanwhile() -> None:
    rundown = Rundown()
    rundown.add(utterance("a", 2))
    say(rundown, 2)
    rundown.add(utterance("n", 1, "live", "now"))
    rundown.doubt(["a"])
    assert order(rundown) == "n0"
    rundown.sentence_heard(("a", 0))
    rundown.settle()
    assert order(rundown) == "a1"


def test_an_utterance_is_done_when_its_last_sentence_was_heard() -> None:
    rundown = Rundown()
    rundown.add(utterance("a", 2))
    say(rundown, 2)
    assert rundown.sentence_heard(("a", 0)) is None
    done = rundown.sentence_heard(("a", 1))
    assert done is not None and done.id == "a"
    assert len(rundown) == 0 and rundown.out == () and rundown.partly_heard() == {}


def test_what_waited_beyond_its_time_expires_and_what_has_begun_does_not() -> None:
    rundown = Rundown()
    rundown.add(utterance("begun", 2, expires_s=NOW_S + 1))
    rundown.add(utterance("late", 1, expires_s=NOW_S + 1))
    rundown.add(utterance("patient", 1, expires_s=NOW_S + 9))
    say(rundown)
    assert [gone.id for gone in rundown.expire(NOW_S + 0.5)] == []
    assert [gone.id for gone in rundown.expire(NOW_S + 1)] == ["late"]
    assert order(rundown) == "begun1 patient0"


def lasting(**seconds: float) -> Callable[[Key], float]:
    """How long the sentences of an utterance are; 2 s where nothing is said."""
    return lambda key: seconds.get(key[0], 2.0)


def test_what_has_a_planned_time_waits_for_it_and_then_goes_before_all_that_waits() -> None:
    rundown = Rundown()
    rundown.add(utterance("later", 2, "script", due_s=NOW_S + 60))
    rundown.add(utterance("a", 3, "live"))
    assert say(rundown) == [("a", 0)]
    assert rundown.plan(4, NOW_S) == [("a", 1), ("a", 2)]
    assert rundown.plan(4, NOW_S + 60) == [("later", 0), ("later", 1), ("a", 1), ("a", 2)]


# each: what waits beside `p`, planned in 5 s; how long sentences are; what may be said until then
PLANNED = {
    "the script is held when its next sentence would overrun it": ([("s", 9, "script")], {}, "s0 s1"),
    "a sentence that is over just in time is said": ([("s", 9, "script")], {"s": 4.5}, "s0"),
    "a sentence that is over too late is not": ([("s", 9, "script")], {"s": 4.6}, ""),
    "its own lane is held as well": ([("c", 1, "command"), ("d", 1, "command")], {"c": 4, "d": 1}, "c0"),
    "another that is short enough goes first": ([("c", 1, "command"), ("r", 1, "reply")], {"c": 6}, "r0"),
    "a shorter one of the same lane goes first": ([("c", 1, "command"), ("d", 1, "command")], {"c": 6}, "d0"),
    "the script does not overtake itself": ([("s", 1, "script"), ("t", 1, "script")], {"s": 6}, ""),
    "a higher lane is never held": ([("l", 2, "live")], {"l": 9}, "l0"),
}


@pytest.mark.parametrize("name", PLANNED)
def test_nothing_is_begun_that_would_overrun_a_planned_time(name: str) -> None:
    others, seconds, expected = PLANNED[name]
    rundown = Rundown()
    rundown.add(utterance("p", 1, "command", due_s=NOW_S + 5))
    for other in others:
        rundown.add(utterance(*other))
    planned = rundown.plan(9, NOW_S, lasting(**seconds))
    before = takewhile(lambda key: key[0] != "p", planned)
    assert " ".join(f"{name}{sentence}" for name, sentence in before) == expected
    assert ("p", 0) in rundown.foresee(9, NOW_S, lasting(**seconds)), "it is synthesised in time all the same"


def test_a_sentence_that_lasts_longer_than_it_was_taken_for_is_followed_by_the_planned_one() -> None:
    rundown = Rundown()
    rundown.add(utterance("p", 1, "command", due_s=NOW_S + 5))
    rundown.add(utterance("s", 9, "script"))
    assert rundown.plan(1, NOW_S + 6, lasting()) == [("p", 0)]


def test_a_thousand_that_are_too_long_are_not_all_measured_and_a_higher_lane_still_goes_first() -> None:
    rundown = Rundown()
    rundown.add(utterance("p", 1, "command", due_s=NOW_S + 5))
    for number in range(900):
        rundown.add(utterance(f"i{number}.", 1, "reply", "insert"))
    measured: list[Key] = []

    def long(key: Key) -> float:
        measured.append(key)
        return 30.0

    assert rundown.plan(1, NOW_S, long) == []
    assert len(measured) < 50
    rundown.add(utterance("l", 1, "live"))
    assert rundown.plan(1, NOW_S, long) == [("l", 0)]


def test_a_planned_time_that_is_far_off_is_not_foreseen_yet() -> None:
    rundown = Rundown()
    rundown.add(utterance("p", 1, due_s=NOW_S + 3_600))
    rundown.add(utterance("q", 1, due_s=NOW_S + 20))
    assert rundown.foresee(9, NOW_S, lasting()) == [("q", 0)]


def test_words_for_now_that_have_a_planned_time_cut_nothing() -> None:
    rundown = Rundown()
    rundown.add(utterance("s", 3, "script"))
    say(rundown)
    assert rundown.add(utterance("n", 1, "live", "now", due_s=NOW_S + 5)) is Placed.WAITS


def test_words_for_now_are_said_at_once_however_near_a_planned_time_is() -> None:
    rundown = Rundown()
    rundown.add(utterance("p", 1, "command", due_s=NOW_S + 1))
    assert rundown.add(utterance("n", 1, "command", "now")) is Placed.CUTS
    assert rundown.plan(1, NOW_S, lasting(n=30)) == [("n", 0)]


def test_two_planned_times_are_kept_in_their_order() -> None:
    rundown = Rundown()
    rundown.add(utterance("q", 1, due_s=NOW_S + 8))
    rundown.add(utterance("p", 3, due_s=NOW_S + 5))
    assert rundown.foresee(9, NOW_S, lasting()) == [("p", 0), ("p", 1), ("p", 2), ("q", 0)]
    assert rundown.plan(1, NOW_S + 8, lasting()) == [("q", 0)]


def test_a_full_rundown_refuses() -> None:
    rundown = Rundown(capacity=2)
    assert [rundown.add(utterance(name)) for name in "abc"] == [Placed.WAITS, Placed.WAITS, Placed.FULL]
    rundown = Rundown(capacity_chars=3)
    assert [rundown.add(utterance(name)) for name in "ab"] == [Placed.WAITS, Placed.FULL]


def test_an_id_that_is_here_is_not_taken_twice() -> None:
    rundown = Rundown()
    rundown.add(utterance("a"))
    assert rundown.add(utterance("a")) is Placed.KNOWN
    assert order(rundown) == "a0"


def test_what_a_voice_broke_off_is_said_again_from_that_sentence() -> None:
    rundown = Rundown()
    rundown.add(utterance("a", 3))
    say(rundown, 2)
    rundown.again(("a", 1))
    rundown.hold("a", on=True)
    rundown.add(utterance("b"))
    assert order(rundown) == "b0"
    rundown.hold("a", on=False)
    assert order(rundown) == "a1 a2"


def test_planning_gives_nothing_away() -> None:
    rundown = Rundown()
    rundown.add(utterance("s", 3, "script"))
    rundown.add(utterance("c", 2))
    assert rundown.plan(4, NOW_S) == [("c", 0), ("c", 1), ("s", 0), ("s", 1)]
    assert rundown.plan(9, NOW_S) == [("c", 0), ("c", 1), ("s", 0), ("s", 1), ("s", 2)]
    assert rundown.out == ()


def test_a_restart_goes_on_where_it_was() -> None:
    before = Rundown()
    before.add(utterance("a", 3))
    before.add(utterance("b"))
    say(before, 2)
    before.sentence_heard(("a", 0))
    after = Rundown()
    after.add(utterance("a", 3, mode="now"), resumed=True)
    after.restore(before.out, before.partly_heard())
    after.add(utterance("b"))
    assert order(after) == "a2 b0"
    after.rewind()
    assert order(after) == "a1 a2 b0"


@pytest.mark.parametrize("seed", range(60))
def test_every_sentence_is_heard_once_and_in_order_whatever_is_cut_or_lost(seed: int) -> None:
    dice = random.Random(seed)
    rundown = Rundown()
    names: dict[str, int] = {}
    heard: list[Key] = []
    for step in range(400):
        action = dice.random()
        if action < 0.15 and len(names) < 40:
            count = dice.randint(1, 5)
            names[f"u{step}."] = count
            mode = dice.choice(["append", "append", "insert", "now"])
            rundown.add(utterance(f"u{step}.", count, dice.choice(list(LANES)), mode))
        elif action < 0.65:
            say(rundown)
        elif action < 0.95 and rundown.out:
            heard.append(rundown.out[0])
            rundown.sentence_heard(rundown.out[0])
        elif action >= 0.95:
            rundown.rewind(beyond=dice.randint(0, len(rundown.out)))
    while len(rundown):
        say(rundown)
        heard.append(rundown.out[0])
        rundown.sentence_heard(rundown.out[0])
    assert sorted(heard) == sorted((name, index) for name, count in names.items() for index in range(count))
    for name in names:
        assert [index for other, index in heard if other == name] == sorted(
            index for other, index in heard if other == name
        )


def test_a_higher_lane_gets_in_however_many_lower_ones_wait() -> None:
    rundown = Rundown(capacity=3)
    for number in range(5):
        rundown.add(utterance(f"r{number}", lane="reply"))
    assert len(rundown) == 3 and rundown.full
    assert rundown.add(utterance("s", lane="script")) is Placed.FULL
    assert rundown.add(utterance("c", lane="command")) is Placed.WAITS
    assert rundown.add(utterance("n", lane="live", mode="now")) is Placed.CUTS
    assert say(rundown, 2) == [("n", 0), ("c", 0)]
    for number in range(5):
        rundown.add(utterance(f"l{number}", lane="live"))
    assert rundown.add(utterance("m", lane="live")) is Placed.FULL  # its own lane is bounded as well
    rundown.remove("l0")
    assert rundown.add(utterance("m", lane="live")) is Placed.WAITS
