"""Playout as a real process, with an engine, a director and a pusher that the test plays itself."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import psutil
import pytest
import zmq

from pipeline import link
from pipeline.journal import JournalReader
from pipeline.lifeline import Lifeline
from pipeline.media import AIR_SAMPLES, SENTENCE, SENTENCE_END, UTTERANCE, UTTERANCE_END, Mark
from pipeline.wire import (
    Beat,
    Cut,
    Demand,
    Drain,
    EngineHello,
    Headers,
    NewHold,
    Panic,
    PusherHello,
    Report,
    Retarget,
    Segment,
    Sent,
    Spec,
    Tag,
    decode,
    decode_any,
)
from streams.tagline import Unframer, framed
from tests.process.nursery import Child, started

WIDTH, HEIGHT, HOP = 256, 448, 5
FLASH_EVERY = 25  # frames
LIVE_Y, OTHER_HOLD_Y, HOLD_Y, FLASH_Y = 90, 120, 150, 225
BEEP = (np.sin(np.arange(AIR_SAMPLES) / 48_000 * 2 * np.pi * 1000) * 12_000).astype(np.int16)
VOICE = (np.sin(np.arange(AIR_SAMPLES) / 48_000 * 2 * np.pi * 300) * 6_000).astype(np.int16)
Process = subprocess.Popen[bytes] | Child


def until(what: str, condition: Callable[[], Any], timeout_s: float = 10.0) -> Any:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {timeout_s} s: {what}")


class Engine(threading.Thread):
    """Answers demands at once: grey frames with a white one and a beep each second, and what it is told to say."""

    def __init__(self, directory: Path, incarnation: int, hold: Path | None = None) -> None:
        super().__init__(daemon=True)
        self.directory, self.incarnation, self.hold = directory, incarnation, hold
        self.demands: list[Demand] = []
        self.after: list[bytes] = []
        self.sequence = -1
        self.frame = 0
        self.timeline = 0
        self.say: list[list[Mark]] = []  # marks of the hops to come; a hop with marks has a voice
        self.news: list[NewHold] = []
        self.voice = False
        self.spoil: Callable[[Segment, list[Any]], tuple[Segment, list[Any]]] | None = None
        self.after_it: list[Callable[[Segment, list[Any]], tuple[Segment, list[Any]]]] = []  # what follows each answer
        self.stopped = threading.Event()

    def run(self) -> None:
        context: zmq.Context[Any] = zmq.Context()
        dealer = link.connect(context, self.directory, link.FRAMES, "pattern")
        hello_s = 0.0
        while not self.stopped.is_set():
            if not self.demands and time.monotonic() >= hello_s:
                hello_s = time.monotonic() + 0.3
                hold = str(self.hold or "")
                link.send(dealer, EngineHello("pattern", self.incarnation, WIDTH, HEIGHT, HOP, 1, hold))
            while self.news:
                link.send(dealer, self.news.pop(0))
            dealer.poll(20)
            while parts := link.receive(dealer):
                self.answer(dealer, decode(parts[0], Demand), [bytes(part) for part in parts[1:]])
        context.destroy(linger=0)

    def answer(self, dealer: Any, demand: Demand, after: list[bytes]) -> None:
        self.demands.append(demand)
        self.after += after
        self.timeline = max(self.timeline, demand.timeline)
        self.sequence += 1
        marks = self.say.pop(0) if self.say else []
        frames = np.full((HOP, HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        frames[:, :HEIGHT] = LIVE_Y
        sound = []
        for index in range(HOP):
            flash = self.frame % FLASH_EVERY == 0
            if flash:
                frames[index, :HEIGHT] = FLASH_Y
            sound.append(BEEP if flash else VOICE if self.voice else np.zeros(AIR_SAMPLES, np.int16))
            self.frame += 1
        segment = Segment(
            engine="pattern",
            incarnation=self.incarnation,
            epoch=demand.epoch,
            credit=demand.credit,
            sequence=self.sequence,
            timeline=self.timeline,
            hop_frames=HOP,
            width=WIDTH,
            height=HEIGHT,
            speech=self.voice,
            render_ms=1,
            marks=marks,
        )
        buffers: list[Any] = [frames, np.concatenate(sound)]
        if self.spoil is not None:
            segment, buffers = self.spoil(segment, buffers)
        link.send(dealer, segment, *buffers)
        for change in self.after_it:
            link.send(dealer, *_flat(change(segment, buffers)))

    def stop(self) -> None:
        self.stopped.set()
        self.join(5)


def _flat(answer: tuple[Segment, list[Any]]) -> tuple[Any, ...]:
    return answer[0], *answer[1]


class Pusher(threading.Thread):
    """Takes all tags of one output, and says at once that they were sent."""

    def __init__(self, directory: Path, output: str = "main") -> None:
        super().__init__(daemon=True)
        self.directory, self.output = directory, output
        self.headers: list[Headers] = []
        self.tags: list[Tag] = []
        self.came_s: list[float] = []
        self.ended = False
        self.sent_before_ms = -1  # of an earlier playout
        self.mute = False  # it goes on sending and says nothing

    def run(self) -> None:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.connect(str(self.directory / link.TAGS))
        line.sendall(framed(PusherHello(self.output, os.getpid())))
        line.sendall(framed(Sent(audio_ms=self.sent_before_ms, state="live", connects=1)))
        unframer = Unframer()
        while data := _received(line):
            for raw in unframer.feed(data):
                message = decode_any(raw)
                if isinstance(message, Headers):
                    self.headers.append(message)
                elif isinstance(message, Tag):
                    self.tags.append(message)
                    self.came_s.append(time.monotonic())
                    if message.kind == 8 and not self.mute:
                        line.sendall(framed(Sent(audio_ms=message.ms, state="live", connects=1)))
        line.close()
        self.ended = True

    def flv(self) -> bytes:
        head = self.headers[0]
        return b"".join([head.flv, head.metadata, head.video, head.audio, *[tag.data for tag in self.tags]])


def _received(line: socket.socket) -> bytes:
    """What came, b"" at the end; a playout that is killed may leave without a farewell."""
    try:
        return line.recv(1 << 18)
    except ConnectionResetError:
        return b""


@dataclass
class Studio:
    directory: Path
    line: Lifeline
    process: Process
    pusher: Pusher
    beats: list[Beat] = field(default_factory=list)
    reader: JournalReader | None = None
    reports: list[Report] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, Any]:
        self.beats += [message for message in self.line.poll() if isinstance(message, Beat)]
        return self.beats[-1].facts if self.beats else {}

    def report(self, what: str, utterance: str) -> Report | None:
        if self.reader is None:
            self.reader = JournalReader(self.directory / "state" / "journal")
        self.reports += self.reader.read()
        return next((one for one in self.reports if (one.what, one.utterance) == (what, utterance)), None)


def start(directory: Path, order: Panic | None = None, *, own: bool = False) -> tuple[Lifeline, Process]:
    """own: it reads its modules itself, so that what it holds in memory is its own."""
    line, theirs = Lifeline.pair()
    process: Process
    with (directory / "log").open("ab") as log:
        if own:
            command = [sys.executable, "-m", "broadcaster.child", "playout", "playout"]
            process = subprocess.Popen(command, stdin=theirs.fileno(), stderr=log)
        else:
            environment = dict(os.environ)
            process = started("broadcaster.child", theirs.fileno(), log.fileno(), environment, "playout", "playout")
    theirs.close()
    section = {
        "room": "test",
        "runtime_dir": str(directory),
        "state_dir": str(directory / "state"),
        "width": WIDTH,
        "height": HEIGHT,
        "bitrate_kbps": 800,
        "preset": "veryfast",
        "label_text": "AI",
        "label_corner": "top-left",
        "outputs": ["main"],
        "ack": "any",
        "when_no_output": "go_on",
        "engines": ["pattern"],
    }
    line.send(Spec("playout", "playout", section))
    if order is not None:
        line.send(order)
    return line, process


@pytest.fixture
def studio(short_dir: Path, request: pytest.FixtureRequest) -> Iterator[Studio]:
    line, process = start(short_dir, own=getattr(request, "param", False))
    try:
        until("the socket of the tags", (short_dir / link.TAGS).exists)
        pusher = Pusher(short_dir)
        pusher.start()
        yield Studio(short_dir, line, process, pusher)
    finally:
        process.kill()
        process.wait()
        line.close()


@pytest.fixture
def hold(short_dir: Path) -> Path:
    return loop(short_dir / "hold.i420", HOLD_Y)


def loop(path: Path, luma: int) -> Path:
    frames = np.full((10, HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    frames[:, :HEIGHT] = luma
    path.write_bytes(frames.tobytes())
    return path


@pytest.mark.parametrize("studio", [True], indirect=True, ids=["own"])
def test_a_show_from_start_to_drain_has_no_gap(studio: Studio, hold: Path) -> None:
    director = link.connect(zmq.Context.instance(), studio.directory, link.CONTROL, "director")
    until("the first pictures, without any engine", lambda: studio.facts.get("encoded", 0) > 10)
    assert studio.facts["source"] == "slate"

    engine = Engine(studio.directory, incarnation=1, hold=hold)
    hop = HOP * AIR_SAMPLES
    engine.say = [
        [Mark(0, UTTERANCE, "u1", text="script"), Mark(0, SENTENCE, "u1", 0, "Hello", span=hop + 500)],
        [Mark(500, SENTENCE_END, "u1", 0), Mark(500, UTTERANCE_END, "u1", 0)],
    ]
    engine.start()
    until("u1 was aired", lambda: studio.report("aired", "u1"))
    started, ended = studio.report("started", "u1"), studio.report("sentence_aired", "u1")
    assert started is not None and ended is not None
    assert (ended.samples, ended.sample - started.sample) == (hop + 500, hop + 500)
    time.sleep(3.2)  # flashes and beeps to measure by

    # a cut: the old voice goes within 80 ms, the engine goes on from what is shown
    engine.voice = True
    engine.say = [[Mark(0, UTTERANCE, "u2"), Mark(0, SENTENCE, "u2", 0, "A long sentence", span=500_000)]]
    until("u2 is spoken", lambda: studio.report("started", "u2"))
    time.sleep(0.5)
    epoch = engine.demands[-1].epoch
    engine.voice = False
    link.send(director, Cut(timeline=7, utterance="u2"))
    cut = until("u2 was cut", lambda: studio.report("cut", "u2"))
    spoken = studio.report("started", "u2")
    assert spoken is not None and cut.samples == cut.sample - spoken.sample > 0
    assert cut.timeline == 7
    renewed = until("a new epoch", lambda: next((one for one in engine.demands if one.epoch > epoch), None))
    assert renewed.timeline == 7 and renewed.credit == 1 and 0 <= renewed.shown <= engine.sequence
    link.send(director, Cut(timeline=7, utterance="u2"))  # said again: nothing new
    time.sleep(0.5)
    assert engine.demands[-1].epoch == renewed.epoch

    # the engine dies in a sentence: hold, by the loop of who came into the picture, and lost when another comes
    other = loop(studio.directory / "other.i420", OTHER_HOLD_Y)
    engine.news.append(NewHold("pattern", 1, str(other)))
    engine.say = [[Mark(0, UTTERANCE, "u3"), Mark(0, SENTENCE, "u3", 0, "Never finished", span=500_000)]]
    until("u3 is spoken", lambda: studio.report("started", "u3"))
    engine.stop()
    until("hold", lambda: studio.facts["source"] == "hold")
    time.sleep(1.0)
    assert studio.report("lost", "u3") is None  # it may only be slow
    engine = Engine(studio.directory, incarnation=2, hold=hold)
    engine.start()
    until("u3 was lost", lambda: studio.report("lost", "u3"))
    until("live again", lambda: studio.facts["source"] == "live")
    assert engine.demands[0].shown == -1 and engine.demands[0].after
    assert len(engine.after[0]) == WIDTH * HEIGHT * 3 // 2

    # panic: slate and mute at once, and back
    studio.line.send(Panic(on=True))
    until("panic", lambda: studio.facts["source"] == "slate", 1.0)
    asked = len(engine.demands)
    time.sleep(0.5)
    assert len(engine.demands) == asked
    studio.line.send(Panic(on=False))
    until("live after panic", lambda: studio.facts["source"] == "live")

    rss_mb = psutil.Process(studio.process.pid).memory_info().rss / 1e6
    facts = studio.facts
    studio.line.send(Drain(grace_s=5))
    assert studio.process.wait(6) == 0
    until("the pusher saw the end", lambda: studio.pusher.ended)
    engine.stop()
    assert facts["skipped"] == 0 and facts["bad_segments"] == 0, facts
    assert rss_mb < 170
    check_recording(studio.pusher, cut, started)


def check_recording(pusher: Pusher, cut: Report, started: Report) -> None:
    assert len(pusher.headers) == 1
    for kind in (8, 9):
        times = [tag.ms for tag in pusher.tags if tag.kind == kind]
        assert times == sorted(times)
        assert len(set(times)) == len(times)
    keys = [tag.ms for tag in pusher.tags if tag.key]
    assert max(np.diff(keys)) <= 2000
    pictures, sound, sound_from = decoded(pusher.flv())

    # every slot, one after the other
    slots = [slot for slot, _ in pictures]
    assert slots == list(range(slots[0], slots[0] + len(slots)))

    # the label is on every picture, the first of the slate to the last
    brightest = {slot: int(picture[: HEIGHT // 8, : WIDTH // 2].max()) for slot, picture in pictures}
    assert min(brightest.values()) > 180, "white letters everywhere"

    # flash and beep together
    middle = {slot: float(picture[HEIGHT // 3 : HEIGHT // 2].mean()) for slot, picture in pictures}
    flashes = [
        slot for slot, y in middle.items() if y > (LIVE_Y + FLASH_Y) / 2 and started.frame <= slot < cut.frame - 20
    ]
    assert len(flashes) >= 3
    for slot in flashes:
        at = slot * AIR_SAMPLES - sound_from
        near = np.abs(sound[at - 4000 : at + 4000])
        onset = int(np.argmax(near > 3000)) - 4000
        assert abs(onset) <= AIR_SAMPLES, f"{onset / 48:.1f} ms between flash and beep"

    held = [y for slot, y in middle.items() if slot > cut.frame and abs(y - OTHER_HOLD_Y) < 3]
    assert len(held) > 15, "half a second of the loop that was told last"

    # silence 80 ms after the cut, and voice before it
    at = cut.sample - sound_from
    assert np.abs(sound[at - 9600 : at - 1000]).max() > 3000
    assert np.abs(sound[at + 2 * AIR_SAMPLES + 1100 : at + 4 * AIR_SAMPLES]).max() < 300

    # no jump of brightness from one picture to the next, but for the flashes
    steps = [abs(middle[slot] - middle[slot - 1]) for slot in slots[1:]]
    lit = {slot + side for slot, y in middle.items() if y > 190 for side in (0, 1)}
    assert max(step for slot, step in zip(slots[1:], steps, strict=True) if slot not in lit) < 45


def decoded(flv: bytes) -> tuple[list[tuple[int, np.ndarray]], np.ndarray, int]:
    """(slot, luma) of all pictures; the sound; the sample it begins at."""
    pictures, sound, sound_from = [], [], -1
    with av.open(io.BytesIO(flv)) as container:
        for packet in container.demux():
            for frame in packet.decode():
                assert frame.pts is not None and frame.time_base is not None
                seconds = frame.pts * frame.time_base
                if isinstance(frame, av.VideoFrame):
                    luma = np.frombuffer(frame.planes[0], np.uint8).reshape(HEIGHT, -1)[:, :WIDTH]
                    pictures.append((round(seconds * 25), luma.copy()))
                elif isinstance(frame, av.AudioFrame):
                    if sound_from < 0:
                        sound_from = round(seconds * 48_000)
                    sound.append(frame.to_ndarray()[0])
    samples = np.concatenate(sound)
    return pictures, (samples * 32767).astype(np.int32), sound_from


def test_spoilt_segments_are_dropped_and_the_engine_begins_anew(studio: Studio, hold: Path) -> None:
    replace = msgspec.structs.replace
    faults: list[Callable[[Segment, list[Any]], tuple[Segment, list[Any]]]] = [
        lambda segment, buffers: (segment, buffers[:1]),
        lambda segment, buffers: (replace(segment, sequence=-5), buffers),
        lambda segment, buffers: (replace(segment, marks=[Mark(10**12, SENTENCE, "x")]), buffers),
    ]
    engine = Engine(studio.directory, incarnation=1, hold=hold)
    engine.start()
    until("live", lambda: studio.facts.get("source") == "live")
    for fault in faults:
        seen = studio.facts["bad_segments"]
        done = threading.Event()

        def once(segment: Segment, buffers: list[Any], fault: Any = fault, done: Any = done) -> Any:
            if done.is_set():
                return segment, buffers
            done.set()
            return fault(segment, buffers)

        engine.spoil = once
        until("it was counted", lambda seen=seen: studio.facts["bad_segments"] > seen)
        asked = len(engine.demands)
        until("it was asked again", lambda asked=asked: len(engine.demands) > asked + 1)
    until("live again", lambda: studio.facts["source"] == "live")
    assert studio.process.poll() is None
    assert studio.facts["skipped"] == 0
    engine.stop()


def test_a_playout_that_was_killed_takes_up_above_its_reports(studio: Studio, hold: Path) -> None:
    engine = Engine(studio.directory, incarnation=1, hold=hold)
    engine.say = [[Mark(0, UTTERANCE, "u1"), Mark(0, SENTENCE, "u1", 0, "Hello", span=500_000)]]
    engine.start()
    until("u1 is spoken", lambda: studio.report("started", "u1"))
    headers = until("headers", lambda: studio.pusher.headers)[0]
    studio.process.kill()
    studio.process.wait()
    engine.stop()
    last = studio.pusher.tags[-1].ms

    studio.line.close()
    studio.line, studio.process = start(studio.directory)
    until("the next one is on air", lambda: studio.facts.get("encoded", 0) > 5 and studio.facts["slots"])
    pusher = Pusher(studio.directory)
    pusher.start()
    until("tags", lambda: len(pusher.tags) > 10)
    assert pusher.tags[0].ms > last
    assert pusher.headers[0] == headers
    studio.report("opened", "")
    assert [one.what for one in studio.reports].count("opened") == 2
    assert [one.seq for one in studio.reports] == sorted({one.seq for one in studio.reports})


def test_a_stopped_playout_skips_slots_in_both_streams_and_does_not_burst(studio: Studio, hold: Path) -> None:
    engine = Engine(studio.directory, incarnation=1, hold=hold)
    engine.start()
    until("live", lambda: studio.facts.get("source") == "live" and studio.facts["slots"] > 60)
    studio.process.send_signal(signal.SIGSTOP)
    time.sleep(2.5)
    before = len(studio.pusher.tags)
    studio.process.send_signal(signal.SIGCONT)
    until("slots were skipped", lambda: studio.facts["skipped"])
    until("a while later", lambda: len(studio.pusher.tags) > before + 150)
    facts = studio.facts
    engine.stop()
    assert 25 <= facts["skipped"] <= 75
    assert facts["source"] == "live" and facts["bad_segments"] == 0
    tags, came_s = studio.pusher.tags, studio.pusher.came_s
    for kind in (8, 9):
        times = [tag.ms for tag in tags if tag.kind == kind]
        jump = max(np.diff(times))
        assert jump == pytest.approx(facts["skipped"] * 40, abs=110)
    first_s = came_s[before]
    burst = [tag.ms for tag, came in zip(tags[before:], came_s[before:], strict=False) if came - first_s < 0.3]
    assert len(burst) < 60  # a second of sound and picture at the most


def test_a_supervisor_that_is_gone_ends_playout(studio: Studio) -> None:
    until("on air", lambda: studio.facts.get("encoded"))
    studio.line.close()
    assert studio.process.wait(3) == 1


def test_a_sentence_sent_but_not_reported_when_playout_is_killed_is_reported_by_the_next(
    studio: Studio, hold: Path
) -> None:
    engine = Engine(studio.directory, incarnation=1, hold=hold)
    engine.start()
    until("live", lambda: studio.facts.get("source") == "live")
    studio.pusher.mute = True
    engine.say = [
        [Mark(0, UTTERANCE, "u1"), Mark(0, SENTENCE, "u1", 0, "Hello", span=5000)],
        [Mark(500, SENTENCE_END, "u1", 0), Mark(500, UTTERANCE_END, "u1", 0)],
    ]
    started = until("u1 is spoken", lambda: studio.report("started", "u1"))
    end_ms = (started.sample + HOP * AIR_SAMPLES + 500) // 48
    until("its last tag was sent", lambda: studio.pusher.tags[-1].ms > end_ms + 40)
    assert studio.report("aired", "u1") is None
    studio.process.kill()
    studio.process.wait()
    sent_ms = max(tag.ms for tag in studio.pusher.tags if tag.kind == 8)

    studio.line.close()
    studio.line, studio.process = start(studio.directory)
    until("the socket of the tags", lambda: _listens(studio.directory / link.TAGS))
    studio.pusher = Pusher(studio.directory)
    studio.pusher.sent_before_ms = sent_ms
    studio.pusher.start()
    until("the next one began", lambda: studio.report("opened", "") and studio.reports[-1].what == "opened")
    assert [one.what for one in studio.reports][-3:] == ["sentence_aired", "aired", "opened"]
    pictures, _, _ = decoded_when(studio.pusher, 12)
    lumas = [float(picture[HEIGHT // 3 : HEIGHT // 2].mean()) for _, picture in pictures]
    assert min(lumas) > LIVE_Y - 20, "no slate between the picture that stood still and hold or live"
    engine.stop()


def test_a_panic_shows_its_words_and_outlives_playout(studio: Studio, hold: Path) -> None:
    engine = Engine(studio.directory, incarnation=1, hold=hold)
    engine.start()
    until("live", lambda: studio.facts.get("source") == "live")
    studio.line.send(Panic(on=True, text="Back in five minutes"))
    until("slate", lambda: studio.facts["source"] == "slate", 1.0)
    seen = len(studio.pusher.tags)
    until("half a second of it", lambda: len(studio.pusher.tags) > seen + 36)
    pictures, _, _ = decoded(studio.pusher.flv())
    middle = pictures[-1][1][HEIGHT // 3 : 2 * HEIGHT // 3]
    assert middle.max() > 200 and middle.mean() < 150, "white words on a dark wall"
    engine.stop()
    studio.process.kill()
    studio.process.wait()
    studio.line.close()
    studio.line, studio.process = start(studio.directory, Panic(on=True))
    until("the socket of the tags", lambda: _listens(studio.directory / link.TAGS))
    studio.pusher = Pusher(studio.directory)
    studio.pusher.start()
    pictures, sound, _ = decoded_when(studio.pusher, 25)
    assert studio.facts["source"] == "slate"
    assert np.abs(sound).max() < 50
    assert float(pictures[-1][1][HEIGHT // 3 : 2 * HEIGHT // 3].max()) < 150, "no words were asked for this time"
    engine = Engine(studio.directory, incarnation=2, hold=hold)
    engine.start()
    studio.line.send(Panic(on=False))
    until("live again", lambda: studio.facts["source"] == "live")
    engine.stop()


def test_outputs_change_on_air_and_what_counts_with_them(studio: Studio, hold: Path) -> None:
    engine = Engine(studio.directory, incarnation=1, hold=hold)
    engine.start()
    until("live", lambda: studio.facts.get("source") == "live")
    studio.pusher.mute = True
    engine.say = [[Mark(0, UTTERANCE, "u1"), Mark(9, UTTERANCE_END, "u1")]]
    until("u1 began", lambda: studio.report("started", "u1"))
    studio.line.send(Retarget(outputs=["other"], ack="all"))
    until("main is gone", lambda: studio.pusher.ended)
    until("the facts follow", lambda: list(studio.facts["outputs"]) == ["other"])
    assert studio.report("aired", "u1") is None, "it waits for all, and the new one has sent nothing"
    other = Pusher(studio.directory, "other")
    other.start()
    until("u1 was aired", lambda: studio.report("aired", "u1"))
    studio.line.send(Retarget(outputs=[], ack="any"))
    until("nobody is left", lambda: other.ended and studio.facts["outputs"] == {})
    assert studio.facts["skipped"] == 0
    engine.stop()


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def decoded_when(pusher: Pusher, pictures: int) -> tuple[list[tuple[int, np.ndarray]], np.ndarray, int]:
    until(f"{pictures} pictures", lambda: sum(tag.kind == 9 for tag in pusher.tags) > pictures)
    return decoded(pusher.flv())
