"""What outlives an engine's process: its last pose, in the runtime directory, and its baked hold loop, in the cache.

In: an engine and what it made. Out: files that the next process of the engine finds, on whatever tier. A disk that is
full or torn costs these files alone, never the engine.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import structlog

from pipeline.avatar import Avatar
from pipeline.engine import AvatarEngine, MotionState
from pipeline.enlarge import resized
from pipeline.errors import EngineError
from pipeline.media import MediaFormat
from pipeline.wholefile import write_whole

if TYPE_CHECKING:
    from pipeline.worker import WorkerSpec

SUFFIX = ".state"  #: of an engine's pose

log = structlog.get_logger()


class Poses:
    """The pose of the room's avatar in one engine: one file for all its tiers, on fewer ranks or smaller."""

    def __init__(self, spec: WorkerSpec, engine: AvatarEngine, avatar: Avatar) -> None:
        self._engine = engine
        self._avatar = avatar
        self._path = Path(spec.runtime_dir) / f"{spec.engine}{SUFFIX}"
        self._read_of = 0  # when the file was written that was read last
        self._is_refused = False

    def left(self, avatar: Avatar | None = None) -> MotionState | None:
        """What the last process of this engine left; None when there is nothing that can be taken up.

        avatar: whose pose it is to be, None = the room's own.
        """
        self._read_of = _written_ns(self._path)
        try:
            return self._engine.restore(avatar or self._avatar, self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, EngineError) as error:
            log.warning("state.unreadable", reason=str(error))
            return None

    def has_moved(self) -> bool:
        """Whether another process of this engine has shown pictures since `left` was asked."""
        return _written_ns(self._path) != self._read_of

    def forget(self) -> None:
        """The next one begins from the picture: what was kept led nowhere."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._read_of = _written_ns(self._path)

    def is_latest(self) -> bool:
        """Whether no other engine of the room has shown pictures since this one did."""
        own_ns = _written_ns(self._path)
        return all(_written_ns(path) <= own_ns for path in self._path.parent.glob(f"*{SUFFIX}"))

    def keep(self, state: MotionState) -> None:
        try:
            write_whole(self._path, self._engine.save(state))
        except OSError as error:
            if not self._is_refused:
                log.warning("pose.unsaved", reason=str(error))
            self._is_refused = True
        else:
            self._is_refused = False


def baked_hold(spec: WorkerSpec, engine: AvatarEngine, avatar: Avatar) -> str:
    """Path of the hold loop at the room's size, made where it is missing; "" when it cannot be kept.

    A tier that draws smaller takes that of the engine at the room's size, where there is one: it is sharper, and there.
    """
    cache = Path(spec.state_dir).resolve() / "cache"
    drawn = engine.format(avatar)
    whole = msgspec.structs.replace(spec, drawn=None)
    path = cache / hold_name(spec, avatar, drawn)
    try:
        for kept in (cache / hold_name(whole, avatar, MediaFormat(spec.width, spec.height, drawn.hop_frames)), path):
            if kept.exists() and kept.stat().st_size % (spec.width * spec.height * 3 // 2) == 0:
                return str(kept)
        log.info("hold.baking", path=str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        loop = resized(engine.hold(avatar, spec.seed), spec.width, spec.height)
        write_whole(path, np.ascontiguousarray(loop).data, shared=True)
    except OSError as error:
        log.warning("hold.unkept", reason=str(error))
        return ""
    return str(path)


def hold_name(spec: WorkerSpec, avatar: Avatar, media: MediaFormat) -> str:
    """The file of a hold loop: another engine, picture or size, another prompt or model, another loop."""
    made_with = hashlib.sha256(msgspec.json.encode(spec.options, order="sorted")).hexdigest()[:8]
    drawn_by = f"{spec.engine}-{made_with}" if spec.options else spec.engine
    enlarged = f"-for-{spec.width}x{spec.height}" if spec.drawn else ""
    return f"hold-{drawn_by}-{(avatar.source or avatar.digest)[:16]}-{media.width}x{media.height}{enlarged}.i420"


def _written_ns(path: Path) -> int:
    """When a file was written; 0 when it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
