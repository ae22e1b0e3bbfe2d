"""`portrait`: one picture talks in real time on one core, without weights.

In: an avatar with points, speech hop by hop with what follows it, its phonemes and cues. Out: five frames
a step. It reads no file, no clock and no environment; same seed, audio and marks give the same frames.

The state says where the motion is (seed, frame), what was heard last, and which cues and beats are at work;
poses, looks and blinks are functions of it, lips of it and the hop, so a state from a file or from before a
cut goes on without a seam.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from msgspec import structs

from pipeline.arrays import Frame, Frames, Mask
from pipeline.avatar import Avatar, need_points
from pipeline.engine import Job, Made
from pipeline.engines.portrait.audio import LEVEL_START, PAST_SAMPLES, listen
from pipeline.engines.portrait.cues import at_work, gestures, taken
from pipeline.engines.portrait.mask import may_move
from pipeline.engines.portrait.motion import loop_pose, pose, together
from pipeline.engines.portrait.mouth import REST, carried, phonemes_of, shape_hop
from pipeline.engines.portrait.render import Portrait, bake, render
from pipeline.engines.portrait.state import PortraitState, restore_state, save_state
from pipeline.engines.portrait.stress import beats_of, hear
from pipeline.errors import EngineError
from pipeline.media import AIR_SAMPLES, DRIVE_SAMPLES, MediaFormat

HOP_FRAMES = 5  #: 200 ms: short enough to cut in, long enough that calls cost nothing
HOLD_FRAMES = 100  #: 4 s: one breath, one blink
DISSOLVE_FRAMES = 8  #: from the frames on air into the first ones of a new state
VOICE_SPEED = 0.06  #: a frame: head and brows follow phrases (0.7 s), not syllables
AVATARS_KEPT = 32  #: baked ones of about 4 MB: the persons of a room, or of several that share a process


class PortraitEngine:
    """See pipeline.engine.AvatarEngine."""

    def __init__(self) -> None:
        self._portraits: dict[str, Portrait] = {}

    def format(self, avatar: Avatar) -> MediaFormat:
        need_points(avatar)
        return MediaFormat(avatar.size[0], avatar.size[1], HOP_FRAMES)

    def open(
        self, avatar: Avatar, seed: int, after: Frames | None = None, beside: PortraitState | None = None
    ) -> PortraitState:
        """AvatarError when the avatar has no points, EngineError when `after` has another size."""
        portrait = self._baked(avatar)
        if beside is not None:  # poses and lips are of any face
            return structs.replace(beside, digest=avatar.digest, source=avatar.source, seed=seed, before=b"")
        before = b""
        if after is not None and len(after):
            if after.shape[1:] != portrait.base.shape:
                raise EngineError(f"frames on air are {after.shape[1:]}, not {portrait.base.shape}")
            before = after[-1].tobytes()
        return PortraitState(
            digest=avatar.digest,
            source=avatar.source,
            seed=seed,
            frame=0,
            past=bytes(2 * PAST_SAMPLES),
            level=LEVEL_START,
            voice=0.0,
            before=before,
        )

    def is_open(self, avatar: Avatar) -> bool:
        return avatar.digest in self._portraits

    def step(self, jobs: Sequence[Job]) -> Sequence[Made]:
        return [self._one(job) for job in jobs]

    def save(self, state: PortraitState) -> bytes:
        return save_state(state)

    def restore(self, avatar: Avatar, data: bytes) -> PortraitState:
        self._baked(avatar)
        return restore_state(data, avatar)

    def hold(self, avatar: Avatar, seed: int) -> Frames:
        portrait = self._baked(avatar)
        frames = np.empty((HOLD_FRAMES, *portrait.base.shape), np.uint8)
        for index, frame in enumerate(frames):
            render(portrait, loop_pose(seed, index, HOLD_FRAMES), REST, frame)
        return frames

    def mask(self, avatar: Avatar) -> Mask:
        return may_move(self._baked(avatar))

    def close(self) -> None:
        self._portraits.clear()

    def _one(self, job: Job) -> Made:
        state: PortraitState = job.state
        portrait = self._portraits.pop(state.digest, None)
        if portrait is None:
            raise EngineError(f"state of an avatar that is not open here ({state.digest[:12]})")
        self._portraits[state.digest] = portrait  # who is in the picture makes room for nobody
        if len(job.audio) != HOP_FRAMES * DRIVE_SAMPLES:
            raise EngineError(f"a hop of {len(job.audio)} samples, not {HOP_FRAMES * DRIVE_SAMPLES}")
        return _made(portrait, state, job)

    def _baked(self, avatar: Avatar) -> Portrait:
        """The avatar, baked; the one least recently opened or drawn makes room."""
        cv2.setNumThreads(1)  # one core is this engine's share of the machine
        portrait = self._portraits.pop(avatar.digest, None) or bake(avatar)
        self._portraits[avatar.digest] = portrait
        while len(self._portraits) > AVATARS_KEPT:
            del self._portraits[next(iter(self._portraits))]
        return portrait


def _made(portrait: Portrait, state: PortraitState, job: Job) -> Made:
    past = np.frombuffer(state.past, np.int16)
    heard = listen(past, job.audio, job.ahead, state.level)
    phonemes = [*state.phonemes, *phonemes_of(job.marks)]
    lips = shape_hop(heard, phonemes, state.lips)
    cues = taken(state.cues, job.marks, state.frame, HOP_FRAMES)
    voice, stress = state.voice, state.stress
    frames = np.empty((HOP_FRAMES, *portrait.base.shape), np.uint8)
    for index, (frame, shape) in enumerate(zip(frames, lips, strict=True)):
        now, loud = state.frame + index, float(heard.loud[index])
        voice += VOICE_SPEED * (loud - voice)
        stress = hear(stress, state.seed, now, loud)
        alive, asked, beats = pose(state.seed, now, voice), gestures(cues, now), beats_of(stress, state.seed, now)
        render(portrait, together((alive, *asked, *beats)), shape, frame)
        _dissolve(frame, state.before, now)
    made = state.frame + HOP_FRAMES
    return Made(
        frames,
        PortraitState(
            digest=state.digest,
            source=state.source,
            seed=state.seed,
            frame=made,
            past=np.concatenate([past, job.audio])[-PAST_SAMPLES:].astype(np.int16).tobytes(),
            level=heard.level,
            voice=voice,
            lips=lips[-1],
            phonemes=carried(phonemes, HOP_FRAMES * AIR_SAMPLES),
            cues=at_work(cues, made),
            stress=stress,
            before=state.before if made < DISSOLVE_FRAMES else b"",
        ),
        {"lip_gap": max(shape.gap for shape in lips)},
    )


def _dissolve(frame: Frame, before: bytes, index: int) -> None:
    """Mix the first frames with the one that was on air."""
    if before and index < DISSOLVE_FRAMES:
        share = (index + 1) / (DISSOLVE_FRAMES + 1)
        old = np.frombuffer(before, np.uint8).reshape(frame.shape)
        cv2.addWeighted(frame, share, old, 1 - share, 0, dst=frame)
