"""The tiers of a room's engine: what is asked for, and below it what asks less of the machine.

In: the section `avatar`, the number of cards. Out: tiers in the order in which they are preferred, and what viewers see
when one follows another. Pure. Which of them works when: broadcaster.ladder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Protocol

from pydantic import Field, field_validator, model_validator

from broadcaster.ladder import fits_beside
from broadcaster.section import Section
from pipeline import engine as engines
from pipeline import follower

RANKS_MAX = 64
STEPS_MAX = 50
STEPS = 4  #: that an engine with weights was made for where nothing else is said of it
MEMORY_MAX_GB = 10_000
FALLBACK_ENGINE = "portrait"  # needs no card and no weights
SHARED = "shared"  # in the place of an engine: that of the house, which draws for several rooms
SIDE_MIN_PX, SIDE_MAX_PX = 128, 1920
SHAPE_SHARE = 0.03  # how much a picture may be stretched while it is drawn; on air it has its own shape again


class TierSection(Section):
    """What it leaves out is as in the tier above, but for the memory, which is each one's own."""

    engine: str | None = None
    size: tuple[int, int] | None = None
    ranks: int | None = Field(default=None, ge=1, le=RANKS_MAX)
    steps: int | None = Field(default=None, ge=1, le=STEPS_MAX)
    memory_gb: float | None = Field(default=None, gt=0, le=MEMORY_MAX_GB)

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
        if not self.model_fields_set - {"memory_gb"}:
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
    def memory_gb(self) -> float | None: ...
    @property
    def tiers(self) -> Sequence[TierSection] | None: ...


@dataclass(frozen=True, slots=True)
class Tier:
    """One way to draw the avatar. size: of what is drawn, pixels. ranks, steps: 1 and 0 where the engine has none.

    memory_gb: what it takes of a card; 0 = nobody said.
    """

    engine: str
    size: tuple[int, int]
    ranks: int = 1
    steps: int = 0
    memory_gb: float = field(default=0.0, compare=False)

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
    top = _tier(avatar.engine, avatar.size, ranks, avatar.steps, avatar.memory_gb or 0.0)
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
        for key in ("ranks", "steps", "memory_gb"):
            if engine not in follower.RANKED and getattr(section, key) is not None:
                found.append(f"tiers.{index}.{key}: the engine {engine!r} has none; leave it out")
        if section.size is not None and (wrong := _misfit(section.size, avatar.size)):
            found.append(f"tiers.{index}.size: {wrong}")
        above = engine
    return found


def changes(found: Sequence[Tier], there_gb: float) -> Iterator[str]:
    """What viewers see when a tier follows the one above it on the same cards, for a person.

    there_gb: memory of a card.
    """
    bridge = next((tier.engine for tier in found if tier.engine not in follower.RANKED), "the hold loop")
    for above, below in pairwise(found):
        if {above.engine, below.engine} <= follower.RANKED.keys():
            needs = (above.memory_gb, below.memory_gb)
            names = above.name(found[0]), below.name(found[0])
            if fits_beside(needs, there_gb):
                yield f"{names[1]} loads beside {names[0]}: {sum(needs):g} of {there_gb:.0f} GB"
            else:
                known = f"{needs[0]:g} + {needs[1]:g} GB are more than {there_gb:.0f}"
                why = known if all(needs) else "memory_gb does not say that both fit a GPU"
                yield f"{names[1]} loads when {names[0]} has ended, and viewers see {bridge} meanwhile: {why}"


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


def _tier(engine: str, size: tuple[int, int], ranks: int, steps: int, memory_gb: float) -> Tier:
    return Tier(engine, size, ranks, steps, memory_gb) if engine in follower.RANKED else Tier(engine, size)


def _derived(top: Tier) -> list[Tier]:
    """Half the ranks, a quarter …, and at last what needs no card."""
    halved = _halved(top.ranks) if top.engine in follower.RANKED else []
    return [*(replace(top, ranks=ranks, memory_gb=0.0) for ranks in halved), Tier(FALLBACK_ENGINE, top.size)]


def _written(top: Tier, avatar: Wanted) -> list[Tier]:
    tiers: list[Tier] = []
    said: dict[str, Any] = {"engine": top.engine, "size": top.size, "ranks": top.ranks, "steps": avatar.steps}
    for section in avatar.tiers or ():
        given = section.model_dump(exclude_none=True) | {"memory_gb": section.memory_gb or 0.0}
        if _made_for(given.get("engine", said["engine"])) != _made_for(said["engine"]):
            said["steps"] = _made_for(given["engine"])
        said |= given
        tiers.append(_tier(**said))
    return tiers


def _made_for(engine: str) -> int:
    """How many steps an engine was made for."""
    return engines.MADE_FOR_STEPS.get(engine, STEPS)


def _halved(ranks: int) -> list[int]:
    """8 → [4, 2, 1]"""
    return [ranks // 2, *_halved(ranks // 2)] if ranks > 1 else []
