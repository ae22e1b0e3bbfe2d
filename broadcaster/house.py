"""A house goes on air: its rooms, each with a supervisor of its own, and the one engine that draws for them.

In: a house with its rooms. Out: plans of its children, and the supervisor that runs them. The rooms end first and
together, each in its own order, and the engine after them.
"""

from __future__ import annotations

import contextlib
import shutil

from broadcaster import room
from broadcaster.charge import DRAIN_S
from broadcaster.children import CARDS, ENGINE_PHASES, ROOM_PHASES, Plan, persons_of
from broadcaster.config_house import House, Room
from broadcaster.gpus import count
from broadcaster.notify import Notifier
from broadcaster.supervisor import Supervisor
from broadcaster.tiers import SHARED
from pipeline.clock import RealClock
from pipeline.follower import RANKED

ROOM_S = sum(DRAIN_S.values()) + 2.0  # a room's own shutdown, from the sentence to the log


def plan(house: House) -> list[Plan]:
    """All children of a house."""
    return [*(_room(one) for one in house.rooms), _engine(house)]


def supervise(house: House, notifier: Notifier, seconds: float | None = None) -> int:
    """Hold the house and run its supervisor; returns the exit status of the program."""
    with room.state_held(house.state_dir):
        room.make_private(house.runtime_dir.parent)
        room.make_private(house.runtime_dir)
        try:
            return Supervisor(plan(house), RealClock(), notifier, house.runtime_dir, seconds=seconds).run()
        finally:
            with contextlib.suppress(OSError):
                shutil.rmtree(house.runtime_dir)
                house.runtime_dir.parent.rmdir()  # unless it is systemd's, or a room is left in it


def _room(one: Room) -> Plan:
    spec = {"room": one.config.room, "config": str(one.path), "runtime_dir": str(one.runtime_dir)}
    return Plan(f"room-{one.config.room}", "room", 0, ROOM_PHASES, spec, grace_s=ROOM_S)


def _engine(house: House) -> Plan:
    shared, has_ranks = house.engine, house.engine.engine in RANKED
    ranks = max(1, count()) if shared.ranks == "auto" and has_ranks else int(shared.ranks) if has_ranks else 1
    spec = {
        "name": SHARED,
        "engine": shared.engine,
        "runtime_dir": str(house.runtime_dir),
        "state_dir": str(house.state_dir),
        "options": shared.options() if has_ranks else {},
        "rooms": [_seat(one) for one in house.rooms if one.is_shared],
    }
    place = CARDS if has_ranks else ""
    return Plan(f"engine-{SHARED}", "engine", 1, ENGINE_PHASES, spec, ranks=ranks, place=place)


def _seat(one: Room) -> dict[str, object]:
    """What the engine is told of a room."""
    avatar = one.config.avatar
    return {
        "room": one.config.room,
        "runtime_dir": str(one.runtime_dir),
        "state_dir": str(one.config.state_dir),
        "image": str(avatar.image or ""),
        "width": avatar.size[0],
        "height": avatar.size[1],
        "seed": avatar.seed,
        "crop": avatar.crop,
        "persons": persons_of(avatar),
    }
