"""Ends of sentences on their way to the viewers, in a file: what a playout that was killed could not report any more.

In: reports that wait for the outputs. Out: the same after a restart, so that the next playout asks the
pushers which of them were sent. Written whole and by rename; a killed process loses nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from pipeline.wire import Report

_decoder = msgspec.json.Decoder(list[Report])


class Pending:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved: Sequence[Report] = []

    def load(self) -> list[Report]:
        """What was saved last; nothing when it cannot be read."""
        try:
            found = _decoder.decode(self._path.read_bytes())
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return []
        self._saved = found
        return found

    def save(self, ends: Sequence[Report]) -> None:
        """OSError when the disk refuses."""
        if ends == self._saved:
            return
        part = self._path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(ends))
        part.replace(self._path)
        self._saved = ends
