"""One source of comments, dialled for ever.

In: its settings, and what the source tells. Out: messages that the reader of the stream would take, and how the source
is. What is lost is dialled again soon at first, then every few seconds; a healthy while begins that anew. One that will
not have us as we are set up is asked every half minute. A mapping is read anew at each try, so that a mistake in it can
be mended on air. The same trouble is told once.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from broadcaster.chat.message import ID_MAX_CHARS, check
from broadcaster.connectors.mapping import load
from broadcaster.connectors.settings import ConnectorSpec, Fields, Note, Source
from broadcaster.connectors.twitch import TwitchChat
from broadcaster.connectors.wsjson import JsonSocket
from pipeline.clock import NS, Clock
from pipeline.errors import BadInput, BroadcasterError, ConnectorError, MessageError
from streams.retry import Backoff

REFUSED_S = 30.0  # a person has to act
ERROR_MAX_CHARS = 500  # a mapping can be wrong in every line
IDS = ("id", "user_id")


def source_of(spec: ConnectorSpec) -> Source:
    """ConfigError when its mapping cannot be used."""
    return TwitchChat(spec) if spec.kind == "twitch" else JsonSocket(spec, load(Path(spec.map)))


class Caller:
    """put: takes a message; false when it was here before."""

    def __init__(
        self,
        spec: ConnectorSpec,
        put: Callable[[Fields], bool],
        clock: Clock,
        note: Note,
        make: Callable[[ConnectorSpec], Source],
    ) -> None:
        self._spec = spec
        self._put = put
        self._clock = clock
        self._note = note
        self._make = make
        self._backoff = Backoff(lambda: random.uniform(-1, 1))
        self._connected = False
        self._last_s: float | None = None
        self._messages = self._again = self._passed = self._refused = self._dialled = 0
        self._error = self._refusal = ""
        self._told = ""  # the trouble that was told last
        self._news = True  # coming live is one

    async def run(self) -> NoReturn:
        """Ended by its cancellation."""
        while True:
            self._backoff.tried(self._clock.now_ns())
            self._dialled += 1
            self._connected = False
            try:
                source = await asyncio.to_thread(self._make, self._spec)  # reads a mapping
                await source.listen(self)
            except (ConnectorError, BadInput) as error:
                due_ns = self._lost(error)
                await asyncio.sleep(max(0, due_ns - self._clock.now_ns()) / NS)

    def facts(self) -> dict[str, Any]:
        """How it is. last_s: Unix seconds of the newest message. error: of the last try, "" while it is connected."""
        return {
            "kind": self._spec.kind,
            "connected": self._connected,
            "messages": self._messages,
            "again": self._again,
            "refused": self._refused,
            "passed_over": self._passed,
            "last_s": self._last_s,
            "reconnects": max(0, self._dialled - 1),
            "error": self._error,
        }

    # ── what the source tells ────────────────────────────────────────────────────────────────────

    def live(self) -> None:
        self._connected, self._error = True, ""
        self._backoff.live(self._clock.now_ns())
        if self._news:
            self._note("info", "connector.live", name=self._spec.name)
        self._news = False

    def heard(self, fields: Fields) -> None:
        message = _fitted(fields)
        try:
            check(message)
        except MessageError as error:
            self._refuse(str(error))
            return
        self._last_s = self._clock.wall_s()
        if self._put(message):
            self._messages += 1
        else:
            self._again += 1

    def passed(self, count: int = 1) -> None:
        self._passed += count

    # ── telling ──────────────────────────────────────────────────────────────────────────────────

    def _refuse(self, reason: str) -> None:
        self._refused += 1
        if not self._refusal:
            self._note("warning", "connector.refusing", name=self._spec.name, reason=reason)
        self._refusal = reason

    def _lost(self, error: BroadcasterError) -> int:
        """When to dial again, monotonic nanoseconds."""
        now_ns = self._clock.now_ns()
        due_ns = self._backoff.failed(now_ns)
        if not error.retryable:
            due_ns = max(due_ns, now_ns + int(REFUSED_S * NS))
        self._connected, self._error = False, str(error)[:ERROR_MAX_CHARS]
        if self._error != self._told or self._backoff.failures == 1:
            again_in_s = round((due_ns - now_ns) / NS, 1)
            self._note("warning", "connector.lost", name=self._spec.name, reason=self._error, again_in_s=again_in_s)
            self._told, self._news = self._error, True
        return due_ns


def _fitted(fields: Fields) -> Fields:
    """As the reader takes it: half a character, as JSON can hold it, is none; an id it cannot take becomes a digest."""
    message = {name: value.encode("utf-8", "replace").decode() for name, value in fields.items()}
    for name in IDS:
        given = message.get(name, "")
        if len(given) > ID_MAX_CHARS or not given.isprintable():
            message[name] = hashlib.sha256(given.encode()).hexdigest()[:32]
    return message
