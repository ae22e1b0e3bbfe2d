"""The script in the rundown: a few paragraphs kept waiting there, and the place to go on from after a restart.

In: a reading of the script, the rundown it shares with all others. Out: paragraphs added to it, and what must outlive
the process. What has begun is finished as it was written; an edited file counts from the next paragraph on. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

from broadcaster.rundown import Placed, Rundown
from broadcaster.script import Place, Reading
from broadcaster.utterance import SCRIPT_PREFIX, Utterance

AHEAD = 2  # paragraphs that are not begun, kept in the rundown


class Prompter:
    """reading: None without a script. place: where an earlier one stood."""

    def __init__(self, rundown: Rundown, reading: Reading | None, place: Place) -> None:
        self._rundown = rundown
        self._reading = reading
        self._place = place
        self._here: list[str] = []  # ids in the rundown, first to last

    def take_up(self, utterance: Utterance) -> None:
        """An earlier director had begun with it; it is in the rundown."""
        if utterance.id.startswith(SCRIPT_PREFIX):
            self._here.append(utterance.id)

    def go_on_at(self, identity: str) -> None:
        """Without notes: the journal tells how far the script was."""
        if self._reading is not None and identity.startswith(SCRIPT_PREFIX):
            self._reading.seek(identity)

    def top_up(self, now_s: float, may_be_said: Callable[[Utterance], bool]) -> None:
        """Keep the coming paragraphs in the rundown; those that may not be said are passed over."""
        if self._reading is None:
            return
        waiting = len(self._here) - len(self.begun())
        while waiting < AHEAD and not self._rundown.full:
            utterance = self._reading.next(now_s)
            if utterance is None:
                return
            placed = self._rundown.add(utterance) if may_be_said(utterance) else Placed.KNOWN
            if placed is Placed.FULL:
                self._reading.seek(utterance.id)
                return
            if placed is Placed.WAITS:
                self._here.append(utterance.id)
                waiting += 1

    def let_go(self, identity: str) -> bool:
        """It left the rundown; whether it was of the script."""
        if identity not in self._here:
            return False
        self._here.remove(identity)
        return True

    def coming(self, sentences: int) -> list[str]:
        """What follows beyond the rundown."""
        return self._reading.coming(sentences) if self._reading else []

    def begun(self) -> list[str]:
        """Paragraphs that are begun and not heard to their end."""
        return [name for name in self._here if self._rundown.next_sentence(name) > 0]

    def place(self) -> Place:
        """Where the next director goes on: at the first paragraph that is not begun."""
        if self._reading is None:
            return self._place
        begun = self.begun()
        return self._reading.place_of(next((name for name in self._here if name not in begun), None))
