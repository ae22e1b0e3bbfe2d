"""The far end: plays a destination's playback URL for some seconds, as a viewer would, and says whether it does play.

Started as `python -m streams.probe.farend [LIMIT_S]`, which ends by itself. In: the URL (rtmp, rtmps, http, https:
HLS, HTTP-FLV), a line on standard input, for it may hold a token. Out: one line of JSON on standard output (`Finding`),
also when nothing was to be had. It never prints the URL, and is over after LIMIT_S + 2 s whatever the other side does.

A platform that ended a broadcast goes on handing out the last segments of it. So what counts is not that media comes
but that it goes on: once what was waiting has been read, the newest media time must still advance.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from typing import Any

import av
import msgspec

from streams.probe.decoder import Eye, loudness
from streams.probe.vitals import Vitals

LIMIT_S = 20.0  # two segments of the longest usual HLS
GRACE_S = 2.0
OPEN_S = 8.0  # connecting, and the first playlist
READ_S = 12.0  # without a packet: more than the longest usual segment
ADVANCE_S = 3.0  # of media in real time: enough to be sure of
LOOK_MS = 480
SPAN_S, SPAN_MEDIA_S = 1.0, 1.5  # media comes in real time when so much of it came in so long
SCHEMES = ("rtmp", "rtmps", "http", "https")
BACK_MS = 1000  # media time that steps back further begins a new time line
NICE = 10


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """plays: pictures were decoded and the newest media time went on in real time.

    why not: address | connect | rejected | timeout | stalled | ended | no_pictures | undecodable | failed.
    frames: decoded. took_s: of wall time. advanced_s: of media, after what had waited was read. newest_ms: media time
    of the newest packet. The rest: streams.probe.vitals, at the end of what was watched.
    """

    plays: bool
    why: str = ""
    frames: int = 0
    took_s: float = 0.0
    advanced_s: float = 0.0
    newest_ms: int = -1
    freeze_s: float = 0.0
    black_s: float = 0.0
    silence_s: float = 0.0
    kbps: float = 0.0


class Advance:
    """Tells media that goes on from media that had only waited. Pure; times in seconds."""

    def __init__(self) -> None:
        self._span: deque[tuple[float, float]] = deque()  # when it came, media time
        self._caught_up_s: float | None = None  # media time at which nothing more was waiting

    def came(self, now_s: float, media_s: float) -> None:
        self._span.append((now_s, media_s))
        while len(self._span) > 1 and self._span[1][0] <= now_s - SPAN_S:
            self._span.popleft()
        begun_s, from_s = self._span[0]
        if self._caught_up_s is None and now_s - begun_s >= SPAN_S and media_s - from_s <= SPAN_MEDIA_S:
            self._caught_up_s = media_s

    @property
    def seconds(self) -> float:
        """Of media since then."""
        return 0.0 if self._caught_up_s is None else self._span[-1][1] - self._caught_up_s


class Watch:
    """What one look found so far; the watchdog may ask at any moment."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._advance = Advance()
        self._eye: Eye | None = None
        self._vitals: Vitals | None = None
        self._frames = 0
        self._newest_ms = -1
        self._look_ms = 0
        self._mono = av.AudioResampler(format="flt", layout="mono")

    @property
    def is_enough(self) -> bool:
        return self._frames > 0 and self._advance.seconds >= ADVANCE_S

    def take(self, packet: av.Packet[Any]) -> None:
        if packet.dts is None or packet.time_base is None:
            return
        ms = int(packet.dts * packet.time_base * 1000)
        if ms < self._newest_ms - BACK_MS:
            self._advance, self._vitals = Advance(), None
        if ms >= self._newest_ms or self._vitals is None:
            self._newest_ms = ms
        self._advance.came(time.monotonic(), self._newest_ms / 1000)
        if self._vitals is not None:
            self._vitals.come(self._newest_ms, packet.size, packet.stream.type == "audio")
        for frame in packet.decode():
            if isinstance(frame, av.VideoFrame):
                self._see(frame, ms)
            elif isinstance(frame, av.AudioFrame):
                self._hear(frame, ms)

    def finding(self, why: str = "") -> Finding:
        plays = self.is_enough
        facts = self._vitals.facts() if self._vitals is not None else {}
        return Finding(
            plays=plays,
            why="" if plays else why or "stalled",
            frames=self._frames,
            took_s=round(time.monotonic() - self._began_s, 1),
            advanced_s=round(self._advance.seconds, 1),
            newest_ms=self._newest_ms,
            **{key: facts[key] for key in ("freeze_s", "black_s", "silence_s", "kbps") if key in facts},
        )

    def _see(self, frame: av.VideoFrame, ms: int) -> None:
        self._frames += 1
        if self._vitals is None or self._eye is None:
            self._eye = Eye(frame.width, frame.height)
            self._vitals = Vitals(bytes([1]) * (self._eye.columns * self._eye.rows))
            self._look_ms = ms
        if ms >= self._look_ms:
            self._look_ms = ms + LOOK_MS
            self._vitals.see(ms, self._eye.coarse(frame))

    def _hear(self, frame: av.AudioFrame, ms: int) -> None:
        if self._vitals is None:
            return
        for part in self._mono.resample(frame):
            self._vitals.hear(ms, loudness(memoryview(part.planes[0]), part.samples))


