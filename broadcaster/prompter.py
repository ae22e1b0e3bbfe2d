"""The script in the rundown: a few paragraphs kept waiting there, and the place to go on from after a restart.

In: a reading of the script, the rundown it shares with all others. Out: paragraphs added to it, and what must outlive
the process. What has begun is finished as it was written, even if what viewers heard of it was cut; an edited file
counts from the next paragraph on. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

from broadcaster.rundown import Placed, Rundown
from broadcaster.script.place import Place
from broadcaster.script.reading import Reading
from broadcaster.utterance import SCRIPT_PREFIX, Coming, Utterance

AHEAD = 2  # paragraphs that are not begun, kept in the rundown
PASSED_MAX = 20  # of those that may not be said, passed over in one call: all of a script may be such


class Prompter:
    """reading: None without a script. place: where an earlier one stood."""

    def __init__(self, rundown: Rundown, reading: Reading | None, place: Place) -> None:
        self._rundown = rundown
        self._reading = reading
        self._place = place
        self._here: list[str] = []  # ids in the rundown, first to last
        self._begun: set[str] = set()  # those of them that were begun once

    def take_up(self, utterance: Utterance) -> None:
        """An earlier director had begun with it; it is in the rundown."""
        if utterance.id.startswith(SCRIPT_PREFIX):
            self._here.append(utterance.id)
            self._begun.add(utterance.id)

    def go_on_at(self, identity: str) -> None:
        """Without notes: the journal tells how far the script was."""
        if self._reading is not None and identity.startswith(SCRIPT_PREFIX):
            self._reading.seek(identity)

    def top_up(self, now_s: float, may_be_said: Callable[[Utterance], bool]) -> None:
        """Keep the coming paragraphs in the rundown; those that may not be said are passed over."""
        if self._reading is None:
            return
        waiting, passed = len(self._here) - len(self.begun()), 0
        while waiting < AHEAD and passed < PASSED_MAX and not self._rundown.full:
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
            else:
                passed += 1

    def let_go(self, identity: str) -> bool:
        """It left the rundown; whether it was of the script."""
        if identity not in self._here:
            return False
        self._here.remove(identity)
        self._begun.discard(identity)
        return True

    def coming(self, sentences: int) -> list[Coming]:
        """What follows beyond the rundown."""
        return self._reading.coming(sentences) if self._reading else []

    def sections(self) -> list[str]:
        """Names of the script's sections, in its order; none without a script."""
        return list(self._reading.sections()) if self._reading else []

    def goto(self, section: str) -> bool:
        """Go on at this section with the next paragraph that is read; false when there is none of that name."""
        return self._reading is not None and self._reading.goto(section)

    def withdraw(self) -> list[str]:
        """Take paragraphs that are not begun out of the rundown; their ids."""
        begun = self.begun()
        gone = [name for name in self._here if name not in begun]
        for name in gone:
            self._rundown.remove(name)
            self._here.remove(name)
        return gone

    def revise(self, reading: Callable[[Place], Reading]) -> list[str]:
        """Go on in another version of the file, at the same place; ids that are withdrawn, to be read anew from it."""
        place = self.place()
        gone = self.withdraw()
        self._reading = reading(place)
        return gone

    def close(self) -> list[str]:
        """There is no script any more; ids that are withdrawn."""
        gone = self.withdraw()
        self._reading, self._place = None, Place()
        return gone

    def begun(self) -> list[str]:
        """Paragraphs that were begun and are not heard to their end."""
        self._begun |= {name for name in self._here if self._rundown.next_sentence(name) > 0}
        return [name for name in self._here if name in self._begun]

    def place(self) -> Place:
        """Where the next director goes on: at the first paragraph that is not begun."""
        if self._reading is None:
            return self._place
        begun = self.begun()
        return self._reading.place_of(next((name for name in self._here if name not in begun), None))
