"""What a source of comments is told by the configuration, as it crosses to the process that asks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

import msgspec

Fields: TypeAlias = Mapping[str, str]
"""A message of the `chat` stream, as any program may add it."""

Note: TypeAlias = Callable[..., None]
"""(level, event, **facts): a line of the log."""


class ConnectorSpec(msgspec.Struct, frozen=True):
    """kind: twitch | websocket. channel, user: of Twitch; no user listens without an account. token, url: may be
    secrets. map: path of the mapping of a websocket.
    """

    name: str
    kind: str
    channel: str = ""
    user: str = ""
    token: str = ""
    url: str = ""
    map: str = ""

    def __repr__(self) -> str:
        return f"ConnectorSpec({self.name!r}, {self.kind!r})"


class Ears(Protocol):
    """Who listens to a source; called on its loop."""

    def live(self) -> None:
        """Comments can come from now on."""

    def heard(self, fields: Fields) -> None:
        """A message came."""

    def passed(self, count: int = 1) -> None:
        """Something came that is no message, or none that can be understood."""


class Source(Protocol):
    """Where comments come from."""

    async def listen(self, ears: Ears) -> None:
        """Dial, and tell what comes. It ends by ConnectorError alone."""
