from __future__ import annotations

from broadcaster.watch import BACK_OFF_S, BURST, BURST_S, STEADY_S, BackOff, Progress

PHASES = {"loading": 60.0, "ready": 2.5}


def test_each_phase_has_its_own_deadline() -> None:
    progress = Progress(started_s=0, beat_s=0)
    assert progress.overdue_s(59, PHASES) < 0 < progress.overdue_s(61, PHASES)
    progress.beat(61, "ready", busy=False)
    assert progress.overdue_s(63, PHASES) < 0 < progress.overdue_s(64, PHASES)


def test_waiting_for_demand_is_progress_but_an_outstanding_step_is_judged_by_its_peers() -> None:
    progress = Progress(started_s=0, beat_s=0)
    now = 0.0
    for _ in range(30):
        progress.beat(now, "ready", busy=True)
        now += 1.2  # a 14B step
        progress.beat(now, "ready", busy=False)
    progress.beat(now, "ready", busy=True)
    assert progress.overdue_s(now + 3.5, PHASES) < 0 < progress.overdue_s(now + 3.7, PHASES)


def test_short_steps_do_not_shorten_the_deadline() -> None:
    progress = Progress(started_s=0, beat_s=0)
    for n in range(100):
        progress.beat(n * 0.2, "ready", busy=bool(n % 2))
    assert progress.deadline_s(PHASES) == 2.5


def test_an_unknown_phase_is_not_for_ever() -> None:
    progress = Progress(started_s=0, beat_s=0)
    progress.beat(0, "dreaming", busy=False)
    assert progress.overdue_s(11, PHASES) > 0


def test_a_child_that_never_gets_to_work_is_started_ever_more_slowly_and_for_ever() -> None:
    back_off = BackOff()
    waits = [back_off.after_death(float(n), None) for n in range(10)]
    assert waits[0] == 0.0 and waits == sorted(waits) and waits[-1] == BACK_OFF_S[-1]


def test_pushers_killed_again_and_again_come_back_at_once_each_time() -> None:
    back_off = BackOff()
    assert [back_off.after_death(n * 1.5, 1.0) for n in range(10)] == [0.0] * 10


def test_a_crash_loop_of_a_child_that_gets_to_work_is_braked() -> None:
    back_off = BackOff()
    waits = [back_off.after_death(n * 0.5, 0.4) for n in range(BURST + 8)]
    assert waits[:BURST] == [0.0] * BURST and waits[-1] == BACK_OFF_S[-1]
    assert back_off.braked


def test_a_brake_holds_until_a_minute_of_work_and_then_restarts_are_at_once_again() -> None:
    back_off = BackOff()
    for n in range(len(BACK_OFF_S)):
        back_off.after_death(float(n), None)
    assert back_off.braked
    assert back_off.after_death(BURST_S * 3, STEADY_S - 1) == BACK_OFF_S[-1]
    assert not back_off.release(STEADY_S - 1) and back_off.release(STEADY_S) and not back_off.release(STEADY_S)
    assert back_off.after_death(BURST_S * 4, 1.0) == 0.0


def test_work_is_counted_from_the_last_time_it_was_begun() -> None:
    progress = Progress(started_s=0, beat_s=0)
    assert progress.worked_s(5) is None
    for now, phase in ((5, "live"), (20, "live"), (30, "backing-off"), (31, "live")):
        progress.beat(now, phase, busy=False)
    assert progress.worked_s(41) == 10


def test_time_in_which_nobody_looked_counts_against_nobody() -> None:
    progress = Progress(started_s=0.0, beat_s=0.0)
    progress.beat(10.0, "ready", busy=False)
    assert progress.overdue_s(16.0, {"ready": 2.5}) > 0
    progress.forgive(5.9, 16.0)
    assert progress.overdue_s(16.0, {"ready": 2.5}) < 0
    progress.forgive(60.0, 16.0)
    assert progress.beat_s == 16.0  # never in the time to come
    assert progress.overdue_s(18.6, {"ready": 2.5}) > 0
