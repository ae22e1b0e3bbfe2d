"""A house: several rooms on one machine, and the engine that draws for them.

In: a YAML file that names the rooms' own files. Out: a frozen `House` with its rooms read, or ConfigError, which tells
all that is wrong, also where two rooms are in each other's way. Every key: configs/houses/reference.yaml.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from broadcaster.config import ROOMS, Config, EngineSection, check_weights, checked, default_state_dir, load, read
from broadcaster.names import HOUSE
from broadcaster.references import resolved
from broadcaster.section import Section
from broadcaster.tiers import SHARED, known_engine
from pipeline.errors import ConfigError

ROOMS_MAX = 8  # an engine keeps the pictures of all of them at hand


class SharedSection(EngineSection):
    """The engine of a house."""

    @field_validator("engine")
    @classmethod
    def _known(cls, name: str) -> str:
        return known_engine(name)


class HouseSection(Section):
    rooms: tuple[Path, ...] = Field(min_length=1, max_length=ROOMS_MAX)
    state_dir: Path = Field(default_factory=default_state_dir)
    engine: SharedSection = SharedSection()

    @model_validator(mode="after")
    def _weights(self) -> HouseSection:
        check_weights(self.engine, "engine")
        return self


@dataclass(frozen=True, slots=True)
class Room:
    """One room of a house. path: of its file. runtime_dir: where its sockets are."""

    path: Path
    config: Config
    runtime_dir: Path

    @property
    def is_shared(self) -> bool:
        """Whether the house's engine draws for it."""
        return self.config.avatar.engine == SHARED


@dataclass(frozen=True, slots=True)
class House:
    path: Path
    state_dir: Path
    engine: SharedSection
    rooms: tuple[Room, ...]

    @property
    def runtime_dir(self) -> Path:
        """Where the house takes its own words: below $RUNTIME_DIRECTORY, else a short private directory."""
        if given := os.environ.get("RUNTIME_DIRECTORY"):
            return Path(given) / HOUSE
        digest = hashlib.sha256(str(self.state_dir.resolve()).encode()).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"broadcaster-{os.getuid()}" / f"house-{digest}" / HOUSE


def is_house(path: Path) -> bool:
    """Whether a file is that of a house, and not of a room. ConfigError when it cannot be read."""
    return ROOMS in read(path)


def load_house(path: Path) -> House:
    """Read and check a house and its rooms, whose paths count from its own directory."""
    source = str(path)
    section = checked(HouseSection, resolved(read(path), source), source)
    rooms, faults = [], []
    for given in section.rooms:
        file = path.parent / given
        try:
            config = load(file)
            rooms.append(Room(file, config, _runtime_dir(config)))
        except ConfigError as error:
            faults.append(str(error))
    faults += [f"{source}: {fault}" for fault in _clashes(section, rooms)]
    if not faults and not any(room.is_shared for room in rooms):
        faults.append(f"{source}: rooms: none has `avatar.engine: {SHARED}`, so this engine would draw for nobody")
    if faults:
        raise ConfigError("\n".join(faults))
    return House(path, section.state_dir, section.engine, tuple(rooms))


def _runtime_dir(config: Config) -> Path:
    """As the room finds it itself; below the house's, where systemd gives one."""
    given = os.environ.get("RUNTIME_DIRECTORY")
    return Path(given) / config.room if given else config.runtime_dir


def _clashes(house: HouseSection, rooms: Sequence[Room]) -> Iterator[str]:
    """Where two rooms would be in each other's way."""
    unlike: dict[str, Callable[[Room], str]] = {
        "room": lambda room: room.config.room,
        "state_dir": lambda room: str(room.config.state_dir.resolve()),
        "control.listen": lambda room: room.config.control.listen if room.config.control.port else "",
    }
    for key, value in unlike.items():
        holders: dict[str, Path] = {str(house.state_dir.resolve()): Path("the house")} if key == "state_dir" else {}
        for room in rooms:
            if not (mine := value(room)):
                continue
            if mine in holders:
                yield f"rooms: {holders[mine]} and {room.path} have the same {key}, {mine}: each needs its own"
            holders.setdefault(mine, room.path)
