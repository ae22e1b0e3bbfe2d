"""The tiers of a room's engine: what is asked for, and below it what asks less of the machine.

In: the section `avatar`, the number of cards. Out: tiers in the order in which they are preferred. Pure. Which of them
works when: broadcaster.ladder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import Field, field_validator, model_validator

from broadcaster.section import Section
from pipeline import engine as engines
from pipeline import follower

RANKS_MAX = 64
STEPS_MAX = 50
FALLBACK_ENGINE = "portrait"  # needs no card and no weights
SHARED = "shared"  # in the place of an engine: that of the house, which draws for several rooms
SIDE_MIN_PX, SIDE_MAX_PX = 128, 1920
SHAPE_SHARE = 0.01  # how much a picture may be stretched as it is enlarged


class TierSection(Section):
    """What it leaves out is as in the tier above."""

    engine: str | None = None
    size: tuple[int, int] | None = None
    ranks: int | None = Field(default=None, ge=1, le=RANKS_MAX)
    steps: int | None = Field(default=None, ge=1, le=STEPS_MAX)

    @field_validator("engine")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        return name if name is None else known_engine(name)

    @field_validator("size")
    @classmethod
    def _encodable(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        return size if size is None else encodable(size)

    @model_validator(mode="after")
    def _says_something(self) -> TierSection:
        if not self.model_fields_set:
            raise ValueError("a tier says what is lighter in it: engine, size, ranks or steps")
        return self


class Wanted(Protocol):
    """What a room says of its engine: the section `avatar`."""

    @property
    def engine(self) -> str: ...
    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def ranks(self) -> int | str: ...
    @property
    def steps(self) -> int: ...
    @property
    def tiers(self) -> Sequence[TierSection] | None: ...


@dataclass(frozen=True, slots=True)
class Tier:
    """One way to draw the avatar. size: of what is drawn, pixels. ranks, steps: 1 and 0 where the engine has none."""

    engine: str
    size: tuple[int, int]
    ranks: int = 1
    steps: int = 0

    def name(self, top: Tier) -> str:
        """On the wires: the engine, and in what this differs from the room's own."""
        if self == top:
            return self.engine
        ranks = f"-{self.ranks}" if self.engine in follower.RANKED else ""
        size = f"-{self.size[0]}x{self.size[1]}" if self.size != top.size else ""
        steps = f"-{self.steps}steps" if self.steps and self.steps != top.steps else ""
        return f"{self.engine}{ranks}{size}{steps}"


def ladder(avatar: Wanted, cards: int) -> list[Tier]:
    """The room's own tier and those below it, none twice. cards: how many `auto` means."""
    ranks = max(1, cards) if avatar.ranks == "auto" else int(avatar.ranks)
    top = _tier(avatar.engine, avatar.size, ranks, avatar.steps)
    tiers = [top, *(_derived(top) if avatar.tiers is None else _written(top, avatar))]
    return [tier for index, tier in enumerate(tiers) if tier not in tiers[:index]]


def faults(avatar: Wanted) -> list[str]:
    """What is wrong with the written tiers, for a person, each with its number in the list."""
    found = []
    above = avatar.engine
    for index, section in enumerate(avatar.tiers or ()):
        engine = section.engine or above
        if engine == SHARED:
            found.append(f"tiers.{index}.engine: say which; the shared engine is the house's")
        for key in ("ranks", "steps"):
            if engine not in follower.RANKED and getattr(section, key) is not None:
                found.append(f"tiers.{index}.{key}: the engine {engine!r} has none; leave it out")
        if section.size is not None and (wrong := _misfit(section.size, avatar.size)):
            found.append(f"tiers.{index}.size: {wrong}")
        above = engine
    return found


def known_engine(name: str) -> str:
    if name not in engines.ENGINES:
        raise ValueError(f"unknown engine {name!r}; choose from {', '.join(engines.ENGINES)}")
    return name


def encodable(size: tuple[int, int]) -> tuple[int, int]:
    for side in size:
        if not SIDE_MIN_PX <= side <= SIDE_MAX_PX or side % 2:
            raise ValueError(f"{side} px: each side must be even and from {SIDE_MIN_PX} to {SIDE_MAX_PX}")
    return size


def _misfit(size: tuple[int, int], room: tuple[int, int]) -> str:
    """Why pictures of one size cannot be enlarged to the other, "" when they can."""
    if size[0] > room[0] or size[1] > room[1]:
        return f"no larger than avatar.size, {list(room)}, to which it is enlarged"
    if abs(size[0] * room[1] / (size[1] * room[0]) - 1) > SHAPE_SHARE:
        right = [size[0], round(size[0] * room[1] / room[0] / 2) * 2]
        return f"it has not the shape of avatar.size, {list(room)}; {right} has"
    return ""


def _tier(engine: str, size: tuple[int, int], ranks: int, steps: int) -> Tier:
    return Tier(engine, size, ranks, steps) if engine in follower.RANKED else Tier(engine, size)


def _derived(top: Tier) -> list[Tier]:
    """Half the ranks, a quarter …, and at last what needs no card."""
    tiers = [] if top.engine not in follower.RANKED else [replace(top, ranks=ranks) for ranks in _halved(top.ranks)]
    return [*tiers, Tier(FALLBACK_ENGINE, top.size)]


def _written(top: Tier, avatar: Wanted) -> list[Tier]:
    tiers: list[Tier] = []
    said: dict[str, Any] = {"engine": top.engine, "size": top.size, "ranks": top.ranks, "steps": avatar.steps}
    for section in avatar.tiers or ():
        said |= section.model_dump(exclude_none=True)
        tiers.append(_tier(**said))
    return tiers


def _halved(ranks: int) -> list[int]:
    """8 → [4, 2, 1]"""
    return [ranks // 2, *_halved(ranks // 2)] if ranks > 1 else []
