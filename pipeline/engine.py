"""The contract of an avatar engine, and the table of engines.

Speech goes in hop by hop, segments of pictures come out; what carries over from one step into the
next is a value, so two steps equal one run, a state survives a restart, and a cut is a roll-back.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from pipeline.errors import ConfigError
from pipeline.media import Mark, MediaFormat

if TYPE_CHECKING:
    from pipeline.arrays import Frames, Mask, Pcm
    from pipeline.avatar import Avatar

MotionState: TypeAlias = Any
"""Immutable, opaque to all but the engine that made it."""

ENGINES: Mapping[str, str] = {
    "portrait": "pipeline.engines.portrait.engine:PortraitEngine",
    "pattern": "pipeline.engines.pattern:PatternEngine",
    "flashtalk": "pipeline.engines.flashtalk.engine:FlashTalkEngine",
    "flashhead-pro": "pipeline.engines.flashhead.engine:ProEngine",
    "flashhead-lite": "pipeline.engines.flashhead.engine:LiteEngine",
    "flashhead-pretrained": "pipeline.engines.flashhead.engine:PretrainedEngine",
}

MODELS: Mapping[str, str] = {
    "flashtalk": "flashtalk",
    "flashhead-pro": "flashhead",
    "flashhead-lite": "flashhead",
    "flashhead-pretrained": "flashhead",
}
"""Engines with weights, and the model that `broadcaster models pull` fetches for them."""

MADE_FOR_STEPS: Mapping[str, int] = {"flashhead-pretrained": 20}
"""Engines that were made for another number of passes over a chunk than the others' 4."""

OF_SOME: Mapping[str, Sequence[str]] = {"prompt": ("flashtalk",), "offload": ("flashtalk",)}
"""Options that not all engines with weights take, and those that do."""

EXTRAS: Mapping[str, str] = dict.fromkeys(MODELS, "flashtalk")
"""Engines that need more than the plain installation, and the extra that brings it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One room's part of a step.

    audio: int16 [hop_frames * 640], 16 kHz, the hop. ahead: int16 [N ≥ 0], 16 kHz, what is already
    known to follow. marks: positions in 48 kHz samples from the hop's first sample; those at or
    beyond the hop's length belong to `ahead` and come again with the next job.
    """

    state: MotionState
    audio: Pcm
    ahead: Pcm
    marks: Sequence[Mark] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """One room's result: frames uint8 [hop_frames, H * 3 // 2, W] I420, and the state after them."""

    frames: Frames
    state: MotionState
    notes: Mapping[str, float] = field(default_factory=dict)


class AvatarEngine(Protocol):
    """One process, one thread calls it. Deterministic: same seed and audio, same frames."""

    def format(self, avatar: Avatar) -> MediaFormat:
        """What this engine delivers for this avatar."""

    def open(
        self, avatar: Avatar, seed: int, after: Frames | None = None, beside: MotionState | None = None
    ) -> MotionState:
        """A state to begin from. `after`: frames on air, so that the first segment follows them.

        beside: a state of another avatar, which hears the same: what was heard, and how it moves, goes on from there.
        """

    def is_open(self, avatar: Avatar) -> bool:
        """Whether `open` of it takes no time: it is baked and in memory. Those that are stepped stay there."""

    def step(self, jobs: Sequence[Job]) -> Sequence[Made]:
        """Render one hop for each job, in order; batched where shapes agree.

        An error is one job's, or the engine's: all states stay as good as they were, and other jobs may be tried.
        """

    def save(self, state: MotionState) -> bytes:
        """The state as bytes that `restore` of another process turns back into it."""

    def restore(self, avatar: Avatar, data: bytes) -> MotionState:
        """Undo `save`, also of the same avatar at another size where motion does not depend on it.

        EngineError when the bytes are no state of this engine and avatar, or cannot be taken to this size.
        """

    def hold(self, avatar: Avatar, seed: int) -> Frames:
        """A loop of the silent avatar without a visible seam: shown while no engine delivers."""

    def close(self) -> None:
        """Give back what is held; the engine is not used afterwards."""


@runtime_checkable
class Masked(Protocol):
    """An engine that leaves part of the picture as it is."""

    def mask(self, avatar: Avatar) -> Mask:
        """bool [H, W]: all that may differ from the avatar's picture, once a dissolve from another is over."""


def load_engine(name: str, **options: Any) -> AvatarEngine:
    """Make the engine of that name; weights are read later. ConfigError names the choices, or the option."""
    if name not in ENGINES:
        raise ConfigError(f"avatar.engine: unknown engine {name!r}; choose from {', '.join(ENGINES)}")
    module, _, attribute = ENGINES[name].partition(":")
    try:
        maker = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if name not in EXTRAS or (error.name or "").partition(".")[0] == "pipeline":
            raise
        raise ConfigError(f"engine {name} needs {error.name}: pip install 'broadcaster[{EXTRAS[name]}]'") from error
    wanted = inspect.signature(maker).parameters
    if foreign := sorted(set(options) - set(wanted)):
        raise ConfigError(f"engine {name} has no {', '.join(foreign)}")
    missing = [key for key, one in wanted.items() if one.default is one.empty and key not in options]
    if missing:
        raise ConfigError(f"engine {name} needs {', '.join(missing)}")
    engine: AvatarEngine = maker(**options)
    return engine
