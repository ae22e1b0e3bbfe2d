"""What rank 0 tells the other ranks, and what they do with it: the same, and throw the frames away.

In: rank 0's calls over the gang. Out: nothing but agreement: after each call every rank says where it stands. A rank
that makes another state than rank 0, or comes to another call, ends the gang with EngineError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pipeline.arrays import Pcm
from pipeline.engine import Job
from pipeline.engines.diffusion.state import MotionState
from pipeline.errors import EngineError

if TYPE_CHECKING:
    from pipeline.engines.diffusion.engine import DiffusionEngine
    from pipeline.parallel.gang import Gang

LOADING_S = 600.0  # ranks read 38 GB from one disk at different speeds


class Told(msgspec.Struct, frozen=True, array_like=True):
    """A job as bytes: state, and int16 sound of the hop and what follows it."""

    state: MotionState
    audio: bytes
    ahead: bytes

    def job(self) -> Job:
        return Job(self.state, np.frombuffer(self.audio, np.int16), np.frombuffer(self.ahead, np.int16))


class Load(msgspec.Struct, frozen=True, tag="load"):
    """Read the weights."""


class Show(msgspec.Struct, frozen=True, tag="show"):
    """Read this baked file: steps of the avatar with that digest will follow. Of the others open, keep only these."""

    digest: str
    path: str
    kept: list[str]


class Step(msgspec.Struct, frozen=True, tag="step"):
    """Make these jobs, in order."""

    jobs: list[Told]


Call = Load | Show | Step

_decoder: msgspec.msgpack.Decoder[Call] = msgspec.msgpack.Decoder(Call)


def step_of(jobs: Sequence[Job]) -> Step:
    return Step([Told(job.state, _bytes(job.audio), _bytes(job.ahead)) for job in jobs])


def encoded(call: Call) -> bytes:
    return msgspec.msgpack.encode(call)


def decoded(data: bytes) -> Call:
    """EngineError when the bytes are no call of this version."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EngineError(f"rank 0 sent a call that cannot be read ({len(data)} bytes): {error}") from error


def follow(engine: DiffusionEngine, gang: Gang, beat: Callable[[], None]) -> None:
    """A follower's main loop; returns when rank 0 ended in order. `beat`: progress, after each call and between them.

    EngineError when rank 0 is gone or the ranks do not agree; the process ends then, and with it the gang.
    """
    beat()
    while (data := gang.hear(beat=beat)) is not None:
        engine.obey(decoded(data))
        beat()


def _bytes(pcm: Pcm) -> bytes:
    return np.ascontiguousarray(pcm, np.int16).tobytes()
