"""What the page and the control API ask and order: how the room is, words to push, a hand on the show.

In: questions and orders on the director's loop. Out: plain values and outcomes, and what was ordered is done at once.
It decides nothing: the show, the takeover and the manuscript do. (Its face: broadcaster.web.server.Office.)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog

from broadcaster.agenda import Agenda
from broadcaster.manuscript import Manuscript
from broadcaster.microphone import Microphone
from broadcaster.show import Show
from broadcaster.takeover import Outcome
from broadcaster.web.overview import overview

LOOK_AHEAD = 40  # sentences that the page may have to choose from

log = structlog.get_logger()


class Desk:
    """status, unready: see web.app.Desk. push: a message of the `say` stream. changed: the show is another now. hear:
    adds comments to the `chat` stream; None: nobody reads it.
    """

    def __init__(
        self,
        show: Show,
        agenda: Agenda,
        manuscript: Manuscript,
        microphone: Microphone,
        wall_s: Callable[[], float],
        status: Callable[[], dict[str, Any]],
        unready: Callable[[], list[str]],
        push: Callable[[Mapping[str, str]], Any],
        changed: Callable[[], None],
        hear: Callable[[Sequence[Mapping[str, str]]], Awaitable[None]] | None = None,
    ) -> None:
        self._show = show
        self._agenda = agenda
        self._manuscript = manuscript
        self.microphone = microphone
        self._wall_s = wall_s
        self._status = status
        self._unready = unready
        self._push = push
        self._changed = changed
        self._hear = hear

    def status(self) -> dict[str, Any]:
        return self._status()

    def unready(self) -> list[str]:
        return self._unready()

    def overview(self) -> dict[str, Any]:
        on_air = self._agenda.on_air
        speech = self._show.speech(on_air) if on_air else None
        if speech is not None and speech.complete and not speech.failed:
            self._agenda.length(speech.samples)
        coming = [
            (found, sentence) for found, sentence in self._show.coming(LOOK_AHEAD) if (found.id, sentence) != on_air
        ]
        words = self._agenda.view(self._wall_s(), coming, self._show.waiting())
        return overview(self.status(), words)

    async def say(self, fields: Mapping[str, str]) -> str:
        return str(await self._push(fields))

    @property
    def answers(self) -> bool:
        return self._hear is not None

    async def hear(self, messages: Sequence[Mapping[str, str]]) -> None:
        if self._hear is not None:
            await self._hear(messages)

    # ── orders ───────────────────────────────────────────────────────────────────────────────────

    def pause(self, now: bool) -> Outcome:
        return self._ordered("pause", self._show.takeover.pause(now))

    def resume(self) -> Outcome:
        return self._ordered("resume", self._show.takeover.resume())

    def skip(self, now: bool) -> Outcome:
        return self._ordered("skip", self._show.takeover.skip(now))

    def goto(self, section: str, now: bool) -> Outcome:
        return self._ordered("goto", self._show.takeover.goto(section, now))

    def person(self, name: str) -> Outcome:
        return self._ordered("person", self._show.persons.order(name))

    def persons(self) -> tuple[str, list[str]]:
        persons = self._show.persons
        return persons.on_air, list(persons.names)

    def sections(self) -> list[str]:
        return self._show.takeover.sections()

    async def paste(self, data: bytes, suffix: str) -> Outcome:
        return self._ordered("script", await self._manuscript.paste(data, suffix))

    async def unpaste(self) -> Outcome:
        return self._ordered("script", await self._manuscript.unpaste())

    def variables(self) -> dict[str, str]:
        return dict(self._manuscript.variables())

    def tell(self, given: Mapping[str, str]) -> None:
        self._manuscript.tell(given)
        self._changed()

    def _ordered(self, order: str, outcome: Outcome) -> Outcome:
        log.info("takeover.ordered", order=order, became=outcome.became.value, text=outcome.text)
        if outcome.done:
            self._show.top_up()
            self._changed()
        return outcome
