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

from pipeline import link
from pipeline.arrays import Pcm, silence, view_frames, view_pcm
from pipeline.engines.pattern import PatternEngine, beep_track, is_flash, read_counter
from pipeline.lifeline import Lifeline
from pipeline.media import AIR_SAMPLES, SENTENCE_END, WORD, Mark, Position
from pipeline.wire import AudioChunk, Beat, Demand, Drain, EngineHello, Segment, SpeechDemand, decode
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

    def start(self) -> None:
        self.line, theirs = Lifeline.pair()
        self.thread = threading.Thread(target=run, args=(self.spec, Lifeline(theirs)))
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
