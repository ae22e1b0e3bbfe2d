"""The engine worker between a playout and a director that a test plays."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq
from PIL import Image

from pipeline import link
from pipeline.arrays import Pcm, silence, view_frames, view_pcm
from pipeline.avatar import load_avatar
from pipeline.engine import Job
from pipeline.engines.pattern import PatternEngine, PatternState, beep_track, is_flash, read_counter
from pipeline.errors import TooSlow
from pipeline.keepsakes import Poses
from pipeline.lifeline import Lifeline
from pipeline.media import AIR_SAMPLES, DRIVE_SAMPLES, PERSON, SENTENCE, SENTENCE_END, WORD, Mark, Position
from pipeline.shipped import PRESENTER
from pipeline.wire import (
    AudioChunk,
    Beat,
    Demand,
    Drain,
    EngineBye,
    EngineHello,
    NewHold,
    Segment,
    SpeechDemand,
    decode,
)
from pipeline.worker import WorkerSpec, run

WIDTH, HEIGHT, HOP = 256, 384, 5
HOP_SAMPLES = HOP * AIR_SAMPLES
FOR_EVER = 10_000  # frames of slack: the worker never has to fill in silence


class Peers:
    """Playout and director, as the worker sees them."""

    def __init__(self, runtime_dir: Path, state_dir: Path) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        self.playout = link.bind(self._context, runtime_dir, link.FRAMES)
        self.director = link.bind(self._context, runtime_dir, link.SPEECH)
        self.spec = WorkerSpec("pattern", "pattern", str(runtime_dir), str(state_dir), "", WIDTH, HEIGHT, 0)
        self.hello = EngineHello("", 0, 0, 0, 0, 0)
        self.start()

    def start(self, **changed: Any) -> None:
        self.line, theirs = Lifeline.pair()
        spec = msgspec.structs.replace(self.spec, **changed)
        self.thread = threading.Thread(target=run, args=(spec, Lifeline(theirs)))
        self.thread.start()
        self.hello = self.heard(self.playout, EngineHello)[0]

    def stop(self) -> None:
        self.line.send(Drain(1.0))
        self.thread.join(10)
        assert not self.thread.is_alive()

    def close(self) -> None:
        if self.thread.is_alive():
            self.stop()
        self._context.destroy(linger=0)

    def heard(self, socket: Any, kind: Any, timeout_ms: int = 5000) -> tuple[Any, list[memoryview]]:
        """The next message of a kind; others are passed over."""
        deadline = time.monotonic() + timeout_ms / 1000
        while True:
            left_ms = int((deadline - time.monotonic()) * 1000)
            assert left_ms > 0 and socket.poll(left_ms), f"no {kind.__name__} came"
            parts = link.receive(socket)
            assert parts is not None
            name = msgspec.msgpack.decode(parts[1])["type"]
            if name == kind.__name__:
                return decode(parts[1], kind), parts[2:]

    def beat_with(self, fact: str, value: object) -> None:
        """Wait for a beat that says so."""
        deadline = time.monotonic() + 5
        while not any(isinstance(m, Beat) and m.facts.get(fact) == value for m in self.line.poll()):
            assert time.monotonic() < deadline, f"no beat said {fact}={value}"
            time.sleep(0.01)

    def demand(self, credit: int, epoch: int = 1, shown: int = -1, slack: int = FOR_EVER, timeline: int = 0) -> None:
        message = Demand("pattern", self.hello.incarnation, epoch, credit, shown, slack, timeline)
        assert link.send(self.playout, message, to=b"pattern")

    def segment(self, timeout_ms: int = 5000) -> tuple[Segment, Any, Pcm]:
        segment, buffers = self.heard(self.playout, Segment, timeout_ms)
        return segment, view_frames(buffers[0], WIDTH, HEIGHT), view_pcm(buffers[1])

    def asked(self) -> SpeechDemand:
        demand: SpeechDemand = self.heard(self.director, SpeechDemand)[0]
        return demand

    def answer(self, asked: SpeechDemand, air: Pcm, marks: tuple[Mark, ...] = (), timeline: int = 0) -> None:
        until = Position("u", 0, len(air))
        chunk = AudioChunk(asked.incarnation, asked.credit, timeline, HOP_SAMPLES, 0, list(marks), until)
        assert link.send(self.director, chunk, air, np.ascontiguousarray(air[::3]), to=b"pattern")


@pytest.fixture
def peers(tmp_path: Path, short_dir: Path) -> Iterator[Peers]:
    made = Peers(short_dir, tmp_path)
    yield made
    made.close()


def counters(frames: Any) -> list[int | None]:
    return [read_counter(frame) for frame in frames]


def test_speech_comes_out_with_the_pictures_it_drove(peers: Peers) -> None:
    assert (peers.hello.width, peers.hello.height, peers.hello.hop_frames) == (WIDTH, HEIGHT, HOP)
    assert Path(peers.hello.hold).stat().st_size % (WIDTH * HEIGHT * 3 // 2) == 0
    peers.demand(1)
    spoken = beep_track(1)[:HOP_SAMPLES]
    marks = (
        Mark(0, WORD, "u", 0, "beep", 100),
        Mark(HOP_SAMPLES, SENTENCE_END, "u"),
        Mark(HOP_SAMPLES, WORD, "u", 1, "ahead", 100),
    )
    peers.answer(peers.asked(), spoken, marks)
    segment, frames, air = peers.segment()
    assert np.array_equal(air, spoken)
    assert [is_flash(frame) for frame in frames] == [True, False, False, False, False]
    assert segment.speech and segment.marks == list(marks[:2]), "an end belongs to the hop before it"


def test_what_an_engine_notes_of_its_step_is_told_to_the_operator(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = PatternEngine.step

    def noting(engine: PatternEngine, jobs: Any) -> Any:
        return [dataclasses.replace(made, notes={"drift_colour": 1.23456}) for made in plain(engine, jobs)]

    monkeypatch.setattr(PatternEngine, "step", noting)
    peers.demand(1, slack=1)
    assert peers.segment()[0].notes == {"drift_colour": 1.23456}
    peers.beat_with("notes", {"drift_colour": 1.235})


def test_silence_is_rendered_only_when_the_buffer_would_run_dry(peers: Peers) -> None:
    began = time.monotonic()
    peers.demand(1, slack=15)  # 0.6 s
    peers.asked()
    segment, _, air = peers.segment()
    waited = time.monotonic() - began
    assert 0.3 < waited < 0.6, "it waited for speech, and was in time all the same"
    assert not segment.speech and not air.any()


def test_speech_that_comes_late_serves_the_next_demand(peers: Peers) -> None:
    peers.demand(1, slack=1)
    asked = peers.asked()
    assert not peers.segment()[0].speech
    spoken = beep_track(1)[:HOP_SAMPLES]
    peers.answer(asked, spoken)
    peers.demand(2)
    segment, frames, air = peers.segment()
    assert segment.speech and np.array_equal(air, spoken)
    assert counters(frames) == list(range(5, 10))
    assert peers.asked().after == Position("u", 0, HOP_SAMPLES)


def test_a_segment_lost_on_the_way_is_sent_again_and_not_rendered_again(peers: Peers) -> None:
    peers.demand(1, slack=1)
    first, frames, _ = peers.segment()
    peers.demand(1, slack=1)
    again, same, _ = peers.segment()
    assert again == first and np.array_equal(frames, same)


def test_a_cut_takes_back_what_was_not_seen_and_speech_that_is_void(peers: Peers) -> None:
    for credit in (1, 2, 3):
        peers.demand(credit, slack=1)
        peers.segment()
    peers.answer(peers.asked(), beep_track(1)[:HOP_SAMPLES])
    peers.beat_with("speech_waits", True)
    peers.demand(1, epoch=2, shown=0, timeline=7)
    asked = peers.asked()
    assert asked.timeline == 7 and asked.after is None
    peers.answer(asked, silence(HOP_SAMPLES) + 5, timeline=7)
    segment, frames, air = peers.segment()
    assert (segment.epoch, segment.timeline) == (2, 7)
    assert counters(frames) == list(range(5, 10)), "it goes on after segment 0"
    assert (air == 5).all()


def test_a_restarted_engine_goes_on_with_its_pose(peers: Peers) -> None:
    peers.demand(1, slack=1)
    peers.segment()
    before = peers.hello.incarnation
    peers.stop()
    peers.start()
    assert peers.hello.incarnation > before
    peers.demand(1, epoch=2, slack=1)
    assert counters(peers.segment()[1]) == list(range(5, 10))


def test_an_engine_that_leaves_says_so_after_its_last_segment(peers: Peers) -> None:
    peers.demand(1, slack=1)
    peers.segment()
    peers.stop()
    bye = peers.heard(peers.playout, EngineBye)[0]
    assert (bye.engine, bye.incarnation) == ("pattern", peers.hello.incarnation)


def test_an_engine_that_is_to_leave_ends_its_sentence(peers: Peers) -> None:
    air = silence(HOP_SAMPLES)
    peers.demand(1)
    peers.answer(peers.asked(), air, (Mark(0, SENTENCE, "u", 0, "A mug."),))
    peers.segment()
    peers.line.send(Drain(10.0))
    peers.demand(2)
    peers.answer(peers.asked(), air, (Mark(HOP_SAMPLES, SENTENCE_END, "u", 0),))
    assert peers.segment()[0].speech
    assert peers.heard(peers.playout, EngineBye)
    peers.thread.join(2)
    assert not peers.thread.is_alive()


def test_an_engine_that_is_to_leave_does_not_wait_for_a_sentence_without_end(peers: Peers) -> None:
    peers.demand(1)
    peers.answer(peers.asked(), silence(HOP_SAMPLES), (Mark(0, SENTENCE, "u", 0, "A mug."),))
    peers.segment()
    peers.line.send(Drain(0.6))
    peers.thread.join(2)
    assert not peers.thread.is_alive()


def test_a_smaller_tier_goes_on_with_the_pose_and_is_seen_at_the_size_of_the_room(peers: Peers) -> None:
    peers.demand(1, slack=1)
    peers.segment()
    peers.stop()
    peers.start(drawn=(128, 192))
    assert (peers.hello.width, peers.hello.height) == (WIDTH, HEIGHT)
    assert Path(peers.hello.hold).stat().st_size % (WIDTH * HEIGHT * 3 // 2) == 0
    after = PatternEngine().step([Job(PatternState(WIDTH, HEIGHT, 70), silence(HOP * DRIVE_SAMPLES), silence(0))])
    message = Demand("pattern", peers.hello.incarnation, 2, 1, -1, 1, 0, after=True)
    assert link.send(peers.playout, message, after[0].frames[-1:].copy(), to=b"pattern")
    segment, frames, _ = peers.segment()
    assert (segment.width, segment.height) == (WIDTH, HEIGHT) and frames.shape == (HOP, HEIGHT * 3 // 2, WIDTH)
    assert counters(frames) == list(range(5, 10)), "its own pose goes before the frames on air"


def test_a_tier_takes_up_the_pose_that_another_one_showed_while_it_loaded(peers: Peers, tmp_path: Path) -> None:
    other = Poses(peers.spec, PatternEngine(), load_avatar(None, (WIDTH, HEIGHT)))
    other.keep(PatternState(WIDTH, HEIGHT, 500))
    peers.demand(1, slack=1)
    assert counters(peers.segment()[1]) == list(range(500, 505))


def test_without_a_pose_it_goes_on_from_the_frames_on_air(peers: Peers) -> None:
    after = PatternEngine().step([Job(PatternState(WIDTH, HEIGHT, 70), silence(HOP * DRIVE_SAMPLES), silence(0))])
    message = Demand("pattern", peers.hello.incarnation, 1, 1, -1, 1, 0, after=True)
    assert link.send(peers.playout, message, after[0].frames[-1:].copy(), to=b"pattern")
    assert counters(peers.segment()[1]) == list(range(75, 80))


def test_an_engine_that_carries_pictures_over_follows_those_of_the_engine_that_was_on_air_since(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that goes on from the pose of a minute ago would leap from what viewers see."""
    plain = PatternEngine.format
    monkeypatch.setattr(
        PatternEngine, "format", lambda engine, avatar: msgspec.structs.replace(plain(engine, avatar), overlap_frames=2)
    )
    peers.demand(1, slack=1)
    peers.segment()
    drawn = PatternEngine().step([Job(PatternState(WIDTH, HEIGHT, 70), silence(HOP * DRIVE_SAMPLES), silence(0))])
    after = drawn[0].frames[-2:].copy()
    for epoch, speaker, first in ((2, "", 5), (3, "another.state", 75)):
        peers.stop()
        peers.start()
        if speaker:
            (Path(peers.spec.runtime_dir) / speaker).write_bytes(b"")  # it has shown pictures now
        message = Demand("pattern", peers.hello.incarnation, epoch, 1, -1, 1, 0, after=True)
        assert link.send(peers.playout, message, after, to=b"pattern")
        assert counters(peers.segment()[1]) == list(range(first, first + HOP))


