"""Programmes in the rundown: the first words of a run wait there for their time, the others follow line by line.

In: runs, what reads their files, the rundown they share with all others. Out: utterances added to it, and what must
outlive the process. The first line has a planned time and the rest is appended in its lane, so that a line of a higher
lane, or a person, gets in between two lines. It decides nothing: broadcaster.schedule.timetable does. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from broadcaster.prompter import AHEAD, PASSED_MAX
from broadcaster.rundown import Placed, Rundown
from broadcaster.schedule.jobs import Run
from broadcaster.script.place import Place
from broadcaster.utterance import SCHEDULE_PREFIX, Coming, Utterance


class Source(Protocol):
    """What reads a programme: a broadcaster.script.reading.Reading."""

    def next(self, now_s: float) -> Utterance | None:
        """The coming line; None at its end."""

    def coming(self, sentences: int) -> list[Coming]:
        """About so many sentences that `next` would give, without taking them."""

    def place_of(self, identity: str | None) -> Place:
        """Where this line is what comes next; None: what `next` would give."""

    def seek(self, identity: str) -> None:
        """Go on at this line."""


@dataclass(slots=True)
class Programme:
    """here: ids in the rundown, first to last. begun: its first sentence was given away, by us or before a restart."""

    run: Run
    source: Source
    begun: bool = False
    ended: bool = False  #: there is no further line
    here: list[str] = field(default_factory=list)


class Programmes:
    """may_be_said: not aired before, and no line that directors die over. withdraw: take an utterance out for good.

    places: where an earlier director stood, by run. `fetch` opens the file of a run; None while it is being read,
    ScriptError when it cannot be used.
    """

    def __init__(
        self,
        rundown: Rundown,
        may_be_said: Callable[[Utterance], bool],
        withdraw: Callable[[str], None],
        wall_s: Callable[[], float],
        places: Mapping[str, Place],
    ) -> None:
        self.fetch: Callable[[Run], Source | None] = _not_wired
        self._rundown = rundown
        self._may_be_said = may_be_said
        self._withdraw = withdraw
        self._wall_s = wall_s
        self._places = places
        self._programmes: dict[str, Programme] = {}
        self._struck: list[str] = []  # ids that end with the sentence that is out

    # ── what the timetable orders (Stage) ────────────────────────────────────────────────────────

    def cue(self, run: Run) -> bool:
        source = self.fetch(run)
        if source is None:
            return False
        for name in (name for programme in self._programmes.values() for name in programme.here):
            self._rundown.let_yield(name)  # this run replaces what is on, at a sentence end of its first line as well
        self._programmes[run.id] = Programme(run, source)
        self.top_up()
        return True

    def place_of(self, run: Run) -> Place:
        """Where an earlier director stood in it."""
        return self._places.get(run.id, Place())

    def go_on(self, run: Run, source: Source, begun: Iterable[Utterance]) -> None:
        """It was on when an earlier director ended. begun: what that one left begun."""
        here = [one.id for one in begun if one.id.startswith(run.prefix) and one.id in self._rundown]
        self._programmes[run.id] = Programme(run, source, begun=True, here=here)

    def begun(self, run: Run) -> bool:
        programme = self._programmes.get(run.id)
        if programme is None:
            return False
        programme.begun = programme.begun or any(self._rundown.next_sentence(name) for name in programme.here)
        return programme.begun

    def over(self, run: Run) -> bool:
        programme = self._programmes.get(run.id)
        return programme is None or (programme.ended and not programme.here)

    def strike(self, run: Run) -> None:
        programme = self._programmes.pop(run.id, None)
        if programme is None:
            return
        for name in programme.here:
            if self._is_out(name):
                self._rundown.shorten(name, self._rundown.next_sentence(name))  # for the next director as well
                self._rundown.hold(name, on=True)
                self._struck.append(name)
            else:
                self._withdraw(name)

    # ── what the show tells ──────────────────────────────────────────────────────────────────────

    def top_up(self) -> None:
        """Keep the coming lines in the rundown; of a programme that is not begun the first one."""
        for programme in self._programmes.values():
            self._top_up(programme)

    def let_go(self, identity: str) -> bool:
        """It left the rundown; whether it was a programme's."""
        programme = self._of(identity)
        if programme is None or identity not in programme.here:
            return False
        programme.here.remove(identity)
        return True

    def tidy(self) -> None:
        """Forget what was struck once its last sentence on air was heard."""
        for name in [name for name in self._struck if not self._is_out(name)]:
            self._struck.remove(name)
            if name in self._rundown:
                self._withdraw(name)

    def coming(self, sentences: int) -> list[Coming]:
        """What follows beyond the rundown."""
        found: list[Coming] = []
        for programme in self._programmes.values():
            if len(found) < sentences:
                found += programme.source.coming(sentences - len(found))
        return found

    def seek(self, identity: str) -> None:
        """Without notes: the journal tells how far a programme was."""
        if (programme := self._of(identity)) is not None:
            programme.source.seek(identity)

    def begun_ids(self) -> list[str]:
        """Lines that are begun and not heard to their end."""
        return [
            name
            for programme in self._programmes.values()
            for name in programme.here
            if self._rundown.next_sentence(name)
        ]

    def places(self) -> dict[str, Place]:
        """Where the next director goes on, by run."""
        begun = self.begun_ids()
        return {
            identity: programme.source.place_of(next((name for name in programme.here if name not in begun), None))
            for identity, programme in self._programmes.items()
            if programme.begun or begun
        }

    # ── small things ─────────────────────────────────────────────────────────────────────────────

    def _top_up(self, programme: Programme) -> None:
        self.begun(programme.run)
        waiting, passed = sum(1 for name in programme.here if not self._rundown.next_sentence(name)), 0
        while waiting < (AHEAD if programme.begun else 1) and passed < PASSED_MAX and not programme.ended:
            utterance = programme.source.next(self._wall_s())
            if utterance is None:
                programme.ended = True
                return
            if not programme.begun:
                utterance = msgspec.structs.replace(utterance, due_s=programme.run.planned_s)
            source = f"schedule {programme.run.job.name} {utterance.source}"
            utterance = msgspec.structs.replace(utterance, source=source)
            placed = self._rundown.add(utterance) if self._may_be_said(utterance) else Placed.KNOWN
            if placed is Placed.FULL:
                programme.source.seek(utterance.id)
                return
            if placed is Placed.WAITS:
                programme.here.append(utterance.id)
                waiting += 1
            else:
                passed += 1

    def _of(self, identity: str) -> Programme | None:
        if not identity.startswith(SCHEDULE_PREFIX):
            return None
        return next((one for one in self._programmes.values() if identity.startswith(one.run.prefix)), None)

    def _is_out(self, name: str) -> bool:
        return any(other == name for other, _ in self._rundown.out)


def _not_wired(_run: Run) -> Source | None:
    raise AssertionError("the show was not wired to a schedule")
