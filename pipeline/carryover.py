"""Which state the next segment begins from: every state is kept until its segment was shown.

In: the states that steps yield, and what playout says it has shown. Out: the state to go on from,
also after a cut, which takes back what was rendered and never seen. Pure; no engine, no sockets.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.engine import MotionState

NOTHING_SHOWN = -1


class CarryOver:
    def __init__(self, state: MotionState, sequence: int = NOTHING_SHOWN) -> None:
        """sequence: of the last segment before, where there was one."""
        self._state = state
        self._after: dict[int, MotionState] = {}
        self.sequence = sequence  #: of the newest segment

    @property
    def state(self) -> MotionState:
        """What the next step begins from."""
        return self._state

    def made(self, state: MotionState) -> int:
        """Note the state after a new segment; returns the segment's sequence number."""
        self.sequence += 1
        self._state = self._after[self.sequence] = state
        return self.sequence

    def shown(self, sequence: int) -> None:
        """Forget the states from before `sequence`: no cut can go back behind what was seen."""
        for old in [kept for kept in self._after if kept < sequence]:
            del self._after[old]

    def rewind(self, sequence: int, amended: Callable[[MotionState], MotionState] = lambda state: state) -> bool:
        """Go on from the state after `sequence`; false (and no change) when it is not known.

        amended: what of it stands when the segment was not seen to its end.
        """
        if sequence not in self._after:
            return False
        self._state = amended(self._after[sequence])
        for undone in [kept for kept in self._after if kept > sequence]:
            del self._after[undone]
        return True
