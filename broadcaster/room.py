"""A room on this machine: its directories, its lock, and the record by which others find it.

In: a Config. Out: directories that only we can enter, and `run.json` in the state directory (process
id, runtime directory, Redis URL) for the command line. One process at a time holds a room.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from broadcaster import children
from broadcaster.config import Config, read_room
from broadcaster.lockfile import locked
from pipeline.errors import ConfigError

RECORD = "run.json"
OWNER = "owner"
SOCKET_PATH_MAX_BYTES = 107 - 16  # the kernel's limit, less the longest socket name of ours


class OffAir(ConfigError):
    """The room that is meant is not on air."""


@contextlib.contextmanager
def held(config: Config) -> Iterator[Path]:
    """Hold the room while the block runs; yields its runtime directory. ConfigError when it is taken.

    After a clean end nothing of ours is left in the temporary directory; after any other, the pose and the operator's
    panic wait there for the next start.
    """
    runtime_dir = config.runtime_dir
    make_private(runtime_dir)
    with state_held(config.state_dir):
        record = config.state_dir / RECORD
        record.touch(mode=0o600)
        url = children.redis_url(config, runtime_dir)
        record.write_text(json.dumps({"pid": os.getpid(), "runtime_dir": str(runtime_dir), "redis": url}))
        try:
            yield runtime_dir
        finally:
            record.unlink(missing_ok=True)
        if "RUNTIME_DIRECTORY" not in os.environ:
            shutil.rmtree(runtime_dir, ignore_errors=True)


@contextlib.contextmanager
def state_held(state_dir: Path) -> Iterator[None]:
    """Be the only one who changes a room's state directory; ConfigError when a broadcaster is on air from it."""
    with contextlib.ExitStack() as stack:
        try:
            state_dir.mkdir(parents=True, exist_ok=True)
            stack.enter_context(
                locked(state_dir / "lock", f"state_dir: another broadcaster is on air from {state_dir}")
            )
        except OSError as error:
            raise ConfigError(f"state_dir: {state_dir}: {error.strerror}") from error
        yield


def owner(config: Config) -> str:
    """The name under which this room holds its lease, for whoever holds the room.

    It is the same over restarts, so that a broadcaster that was killed enters at once: nobody else can run from this
    state directory. The host is part of it, in case the directory was copied.
    """
    path = config.state_dir / OWNER
    try:
        made = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        made = ""
    if not made:
        made = secrets.token_hex(8)
        with contextlib.suppress(OSError):  # then the next start waits until the lease has ended
            path.write_text(made, encoding="utf-8")
    return f"{made}@{socket.gethostname()}"


def runtime_dir_of(path: Path) -> Path:
    """Where the room of this configuration file is on air. Nothing else of the file is looked at, no secret is needed.

    ConfigError when it is not on air.
    """
    tree = read_room(path)
    state_dir = Path(str(tree.get("state_dir") or os.environ.get("STATE_DIRECTORY", "var")))
    try:
        return Path(json.loads((state_dir / RECORD).read_text())["runtime_dir"])
    except (OSError, ValueError, KeyError) as error:
        raise OffAir(f"room {tree.get('room')} is not on air: start it with `broadcaster run {path}`") from error


def redis_of(config: Config) -> str:
    """The Redis URL of this configuration's room, running or not."""
    if config.redis is not None:
        return config.redis.get_secret_value()
    try:
        return str(json.loads((config.state_dir / RECORD).read_text())["redis"])
    except (OSError, ValueError, KeyError):
        return children.redis_url(config, config.runtime_dir)


def make_private(directory: Path) -> None:
    """Create the directory for us alone; refuse one that somebody else owns or may enter."""
    if len(str(directory).encode()) > SOCKET_PATH_MAX_BYTES:
        raise ConfigError(f"$RUNTIME_DIRECTORY: {directory} is too long for sockets ({SOCKET_PATH_MAX_BYTES} bytes)")
    for path in (directory.parent, directory):
        try:
            path.mkdir(mode=0o700, parents=path is directory.parent, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"runtime directory {path}: {error.strerror}") from error
    found = directory.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise ConfigError(f"runtime directory {directory} belongs to somebody else")
    directory.chmod(0o700)