def test_steps_that_are_slower_than_real_time_are_counted_and_one_that_is_not_ends_the_count(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, waits_s = PatternEngine.step, [0.25, 0.25, 0.0]

    def slowly(engine: PatternEngine, jobs: Any) -> Any:
        time.sleep(waits_s.pop(0) if waits_s else 0.0)
        return plain(engine, jobs)

    monkeypatch.setattr(PatternEngine, "step", slowly)
    for credit, slow in ((1, 1), (2, 2), (3, 0)):
        peers.demand(credit, slack=1)
        peers.segment()
        peers.beat_with("slow", slow)


def test_an_engine_that_cannot_keep_up_leaves_before_it_is_on_air_where_a_lighter_one_is_there(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    peers.stop()
    plain = PatternEngine.step
    monkeypatch.setattr(PatternEngine, "step", lambda engine, jobs: (time.sleep(0.21), plain(engine, jobs))[1])
    _, theirs = Lifeline.pair()
    with pytest.raises(TooSlow, match=r"the fastest of 3 steps took 1\.\d+ times"):
        run(msgspec.structs.replace(peers.spec, must_keep_up=True), Lifeline(theirs))
    peers.start()  # without one, it does what it can


def test_a_playout_that_restarts_hears_of_the_engine_again(peers: Peers) -> None:
    peers.demand(1, slack=1)
    peers.segment()
    hello = peers.heard(peers.playout, EngineHello)[0]
    assert hello.incarnation == peers.hello.incarnation
    peers.demand(1, epoch=2, slack=1)
    assert counters(peers.segment()[1]) == list(range(5, 10))


def test_broken_chunks_are_dropped_and_the_show_goes_on(peers: Peers) -> None:
    peers.demand(1, slack=25)
    asked = peers.asked()
    chunk = AudioChunk(asked.incarnation, asked.credit, 0, HOP_SAMPLES, 0)
    air = silence(HOP_SAMPLES)
    for parts in (
        (chunk,),
        (chunk, air),
        (chunk, air[:-1], air[::3]),
        (chunk, air.tobytes()[:-1], air[::3].tobytes()),
        (msgspec.structs.replace(chunk, hop_samples=7), air, air[::3].copy()),
        (msgspec.structs.replace(chunk, ahead_samples=-HOP_SAMPLES), air, b""),
        (msgspec.structs.replace(chunk, incarnation=1), air, air[::3].copy()),
        (Drain(1.0), air, air[::3].copy()),
    ):
        message, *buffers = parts
        assert link.send(
            peers.director,
            message,
            *[np.ascontiguousarray(b) if isinstance(b, np.ndarray) else b for b in buffers],
            to=b"pattern",
        )
    assert not peers.segment()[0].speech


def test_it_beats_while_nobody_asks(peers: Peers) -> None:
    heard: list[Beat] = []
    deadline = time.monotonic() + 3
    while len(heard) < 4 and time.monotonic() < deadline:
        heard += [beat for beat in peers.line.poll() if isinstance(beat, Beat) and beat.phase == "ready"]
        time.sleep(0.02)
    assert len(heard) >= 4 and not heard[-1].busy


def test_a_call_is_answered_with_who_is_in_the_picture_and_a_cut_takes_it_back(peers: Peers, tmp_path: Path) -> None:
    Image.new("RGB", (WIDTH, HEIGHT), "teal").save(tmp_path / "anna.png")
    persons = {"host": str(PRESENTER), "anna": str(tmp_path / "anna.png")}
    peers.stop()
    peers.start(persons=persons)
    own = peers.hello.hold
    called = Mark(2 * AIR_SAMPLES, PERSON, "u", 0, "anna")
    peers.demand(1)
    peers.answer(peers.asked(), silence(HOP_SAMPLES))
    assert peers.segment()[0].marks == [Mark(0, PERSON, text="host")]
    peers.demand(2)
    peers.answer(peers.asked(), silence(HOP_SAMPLES), (called,))
    segment, frames, _ = peers.segment()
    assert segment.marks == [called] and counters(frames) == list(range(5, 10))
    news = peers.heard(peers.playout, NewHold)[0]
    assert news.incarnation == peers.hello.incarnation and news.hold != own
    assert Path(news.hold).stat().st_size % (WIDTH * HEIGHT * 3 // 2) == 0
    peers.demand(1, epoch=2, shown=0, slack=1, timeline=1)
    assert peers.segment()[0].marks == [Mark(0, PERSON, text="host")]
    assert peers.heard(peers.playout, NewHold)[0].hold == own
    peers.demand(2, epoch=2, shown=0, timeline=1)
    while (asked := peers.asked()).timeline < 1:  # those of before the cut
        pass
    peers.answer(asked, silence(HOP_SAMPLES), (called,), timeline=1)
    assert peers.segment()[0].marks == [called]
    peers.stop()
    peers.start(persons=persons)
    assert peers.hello.hold == news.hold, "an engine that starts again shows who was there"
    peers.demand(1, epoch=3, slack=1)
    assert peers.segment()[0].marks == [Mark(0, PERSON, text="anna")]
