"""The clock's thread, slot by slot, without its thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.arrays import black
from pipeline.clock import FakeClock
from pipeline.errors import BadInput
from pipeline.media import AIR_SAMPLES, SENTENCE, SENTENCE_END, UTTERANCE, UTTERANCE_END, Mark
from pipeline.wire import Cut, Demand, EngineHello, Segment
from streams.air import Air
from streams.buffer import Buffer
from streams.holdloop import HoldLoop
from streams.overlay import Overlay
from streams.programme import Programme
from streams.reports import Reporter
from streams.transmitter import FramePool, Slot

W, H, HOP = 128, 128, 5
FOREVER = 10**12


class Taken:
    """In the place of the encoder."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.full = False

    def offer(self, slot: Slot) -> bool:
        self.slots.append(slot)
        return not self.full


class Stage:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.taken = Taken()
        self.reporter = Reporter(0)
        self.air = Air(
            self.clock,
            Buffer(["a"], W, H, 0, 0),
            Programme(black(W, H)),
            Overlay(W, H, "AI", "top-left"),
            self.reporter,
            self.taken,  # type: ignore[arg-type]
            FramePool(W, H),
            1,
        )
        self.slot = 0
        self.sequence = -1

    def fill(self, slots: int = 1) -> None:
        for _ in range(slots):
            self.slot += 1
            self.clock.advance(0.04)
            self.air.fill(self.slot)

    def join(self, incarnation: int = 1) -> None:
        self.air.hello(EngineHello("a", incarnation, W, H, HOP, 2))

    def answer(self, demand: Demand, marks: list[Mark] | None = None, level: int = 5000, luma: int = 128) -> None:
        self.sequence += 1
        segment = Segment(
            "a", demand.incarnation, demand.epoch, demand.credit, self.sequence, 0, HOP, W, H, True, 1, marks or []
        )
        frames = np.full((HOP, H * 3 // 2, W), luma, np.uint8)
        pcm = np.full(HOP * AIR_SAMPLES, level, np.int16)
        self.air.accept(segment, [memoryview(frames.tobytes()), memoryview(pcm.tobytes())])

    def live(self, slots: int, marks: list[Mark] | None = None) -> None:
        """Play an engine that always answers in time; `marks` come with the first answer."""
        for _ in range(slots):
            for demand, _after in self.air.demands():
                self.answer(demand, marks)
                marks = None
            self.fill()

    def reports(self) -> list[tuple[str, str]]:
        return [(one.what, one.utterance) for one in self.reporter.due(FOREVER, FOREVER)]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def begin(span: int = 400_000) -> list[Mark]:
    return [Mark(0, UTTERANCE, "u"), Mark(0, SENTENCE, "u", 0, "Hello", span=span)]


def test_every_slot_is_filled_whether_or_not_an_engine_delivers(stage: Stage) -> None:
    stage.fill(5)
    stage.join()
    stage.live(20)
    stage.fill(60)  # nothing comes any more
    stage.live(20)
    assert [slot.number for slot in stage.taken.slots] == list(range(1, 106))
    assert all(slot.frame.shape == (H * 3 // 2, W) and len(slot.pcm) == AIR_SAMPLES for slot in stage.taken.slots)
    facts = stage.air.facts()
    assert (facts["slots"], facts["skipped"], facts["bad_segments"], facts["source"]) == (105, 0, 0, "live")


def test_the_label_is_on_live_hold_and_slate(stage: Stage, tmp_path: Path) -> None:
    loop = tmp_path / "hold"
    loop.write_bytes(black(W, H).tobytes() * 3)
    stage.fill(3)
    stage.join()
    stage.air.hold(HoldLoop(loop, W, H))
    stage.live(20)
    stage.fill(40)
    assert stage.air.source == "hold"
    assert all(slot.frame[:30, :40].max() > 180 for slot in stage.taken.slots)


def test_the_encoder_that_cannot_follow_costs_slots_and_nothing_else(stage: Stage) -> None:
    stage.taken.full = True
    stage.fill(3)
    assert stage.air.skipped == 3


def test_a_cut_silences_within_80_ms_and_is_reported(stage: Stage) -> None:
    stage.join()
    stage.live(8, begin())
    assert stage.air.cut(Cut(5, "u")) and not stage.air.cut(Cut(5, "u"))
    stage.fill(4)
    faded = np.concatenate([slot.pcm for slot in stage.taken.slots[-4:]])
    assert faded[0] > 4000 and not faded[2 * AIR_SAMPLES :].any()
    assert stage.reports() == [("started", "u"), ("sentence", "u"), ("cut", "u")]
    ((demand, after),) = stage.air.demands()
    assert demand.timeline == 5 and demand.shown >= 0 and after is None


def test_an_engine_that_is_late_loses_nothing(stage: Stage) -> None:
    stage.join()
    stage.live(8, begin())
    stage.fill(50)
    stage.live(10)
    assert ("lost", "u") not in stage.reports()


def test_an_engine_that_died_loses_its_sentence_once_its_last_picture_was_shown(stage: Stage) -> None:
    stage.join()
    stage.live(8, begin())
    stage.join(incarnation=2)
    left = stage.air._buffer.frames
    stage.fill(left)
    assert ("lost", "u") not in stage.reports()
    stage.fill()
    assert stage.reports() == [("lost", "u")]
    ((demand, after),) = stage.air.demands()
    assert demand.after and after is not None and after.shape == (2, H * 3 // 2, W)


def test_an_engine_that_takes_over_follows_the_pictures_that_wait_to_be_shown(stage: Stage) -> None:
    stage.join()
    for demand, _after in stage.air.demands():
        stage.answer(demand, luma=60)
    stage.fill(2)
    stage.join(incarnation=2)
    ((demand, after),) = stage.air.demands()
    assert demand.after and after is not None and stage.air._buffer.frames == HOP - 2
    assert (after == 60).all(), "the last of the queue, and not the fade from the slate that is on air now"


def test_a_whole_utterance_is_aired(stage: Stage) -> None:
    stage.join()
    stage.live(10, [*begin(), Mark(9600, SENTENCE_END, "u", 0), Mark(9600, UTTERANCE_END, "u")])
    assert stage.reports() == [("started", "u"), ("sentence", "u"), ("sentence_aired", "u"), ("aired", "u")]


def test_panic_mutes_cuts_and_asks_for_nothing(stage: Stage) -> None:
    stage.join()
    stage.live(8, begin())
    assert stage.air.panic(on=True) and not stage.air.panic(on=True)
    stage.fill(5)
    assert not stage.taken.slots[-4].pcm.any() and stage.air.source == "slate"
    assert stage.reports()[-1] == ("cut", "u") and stage.air.demands() == []
    stage.air.panic(on=False)
    assert len(stage.air.demands()) == 1


def test_drain_ends_in_slate_and_calls_the_rest_lost(stage: Stage) -> None:
    stage.join()
    stage.live(8, begin())
    stage.air.drain()
    stage.fill(12)
    assert stage.air.source == "slate" and not stage.taken.slots[-1].pcm.any()
    assert stage.reports()[-1] == ("lost", "u")


@pytest.mark.parametrize("content", [b"", b"x" * 100, None])
def test_a_hold_loop_that_is_not_whole_frames_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "hold"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput):
        HoldLoop(path, W, H)


def test_the_hold_loop_gives_its_frames_in_order(tmp_path: Path) -> None:
    frames: Any = np.random.default_rng(0).integers(0, 256, (3, H * 3 // 2, W), np.uint8)
    (tmp_path / "hold").write_bytes(frames.tobytes())
    loop = HoldLoop(tmp_path / "hold", W, H)
    assert len(loop) == 3
    assert all(np.array_equal(loop[index], frames[index]) for index in (2, 0, 1, 0))
