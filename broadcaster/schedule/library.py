"""Programme files read beside the director's loop, for a programme may have ten thousand lines.

In: a file, for one run. Out: its script, once it is read; another run reads it anew. All on one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from broadcaster.script.model import Script

KEPT = 8  # scripts that were read, or are, for runs that have not fetched them


class Library:
    """read: in a thread; ScriptError when the file cannot be used."""

    def __init__(self, read: Callable[[Path], Script]) -> None:
        self._read = read
        self._reading: dict[str, asyncio.Future[Script]] = {}  # by run

    def fetch(self, run: str, path: Path) -> Script | None:
        """None while it is being read."""
        future = self._reading.get(run)
        if future is None:
            future = asyncio.get_running_loop().run_in_executor(None, self._read, path)
            future.add_done_callback(_seen)
            self._reading[run] = future
            if len(self._reading) > KEPT:
                del self._reading[next(iter(self._reading))]
            return None
        if not future.done():
            return None
        return self._reading.pop(run).result()


def _seen(future: asyncio.Future[Script]) -> None:
    """A run that was given up asks no more, and what became of its file is nobody's trouble."""
    if not future.cancelled():
        future.exception()
