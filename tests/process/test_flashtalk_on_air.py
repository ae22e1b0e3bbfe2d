"""The whole daemon on air with `flashtalk`, tiny, on two ranks: one is killed, one is stopped, two do not work at all.

The tiny model is slower than real time on a small machine: then playout shows the hold loop between its segments, which
is no fault here. What the receiver gets is compared with what one process makes of the pose that the dead gang left.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from broadcaster.config import load
from pipeline.arrays import Frames, silence
from pipeline.avatar import load_avatar
from pipeline.engine import AvatarEngine, Job, load_engine
from tests.process.test_gang import GONE_S, PATIENCE, SEEN_S, is_gone, seconds_until_gone
from tests.recording import inspect
from tests.station import Station, until
from tests.tinymodel import write_model_dir

ENGINE = "engine-flashtalk"
SIZE = (128, 128)
LIVE_S = 240.0  # torch twice, nine steps to warm up and bake; a busy machine takes seconds a step
pytestmark = pytest.mark.timeout(900)
LABEL_ROWS = 48  # the label is in the upper part of a picture
NEAR = 30  # pictures: a recording begins some slots after the first
ALIKE = 3.0  # luma: what the encoder changes is below 1, two segments of random weights differ by 40
FADED = 8  # pictures that are still mixed with the hold loop, at either end of a segment

Luma = npt.NDArray[np.int16]  # [T, rows, columns] of the lower part


class Room(Station):
    """A flashtalk room of two ranks that records."""

    def ranks(self) -> list[int]:
        return [rank["pid"] for rank in self.child(ENGINE).get("ranks", [])]

    def others(self) -> dict[str, int]:
        return {name: pid for name, pid in self.pids().items() if not name.startswith("engine")}

    def segments(self, name: str = ENGINE) -> int:
        return int(self.facts(name).get("segments", 0))

    def pose(self) -> bytes:
        return (load(self.config_path).runtime_dir / "flashtalk.state").read_bytes()

    def recording(self) -> Path:
        return next(iter(self.directory.glob("rec-*.mp4")))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    weights = write_model_dir(tmp_path / "weights")
    avatar = {"engine": "flashtalk", "weights": str(weights), "ranks": 2, "device": "cpu", "steps": 1}
    made = Room(
        tmp_path,
        avatar={**avatar, "size": list(SIZE), "rtf_max": 1000},  # slower than real time is well enough here
        outputs=[{"name": "rec", "url": f"file:{tmp_path}/rec.mp4"}],
        encoder={"bitrate_kbps": 4000},  # what random weights draw is noise, and is compared
    )
    made.start()
    yield made
    made.stop()


def segment_of(pose: bytes) -> int:
    return int(msgspec.msgpack.decode(pose)["segment"])


def shown(path: Path) -> Luma:
    """What the receiver decoded."""
    with av.open(str(path)) as container:
        planes = [frame.to_ndarray(format="yuv420p")[LABEL_ROWS : SIZE[1]] for frame in container.decode(video=0)]
    return np.stack(planes).astype(np.int16)


def alone(room: Room) -> AvatarEngine:
    """The same engine in this process, on one rank."""
    weights, cache = room.directory / "weights", room.directory / "var" / "cache"
    return load_engine("flashtalk", weights=weights, cache=cache, device="cpu", steps=1)


def next_frames(engine: AvatarEngine, pose: bytes | None) -> Frames:
    """The silent segment after this pose; None = a first one."""
    avatar = load_avatar(None, SIZE)
    state = engine.open(avatar, 0) if pose is None else engine.restore(avatar, pose)
    hop = silence(engine.format(avatar).hop_drive_samples)
    return engine.step([Job(state, hop, silence(0))])[0].frames


def first_slots(room: Room) -> list[int]:
    """Where the programme went live first, after each start of the gang."""
    slots, ready = [], False
    for line in room.log():
        ready = ready or line["event"] == "engine.ready"
        if ready and line["event"] == "programme.live":
            slots.append(int(line["slot"]))
            ready = False
    return slots


def nearest(seen: Luma, slot: int, frames: Frames) -> float:
    """Mean difference of luma where the middle of a segment fits best into what was seen from about this slot on."""
    seen = seen[max(0, slot - NEAR) : slot + NEAR + len(frames)]
    wanted = frames[FADED:-FADED, LABEL_ROWS : SIZE[1]].astype(np.int16)
    starts = range(len(seen) - len(wanted) + 1)
    return min(float(np.abs(seen[start : start + len(wanted)] - wanted).mean()) for start in starts)


@pytest.mark.long
def test_a_rank_killed_one_stopped_and_a_crash_loop_and_the_pose_goes_on(room: Room) -> None:
    """One room for all of it: the first start of a gang takes a minute here."""
    room.wait_live(LIVE_S)
    apart, poses = room.others(), []
    for rank, number, bar_s in ((1, signal.SIGKILL, GONE_S), (0, signal.SIGSTOP, SEEN_S + GONE_S)):
        until(lambda: room.segments() >= 1, 60, "a segment")
        old = room.ranks()
        os.kill(old[rank], number)
        assert seconds_until_gone(old) < PATIENCE * bar_s
        poses.append(room.pose())
        until(lambda old=old: room.ranks() and not set(room.ranks()) & set(old), 20, "the gang is started again")
        room.wait_live(LIVE_S)
    until(lambda: room.segments() >= 1, 60, "it goes on")
    assert room.others() == apart and room.child(ENGINE)["starts"] == 3
    assert 0 < segment_of(poses[0]) < segment_of(poses[1]) < segment_of(room.pose())
    slots = first_slots(room)
    one_rank_goes_on(room)
    assert room.others() == apart and room.facts("playout")["skipped"] == 0
    assert room.facts("playout")["outputs"]["rec"]["connects"] == 1
    last = room.ranks()
    assert room.stop() == 0 and all(is_gone(pid) for pid in last)
    found, seen, engine = inspect(room.recording()), shown(room.recording()), alone(room)
    assert found.monotone and found.max_video_gap_ms <= 41 and not found.decode_errors
    anew = next_frames(engine, None)
    assert nearest(seen, slots[0], anew) < ALIKE, "the first gang began anew"
    for slot, pose in zip(slots[1:], poses, strict=True):
        assert nearest(seen, slot, next_frames(engine, pose)) < ALIKE < nearest(seen, slot, anew)


def one_rank_goes_on(room: Room) -> None:
    """In a crash loop of the gang the portrait engine speaks, then one rank does, from the pictures on air."""
    killed: set[int] = set()

    def is_braked() -> bool:
        """Kill the second rank of each new gang until there is none."""
        ranks = room.ranks()
        for pid in set(ranks[1:]) - killed:
            killed.update(ranks)
            os.kill(pid, signal.SIGKILL)
        return bool(room.child(ENGINE).get("braked"))

    until(is_braked, 60, "a crash loop")
    pose = room.pose()
    until(lambda: "portrait" in chosen(room), 60, "somebody speaks meanwhile")
    until(lambda: room.segments("engine-flashtalk-1") >= 1, LIVE_S, f"one rank works; log:\n{room.tail()}")
    until(lambda: chosen(room)[-1] == "flashtalk-1", 60, "it is on air")
    assert segment_of(room.pose()) > 0 and room.pose() != pose
    names = [name for name, _ in pairwise([*chosen(room), ""])]
    assert names[0] == "flashtalk" and set(names) == {"flashtalk", "portrait", "flashtalk-1"}


def chosen(room: Room) -> list[Any]:
    return [line["engine"] for line in room.log() if line["event"] == "engine.chosen"]