def look(url: str, watch: Watch, limit_s: float = LIMIT_S) -> Finding:
    """Play until it is clear whether it plays. It may block in libav longer than the limit: see `main`."""
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES or not url.isprintable():
        return Finding(False, "address")
    ends_s = time.monotonic() + limit_s
    options = {"probesize": "500000", "analyzeduration": "1000000"}
    if scheme.startswith("rtmp"):
        options["rtmp_live"] = "live"
    opened = False
    try:
        with av.open(url, timeout=(OPEN_S, READ_S), options=options) as container:
            opened = True
            if not container.streams.video:
                return watch.finding("no_pictures")
            for packet in container.demux(container.streams.video[:1] + container.streams.audio[:1]):
                watch.take(packet)
                if watch.is_enough or time.monotonic() > ends_s:
                    return watch.finding()
    except (av.FFmpegError, OSError, ValueError) as error:
        return watch.finding(_why(error, opened))
    return watch.finding("ended")


def _why(error: Exception, opened: bool) -> str:
    """What went wrong, without the library's words: the URL stands in them."""
    if isinstance(error, av.ExitError | TimeoutError):
        return "stalled" if opened else "timeout"
    if isinstance(error, av.EOFError):
        return "ended" if opened else "rejected"
    if isinstance(error, av.HTTPError | av.error.HTTPClientError | PermissionError):
        return "rejected"
    if isinstance(error, av.InvalidDataError):
        return "undecodable"
    if isinstance(error, OSError):
        return "stalled" if opened else "connect"
    return "failed"


def main() -> int:
    limit_s = float(sys.argv[1]) if len(sys.argv) > 1 else LIMIT_S
    signal.setitimer(signal.ITIMER_REAL, limit_s + GRACE_S)  # its default ends the process, whoever holds what
    os.nice(NICE)
    watch = Watch()
    said = threading.Lock()

    def say(finding: Finding) -> None:
        if said.acquire(blocking=False):
            os.write(1, msgspec.json.encode(finding) + b"\n")

    def give_up() -> None:
        say(watch.finding("stalled" if watch.finding().newest_ms >= 0 else "timeout"))
        os._exit(0)  # the main thread may be in libav, which nothing interrupts

    timer = threading.Timer(limit_s, give_up)
    timer.daemon = True
    timer.start()
    say(look(sys.stdin.readline().strip(), watch, limit_s))
    return 0


if __name__ == "__main__":
    sys.exit(main())
