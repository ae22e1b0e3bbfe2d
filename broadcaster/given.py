"""Notes of what was given to the engine and may be heard: text, source and voice of the newest sentences.

In: sentences, each before it leaves. Out: the same for a sentence that was heard, also to the next process. One small
file beside the log of what was said, appended to, and written anew when it grows.
"""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path

import msgspec

from broadcaster.utterance import SCRIPT_PREFIX, Key, Utterance, is_evergreen
from pipeline.wholefile import write_whole
from tts.markup import plain

NAME = "given.notes"
KEPT = 256  # sentences; about forty can be on their way at once
KEPT_IN_NEED = 5_000  # while nothing can be written they are needed longer
FILE_MAX_BYTES = 1 << 20


class Given(msgspec.Struct, frozen=True):
    """One sentence; see saidlog.Said."""

    utterance: str
    sentence: int
    text: str = ""
    source: str = ""
    lane: str = ""
    of: int = 0
    voice: str = ""
    provider: str = ""


_decoder = msgspec.json.Decoder(Given)


def given_of(utterance: Utterance, sentence: int, voice: str, provider: str) -> Given:
    """One of its sentences. voice, provider: "" for a person's own."""
    written = utterance.sentences[sentence] if sentence < len(utterance.sentences) else ""
    return Given(
        utterance.id,
        sentence,
        text=plain(written),
        source=_source(utterance),
        lane=utterance.lane_name,
        of=len(utterance.sentences),
        voice=voice,
        provider=provider,
    )


def _source(utterance: Utterance) -> str:
    """Where its words come from, as saidlog.Said says."""
    if utterance.source:
        return utterance.source
    if utterance.is_person:
        return "person"
    if is_evergreen(utterance.id):
        return "evergreen"
    return "script" if utterance.id.startswith(SCRIPT_PREFIX) else f"queue {utterance.id}"


class GivenNotes:
    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._given: dict[Key, Given] = {}
        self._file: FileIO | None = None
        self._whole = False  #: all that is known is in the file

    def open(self) -> None:
        """Read what an earlier process noted; OSError when the disk refuses."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            data = b""
        for line in data.splitlines():
            try:
                self._remember(_decoder.decode(line))
            except (msgspec.MsgspecError, UnicodeDecodeError):  # torn by a kill
                continue
        self._rewrite()

    def add(self, given: Given) -> None:
        """Note it; OSError when the disk refuses: then this process knows of it all the same."""
        self._remember(given)
        if self._file is None or not self._whole or self._file.tell() > FILE_MAX_BYTES:
            self._rewrite()
            return
        self._whole = False
        line = msgspec.json.encode(given) + b"\n"
        self._whole = self._file.write(line) == len(line)

    def get(self, key: Key) -> Given | None:
        return self._given.get(key)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _remember(self, given: Given) -> None:
        key = (given.utterance, given.sentence)
        self._given.pop(key, None)
        self._given[key] = given
        while len(self._given) > (KEPT if self._whole else KEPT_IN_NEED):
            del self._given[next(iter(self._given))]

    def _rewrite(self) -> None:
        """Anew, with what may still be heard."""
        self._whole = False
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = list(self._given.values())[-KEPT:]
        write_whole(self._path, b"".join(msgspec.json.encode(one) + b"\n" for one in kept), mode=0o600)
        self.close()
        self._file = FileIO(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), "a")
        self._whole = True
