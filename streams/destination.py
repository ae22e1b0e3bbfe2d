"""What a pusher pushes to: the contract of a destination, and the table of those there are.

A destination is used by one thread. One on the network never waits for it, but at its end, for a second; one on a
disk waits for that. Whoever needs longer than its phase allows is killed and started again by the supervisor.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec

from pipeline.wire import Headers, Tag

DESTINATIONS = {
    "rtmp": "streams.rtmp.destination:RtmpDestination",
    "rtmps": "streams.rtmp.destination:RtmpDestination",
    "file": "streams.file:FileDestination",
    "hls": "streams.hls:HlsDestination",
    "preview": "streams.preview:PreviewDestination",
}


class PusherSpec(msgspec.Struct, frozen=True):
    """What one pusher is told. `url` holds the stream key: it is not in the text form of this object."""

    name: str
    url: str
    runtime_dir: str
    backup: str = ""
    session_s: float = 0.0  # 0 = as long as time stamps allow
    segment_s: int = 3600
    keep_days: float = 7
    min_free_gb: float = 5
    hls_segments: int = 6

    def __repr__(self) -> str:
        return f"PusherSpec({self.name!r}, {endpoint(self.url)!r})"


class Note(Protocol):
    """Logs one event; pipeline.lifeline.Lifeline.note."""

    def __call__(self, level: str, event: str, **fields: object) -> None: ...


class Watched(NamedTuple):
    """Descriptors to wait for, and after how many seconds to look anyway."""

    read: Sequence[int] = ()
    write: Sequence[int] = ()
    within_s: float = 1.0


class Destination(Protocol):
    """All but `close` and `abort` raise OutputError, after which only `abort` may be called, then `open` again."""

    def open(self, headers: Headers) -> None:
        """Begin to connect; what every connection begins with is sent once that is done."""

    def is_ready(self) -> bool:
        """Whether tags may be written; goes on with connecting while not."""

    def write(self, tag: Tag, ms: int) -> bool:
        """Hand over one media tag, to be sent with the time stamp `ms`; the first is a key frame.

        False: there is no room for it now; it was not taken.
        """

    def watched(self) -> Watched:
        """What to wait for before the next turn of the work loop, besides new tags."""

    def check(self) -> None:
        """Raise when the connection is known to be lost though nothing is being written.

        Called at each turn of the work loop while it stands: after each tag, and twenty times a second at the least.
        """

    def facts(self) -> dict[str, int]:
        """Figures for the status page."""

    def close(self) -> None:
        """End in good order: trailer, FIN. The other side has seen the end when this returns, or is not there."""

    def abort(self) -> None:
        """Let go without waiting for the other side."""


def destination(spec: PusherSpec, note: Note) -> Destination:
    """The destination for this URL."""
    module, _, name = DESTINATIONS[spec.url.partition(":")[0]].partition(":")
    made: Destination = getattr(importlib.import_module(module), name)(spec, note)
    return made


def endpoint(url: str) -> str:
    """What may be shown of a URL: scheme, host and port; of what lies on this machine, its path."""
    scheme, _, rest = url.partition(":")
    if scheme in ("file", "hls", "preview"):
        return f"{scheme}:{rest}"
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{scheme[:8]}:…"
    host = parts.hostname or ""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{port}"
