from __future__ import annotations

from pipeline.carryover import NOTHING_SHOWN, CarryOver


def test_the_next_step_begins_from_the_newest_state() -> None:
    carry = CarryOver("open")
    assert carry.state == "open" and carry.sequence == NOTHING_SHOWN
    assert [carry.made(state) for state in ("a", "b")] == [0, 1]
    assert carry.state == "b"


def test_a_cut_goes_on_from_what_was_shown_and_numbers_keep_rising() -> None:
    carry = CarryOver("open")
    for state in "abcd":
        carry.made(state)
    assert carry.rewind(1) and carry.state == "b"
    assert carry.made("e") == 4
    assert not carry.rewind(3), "what was taken back is gone"
    assert carry.rewind(4)


def test_states_from_before_what_was_shown_are_forgotten() -> None:
    carry = CarryOver("open")
    for state in "abc":
        carry.made(state)
    carry.shown(1)
    assert not carry.rewind(0) and carry.state == "c"
    assert carry.rewind(1)
