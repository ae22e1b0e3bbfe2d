from __future__ import annotations

import random

from pipeline.clock import NS
from streams.retry import Backoff


def delays_s(backoff: Backoff, tries: int, start_s: float = 100.0) -> list[float]:
    """What passes between a try that fails at once and the next."""
    now_ns, found = int(start_s * NS), []
    for _ in range(tries):
        backoff.tried(now_ns)
        next_ns = backoff.failed(now_ns)
        found.append((next_ns - now_ns) / NS)
        now_ns = next_ns
    return found


def test_the_delays_grow_to_five_seconds_and_stay_there_for_ever() -> None:
    assert delays_s(Backoff(lambda: 0.0), 8) == [0.5, 0.6, 1.0, 2.0, 3.0, 5.0, 5.0, 5.0]


def test_a_connection_that_stood_is_tried_again_at_once() -> None:
    backoff = Backoff(lambda: 0.0)
    backoff.tried(100 * NS)
    backoff.live(100 * NS)
    assert backoff.failed(110 * NS) - 110 * NS == int(0.3 * NS)


def test_a_healthy_minute_forgives_and_less_does_not() -> None:
    backoff = Backoff(lambda: 0.0)
    delays_s(backoff, 6)
    backoff.live(1000 * NS)
    assert backoff.failed(1059 * NS) - 1059 * NS == 5 * NS
    backoff.live(2000 * NS)
    assert backoff.failed(2060 * NS) - 2060 * NS == int(0.3 * NS)


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
    assert delays_s(Backoff(lambda: 1.0), 6)[-1] == 6.0
    assert delays_s(Backoff(lambda: -1.0), 6)[-1] == 4.0
