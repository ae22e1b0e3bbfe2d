"""Turns: what comes in several messages is said in one go, whoever else has something to say. Pure.

In: sentences as they are given away. Out: who may begin meanwhile. It reads no clock: that nothing more comes is told
to it.

The rules
* A message with `turn` and `more` opens its turn with its first sentence. The turn ends with the last sentence of one
  that has no `more`, or when nobody has spoken for TURN_WAIT_S: then whoever writes it is gone.
* While it is open nothing of its lane or a lower one begins that is not of the turn. A higher lane may, and what cuts.
* A turn that was opened within another one comes first.
"""

from __future__ import annotations

from collections.abc import Mapping

from broadcaster.utterance import Utterance

TURN_WAIT_S = 3.0  # of silence in the middle of an answer: viewers take longer for its end
OPEN_MAX = 16  # within one another; each of them needs a higher lane, or a cut


class Turns:
    """opened: those that are open and the lane that opened each, the outermost first."""

    def __init__(self, opened: Mapping[str, int] | None = None) -> None:
        self._open = dict(opened or {})

    def __bool__(self) -> bool:
        return bool(self._open)

    def copy(self) -> Turns:
        return Turns(self._open)

    @property
    def opened(self) -> dict[str, int]:
        return dict(self._open)

    @property
    def innermost(self) -> str:
        """The turn that counts now, "" when none is open."""
        return next(reversed(self._open), "")

    @property
    def lane(self) -> int:
        """The highest lane that has one open; −1 when none is."""
        return max(self._open.values(), default=-1)

    def lets_begin(self, utterance: Utterance, cuts: bool) -> bool:
        """Whether it may be said before the innermost turn has ended."""
        turn = self.innermost
        return not turn or cuts or utterance.turn == turn or utterance.lane > self._open[turn]

    def given(self, utterance: Utterance, sentence: int) -> None:
        """This sentence of it was given away."""
        if not utterance.turn:
            return
        if utterance.more:
            self._open.setdefault(utterance.turn, utterance.lane)
            if len(self._open) > OPEN_MAX:
                del self._open[next(iter(self._open))]
        elif sentence + 1 >= len(utterance.sentences):
            self.close(utterance.turn)

    def close(self, turn: str) -> None:
        self._open.pop(turn, None)

    def clear(self) -> None:
        """Nobody has spoken for TURN_WAIT_S."""
        self._open.clear()
