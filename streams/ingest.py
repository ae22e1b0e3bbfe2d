"""Receives RTMP publishers on this machine, for trying things without a platform.

In: an address to listen at; one publisher at a time. Out: one MP4 per session, packets as they came:
OUT.mp4, then OUT-2.mp4, OUT-3.mp4 …, or session-1.mp4, session-2.mp4 … when OUT is a directory; files
of these names are replaced. A session that ends leaves a regular MP4, one that is killed a fragmented
one that is readable to its last whole GOP. It never decodes and never encodes.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import structlog

from pipeline.errors import BadInput
from streams.destination import endpoint

DEFAULT_PORT = 1935
ACCEPT_S = 1  # then the listener is made anew, and looks whether it shall stop
OPEN_S = 15.0  # from listening to the first pictures; whoever says nothing for so long is hung up on
SILENT_S = 5.0  # a publisher that sends nothing for so long is gone
RELISTEN_S = 0.1
PROBE = {"probesize": "200000", "analyzeduration": "500000"}  # both codecs are known from their first tags
LISTEN = {"listen": "1", "timeout": str(ACCEPT_S)}  # never fflags=nobuffer: it throws away what was probed
# the pictures are written as fragments, and made one regular file when the session ends in order
MOVFLAGS = "hybrid_fragmented+frag_keyframe+delay_moov+default_base_moof"

log = structlog.get_logger()


@dataclass(slots=True)
class Session:
    """What one publisher sent. `seconds`: media time from first to last picture."""

    number: int
    path: Path
    codec: str = ""
    width: int = 0
    height: int = 0
    frames: int = 0
    seconds: float = 0.0
    monotone: bool = True


def run(url: str, out: Path) -> None:
    """Receive until SIGINT or SIGTERM; BadInput when it cannot begin."""
    stopping: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: stopping.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        for _ in ingest(url, out, lambda: bool(stopping)):
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ingest(url: str, out: Path, stop: Callable[[], bool]) -> Iterator[Session]:
    """Receive sessions until `stop` says so, which is asked each second and at each packet; yields those that ended.

    BadInput when the URL, the port or the file cannot be used.
    """
    _check(url)
    _prepare(out)
    number = 0
    log.info("ingest.listening", url=endpoint(url))
    while not stop():
        source = _accept(url, first=number == 0)
        if source is None:
            continue
        number += 1
        with source:
            session = _record(source, Session(number, _path(out, number)), stop)
        log.info(
            "ingest.ended",
            session=number,
            file=session.path.name,
            frames=session.frames,
            seconds=round(session.seconds, 2),
            monotone=session.monotone,
        )
        yield session
        if not stop():
            log.info("ingest.listening", url=endpoint(url))


def _check(url: str) -> None:
    parts = urlsplit(url)
    try:
        port = parts.port or DEFAULT_PORT
    except ValueError as error:
        raise BadInput(f"{endpoint(url)}: {error}") from None
    if parts.scheme != "rtmp" or not parts.hostname or not parts.path.strip("/"):
        raise BadInput(f"{url.split('/')[0][:12]!r}: write rtmp://ADDRESS:{port}/live/KEY, an address of this machine")


def _prepare(out: Path) -> None:
    """Make the directory of the recordings, so that a wrong OUT shows at once."""
    directory = _path(out, 1).parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{directory}: {error.strerror}") from error
    if not os.access(directory, os.W_OK):
        raise BadInput(f"{directory}: not writable")


def _path(out: Path, number: int) -> Path:
    """The file of a session."""
    if out.suffix == ".mp4":
        return out if number == 1 else out.with_name(f"{out.stem}-{number}.mp4")
    if out.suffix and not out.is_dir():
        raise BadInput(f"{out}: a recording is an MP4: write {out.with_suffix('.mp4').name}, or a directory")
    return out / f"session-{number}.mp4"


def _accept(url: str, first: bool) -> Any:
    """Wait for a publisher up to a second; None when there was none, or one that was not understood."""
    try:
        return av.open(url, "r", format="flv", options=LISTEN | PROBE, timeout=(OPEN_S, SILENT_S))
    except (av.FFmpegError, OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        words = getattr(error, "strerror", None) or type(error).__name__
    if number in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
        if first:
            raise BadInput(f"{endpoint(url)}: {words}")
        time.sleep(RELISTEN_S)
    elif number != errno.ETIMEDOUT:
        log.warning("ingest.refused", error=words)
        time.sleep(RELISTEN_S)
    return None


def _record(source: Any, session: Session, stop: Callable[[], bool]) -> Session:
    """Write a session to its file until the publisher ends it or `stop` says so."""
    try:
        session.path.unlink(missing_ok=True)
        target: Any = av.open(
            f"file:{session.path}",
            "w",
            format="mp4",
            options={"movflags": MOVFLAGS, "flush_packets": "1", "avoid_negative_ts": "make_zero"},
        )
        with target:
            _copy(source, target, session, stop)
    except (av.FFmpegError, OSError) as error:
        raise BadInput(f"{session.path}: {getattr(error, 'strerror', None) or error}") from error
    return session


def _copy(source: Any, target: Any, session: Session, stop: Callable[[], bool]) -> None:
    streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
    for stream in source.streams.video[:1]:
        session.codec, session.width, session.height = stream.codec_context.name, stream.width, stream.height
    log.info(
        "ingest.session",
        session=session.number,
        file=session.path.name,
        codec=session.codec,
        size=f"{session.width}x{session.height}",
    )
    last_ms: dict[int, float] = {}
    first_ms: float | None = None
    for packet in _packets(source):
        if stop():
            return
        index, ms = packet.stream_index, float(packet.dts * packet.time_base * 1000)
        if ms <= last_ms.get(index, ms - 1):
            session.monotone = False  # MP4 cannot hold it
            continue
        last_ms[index] = ms
        if source.streams[index].type == "video":
            first_ms = ms if first_ms is None else first_ms
            session.frames += 1
            session.seconds = (ms - first_ms) / 1000
        packet.stream = streams[index]
        target.mux(packet)


def _packets(source: Any) -> Iterator[Any]:
    """Packets with a time, to the end of the session however it comes: goodbye, reset or silence."""
    packets = source.demux()
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            return
        if packet is None:
            return
        if packet.dts is not None:
            yield packet
