"""A plan of days, and its playing: real playout, pusher, RTMP and receiver; simulated is the time alone.

In: how long, and what of it is played slot by slot. Out: what the receiver got, judged stretch by stretch.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.arrays import Pcm, black
from pipeline.avatar import load_avatar
from pipeline.clock import SLOT_NS, frames_to_ms
from pipeline.engine import Job
from pipeline.engines.pattern import HOP_FRAMES, PatternEngine, beep_track
from pipeline.media import AIR_SAMPLES, DRIVE_SAMPLES, FPS
from pipeline.wire import Demand, EngineHello, Headers, Segment, Tag
from streams import flv
from streams.air import Air
from streams.buffer import Buffer
from streams.encoder import EncoderSettings
from streams.outputs import Outputs
from streams.overlay import Overlay
from streams.programme import Programme
from streams.reports import Reporter
from streams.session import SESSION_MAX_MS
from streams.transmitter import FramePool, Transmitter
from tests.avsync import av_offset_ms
from tests.lab.ingest import Arrival, Ingest, Publication
from tests.lab.simclock import SimClock
from tests.pusher_child import pusher

SIZE = (128, 224)
SETTINGS = EncoderSettings(*SIZE, 200, "ultrafast")
HOUR_S, DAY_S = 3600, 86_400
EDGES_MS = {"2^24 ms": 1 << 24, "2^31 ms": 1 << 31, "2^32 ms": 1 << 32}  # of media time and of each session's
WAIT_S = 10.0  # real: for the receiver to get what was encoded
LOOK_S = 0.0001
HEAD_MAX_BYTES = 65_536  # metadata and codec configurations are below a thousand
TOGETHER = 8  # slots until the receiver is waited for: far less than any queue holds


@dataclass(frozen=True, slots=True)
class Plan:
    """days: how long. hour_s: played of each hour, around its full. edge_s: played around each edge."""

    days: float = 30.0
    hour_s: float = 2.0
    edge_s: float = 60.0
    every_h: int = 1

    def stretches(self) -> list[tuple[int, int]]:
        """First slot and the one after the last, of each stretch, in order."""
        end_s = self.days * DAY_S
        spans = [(0.0, max(self.edge_s, 8.0)), (end_s - max(self.edge_s, 8.0), end_s)]
        for hour in range(self.every_h, int(end_s) // HOUR_S, self.every_h):
            spans.append(_around(hour * HOUR_S, 2 * self.hour_s if hour % 24 == 0 else self.hour_s))
        session_s = SESSION_MAX_MS / 1000
        begins_s = [number * session_s for number in range(int(end_s / session_s) + 1)]
        edges_s = [ms / 1000 for ms in EDGES_MS.values()]
        edges_s += [begin_s + edge_s for begin_s in begins_s for edge_s in edges_s] + begins_s[1:]
        spans += [_around(edge_s, self.edge_s) for edge_s in edges_s if edge_s + self.edge_s < end_s]
        merged: list[tuple[float, float]] = []
        for begin, end in sorted(spans):
            if merged and begin <= merged[-1][1] + 2.0:  # a leap is more than a second
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        return [(1 + round(begin * FPS), 1 + round(end * FPS)) for begin, end in merged]


def _around(at_s: float, span_s: float) -> tuple[float, float]:
    return at_s - span_s / 2, at_s + span_s / 2


@dataclass(slots=True)
class Seen:
    """What the month showed."""

    slots: int = 0
    pictures: int = 0
    sounds: int = 0
    sessions: int = 0
    missing: int = 0  #: slots of which no picture came
    against_clock_ms: float = 0.0  #: the most that a picture's time stamp differed from the simulated time
    backwards: int = 0
    holes: int = 0  #: steps between AAC frames of a stretch that are not one frame
    bad_begins: int = 0  #: sessions that did not begin with headers, a key frame and 0 … 40 ms
    at_once: int = 0
    reconnect_s: list[float] = field(default_factory=list)  #: real
    crossed: set[str] = field(default_factory=set)  #: edges that media time, or a session's time, went over
    skews_ms: list[float] = field(default_factory=list)
    rss_mb: list[tuple[float, float, float]] = field(default_factory=list)  #: simulated days, of this process, pusher's
    took_s: float = 0.0


class _Counted:
    """Before the fan-out: knows what was published last."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self.video_ms = self.key_ms = -1

    def set_headers(self, headers: Headers) -> None:
        self._outputs.set_headers(headers)

    def publish(self, tag: Tag) -> None:
        self._outputs.publish(tag)
        if tag.kind == flv.VIDEO:
            self.video_ms, self.key_ms = tag.ms, tag.ms if tag.key else self.key_ms


