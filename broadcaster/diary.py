"""Planned times: what may still be begun without running into one.

In: the utterances that have a planned time (`at`) and have not begun. Out: whether a sentence that ends at a moment is
in the way of one, and which time comes next. Pure; times are Unix seconds.

The rules
* An utterance with a planned time is an insert that comes at that time, whatever its mode says.
* Before it, nothing of its own lane or below is begun that would not be over in time: the room idles instead, or
  another that is short enough goes first, of the first 20 that wait. In the script's lane nothing overtakes.
* A higher lane, an utterance in mode now that may cut, and another whose planned time has come are never held back.
* What lasts longer than it was taken for is finished; the planned one begins at its sentence end.
"""

from __future__ import annotations

from collections.abc import Iterable

EARLY_S = 0.1  # it begins so much too early rather than too late: half a hop, which cannot be cut in two
PAUSE_S = 0.5  # between two utterances


class Diary:
    """planned: (time, lane) of each."""

    def __init__(self, planned: Iterable[tuple[float, int]]) -> None:
        self._planned = sorted(planned)
        self._highest = max((lane for _, lane in self._planned), default=-1)

    def __bool__(self) -> bool:
        return bool(self._planned)

    def binds(self, lane: int) -> bool:
        """Whether a sentence of that lane has to respect any of them."""
        return lane <= self._highest

    def fits(self, lane: int, begins_s: float, lasts_s: float) -> bool:
        """Whether a sentence of that lane is over before the next planned time that it must respect."""
        over_s = begins_s + lasts_s + PAUSE_S
        respected = (time_s for time_s, other in self._planned if other >= lane and not has_come(time_s, begins_s))
        return all(time_s >= over_s for time_s in respected)

    def next_s(self, after_s: float) -> float | None:
        """The first planned time that has not come at that moment."""
        return next((time_s for time_s, _ in self._planned if not has_come(time_s, after_s)), None)


def has_come(time_s: float | None, now_s: float) -> bool:
    """Whether a planned time is reached; no time is always."""
    return time_s is None or time_s <= now_s + EARLY_S
