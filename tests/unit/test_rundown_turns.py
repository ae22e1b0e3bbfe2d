"""Turns: what comes in several messages is said in one go, as tables and as facts over random play."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from broadcaster.rundown import Placed, Rundown
from broadcaster.turn import OPEN_MAX, Turns
from broadcaster.utterance import LANES, Key, Utterance

NOW_S = 1_000.0


def utterance(name: str, count: int = 1, lane: str = "reply", mode: str = "insert", **more: object) -> Utterance:
    sentences = tuple(f"{name}{index}" for index in range(count))
    return Utterance(id=name, sentences=sentences, lane=LANES[lane], mode=mode, **more)  # type: ignore[arg-type]


def say(rundown: Rundown, count: int = 1) -> list[Key]:
    said = []
    for _ in range(count):
        for key in rundown.plan(1, NOW_S):
            rundown.begin(key)
            said.append(key)
    return said


def order(rundown: Rundown, count: int = 20) -> str:
    return " ".join(f"{name}{sentence}" for name, sentence in say(rundown, count))


def opened(*others: Utterance) -> Rundown:
    """A rundown in which the first piece of turn T was said, and these came before it."""
    rundown = Rundown()
    for other in others:
        rundown.add(other)
    rundown.add(utterance("t", turn="T", more=True, mode="now"))
    assert order(rundown, 1) == "t0"
    rundown.sentence_heard(("t", 0))
    return rundown


SCRIPT = utterance("s", 2, "script", "append")

# each: what comes while a turn of lane reply waits for its next piece, and what is said before that comes
WAITING = {
    "the script waits": (SCRIPT, ""),
    "an insert of its own lane waits": (utterance("i"), ""),
    "a fixed time of a lower lane waits": (utterance("p", lane="scheduled", due_s=NOW_S), ""),
    "a higher lane begins": (utterance("c", lane="command", mode="append"), "c0"),
    "an insert of a higher lane begins": (utterance("c", 2, "live"), "c0 c1"),
    "what cuts begins": (utterance("n", mode="now"), "n0"),
    "now of a lower lane cuts nothing and waits": (utterance("n", lane="script", mode="now"), ""),
}


@pytest.mark.parametrize("name", WAITING)
def test_while_a_turn_waits_for_its_next_piece(name: str) -> None:
    other, before = WAITING[name]
    rundown = opened()
    rundown.add(other)
    assert order(rundown, 3) == before
    rundown.add(utterance("u", turn="T"))
    rest = "" if before else " ".join(f"{other.id}{index}" for index in range(len(other.sentences)))
    assert order(rundown) == f"u0 {rest}".strip()


def test_the_script_resumes_where_it_was_after_the_last_piece() -> None:
    rundown = Rundown()
    rundown.add(utterance("s", 3, "script", "append"))
    say(rundown)
    rundown.add(utterance("t", 2, turn="T", more=True))
    assert order(rundown) == "t0 t1"
    rundown.add(utterance("u", 2, turn="T", more=True))
    rundown.add(utterance("v", turn="T"))
    assert order(rundown) == "u0 u1 v0 s1 s2"


def test_pieces_that_are_there_go_before_inserts_that_came_earlier() -> None:
    rundown = opened(utterance("i"), utterance("j"))
    rundown.add(utterance("u", turn="T"))
    assert rundown.plan(9, NOW_S) == [("u", 0), ("i", 0), ("j", 0)]


def test_the_first_of_many_turns_is_said_whole_before_the_next() -> None:
    rundown = Rundown()
    for name in "abc":
        rundown.add(utterance(f"{name}q", turn=name, more=True))
    for name in "cab":
        rundown.add(utterance(f"{name}a", turn=name))
    assert order(rundown) == "aq0 aa0 bq0 ba0 cq0 ca0"


def test_a_piece_in_mode_append_belongs_to_its_turn_all_the_same() -> None:
    rundown = opened(utterance("i"))
    rundown.add(utterance("u", mode="append", turn="T"))
    assert order(rundown) == "u0 i0"


def test_a_piece_follows_those_before_it_however_urgent_it_is() -> None:
    rundown = Rundown()
    rundown.add(utterance("s", 2, "script", "append"))
    say(rundown)
    rundown.add(utterance("t", lane="live", mode="append", turn="T", more=True))
    assert rundown.add(utterance("u", lane="live", mode="now", turn="T")) is Placed.WAITS
    assert order(rundown) == "t0 u0 s1"


def test_nothing_is_planned_beyond_a_turn_that_waits_but_it_is_foreseen() -> None:
    rundown = opened(SCRIPT)
    assert rundown.plan(4, NOW_S) == []
    assert rundown.foresee(4, NOW_S, lambda key: 2.0) == [("s", 0), ("s", 1)]


def test_a_turn_whose_writer_is_gone_ends_and_what_still_comes_of_it_is_an_insert() -> None:
    rundown = opened(SCRIPT)
    rundown.end_turns()
    assert order(rundown, 1) == "s0"
    rundown.add(utterance("u", turn="T"))
    assert order(rundown) == "u0 s1"


def test_a_turn_ends_with_what_came_before_the_word_that_nothing_follows() -> None:
    rundown = opened(SCRIPT)
    rundown.add(utterance("u", turn="T", more=True))
    rundown.close_turn("T")
    assert order(rundown) == "u0 s0 s1"
    rundown = opened(SCRIPT)
    rundown.close_turn("T")
    assert order(rundown) == "s0 s1"


def test_a_turn_whose_last_piece_is_never_said_does_not_wait_for_it() -> None:
    rundown = opened(SCRIPT)
    rundown.add(utterance("u", turn="T"))
    rundown.remove("u")
    assert order(rundown) == "s0 s1"


def test_within_a_turn_of_a_higher_lane_the_lower_one_waits_and_goes_on_after_it() -> None:
    rundown = opened(SCRIPT)
    rundown.add(utterance("h", lane="live", turn="H", more=True))
    rundown.add(utterance("u", turn="T"))
    rundown.add(utterance("k", lane="live", turn="H"))
    assert order(rundown) == "h0 k0 u0 s0 s1"
    rundown = opened(SCRIPT)
    rundown.add(utterance("h", lane="live", turn="H", more=True))
    assert order(rundown) == "h0"
    rundown.add(utterance("u", turn="T"))
    assert order(rundown) == ""
    rundown.add(utterance("k", lane="live", turn="H"))
    assert order(rundown) == "k0 u0 s0 s1"


def test_a_turn_whose_beginning_was_lost_has_not_begun() -> None:
    rundown = Rundown()
    rundown.add(utterance("a", 2))
    rundown.add(utterance("t", turn="T", more=True))
    assert order(rundown) == "a0 a1 t0"
    rundown.sentence_heard(("a", 0))
    rundown.rewind()
    assert order(rundown) == "a1 t0"
    rundown.add(SCRIPT)
    rundown.add(utterance("u", turn="T"))
    assert order(rundown) == "u0 s0 s1"


def test_a_restart_in_the_middle_of_a_turn_waits_for_its_next_piece() -> None:
    before = opened(SCRIPT)
    after = Rundown()
    after.restore(before.out, before.partly_heard(), before.turns_before_out())
    after.add(SCRIPT)
    assert order(after) == ""
    after.add(utterance("u", turn="T"))
    assert order(after) == "u0 s0 s1"


def test_a_restart_while_the_last_piece_is_out_and_lost_has_it_said_again_before_all_else() -> None:
    before = opened(SCRIPT)
    before.add(utterance("u", turn="T"))
    assert order(before, 1) == "u0"
    assert before.turns == {} and before.turns_before_out() != {}
    after = Rundown()
    after.add(utterance("u", turn="T"), resumed=True)
    after.restore(before.out, before.partly_heard(), before.turns_before_out())
    after.add(SCRIPT)
    after.add(utterance("i"))
    after.rewind()
    assert order(after) == "u0 i0 s0 s1"


def test_a_turn_that_ended_is_open_again_when_its_end_is_lost() -> None:
    rundown = opened()
    rundown.add(utterance("u", 2, turn="T"))
    rundown.add(utterance("h", lane="live", mode="append"))
    assert order(rundown, 3) == "u0 u1 h0"
    rundown.again(("u", 1))
    rundown.add(utterance("i"))
    assert rundown.out == (("u", 0), ("h", 0)) and rundown.turns != {}
    assert order(rundown) == "u1 i0"


def test_a_turn_that_was_ended_by_word_stays_so_whatever_is_lost() -> None:
    rundown = opened(SCRIPT)
    rundown.add(utterance("h", lane="live"))
    assert order(rundown, 1) == "h0"
    rundown.close_turn("T")
    rundown.rewind()
    assert order(rundown) == "h0 s0 s1"


def test_turns_within_one_another_are_bounded() -> None:
    turns = Turns()
    for number in range(OPEN_MAX + 5):
        turns.given(utterance(f"u{number}", turn=f"T{number}", more=True), 0)
    assert len(turns.opened) == OPEN_MAX and turns.innermost == f"T{OPEN_MAX + 4}"


@pytest.mark.parametrize("seed", range(60))
def test_nothing_of_the_same_or_a_lower_lane_is_said_within_a_turn_whatever_is_cut_or_lost(seed: int) -> None:
    dice = random.Random(seed)
    rundown = Rundown()
    names: dict[str, int] = {}
    cutting: set[str] = set()
    open_turns: dict[str, int] = {}  # as they ought to be, with their lanes
    before: dict[Key, dict[str, int]] = {}  # and as they were when a sentence was given away
    writing: dict[str, str] = {}  # turns that are not whole → their lane
    said_of: dict[str, list[str]] = {}  # turn → its pieces as they were pushed
    heard: list[Key] = []

    def push(one: Utterance) -> None:
        names[one.id] = len(one.sentences)
        out = rundown.out
        if rundown.add(one) is Placed.CUTS:
            cutting.add(one.id)
            lose(out)

    def lose(lost: Sequence[Key]) -> None:
        nonlocal open_turns
        if lost:
            open_turns = before[lost[0]]

    def give() -> None:
        nonlocal open_turns
        for key in rundown.plan(1, NOW_S):
            one = rundown.get(key[0])
            assert one is not None
            if open_turns and one.id not in cutting:
                turn, lane = list(open_turns.items())[-1]
                assert one.turn == turn or one.lane > lane, f"{one.id} within {turn}"
            rundown.begin(key)
            before[key] = dict(open_turns)
            if one.more:
                open_turns = {**open_turns, one.turn: open_turns.get(one.turn, one.lane)}
            elif key[1] + 1 == len(one.sentences):
                open_turns = {turn: lane for turn, lane in open_turns.items() if turn != one.turn}

    def hear() -> None:
        heard.append(rundown.out[0])
        rundown.sentence_heard(rundown.out[0])

    for step in range(500):
        action = dice.random()
        if action < 0.08 and len(names) < 60:
            lane, mode = dice.choice(list(LANES)), dice.choice(["append", "append", "insert", "now"])
            push(utterance(f"u{step}.", dice.randint(1, 3), lane, mode))
        elif action < 0.20 and len(names) < 60:
            turn = dice.choice([*writing, f"T{step}"][:4])
            lane = writing.setdefault(turn, dice.choice(list(LANES)))
            more = dice.random() < 0.6
            said_of.setdefault(turn, []).append(f"t{step}.")
            mode = "insert" if len(said_of[turn]) > 1 else dice.choice(["insert", "append", "now"])
            push(utterance(f"t{step}.", dice.randint(1, 3), lane, mode, turn=turn, more=more))
            if not more:
                del writing[turn]
        elif action < 0.65:
            give()
        elif action < 0.93 and rundown.out:
            hear()
        elif action < 0.97:
            lose(rundown.rewind(beyond=dice.randint(0, len(rundown.out))))
        elif not rundown.out:
            rundown.end_turns()
            open_turns = {}
    while len(rundown):
        give()
        if rundown.out:
            hear()
        else:
            rundown.end_turns()
            open_turns = {}
    assert sorted(heard) == sorted((name, index) for name, count in names.items() for index in range(count))
    for name in names:
        assert [index for other, index in heard if other == name] == list(range(names[name]))
    for pieces in said_of.values():
        assert list(dict.fromkeys(name for name, _ in heard if name in pieces)) == pieces
