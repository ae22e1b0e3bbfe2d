"""With what a match of a rule's pattern can begin: found once for all books that have the pattern."""

from __future__ import annotations

import pytest

from broadcaster.guard.beginnings import beginnings
from broadcaster.guard.guard import BOOKS
from broadcaster.guard.patterns import joined


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("best|no. 1", {"be", "no"}),
        ("(?:the )?best", {"th", "be"}),
        ("[ab]c", {"ac", "bc"}),
        (".x", {""}),
        ("a?", {""}),
    ],
)
def test_a_pattern_is_known_by_what_its_matches_begin_with(pattern: str, found: set[str]) -> None:
    assert beginnings(pattern) == found


def test_each_guard_of_a_process_took_half_a_second_to_look_at_all_patterns_again() -> None:
    looked_at = beginnings.cache_info().misses
    assert len(joined(BOOKS.values()).patterns) > 5_000
    assert beginnings.cache_info().misses == looked_at
