"""A diffusion model as an engine, on one rank or several; which model is its studio's affair.

In: an avatar's picture, speech hop by hop with what follows it. Out: the new frames of a chunk, drawn from noise, the
speech and the last frames before them. Same seed and audio, same frames, on any number of ranks of one kind.

Weights are read at the first `open`, `restore` or `hold`; what is constant for a picture is baked into a file then
(baked.py). On several ranks this is rank 0; the others run follower.py, are told every call, and compute the same
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
from pipeline.engines.diffusion import baked, drift, follower, loop
from pipeline.engines.diffusion.baked import Baked
from pipeline.engines.diffusion.stages import Stages
from pipeline.engines.diffusion.state import MotionState, pack, restore_state, save_state
from pipeline.engines.diffusion.studio import CHANCE, Networks, Studio
from pipeline.errors import ConfigError, EngineError
from pipeline.hearing import Ear, features
from pipeline.media import DRIVE_SAMPLES, MediaFormat
from pipeline.sampler import CHUNK_FRAMES

if TYPE_CHECKING:
    from pipeline.parallel.gang import Gang

HOLD_SETTLE, HOLD_SEGMENTS = 1, 5  #: silent segments before the loop, and those it is cut from: 4.8 s or more
HOLD_SHORTEST_FRAMES, HOLD_FADE_FRAMES = 100, 12
AVATARS_KEPT = 4  #: in memory; FlashTalk's keys and values of text and picture are 0.63 GB each at full size


class DiffusionEngine:
    """See pipeline.engine.AvatarEngine. One thread; on rank 0 of its gang, or alone.

    studio: the model. cache: where baked avatars lie. steps: passes over a chunk. strength: of the colour match, 0 … 1.
    beat: called while weights are read and avatars baked, between pieces of work. avatars: so many stay at hand, at
    least.
    """

    def __init__(
        self,
        studio: Studio,
        cache: Path,
        steps: int,
        strength: float,
        gang: Gang | None,
        beat: Callable[[], None],
        clock: Clock | None,
        avatars: int = 0,
    ) -> None:
        if not 0 <= strength <= 1:
            raise ConfigError(f"colour strength {strength:g}: it lies between 0 (the network's colours) and 1")
        sampler.timesteps(steps)
        self._studio, self._cache, self._steps, self._strength = studio, cache, steps, strength
        self._gang = gang if gang is not None and gang.world > 1 else None
        self._beat = beat
        self._clock: Clock = clock or RealClock()
        self._networks: Networks | None = None
        self._avatars: dict[str, Baked] = {}
        self._avatars_wanted = avatars
        self._calls = 0

    # ── the contract ─────────────────────────────────────────────────────────────────────────────

    def format(self, avatar: Avatar) -> MediaFormat:
        """ConfigError: the size, or the weights, of which only headers are looked at."""
        (width, height), way = avatar.size, self._studio.way
        if width % way.grain_px or height % way.grain_px:
            near = " or ".join(f"{w}x{h}" for w, h in _near(width, height, way.grain_px))
            raise ConfigError(
                f"avatar size {width}x{height}: {way.family} needs multiples of {way.grain_px}; near: {near}"
            )
        assert self._studio.fingerprint  # weights that are not there, cut short or foreign are told of here
        return MediaFormat(width, height, way.hop_frames, way.plan.motion_frames)

    def open(
        self, avatar: Avatar, seed: int, after: Frames | None = None, beside: MotionState | None = None
    ) -> MotionState:
        """`after`: I420 frames of any size, the newest last; those that go over count, fewer are held still before."""
        found = self._ready(avatar)
        latents = found.conditions.motion0
        if after is not None and len(after):
            latents = self._latents_of(after, avatar.size, seed)
        shape, motion = pack(latents.float().cpu().numpy())
        heard = Ear.empty().ring if beside is None else beside.heard
        return MotionState(avatar.digest, self._loaded.fingerprint, seed, 0, shape, motion, heard)

    def is_open(self, avatar: Avatar) -> bool:
        return avatar.digest in self._avatars

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
            one = self.step([Job(state, silence(self._hop_samples), silence(self._hop_samples))])[0]
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
        """The avatar, baked and on the device; the one least recently opened or drawn makes room."""
        self.format(avatar)
        if (found := self._avatars.pop(avatar.digest, None)) is not None:
            self._avatars[avatar.digest] = found  # now the one opened last
            return found
        studio = self._studio
        path = baked.place_of(self._cache, avatar, studio.way.family, studio.words, studio.fingerprint, studio.dtype)
        if not baked.is_whole(path):
            picture = framing.picture_tensor(avatar.picture, avatar.size)
            tensors = studio.baked(avatar, picture, self._all_loaded, self._all_beat)
            baked.keep(path, avatar, studio.words, tensors)
        self._all_loaded()
        kept = list(self._avatars)[1 - max(studio.way.kept or AVATARS_KEPT, self._avatars_wanted) :]
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

    def _latents_of(self, frames: Frames, size: tuple[int, int], seed: int) -> Tensor:
        """The last frames on air, uint8 [T, rows, W] of any size, as float32 [C, 2, h, w]."""
        networks, count = self._loaded, self._studio.way.plan.motion_frames
        last = torch.from_numpy(np.ascontiguousarray(frames[-count:])).to(networks.device)
        video = pictures.from_i420(torch.cat([last[:1].expand(count - len(last), -1, -1), last]))
        own = (video.shape[4], video.shape[3])
        if own != size:
            whole = framing.covering(own, size)
            rows, columns = framing.centred(whole, size)
            scaled = functional.interpolate(video[0].transpose(0, 1), whole[::-1], mode="bilinear", antialias=True)
            video = scaled.transpose(0, 1)[None, :, :, rows, columns]
        with torch.no_grad():
            return sampler.encode(networks.whole_vae(), video, self._chance(video, seed, 0, CHANCE + 1))

    def _chance(self, video: Tensor, seed: int, segment: int, draw: int) -> Tensor | None:
        """What the latents of frames [1, 3, F, H, W] are drawn with; None for a VAE whose mean is taken."""
        vae = self._loaded.vae
        if not self._studio.way.sampled:
            return None
        channels = self._loaded.model.config.out_dim
        return noise.draw(seed, segment, draw, (channels, *vae.config.latents(*video.shape[2:])), self._loaded.device)

    # ── a step ───────────────────────────────────────────────────────────────────────────────────

    @property
    def _hop_samples(self) -> int:
        return self._studio.way.hop_frames * DRIVE_SAMPLES

    def _check(self, job: Job) -> None:
        state: MotionState = job.state
        if state.digest not in self._avatars:
            raise EngineError(f"state of an avatar that is not open here ({state.digest[:12]})")
        self._avatars[state.digest] = self._avatars.pop(state.digest)  # who is in the picture makes room for nobody
        if len(job.audio) != self._hop_samples:
            raise EngineError(f"a hop of {len(job.audio)} samples, not {self._hop_samples}")

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
        networks, avatar, way = self._loaded, self._avatars[state.digest], self._studio.way
        device, count = networks.device, way.plan.motion_frames
        shape = avatar.conditions.y.shape[2:]

        def draw(number: int) -> Tensor:
            return noise.draw(state.seed, state.segment, number, (state.shape[0], *shape), device)

        stages = Stages(device, self._clock, count)
        ear = Ear(state.heard).heard(job.audio)
        last = avatar.conditions.picture.expand(-1, -1, count, -1, -1)  # as many and as large as those that go over
        video, motion = sampler.chunk(
            networks.model,
            networks.vae,
            avatar.conditions,
            features(networks.encoder, ear, job.ahead, CHUNK_FRAMES, way.loud),
            torch.from_numpy(state.latents().copy()).to(device),
            draw,
            self._steps,
            strength=self._strength,
            trace=stages,
            plan=way.plan,
            chance=self._chance(last, state.seed, state.segment, CHANCE),
        )
        measured = torch.stack(
            [drift.colour(stages.last_frames, avatar.reference), drift.identity(motion, avatar.reference)]
        )
        frames = pictures.to_i420(video[:, :, count:]).cpu().numpy()
        colour, identity = measured.tolist()
        pull = drift.moved(state.pull, colour, identity)
        motion = drift.held(motion, avatar.reference, pull)
        carried, latents = pack(motion.cpu().numpy())
        after = MotionState(state.digest, state.model, state.seed, state.segment + 1, carried, latents, ear.ring, pull)
        notes = {"drift_colour": colour, "drift_identity": identity}
        notes |= {"pull_colour": pull.colour, "pull_identity": pull.identity}
        if device.type == "cuda":
            notes["memory_gb"] = torch.cuda.max_memory_reserved(device) / 1e9
        return Made(frames, after, notes | stages.seconds())


def _near(width: int, height: int, grain: int) -> list[tuple[int, int]]:
    """Sizes that can be had, just below and just above."""
    below = (width // grain * grain, height // grain * grain)
    above = (-(-width // grain) * grain, -(-height // grain) * grain)
    return [below, above]
