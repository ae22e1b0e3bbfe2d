"""How much may be asked of an endpoint in a day, also by directors that die often.

In: requests and what they cost. Out: whether another may be made. A day is a local one; the count is a small file.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec

from broadcaster.unwritten import Unwritten
from pipeline.clock import Clock
from pipeline.wholefile import write_whole


class _Spent(msgspec.Struct):
    day: str = ""
    requests: int = 0
    tokens: int = 0


class Budget:
    """path: of the file; what cannot be read counts as nothing spent."""

    def __init__(self, path: Path, requests: int, tokens: int, clock: Clock) -> None:
        self._path = path
        self._requests, self._tokens = requests, tokens
        self._clock = clock
        self._unwritten = Unwritten()
        try:
            self._spent = msgspec.json.decode(path.read_bytes(), type=_Spent)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            self._spent = _Spent()

    @property
    def left(self) -> bool:
        spent = self._today()
        return spent.requests < self._requests and spent.tokens < self._tokens

    def ask(self) -> None:
        """A request is made: it counts whatever becomes of it."""
        self._today().requests += 1
        self._save()

    def cost(self, tokens: int) -> None:
        self._today().tokens += max(0, tokens)
        self._save()

    def _today(self) -> _Spent:
        day = date.fromtimestamp(self._clock.wall_s()).isoformat()
        if self._spent.day != day:
            self._spent = _Spent(day)
        return self._spent

    def _save(self) -> None:
        self._unwritten.watch(lambda: write_whole(self._path, msgspec.json.encode(self._spent)))
