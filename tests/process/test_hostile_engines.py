"""Playout beside engines, directors and pushers that crashed in their own memory: it fills every slot."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import zmq

from pipeline import link
from pipeline.media import AIR_SAMPLES
from pipeline.wire import EngineBye, EngineHello, Segment
from streams.playout import WHY_MAX
from tests.lab.garble import Garbler
from tests.process.test_playout import HEIGHT, HOP, WIDTH, Engine, Studio, hold, studio, until  # noqa: F401

replace = msgspec.structs.replace
Answer = tuple[Segment, list[Any]]
ROUNDS = 2000


def hop_of(frames: int) -> Callable[[Segment, list[Any]], Answer]:
    def spoil(segment: Segment, _buffers: list[Any]) -> Answer:
        pictures = np.zeros((frames, HEIGHT * 3 // 2, WIDTH), np.uint8)
        return replace(segment, hop_frames=frames), [pictures, np.zeros(frames * AIR_SAMPLES, np.int16)]

    return spoil


WRONG: dict[str, Callable[[Segment, list[Any]], Answer]] = {
    "27 frames": hop_of(27),
    "29 frames": hop_of(29),
    "pictures as float": lambda segment, buffers: (segment, [buffers[0].astype(np.float32), buffers[1]]),
    "sound as float": lambda segment, buffers: (segment, [buffers[0], np.full(len(buffers[1]), np.nan, np.float32)]),
}
STALE: dict[str, Callable[[Segment, list[Any]], Answer]] = {
    "an older epoch": lambda segment, buffers: (replace(segment, epoch=segment.epoch - 1), buffers),
    "an older incarnation": lambda segment, buffers: (replace(segment, incarnation=0), buffers),
    "an older credit": lambda segment, buffers: (replace(segment, credit=segment.credit - 1), buffers),
    "the same answer, twice": lambda segment, buffers: (segment, buffers),
    "another engine": lambda segment, buffers: (replace(segment, engine="nobody"), buffers),
}


def once(fault: Callable[[Segment, list[Any]], Answer]) -> Callable[[Segment, list[Any]], Answer]:
    done = threading.Event()

    def spoil(segment: Segment, buffers: list[Any]) -> Answer:
        if done.is_set():
            return segment, buffers
        done.set()
        return fault(segment, buffers)

    return spoil


def test_every_wrong_segment_is_dropped_and_counted_and_costs_no_slot(studio: Studio, hold: Path) -> None:  # noqa: F811
    engine = Engine(studio.directory, incarnation=1, hold=hold)
    engine.start()
    until("live", lambda: studio.facts.get("source") == "live")
    for name, fault in WRONG.items():
        seen, asked = studio.facts["bad_segments"], len(engine.demands)
        engine.spoil = once(fault)
        until(f"{name} is counted", lambda seen=seen: studio.facts["bad_segments"] > seen)
        until(f"asked again after {name}", lambda asked=asked: len(engine.demands) > asked + 1)
    until("live again", lambda: studio.facts["source"] == "live")
    assert studio.process.poll() is None and studio.facts["skipped"] == 0
    engine.stop()


def test_what_answers_no_demand_of_now_is_dropped_and_counted_and_harms_nothing(
    studio: Studio,  # noqa: F811
    hold: Path,  # noqa: F811
) -> None:
    engine = Engine(studio.directory, incarnation=1, hold=hold)
    engine.after_it = list(STALE.values())
    engine.start()
    until("live", lambda: studio.facts.get("source") == "live")
    until("they are counted", lambda: studio.facts["stale_segments"] > 10 * len(STALE))
    assert (studio.facts["bad_segments"], studio.facts["skipped"], studio.facts["source"]) == (0, 0, "live")
    engine.stop()


def test_garbage_on_every_socket_has_no_effect_on_the_air(studio: Studio, hold: Path) -> None:  # noqa: F811
    engine = Engine(studio.directory, incarnation=1, hold=hold)
    engine.start()
    until("live", lambda: studio.facts.get("source") == "live")
    process = psutil.Process(studio.process.pid)
    before, descriptors = studio.facts["slots"], process.num_fds()
    Garbler(studio.directory, "pattern").rounds(ROUNDS)
    until("all of it was heard", lambda: studio.facts["slots"] > before + 25)
    facts = studio.facts
    assert studio.process.poll() is None
    assert (facts["skipped"], facts["source"], facts["engine"]) == (0, "live", "pattern")
    assert facts["unusable"] > ROUNDS / 4
    until("lines of crashed pushers are closed", lambda: process.num_fds() <= descriptors + 2)
    engine.stop()


def test_why_an_engine_does_not_draw_the_room_is_told_in_few_words_until_it_does(studio: Studio) -> None:  # noqa: F811
    context: zmq.Context[Any] = zmq.Context()
    dealer = link.connect(context, studio.directory, link.FRAMES, "pattern")
    assert link.send(dealer, EngineHello("pattern", 1, WIDTH, HEIGHT, HOP, 1))
    assert link.send(dealer, EngineBye("pattern", 1, why="no time " + "x" * 200_000))
    why = until("it is told", lambda: studio.facts.get("refused", {}).get("pattern"))
    assert why.startswith("no time") and len(why) == WHY_MAX
    assert link.send(dealer, EngineHello("pattern", 2, WIDTH, HEIGHT, HOP, 1))
    until("it is forgotten", lambda: "refused" not in studio.facts)
    context.destroy(linger=0)
