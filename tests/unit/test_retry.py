from __future__ import annotations

import random

import pytest

from pipeline.clock import NS
from streams.retry import Backoff


def delays_s(backoff: Backoff, tries: int, kind: str = "rejected", start_s: float = 100.0) -> list[float]:
    """What passes between a try that fails at once and the next."""
    now_ns, found = int(start_s * NS), []
    for _ in range(tries):
        backoff.tried(now_ns)
        next_ns = backoff.failed(now_ns, kind)
        found.append((next_ns - now_ns) / NS)
        now_ns = next_ns
    return found


def test_the_delays_grow_to_four_and_a_half_seconds_and_stay_there_for_ever() -> None:
    assert delays_s(Backoff(lambda: 0.0), 8) == [0.55, 0.6, 1.0, 2.0, 3.0, 4.5, 4.5, 4.5]


@pytest.mark.parametrize("kind", ["connect", "timeout", "stall"])
def test_who_does_not_answer_is_asked_each_second_so_that_he_is_found_when_he_is_back(kind: str) -> None:
    for jitter in (-1.0, 0.0, 1.0):
        delays = delays_s(Backoff(lambda jitter=jitter: jitter), 500, kind)
        assert max(delays) <= 1.0
        assert min(delays) >= 0.55


def test_a_silent_server_that_resets_as_it_is_started_anew_is_not_left_alone_for_five_seconds() -> None:
    backoff = Backoff(lambda: 0.0)
    delays_s(backoff, 20, "timeout")
    assert delays_s(backoff, 7, "reset") == [0.55, 0.6, 1.0, 2.0, 3.0, 4.5, 4.5]
    assert backoff.failures == 27


def test_a_connection_that_stood_is_tried_again_at_once() -> None:
    backoff = Backoff(lambda: 0.0)
    backoff.tried(100 * NS)
    backoff.live(100 * NS)
    assert backoff.failed(110 * NS) - 110 * NS == int(0.3 * NS)


def test_five_healthy_seconds_forgive_and_less_does_not() -> None:
    backoff = Backoff(lambda: 0.0)
    delays_s(backoff, 6)
    backoff.live(1000 * NS)
    assert backoff.failed(1004 * NS) - 1004 * NS == 4.5 * NS
    backoff.live(2000 * NS)
    assert backoff.failed(2005 * NS) - 2005 * NS == int(0.3 * NS)


def test_a_server_that_hangs_up_at_once_is_tried_twice_a_second_at_most() -> None:
    dice = random.Random(3)
    backoff = Backoff(lambda: dice.uniform(-1, 1))
    now_ns = 50 * NS
    for _ in range(40):
        backoff.tried(now_ns)
        backoff.live(now_ns)  # accepted, and closed right after
        next_ns = backoff.failed(now_ns)
        assert next_ns - now_ns >= NS // 2
        assert next_ns - now_ns <= 6 * NS
        now_ns = next_ns


def test_jitter_is_a_fifth_either_way() -> None:
    assert delays_s(Backoff(lambda: 1.0), 6)[-1] == pytest.approx(5.4)
    assert delays_s(Backoff(lambda: -1.0), 6)[-1] == pytest.approx(3.6)
