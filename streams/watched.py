"""A thread whose end is noticed: what it raised is kept for the one who started it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()


class Watched(threading.Thread):
    """Runs `work` as a daemon; `failed` is what it raised, None while it runs or when it returned."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self.failed: Exception | None = None

    def run(self) -> None:
        try:
            self._work()
        except Exception as error:  # the top of the thread: its owner ends the process
            log.exception("thread.failed", thread=self.name)
            self.failed = error
