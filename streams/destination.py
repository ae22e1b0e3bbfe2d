"""What a pusher pushes to: the contract of a destination, and the table of those there are.

A destination is used by one thread. It may block for seconds (connecting five, writing two); whoever needs more
than that is killed and started again by the supervisor.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from pipeline.wire import Headers, Tag

DESTINATIONS = {
    "rtmp": "streams.rtmp:RtmpDestination",
    "rtmps": "streams.rtmp:RtmpDestination",
    "file": "streams.file:FileDestination",
    "hls": "streams.hls:HlsDestination",
    "preview": "streams.preview:PreviewDestination",
}


class PusherSpec(msgspec.Struct, frozen=True):
    """What one pusher is told. `url` holds the stream key: it is not in the text form of this object."""

    name: str
    url: str
    runtime_dir: str
    segment_s: int = 3600
    keep_days: float = 7
    min_free_gb: float = 5
    hls_segments: int = 6

    def __repr__(self) -> str:
        return f"PusherSpec({self.name!r}, {endpoint(self.url)!r})"


class Note(Protocol):
    """Logs one event; pipeline.lifeline.Lifeline.note."""

    def __call__(self, level: str, event: str, **fields: object) -> None: ...


class Destination(Protocol):
    """All but `close` and `abort` raise OutputError, after which only `abort` may be called, then `open` again."""

    def open(self, headers: Headers) -> None:
        """Connect and send what every connection begins with."""

    def write(self, tag: Tag, ms: int) -> None:
        """Hand over one media tag, to be sent with the time stamp `ms`; the first is a key frame."""

    def check(self) -> None:
        """Raise when the connection is known to be lost though nothing is being written.

        Called at each turn of the work loop while it stands: after each tag, and twenty times a second at the least.
        """

    def facts(self) -> dict[str, int]:
        """Figures for the status page."""

    def close(self) -> None:
        """End in good order: trailer, FIN."""

    def abort(self) -> None:
        """Let go without waiting for the other side."""


def destination(spec: PusherSpec, note: Note, progress: Callable[[], None]) -> Destination:
    """The destination for this URL. `progress` may be called from another thread when bytes move."""
    module, _, name = DESTINATIONS[spec.url.partition(":")[0]].partition(":")
    made: Destination = getattr(importlib.import_module(module), name)(spec, note, progress)
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
