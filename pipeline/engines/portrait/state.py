"""What the portrait carries from one step into the next, as a value and as bytes.

In: fields. Out: msgpack and back. EngineError when bytes are not a state of this version.
"""

from __future__ import annotations

import msgspec

from pipeline.avatar import Avatar
from pipeline.engines.portrait.cues import Cue
from pipeline.engines.portrait.mouth import REST, Lips
from pipeline.engines.portrait.stress import Stress
from pipeline.errors import EngineError
from pipeline.media import Mark

VERSION = 2  #: of the saved form; a state of another one shows other poses, so going on from it would jump


class PortraitState(msgspec.Struct, frozen=True):
    """digest: the avatar's, at its size. source: that of the files it was made of. frame: frames made so far.

    past: int16 samples before the next hop, 16 kHz. level: reference loudness, rms. voice: slow loudness 0 … 1.
    lips: of the last frame. phonemes: marks that reach into the next hop. cues: those at work. stress: what was heard
    of it, and its beats. before: the last frame on air (I420) that the first ones are dissolved from, b"" once they
    are done.
    """

    digest: str
    seed: int
    frame: int
    past: bytes
    level: float
    voice: float
    lips: Lips = REST
    phonemes: tuple[Mark, ...] = ()
    cues: tuple[Cue, ...] = ()
    stress: Stress = Stress()
    before: bytes = b""
    version: int = VERSION
    source: str = ""


def save_state(state: PortraitState) -> bytes:
    return msgspec.msgpack.encode(state)


def restore_state(data: bytes, avatar: Avatar) -> PortraitState:
    """The pose, also of the same avatar drawn at another size. EngineError for something else, or another avatar."""
    try:
        state = msgspec.msgpack.decode(data, type=PortraitState)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EngineError(f"not a portrait state ({len(data)} bytes): {error}") from error
    if state.version == VERSION and avatar.source and state.source == avatar.source and state.digest != avatar.digest:
        return msgspec.structs.replace(state, digest=avatar.digest, before=b"")  # that picture had the other size
    if state.version != VERSION or state.digest != avatar.digest:
        raise EngineError("a portrait state of another version or another avatar")
    return state
