"""An engine on several ranks: how a rank joins its gang, and what all ranks but the first do.

In: a worker's section that says rank, world and where the ranks meet. Out: what the engine is made with, and for the
ranks after the first a process that makes every call of rank 0 and beats its lifeline from that loop. A follower is on
no wire. Whatever goes wrong in one rank ends its process; the supervisor ends the others.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.engine import MODELS, AvatarEngine, load_engine
from pipeline.errors import BroadcasterError, CardLost
from pipeline.mishap import meaning

if TYPE_CHECKING:
    import torch

    from pipeline.lifeline import Lifeline
    from pipeline.parallel.gang import Gang
    from pipeline.worker import WorkerSpec

RANKED: Mapping[str, str] = dict.fromkeys(MODELS, "pipeline.engines.diffusion.follower:follow")
"""Engines with weights that can work on several ranks, and the loop of all ranks but the first.

It is `follow(engine, gang, beat)`. Their constructors take the options of their section, and
`cache`, `beat`, `gang`, `avatars`.
"""

COLLECTIVE_S = 20.0  # a rank that hangs ends the others in this time even where no supervisor looks
IN_PICTURE = 3  # of a room with persons: who is there, who leaves, and who comes next
CACHE = "cache"  # below the state directory: baked avatars, hold loops


class Pulse:
    """The beat of a process that may be deep in its engine: the phase is the one it is in."""

    def __init__(self, lifeline: Lifeline) -> None:
        self._lifeline = lifeline
        self.phase = "loading"

    def __call__(self) -> None:
        self._lifeline.beat(self.phase)


def run(spec: WorkerSpec, lifeline: Lifeline) -> None:
    """The process of a rank after the first; returns when rank 0 ended in order."""
    pulse = Pulse(lifeline)
    module, _, name = RANKED[spec.engine].partition(":")
    with equipped(spec, pulse) as (engine, gang):
        pulse.phase = "following"
        getattr(importlib.import_module(module), name)(engine, gang, pulse)


@contextmanager
def equipped(spec: WorkerSpec, pulse: Pulse) -> Iterator[tuple[AvatarEngine, Gang | None]]:
    """The engine, with its gang when there is one; at the end the other ranks hear why.

    Any rank. ConfigError and EngineError when engine or gang cannot be had; whatever a library says of memory or cards
    on the way comes out as OutOfMemory or CardLost, which say whether fewer ranks or a lighter engine may work.
    """
    options, gang = dict(spec.options), None
    if spec.engine in RANKED:
        options |= {"cache": str(Path(spec.state_dir).resolve() / CACHE), "beat": pulse}
        options |= {"avatars": sum(IN_PICTURE if room.persons else 1 for room in spec.rooms)} if spec.rooms else {}
    if spec.world > 1:
        gang = _join(spec)
        options |= {"device": str(gang.device), "gang": gang}
    reason = "it ended unforeseen; its last words are in the log"
    try:
        engine = load_engine(spec.engine, **options)
        try:
            yield engine, gang
        finally:
            engine.close()
        reason = ""
    except (BroadcasterError, RuntimeError, MemoryError) as error:
        meant = meaning(error)
        if meant is not None or isinstance(error, BroadcasterError):
            reason = str(meant or error)
        if meant is None or meant is error:
            raise
        raise meant from error
    finally:
        if gang is not None:
            gang.close(reason)


def _join(spec: WorkerSpec) -> Gang:
    from pipeline.parallel import gang

    device = _device(str(spec.options.get("device", "auto")), spec.rank, spec.world)
    return gang.start(spec.rank, spec.world, spec.master_address, spec.master_port, device, COLLECTIVE_S)


def _device(wanted: str, rank: int, world: int) -> torch.device:
    """One GPU a rank, or the processor for all."""
    import torch

    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    there = torch.cuda.device_count()
    if rank >= there:
        raise CardLost(f"{world} ranks need as many GPUs, and {there} can be used: avatar.ranks, or a lost card")
    return torch.device("cuda", rank)