class Month:
    """Plays a plan. `run` returns what was seen."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        self._stretches = plan.stretches()
        self._directory = directory
        self._seen = Seen()
        self._clock = SimClock()
        self._next = 0  # stretch
        self._slot = 0
        self._played: list[int] = []  # slots of this stretch that were handed over
        self._file_at: dict[Path, int] = {}  # bytes that the receiver had of each session when the stretch began
        self._bases: dict[int, int] = {}  # of each publication: media time less time stamp
        self._engine = PatternEngine()
        self._avatar = load_avatar(None, SIZE)
        self._state = self._engine.open(self._avatar, 0)
        self._beeps = beep_track(1)
        self._sequence = -1

    def run(self) -> Seen:
        began_s = time.monotonic()
        outputs = Outputs(self._directory, ["main"], self._clock)
        outputs.open()
        outputs.start()
        self._sink = _Counted(outputs)
        pool = FramePool(*SIZE)
        self._transmitter = Transmitter(SETTINGS, self._sink, pool, self._clock, 1, lambda: None)
        self._air = Air(
            self._clock,
            Buffer(["pattern"], *SIZE, 0, 0),
            Programme(black(*SIZE)),
            Overlay(*SIZE, "AI", "top-left"),
            Reporter(0),
            self._transmitter,
            pool,
            1,
        )
        self._t0_ns = self._clock.now_ns()
        self._air.hello(EngineHello("pattern", 1, *SIZE, HOP_FRAMES, 0))
        self._clock.caught_up = self._between_slots
        with (
            Ingest(self._directory / "got") as self._ingest,
            pusher(self._directory, self._ingest.url()) as self._pusher,
        ):
            self._transmitter.start()
            self._air.start()
            self._air.thread.join()
            if self._air.thread.failed is not None:
                raise self._air.thread.failed
            self._transmitter.finish(5)
            outputs.close(2)
        self._seen.sessions = len(self._ingest.publications)
        self._seen.at_once = self._ingest.sessions_at_once()
        self._seen.took_s = time.monotonic() - began_s
        return self._seen

    # ── on the clock's thread, between two slots ─────────────────────────────────────────────────

    def _between_slots(self) -> None:
        """All that a slot caused is done before the next one; a stretch is judged at its end, then time leaps."""
        while self._slot and self._transmitter.encoded_sample <= self._slot * AIR_SAMPLES:
            time.sleep(LOOK_S)
        for demand, _ in self._air.demands():
            self._answer(demand)
        _, end = self._stretches[self._next]
        upcoming = 1 + self._air.slots + self._air.skipped
        if upcoming >= end:
            self._await_receiver()
            self._judge()
            self._next += 1
            if self._next == len(self._stretches):
                self._air._last_slot = self._slot  # this one slot more ends the thread
                return
            upcoming = self._stretches[self._next][0]
            self._clock.leap_ns = self._t0_ns + (upcoming - 1) * SLOT_NS - self._due_ns()
        elif len(self._played) < TOGETHER or len(self._played) % TOGETHER == 0:  # one by one after a leap
            self._await_receiver()
        self._slot = upcoming
        if not self._played:
            self._file_at = {one.path: one.path.stat().st_size for one in self._ingest.publications}
        self._played.append(upcoming)

    def _due_ns(self) -> int:
        """When the clock's thread believes that its next slot is due."""
        return self._air._pacer.deadline_ns

    def _answer(self, demand: Demand) -> None:
        """As an engine does; a beep and a flash at the start of each second of its own counting."""
        self._sequence += 1
        at = self._state.index % FPS
        air: Pcm = np.concatenate([self._frame_of_sound(at + index) for index in range(HOP_FRAMES)])
        made = self._engine.step([Job(self._state, np.ascontiguousarray(air[::3]), air[:0])])[0]
        assert len(air) == HOP_FRAMES * DRIVE_SAMPLES * 3
        self._state = made.state
        segment = Segment(
            "pattern", 1, demand.epoch, demand.credit, self._sequence, 0, HOP_FRAMES, *SIZE, speech=True, render_ms=1
        )
        self._air.accept(segment, [memoryview(made.frames.tobytes()), memoryview(air.tobytes())])

    def _frame_of_sound(self, index: int) -> Pcm:
        begin = index % FPS * AIR_SAMPLES
        return self._beeps[begin : begin + AIR_SAMPLES]

    # ── what the receiver got ────────────────────────────────────────────────────────────────────

    def _await_receiver(self) -> None:
        """Until it got the last picture that was published."""
        if self._sink.key_ms < 0:
            return
        end_s = time.monotonic() + WAIT_S
        while self._arrived_ms() < self._sink.video_ms:
            if time.monotonic() > end_s:
                raise AssertionError(f"the receiver is at {self._arrived_ms()} ms, not {self._sink.video_ms}")
            time.sleep(LOOK_S)

    def _arrived_ms(self) -> int:
        """Media time of the newest picture that came."""
        publications = self._ingest.publications
        if not publications:
            return -1
        number, newest = len(publications) - 1, publications[-1]
        last = next((one for one in reversed(newest.arrivals) if one.kind == "video"), None)
        if last is None:
            return -1
        if number not in self._bases:
            first = next(one for one in newest.arrivals if one.kind == "video")
            self._bases[number] = self._sink.key_ms - first.ms
            self._greet(newest, first)
        return last.ms + self._bases[number]

    def _greet(self, publication: Publication, first: Arrival) -> None:
        before = {one.kind for one in publication.arrivals[: publication.arrivals.index(first)]}
        if not {"avc", "aac"} <= before or not first.key or not 0 <= first.ms <= 40:
            self._seen.bad_begins += 1
        if len(self._ingest.publications) > 1:
            earlier = self._ingest.publications[-2]
            self._seen.reconnect_s.append(first.at_s - earlier.arrivals[-1].at_s)

    def _judge(self) -> None:
        """One stretch: every slot's picture, its time stamp against the clock, the sound's steps."""
        seen, first_slot = self._seen, self._played[0]
        pictures: set[int] = set()
        for number, publication in enumerate(self._ingest.publications):
            arrivals, base = publication.media(), self._bases.get(number, 0)
            for kind in ("video", "audio"):
                stamps = [one.ms for one in arrivals if one.kind == kind]
                seen.backwards += sum(after < before for before, after in pairwise(stamps))
            inside = [one for one in arrivals if one.ms + base >= frames_to_ms(first_slot) - 40]
            video = [one.ms + base for one in inside if one.kind == "video"]
            audio = [one.ms for one in inside if one.kind == "audio" and one.ms + base >= frames_to_ms(first_slot)]
            pictures.update(video)
            seen.sounds += len(audio)
            seen.holes += sum(after - before not in (21, 22) for before, after in pairwise(audio))
            if video:
                self._cross(inside[0].ms, inside[-1].ms, "of a session")
            if publication is self._ingest.publications[-1]:
                publication.arrivals[:] = arrivals[-2:]  # the receiver's memory is not what is being judged
            else:
                publication.arrivals[:] = arrivals[-1:]
        due = {frames_to_ms(slot) for slot in self._played if frames_to_ms(slot) <= self._sink.video_ms}
        seen.missing += len(due - pictures)
        seen.slots += len(self._played)
        seen.pictures += len(pictures)
        newest_slot = self._sink.video_ms * FPS // 1000
        clock_ms = (self._clock.now_ns() - self._t0_ns) / 1e6 + frames_to_ms(1)
        seen.against_clock_ms = max(seen.against_clock_ms, abs(clock_ms - frames_to_ms(self._slot)))
        assert self._slot - newest_slot <= 1, "the muxer keeps more than one picture back"
        self._cross(frames_to_ms(first_slot), self._sink.video_ms, "of media")
        if len(self._played) > 6 * FPS:
            self._measure_skew()
        self._weigh()
        self._played = []

    def _cross(self, begin_ms: int, end_ms: int, whose: str) -> None:
        self._seen.crossed |= {f"{name} {whose}" for name, edge in EDGES_MS.items() if begin_ms < edge <= end_ms}

    def _measure_skew(self) -> None:
        """Flash against beep, as decoded from what came in this stretch and its session."""
        publication = self._ingest.publications[-1]
        with publication.path.open("rb") as file:
            head = _head(file.read(HEAD_MAX_BYTES))
            file.seek(max(len(head), self._file_at.get(publication.path, 0)))
            came = _tags(file.read())
        begin_ms = frames_to_ms(self._played[0]) - self._bases[len(self._ingest.publications) - 1]
        part = self._directory / "stretch.flv"
        part.write_bytes(head + b"".join(tag for tag in came if flv.time_ms(tag) >= begin_ms))
        self._seen.skews_ms.append(av_offset_ms(part, limit_s=float("inf")))

    def _weigh(self) -> None:
        days = frames_to_ms(self._slot) / 1000 / DAY_S
        self._seen.rss_mb.append((days, _rss_mb(os.getpid()), _rss_mb(self._pusher.process.pid)))


def _tags(data: bytes) -> Iterator[bytes]:
    """The tags in a part of an FLV file; what is torn at its end is left out."""
    at = 0
    while at + flv.HEADER_BYTES + int.from_bytes(data[at + 1 : at + 4], "big") < len(data):
        tag = flv.whole(data[at : at + flv.HEADER_BYTES + int.from_bytes(data[at + 1 : at + 4], "big")])
        at += len(tag)
        yield tag


def _head(data: bytes) -> bytes:
    """The beginning of an FLV file up to its first media."""
    at = flv.FILE_HEADER_BYTES
    for tag in _tags(data[at:]):
        if tag[0] != flv.SCRIPT and not flv.is_sequence_header(tag):
            break
        at += len(tag)
    return data[:at]


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
