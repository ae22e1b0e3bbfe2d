"""The air clock as arithmetic."""

from __future__ import annotations

from pipeline.clock import NS, SLOT_NS, FakeClock
from streams.pacer import Pacer


def test_slots_follow_at_absolute_deadlines() -> None:
    pacer = Pacer(7, now_ns=1000)
    for number in range(5):
        assert pacer.deadline_ns == 1000 + number * SLOT_NS
        assert pacer.begin(pacer.deadline_ns + 3_000_000) == (7 + number, 0)  # lateness does not add up
    assert pacer.skipped == 0


def test_a_second_late_is_caught_up_without_a_slot_left_out() -> None:
    clock = FakeClock()
    pacer = Pacer(0, clock.now_ns())
    clock.advance(1.0)
    slots = []
    while pacer.deadline_ns <= clock.now_ns():
        slots.append(pacer.begin(clock.now_ns())[0])
    assert slots == list(range(26))
    assert pacer.skipped == 0


def test_a_stopped_process_skips_whole_slots_and_does_not_burst() -> None:
    clock = FakeClock()
    pacer = Pacer(0, clock.now_ns())
    pacer.begin(clock.now_ns())
    clock.advance(5.05)
    slot, skipped = pacer.begin(clock.now_ns())
    assert (slot, skipped) == (126, 125)
    assert pacer.deadline_ns > clock.now_ns()
    assert pacer.skipped == 125


def test_thirty_days_do_not_drift() -> None:
    days = 30 * 24 * 3600
    pacer = Pacer(0, now_ns=17)
    pacer.slot = days * 25
    assert pacer.deadline_ns == 17 + days * NS
    assert pacer.begin(17 + days * NS) == (days * 25, 0)


def test_lateness_is_told_in_milliseconds() -> None:
    pacer = Pacer(0, 0)
    for number in range(100):
        pacer.begin(number * SLOT_NS + (20_000_000 if number == 50 else 1_000_000))
    assert pacer.lateness_ms(50) == 1.0
    assert pacer.lateness_ms(99) == 20.0
