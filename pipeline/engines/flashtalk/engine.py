"""`flashtalk`: the 14B model as an engine, on one rank or several.

In: an avatar's picture, a prompt, speech hop by hop with what follows it. Out: 28 frames a step, drawn from noise, the
speech and the last five frames before them. Same seed and audio, same frames, on any number of ranks of one kind.

Weights are read at the first `open`, `restore` or `hold`; what is constant for picture and prompt is baked into a file
then (baked.py). On several ranks this is rank 0; the others run follower.py, are told every call, and compute the same
states: when one differs, the gang ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipeline import framing, noise, pictures, sampler
from pipeline.arrays import Frames, silence
from pipeline.avatar import Avatar
from pipeline.clock import Clock, RealClock
from pipeline.engine import Job, Made
from pipeline.engines.flashtalk import baked, drift, follower, loop
from pipeline.engines.flashtalk.baked import Baked
from pipeline.engines.flashtalk.loading import PROMPT, Networks, Options, Studio
from pipeline.engines.flashtalk.stages import Stages
from pipeline.engines.flashtalk.state import MotionState, pack, restore_state, save_state
from pipeline.errors import ConfigError, EngineError
from pipeline.hearing import Ear, features
from pipeline.media import DRIVE_SAMPLES, MediaFormat
from pipeline.sampler import CHUNK_FRAMES, MOTION_FRAMES

if TYPE_CHECKING:
    from pipeline.parallel.gang import Gang

HOP_FRAMES = CHUNK_FRAMES - MOTION_FRAMES
HOP_SAMPLES = HOP_FRAMES * DRIVE_SAMPLES
GRAIN_PX = 16  #: the VAE makes 8 pixels one latent, the network takes latents two by two
HOLD_SETTLE, HOLD_SEGMENTS = 1, 5  #: silent segments before the loop, and those it is cut from: 5.6 s
HOLD_SHORTEST_FRAMES, HOLD_FADE_FRAMES = 100, 12
AVATARS_KEPT = 4  #: keys and values of text and picture are 0.63 GB each at full size


def _nothing() -> None: ...


class FlashTalkEngine:
    """See pipeline.engine.AvatarEngine. One thread; on rank 0 of its gang, or alone.

    weights: the model directory, or a run-time file (`broadcaster models convert`). cache: where baked avatars lie.
    device: cpu, cuda, cuda:N, or auto. strategy: how the sequence is spread over the ranks of the gang. steps: 4 as
    published, 2 for half the work, any other number. strength: of the colour match, 0 … 1. sage: may attention be
    quantised? offload: keep the blocks in host memory; None = where the GPU is below 64 GB.
    beat: called while weights are read and avatars baked, between pieces of work.
    """

    def __init__(
        self,
        weights: Path | str,
        cache: Path | str,
        prompt: str = PROMPT,
        device: str = "auto",
        strategy: str = "auto",
        steps: int = sampler.STEPS,
        strength: float = 1.0,
        sage: bool = False,
        offload: bool | None = None,
        gang: Gang | None = None,
        beat: Callable[[], None] = _nothing,
        clock: Clock | None = None,
    ) -> None:
        if not 0 <= strength <= 1:
            raise ConfigError(f"colour strength {strength:g}: it lies between 0 (the network's colours) and 1")
        sampler.timesteps(steps)
        self._options = Options(Path(weights), device, strategy, sage, offload)
        self._cache, self._prompt, self._steps, self._strength = Path(cache), prompt, steps, strength
        self._gang = gang if gang is not None and gang.world > 1 else None
        self._beat = beat
        self._clock: Clock = clock or RealClock()
        self._studio = Studio(self._options, self._clock)
        self._networks: Networks | None = None
        self._avatars: dict[str, Baked] = {}
        self._calls = 0

    # ── the contract ─────────────────────────────────────────────────────────────────────────────

    def format(self, avatar: Avatar) -> MediaFormat:
        """ConfigError: the size, or the weights, of which only headers are looked at."""
        width, height = avatar.size
        if width % GRAIN_PX or height % GRAIN_PX:
            near = " or ".join(f"{w}x{h}" for w, h in _near(width, height))
            raise ConfigError(f"avatar size {width}x{height}: flashtalk needs multiples of {GRAIN_PX}; near: {near}")
        assert self._studio.fingerprint  # weights that are not there, cut short or foreign are told of here
        return MediaFormat(width, height, HOP_FRAMES, MOTION_FRAMES)

    def open(self, avatar: Avatar, seed: int, after: Frames | None = None) -> MotionState:
        """`after`: I420 frames of any size, the newest last; the last five count, fewer are held still before."""
        found = self._ready(avatar)
        latents = found.conditions.motion0
        if after is not None and len(after):
            latents = self._latents_of(after, avatar.size)
        shape, motion = pack(latents.float().cpu().numpy())
        return MotionState(avatar.digest, self._loaded.fingerprint, seed, 0, shape, motion, Ear.empty().ring)

    def step(self, jobs: Sequence[Job]) -> Sequence[Made]:
        for job in jobs:
            self._check(job)
        if not jobs:
            return []
        if self._gang is None:
            return [self._one(job) for job in jobs]
        self._tell(follower.step_of(jobs))
        return self._in_step(jobs)

    def save(self, state: MotionState) -> bytes:
        return save_state(state)

    def restore(self, avatar: Avatar, data: bytes) -> MotionState:
        channels, _, height, width = self._ready(avatar).conditions.motion0.shape
        return restore_state(data, avatar.digest, self._loaded.fingerprint, (channels, height, width))

    def hold(self, avatar: Avatar, seed: int) -> Frames:
        """Silence, cut where its ends look alike and dissolved there; kept in the baked file."""
        found = self._ready(avatar)
        kept = baked.read_hold(found.path, seed)
        if kept is not None:
            return kept
        state, made = self.open(avatar, seed), []
        for _ in range(HOLD_SETTLE + HOLD_SEGMENTS):
            one = self.step([Job(state, silence(HOP_SAMPLES), silence(HOP_SAMPLES))])[0]
            state = one.state
            made.append(one.frames)
            self._beat()
        frames = loop.seamless(np.concatenate(made[HOLD_SETTLE:]), HOLD_SHORTEST_FRAMES, HOLD_FADE_FRAMES)
        baked.keep_hold(found.path, seed, frames)
        return frames

    def close(self) -> None:
        self._avatars.clear()
        self._networks = None

    # ── ranks ────────────────────────────────────────────────────────────────────────────────────

    def idle(self) -> None:
        """Rank 0, from its idle loop: the followers are told that it is there. EngineError when one is gone."""
        if self._gang is not None:
            self._gang.alive()

    def _all_beat(self) -> None:
        """A beat while the other ranks wait for a call, which they beat for as well."""
        self._beat()
        self.idle()

    def bake(self, avatar: Avatar) -> Path:
        """Make the avatar's file unless it is there; returns where it lies."""
        return self._ready(avatar).path

    def obey(self, call: follower.Call) -> None:
        """A follower: make one call of rank 0, and agree on where it led."""
        if isinstance(call, follower.Load):
            self._load()
        elif isinstance(call, follower.Show):
            self._show(Path(call.path), call.digest, call.kept)
        else:
            self._in_step([told.job() for told in call.jobs])

    def _tell(self, call: follower.Call) -> None:
        if self._gang is not None:
            self._gang.tell(follower.encoded(call))

    def _agree(self, what: str, *facts: bytes) -> None:
        """All ranks stand here with the same facts, or the gang ends."""
        self._calls += 1
        if self._gang is not None:
            digest = hashlib.blake2b(b"".join(facts), digest_size=16).digest()
            self._gang.agree(self._calls, what, digest, None if what == "step" else follower.LOADING_S)

    # ── weights and avatars ──────────────────────────────────────────────────────────────────────

    @property
    def _loaded(self) -> Networks:
        if self._networks is None:
            raise EngineError("no avatar was opened")
        return self._networks

    def _ready(self, avatar: Avatar) -> Baked:
        """The avatar, baked and on the device; the one least recently opened makes room."""
        self.format(avatar)
        if (found := self._avatars.pop(avatar.digest, None)) is not None:
            self._avatars[avatar.digest] = found  # now the one opened last
            return found
        studio = self._studio
        path = baked.place_of(self._cache, avatar, self._prompt, studio.fingerprint, studio.dtype)
        if not baked.is_whole(path):
            picture = framing.picture_tensor(avatar.picture, avatar.size)
            shown = studio.features(self._prompt, picture, self._all_beat)
            networks = self._all_loaded()
            baked.bake(path, avatar, self._prompt, networks.model, networks.whole_vae(), shown, self._all_beat)
        self._all_loaded()
        kept = list(self._avatars)[1 - AVATARS_KEPT :]
        self._tell(follower.Show(avatar.digest, str(path), kept))
        return self._show(path, avatar.digest, kept)

    def _all_loaded(self) -> Networks:
        """The networks, on every rank."""
        if self._networks is not None:
            return self._networks
        self._tell(follower.Load())
        return self._load()

    def _load(self) -> Networks:
        networks = self._networks = self._studio.networks(self._beat)
        alike = (networks.fingerprint, networks.attention, self._steps, self._strength)
        self._agree("load", repr(alike).encode())
        return networks

    def _show(self, path: Path, digest: str, kept: Sequence[str]) -> Baked:
        self._avatars = {other: self._avatars[other] for other in kept}
        found = self._avatars[digest] = baked.read(path, digest, self._loaded.device)
        self._agree("show", path.name.encode())
        self._beat()
        return found

    def _latents_of(self, frames: Frames, size: tuple[int, int]) -> Tensor:
        """The last frames on air, uint8 [T, rows, W] of any size, as float32 [16, 2, h, w]."""
        networks = self._loaded
        last = torch.from_numpy(np.ascontiguousarray(frames[-MOTION_FRAMES:])).to(networks.device)
        video = pictures.from_i420(torch.cat([last[:1].expand(MOTION_FRAMES - len(last), -1, -1), last]))
        own = (video.shape[4], video.shape[3])
        if own != size:
            whole = framing.covering(own, size)
            rows, columns = framing.centred(whole, size)
            scaled = functional.interpolate(video[0].transpose(0, 1), whole[::-1], mode="bilinear", antialias=True)
            video = scaled.transpose(0, 1)[None, :, :, rows, columns]
        with torch.no_grad():
            return sampler.encode(networks.whole_vae(), video)

    # ── a step ───────────────────────────────────────────────────────────────────────────────────

    def _check(self, job: Job) -> None:
        state: MotionState = job.state
        if state.digest not in self._avatars:
            raise EngineError(f"state of an avatar that is not open here ({state.digest[:12]})")
        if len(job.audio) != HOP_SAMPLES:
            raise EngineError(f"a hop of {len(job.audio)} samples, not {HOP_SAMPLES}")

    def _in_step(self, jobs: Sequence[Job]) -> list[Made]:
        made = []
        for job in jobs:
            self._check(job)
            made.append(self._one(job))
            self._agree("step", save_state(made[-1].state))
        return made

    @torch.no_grad()
    def _one(self, job: Job) -> Made:
        state: MotionState = job.state
        networks, avatar = self._loaded, self._avatars[state.digest]
        device = networks.device
        shape = avatar.conditions.y.shape[2:]

        def draw(number: int) -> Tensor:
            return noise.draw(state.seed, state.segment, number, (state.shape[0], *shape), device)

        stages = Stages(device, self._clock)
        ear = Ear(state.heard).heard(job.audio)
        video, motion = sampler.chunk(
            networks.model,
            networks.vae,
            avatar.conditions,
            features(networks.encoder, ear, job.ahead, CHUNK_FRAMES),
            torch.from_numpy(state.latents().copy()).to(device),
            draw,
            self._steps,
            strength=self._strength,
            trace=stages,
        )
        measured = torch.stack(
            [drift.colour(stages.last_frames, avatar.reference), drift.identity(motion, avatar.reference)]
        )
        frames = pictures.to_i420(video[:, :, MOTION_FRAMES:]).cpu().numpy()
        colour, identity = measured.tolist()
        pull = drift.moved(state.pull, colour, identity)
        motion = drift.held(motion, avatar.reference, pull)
        carried, latents = pack(motion.cpu().numpy())
        after = MotionState(state.digest, state.model, state.seed, state.segment + 1, carried, latents, ear.ring, pull)
        notes = {"drift_colour": colour, "drift_identity": identity}
        notes |= {"pull_colour": pull.colour, "pull_identity": pull.identity}
        return Made(frames, after, notes | stages.seconds())


def _near(width: int, height: int) -> list[tuple[int, int]]:
    """Sizes that can be had, just below and just above."""
    below = (width // GRAIN_PX * GRAIN_PX, height // GRAIN_PX * GRAIN_PX)
    above = (-(-width // GRAIN_PX) * GRAIN_PX, -(-height // GRAIN_PX) * GRAIN_PX)
    return [below, above]
