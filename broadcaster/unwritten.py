"""State that the disk refuses is told once, until the disk takes it again: it is written every second."""

from __future__ import annotations

from collections.abc import Callable

import structlog

log = structlog.get_logger()


class Unwritten:
    def __init__(self) -> None:
        self._refused = False

    def watch(self, write: Callable[[], None]) -> None:
        """Write; an OSError ends here."""
        try:
            write()
        except OSError as error:
            if not self._refused:
                log.error("state.unwritten", reason=str(error))
            self._refused = True
        else:
            self._refused = False
