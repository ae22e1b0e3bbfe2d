from __future__ import annotations

from broadcaster.gate import UNKNOWN_FOR_S, WORD_WITHIN_S, Gate


def test_a_director_that_says_nothing_keeps_nobody_off_the_air() -> None:
    gate = Gate(100.0)
    assert not gate.hear(None, 100.0) and not gate.is_open(100.0)
    assert gate.is_open(100.0 + WORD_WITHIN_S)


def test_ours_opens_at_once_and_elsewhere_closes_at_once() -> None:
    gate = Gate(0.0)
    for lease, is_open in (("ours", True), ("elsewhere", False), ("ours", True)):
        assert gate.hear(lease, 1.0) and gate.is_open(1.0) == is_open
    assert not gate.hear("ours", 2.0)


def test_a_redis_that_goes_away_takes_nobody_off_the_air() -> None:
    gate = Gate(0.0)
    gate.hear("ours", 1.0)
    gate.hear("unknown", 2.0)
    assert gate.is_open(2.0)


def test_a_director_that_starts_knows_nothing_and_opens_nothing_yet() -> None:
    for before in ("", "elsewhere"):
        gate = Gate(0.0)
        gate.hear(before, 0.5)
        gate.hear("unknown", 1.0)
        assert not gate.is_open(1.0 + UNKNOWN_FOR_S - 0.1)
        assert gate.is_open(1.0 + UNKNOWN_FOR_S)
        gate.hear("elsewhere", 9.0)
        assert not gate.is_open(9.0)


def test_elsewhere_stands_while_the_director_is_away() -> None:
    gate = Gate(0.0)
    gate.hear("elsewhere", 1.0)
    gate.hear(None, 2.0)
    assert not gate.is_open(3600.0)
