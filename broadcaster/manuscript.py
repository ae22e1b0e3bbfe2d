"""The room's script: its file or the one that was pasted, read on at its place, edited on air, said in other words.

In: the director's section, what an earlier director left, orders of an operator. Out: readings, for the room and for
programmes of the schedule; word of new versions and of broken ones. It joins the watch over the files and the
rewriting; it decides nothing about when a line is said.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from broadcaster import pasted
from broadcaster.director_spec import DirectorSpec
from broadcaster.events import Event
from broadcaster.rewrite.settings import RewriteSpec
from broadcaster.schedule.jobs import Run
from broadcaster.script.model import Script
from broadcaster.script.place import Place, seed_of
from broadcaster.script.reading import Reading
from broadcaster.script.surroundings import Surroundings
from broadcaster.script.watch import Watch
from broadcaster.takeover import Became, Outcome
from broadcaster.utterance import Lane
from pipeline.clock import Clock
from tts.text import sentences

if TYPE_CHECKING:
    from broadcaster.rewrite.rewriter import Rewriter

REWRITE_FILE = "rewrite.json"  # what was asked of its endpoint today

log = structlog.get_logger()


class Manuscript:
    """put: takes events. variables: what scripts were told from outside. revised: a new version is to be read on in.
    ended: there is no script any more.
    """

    def __init__(
        self, spec: DirectorSpec, clock: Clock, put: Callable[[Event], None], variables: Mapping[str, str]
    ) -> None:
        self._spec = spec
        self._clock = clock
        self._put = put
        self._state_dir = Path(spec.state_dir)
        self._surroundings = Surroundings(clock, spec.timezone, spec.voice_name, variables)
        self._rewriter = self._rewriting(spec.rewrite) if spec.rewrite else None
        configured = Path(spec.script_file) if spec.script_file else None
        self._path = pasted.path_in(self._state_dir) or configured
        self._watch = Watch(self._path or Path(), self._surroundings, self._revise, self._tell)
        self._watching: asyncio.Task[None] | None = None
        self._rewriting_task: asyncio.Task[None] | None = None
        self._turning = asyncio.Lock()  # one paste after the other
        self.revised: Callable[[Callable[[Place], Reading]], None] = lambda reading: None
        self.ended: Callable[[], None] = lambda: None

    def open(self, place: Place) -> Reading | None:
        """The script from this place on; None without one, or while it is broken."""
        script = self._watch.open() if self._path else None
        return self._reading(script, place) if script else None

    def start(self, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]) -> None:
        self._spawn = spawn
        self._watching = spawn(self._watch.run()) if self._path else None
        self._rewriting_task = spawn(self._rewriter.run()) if self._rewriter else None

    async def close(self) -> None:
        tasks = [task for task in (self._watching, self._rewriting_task) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._rewriter:
            await self._rewriter.close()

    def programme(self, run: Run, script: Script, place: Place) -> Reading:
        """A programme of the schedule: its file once, from top to bottom."""
        once = dataclasses.replace(script, loop=False)
        values = self._surroundings.values_of(once)
        return Reading(
            once,
            sentences,
            False,
            place,
            prefix=run.prefix,
            lane=Lane.SCHEDULED,
            values=values,
            left_out=_tell_left_out,
        )

    # ── variables ────────────────────────────────────────────────────────────────────────────────

    def variables(self) -> dict[str, str]:
        """What scripts were told from outside."""
        return self._surroundings.outside

    def tell(self, given: Mapping[str, str]) -> None:
        """See Surroundings.tell."""
        self._surroundings.tell(given)

    def facts(self) -> dict[str, Any]:
        """For the status."""
        return {"rewrite": self._rewriter.facts()} if self._rewriter else {}

    # ── pasted scripts ───────────────────────────────────────────────────────────────────────────

    async def paste(self, data: bytes, suffix: str) -> Outcome:
        """Read from this text; ScriptError when it has mistakes."""
        async with self._turning:
            try:
                path = await asyncio.to_thread(pasted.keep, self._state_dir, data, suffix)
            except OSError as error:
                return _refused(error)
            return await self._turn_to(path, "the pasted script is on air from the next sentence on")

    async def unpaste(self) -> Outcome:
        """Back to the script of the configuration; ScriptError when that has mistakes, and then nothing has changed."""
        configured = Path(self._spec.script_file) if self._spec.script_file else None
        async with self._turning:
            if pasted.path_in(self._state_dir) is None:
                return Outcome(Became.CONFLICT, "no script was pasted")
            if configured is not None:
                await asyncio.to_thread(pasted.verify, configured)
            try:
                await asyncio.to_thread(pasted.forget, self._state_dir)
            except OSError as error:
                return _refused(error)
            return await self._turn_to(configured, "back to the script of the configuration")

    async def _turn_to(self, path: Path | None, text: str) -> Outcome:
        if self._watching is not None:
            self._watching.cancel()
        if path is None:
            self._watching = None
            self.ended()
        else:
            await self._watch.turn_to(path)
            self._watching = self._spawn(self._watch.run())
        return Outcome(Became.DONE, text)

    # ── how ──────────────────────────────────────────────────────────────────────────────────────

    def _reading(self, script: Script, place: Place) -> Reading:
        """A room that begins has dice of its own."""
        if not place.digest:
            place = msgspec.structs.replace(place, seed=seed_of(self._spec.room))
        reword = self._rewriter.reword if self._rewriter else None
        return Reading(
            script,
            sentences,
            self._spec.script_loop,
            place,
            values=self._watch.values,
            reword=reword,
            left_out=_tell_left_out,
        )

    def _revise(self, script: Script) -> None:
        self.revised(lambda place: self._reading(script, place))

    def _tell(self, name: str, facts: Mapping[str, str]) -> None:
        self._put(Event(name, "", facts=dict(facts)))

    def _rewriting(self, spec: RewriteSpec) -> Rewriter:
        """All of it is loaded only where it is asked for."""
        from broadcaster.rewrite.budget import Budget
        from broadcaster.rewrite.client import ChatClient
        from broadcaster.rewrite.rewriter import Rewriter

        budget = Budget(self._state_dir / REWRITE_FILE, spec.requests_per_day, spec.tokens_per_day, self._clock)
        return Rewriter(ChatClient(spec), budget, self._clock, self._locked_names, spec.remembered)

    def _locked_names(self) -> list[str]:
        """What no rewriting may change: names of the configuration, and all that products are said to be."""
        given = self._spec.rewrite.lock if self._spec.rewrite else []
        fields = [value for product in self._watch.values().products.values() for value in product.values()]
        return [*given, *fields]


def _tell_left_out(source: str, missing: Sequence[str]) -> None:
    log.info("script.left_out", line=source, missing=list(missing))


def _refused(error: OSError) -> Outcome:
    return Outcome(Became.REFUSED, f"the state directory refuses it: {error.strerror}")
