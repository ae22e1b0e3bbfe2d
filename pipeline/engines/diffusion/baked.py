"""What is constant for a picture and a prompt, in one file: computed once, read at every start.

In: the tensors that a model makes of a picture. Out: `Baked`, on the device. The file holds the picture and its
latents, keys and values of text and picture in every layer where a model has them and, once it was asked for, the hold
loop.

Its name is a digest of all that decides its content: another prompt, picture, size, type or model makes another file,
and the old ones of a model go in the order in which they were last used.

A file that cannot be read is made anew. It is written by rename, so nobody sees half of one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pipeline.arrays import Frames
from pipeline.avatar import Avatar
from pipeline.engines.diffusion import drift
from pipeline.errors import ConfigError, EngineError
from pipeline.models.flashtalk import Context
from pipeline.sampler import Conditions

SCHEMA = 1  #: of the file
SUFFIX = ".safetensors"
KEPT_FILES = 24  #: of a model: more than the persons of a room; about 0.65 GB each for FlashTalk at full size
NAMES = ("picture", "y", "motion0", "still")  #: what every file holds: see `sampler.Conditions`, and `drift.Reference`
CONTEXT, HOLD = "context.", "hold."  #: what the names of these tensors begin with

log = structlog.get_logger()


@dataclass(frozen=True)
class Baked:
    """digest: the avatar's. path: of the file. conditions and reference lie on the device of the networks."""

    digest: str
    path: Path
    conditions: Conditions
    reference: drift.Reference


def place_of(cache: Path, avatar: Avatar, family: str, prompt: str, model: str, dtype: torch.dtype) -> Path:
    """Where this avatar's file is, or will be. family: how its name begins. model: fingerprint of the networks."""
    parts = [str(SCHEMA), model, str(dtype), prompt, str(avatar.picture.shape)]
    digest = hashlib.sha256("\0".join(parts).encode() + avatar.picture.tobytes())
    return cache / f"{family}-{digest.hexdigest()[:32]}{SUFFIX}"


def keep(path: Path, avatar: Avatar, prompt: str, tensors: Mapping[str, Tensor]) -> None:
    """Make the file; the one used longest ago makes room."""
    assert set(NAMES) <= set(tensors), sorted(tensors)
    width, height = avatar.size
    about = {"schema": str(SCHEMA), "avatar": avatar.name, "size": f"{width}x{height}", "prompt": prompt}
    _write(path, tensors, about)
    _make_room(path)


def is_whole(path: Path) -> bool:
    """Whether there is a file that can be used; one that is damaged is removed."""
    try:
        with safe_open(path, "pt") as file:
            if set(NAMES) <= set(file.keys()):  # the library has compared its length with its head
                return True
        reason = "tensors are missing"
    except FileNotFoundError:
        return False
    except (SafetensorError, OSError) as error:
        reason = str(error)
    log.warning("avatar.unreadable", path=str(path), reason=reason)
    path.unlink(missing_ok=True)
    return False


def read(path: Path, digest: str, device: torch.device) -> Baked:
    """The file's content but the hold loop, on the device. digest: the avatar's. EngineError when it cannot be read."""
    try:
        with safe_open(path, "pt", device=str(device)) as file:
            found = {name: file.get_tensor(name) for name in file.keys() if not name.startswith(HOLD)}  # noqa: SIM118
        os.utime(path)  # used last
    except (SafetensorError, OSError) as error:
        raise EngineError(f"{path}: cannot be read: {error}") from error
    context = {name.removeprefix(CONTEXT): tensor for name, tensor in found.items() if name.startswith(CONTEXT)}
    led = Context.of(context) if context else None
    conditions = Conditions(found["y"], led, found["picture"], found["motion0"])
    return Baked(digest, path, conditions, drift.reference(found["picture"], found["still"]))


def read_hold(path: Path, seed: int) -> Frames | None:
    """The hold loop of that seed, uint8 [T, rows, W]; None when it was not made yet."""
    with safe_open(path, "np") as file:
        name = f"{HOLD}{seed}"
        return file.get_tensor(name) if name in file.keys() else None  # noqa: SIM118


def keep_hold(path: Path, seed: int, frames: Frames) -> None:
    """Put a hold loop into the file, beside those of other seeds."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = file.metadata()
    _write(path, tensors | {f"{HOLD}{seed}": torch.from_numpy(frames)}, about)


def _write(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # copies: tensors that share memory, as an expanded picture does, cannot be saved
        save_file(
            {name: tensor.to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}, part, dict(about)
        )
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error
    except SafetensorError as error:
        raise EngineError(f"{path}: cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _make_room(new: Path) -> None:
    family = new.name.partition("-")[0]
    files = sorted(new.parent.glob(f"{family}-*{SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[KEPT_FILES:]:
        log.info("avatar.forgotten", path=str(path))
        path.unlink(missing_ok=True)
