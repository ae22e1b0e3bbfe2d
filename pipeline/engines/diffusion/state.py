"""What a diffusion model carries from one segment into the next, as a value and as bytes.

In: fields. Out: msgpack and back, 0.94 MB for FlashTalk at 448×768. EngineError when bytes are not a state of this
version, avatar and model, or hold what no network could go on from.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from pipeline.engines.diffusion.drift import NO_PULL, Pull
from pipeline.errors import EngineError
from pipeline.hearing import RING_SAMPLES

VERSION = 1  #: of the saved form
SAMPLE_BYTES = 2

Latents = npt.NDArray[np.float32]
"""float32 [C, n, h, w], normalised latents of the VAE."""


class MotionState(msgspec.Struct, frozen=True):
    """digest: the avatar's. model: fingerprint of the networks. segment: the next one to be made.

    motion: float32 [C, n, h, w] of the last frames, of that shape; n is 1 before the first segment (the picture's
    own latent) and 2 later. heard: int16 [128000], the last 8 s at 16 kHz. pull: of the drift guard.
    """

    digest: str
    model: str
    seed: int
    segment: int
    shape: tuple[int, int, int, int]
    motion: bytes
    heard: bytes
    pull: Pull = NO_PULL
    version: int = VERSION

    def latents(self) -> Latents:
        """A view of `motion`; read-only."""
        return np.frombuffer(self.motion, np.float32).reshape(self.shape)


def pack(latents: Latents) -> tuple[tuple[int, int, int, int], bytes]:
    """shape and motion of a state. EngineError when a number is not finite: it would stay for ever."""
    if not np.isfinite(latents).all():
        raise EngineError("the motion latents are not finite; the weights or the device are at fault")
    channels, frames, height, width = latents.shape
    return (channels, frames, height, width), np.ascontiguousarray(latents, np.float32).tobytes()


def save_state(state: MotionState) -> bytes:
    return msgspec.msgpack.encode(state)


def restore_state(data: bytes, digest: str, model: str, shape: tuple[int, int, int]) -> MotionState:
    """shape: channels, height, width of the avatar's latents. EngineError says what does not fit."""
    try:
        state = msgspec.msgpack.decode(data, type=MotionState)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EngineError(f"not a state of such an engine ({len(data)} bytes): {error}") from error
    if state.version != VERSION:
        raise EngineError(f"a state of version {state.version}; this program reads {VERSION}")
    if state.digest != digest:
        raise EngineError("a state of another avatar, or of the same picture at another size")
    if state.model != model:
        raise EngineError("a state of other weights")
    channels, frames, height, width = state.shape
    if (channels, height, width) != shape or frames not in (1, 2) or state.segment < 0:
        raise EngineError(f"a state of segment {state.segment} with latents of {state.shape}")
    if len(state.motion) != 4 * channels * frames * height * width or len(state.heard) != SAMPLE_BYTES * RING_SAMPLES:
        raise EngineError(f"a state with {len(state.motion)} and {len(state.heard)} bytes of latents and sound")
    if not np.isfinite(state.latents()).all():
        raise EngineError("a state whose latents are not finite")
    return state
