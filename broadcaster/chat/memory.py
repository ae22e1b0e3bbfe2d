"""What was asked and answered a while ago, by each viewer and in the room. Pure but for the clock.

In: turns as they were aired. Out: a viewer's own, and which product the talk is of, theirs or the room's. It is kept in
memory alone and ends with the process, on purpose: nobody's words are on a disk for this. Bounded in viewers, turns,
characters and age; a viewer whom nobody can tell from others has no memory.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.clock import NS, Clock

VIEWERS_MAX = 1_000
TEXT_MAX_CHARS = 300  # of a question, and of an answer
AGE_S = 15 * 60.0
ROOM_TURNS = 12
TALK_S = 120.0  # for which "it" is what was spoken of last


@dataclass(frozen=True, slots=True)
class Turn:
    """product: what it was about, "" for nothing in particular. at_ns: of the clock."""

    question: str
    answer: str
    product: str = ""
    at_ns: int = 0


class Memory:
    """turns: of a viewer, at most; 0 remembers nobody."""

    def __init__(self, clock: Clock, turns: int, viewers: int = VIEWERS_MAX) -> None:
        self._clock = clock
        self._turns = turns
        self._viewers_max = viewers
        self._viewers: OrderedDict[str, deque[Turn]] = OrderedDict()  # the one heard of longest ago first
        self._room: deque[Turn] = deque(maxlen=min(ROOM_TURNS, 2 * turns))

    def keep(self, viewer: str, question: str, answer: str, product: str = "") -> None:
        """viewer: whoever they are over all they send, "" for anybody."""
        if not self._turns:
            return
        turn = Turn(question[:TEXT_MAX_CHARS], answer[:TEXT_MAX_CHARS], product, self._clock.now_ns())
        self._room.append(turn)
        if not viewer:
            return
        self._viewers.setdefault(viewer, deque(maxlen=self._turns)).append(turn)
        self._viewers.move_to_end(viewer)
        while len(self._viewers) > self._viewers_max or self._is_over(next(iter(self._viewers.values()))):
            self._viewers.popitem(last=False)

    def of(self, viewer: str) -> tuple[Turn, ...]:
        """The viewer's turns, the oldest first."""
        return tuple(self._fresh(self._viewers.get(viewer, ()), AGE_S))

    def product(self, viewer: str) -> str:
        """What "it" is for this viewer: what they spoke of last, else the room; "" when that is long ago."""
        return self._spoken_of(self._viewers.get(viewer, ())) or self._spoken_of(self._room)

    def __len__(self) -> int:
        return len(self._viewers)

    def _spoken_of(self, turns: Iterable[Turn]) -> str:
        named = [turn.product for turn in self._fresh(turns, TALK_S) if turn.product]
        return named[-1] if named else ""

    def _fresh(self, turns: Iterable[Turn], age_s: float) -> Iterator[Turn]:
        since_ns = self._clock.now_ns() - int(age_s * NS)
        return (turn for turn in turns if turn.at_ns >= since_ns)

    def _is_over(self, turns: deque[Turn]) -> bool:
        return not any(self._fresh(turns, AGE_S))
