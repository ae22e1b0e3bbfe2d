"""A room goes on air: alone, or as one of a house, whose child its supervisor is then.

In: the room's file. Out: its supervisor runs until it is told to stop. In a house everything is as in a room alone but
where the sockets are, who hears that it is on air, and that the engine may be the house's.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from broadcaster import children, room
from broadcaster.config import load_whole
from broadcaster.log import ROOM
from broadcaster.notify import Notifier
from broadcaster.reader import Reloader
from broadcaster.reload import in_force, settled
from broadcaster.supervisor import Supervisor
from pipeline.clock import RealClock
from pipeline.lifeline import Lifeline


class RoomSpec(msgspec.Struct, frozen=True):
    """config: path of the room's file. runtime_dir: where its sockets are to be, "" = where it finds itself."""

    room: str
    config: str
    runtime_dir: str = ""


def run(spec: RoomSpec, lifeline: Lifeline) -> None:
    """The process: a room of a house, until drained. ConfigError when it cannot go on air."""
    lifeline.beat("loading")
    os.environ[ROOM] = spec.room  # for the log of all that this room starts
    if spec.runtime_dir:
        os.environ["RUNTIME_DIRECTORY"] = spec.runtime_dir
    supervise(Path(spec.config), Notifier(""), house=lifeline)


def supervise(path: Path, notifier: Notifier, seconds: float | None = None, house: Lifeline | None = None) -> int:
    """Hold the room and run its supervisor; returns the exit status of the program."""
    with room.held(load_whole(path).config) as runtime_dir:
        whole = settled(path)
        owner = room.owner(whole.config)
        plans = children.plan(whole.config, runtime_dir, owner)
        reloader = Reloader(path, runtime_dir, owner, in_force(whole.config, whole.filed, whole.kept))
        return Supervisor(plans, RealClock(), notifier, runtime_dir, reloader, seconds, house).run()
