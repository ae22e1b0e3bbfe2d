"""Dead letters: messages that could not be said, to be looked at, pushed again or removed.

In: entries of a room's `dead` stream. Out: the message that each one was, and a line for a person. Pure; the commands
are in broadcaster.cli.dead, what they ask of Redis in broadcaster.client.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from broadcaster.utterance import check
from pipeline.errors import MessageError

OURS = ("reason", "id", "stream_id", "ts", "cut")  # fields of a letter; a message's own of such a name has a prefix
PREFIX = "original_"
TEXT_SHOWN = 60  # characters


@dataclass(frozen=True, slots=True)
class Letter:
    """entry: its id in the `dead` stream. fields: as they are there."""

    entry: str
    fields: Mapping[str, str]

    def message(self) -> dict[str, str]:
        """What was pushed; its id only if it had one, since a stream's own id is given anew.

        MessageError when it would be refused again.
        """
        if "cut" in self.fields:
            raise MessageError("only its beginning was kept; push it corrected")
        found = {_name(name): value for name, value in self.fields.items() if name not in OURS}
        identity = self.fields.get("id", "")
        if identity and identity != self.fields.get("stream_id"):
            found["id"] = identity
        check(found)
        return found

    def line(self) -> str:
        seconds = int(self.entry.partition("-")[0]) / 1000
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
        text = " ".join(self.fields.get("text", "").split())
        shown = text if len(text) <= TEXT_SHOWN else text[: TEXT_SHOWN - 1] + "…"
        return f"{self.entry}  {when}  {self.fields.get('id', '')}  {self.fields.get('reason', '')}: {shown!r}"


def _name(name: str) -> str:
    """A field's name as the message had it."""
    bare = name.removeprefix(PREFIX)
    return bare if bare in OURS else name
