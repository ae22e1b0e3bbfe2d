"""Which rooms an engine draws next, and whether it can take one more. Pure: no clock, no sockets.

In: the rooms whose segments are due, when each one's buffer runs dry, what a step takes. Out: those that go into the
next step together. Who runs dry first goes first; others of the same shape come along as long as nobody is late for it.
A room that was given more than it can have shown goes last, whatever it says of its buffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LOAD_MAX = 0.9  # of the engine's time; the rest is for the wire, for hiccups, and for a step that is made twice


@dataclass(frozen=True, slots=True)
class Waiting:
    """A room whose segment is due. Times: nanoseconds, monotonic.

    seat: its number. shape: of what is drawn for it; jobs of one shape may go into one step. dry_ns: when its buffer
    runs dry. takes_ns: what its part of a step takes. is_ahead: it was given more than it can have shown.
    """

    seat: int
    shape: tuple[int, int, int]
    dry_ns: int
    takes_ns: int
    is_ahead: bool = False


def chosen(waiting: Sequence[Waiting], now_ns: int) -> list[int]:
    """The seats of the next step, the most urgent first; [] when nobody waits."""
    order = sorted(waiting, key=lambda one: (one.is_ahead, one.dry_ns, one.seat))
    if not order:
        return []
    first, seats = order[0], [order[0].seat]
    ends_ns = now_ns + first.takes_ns
    for one in order[1:]:
        ends_ns += one.takes_ns
        if one.shape == first.shape and one.is_ahead == first.is_ahead and ends_ns <= first.dry_ns:
            seats.append(one.seat)
        else:
            ends_ns -= one.takes_ns
    return seats


def refusal(load: float, own: float) -> str:
    """Why a room of this real-time factor cannot be taken beside those that are there, "" when it can.

    load: the real-time factor of all that are there, together. The first one is taken however slow it is.
    """
    if not load or load + own <= LOAD_MAX:
        return ""
    return (
        f"the engine has no time for it: the rooms that are there need {load:.2f} of real time, "
        f"with this one {load + own:.2f}, and {LOAD_MAX:g} is the most"
    )
