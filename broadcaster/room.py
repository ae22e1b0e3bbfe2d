"""A room on this machine: its directories, its lock, and the record by which others find it.

In: a Config. Out: directories that only we can enter, and `run.json` in the state directory (process
id, runtime directory, Redis URL) for the command line. One process at a time holds a room.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from broadcaster import children
from broadcaster.config import Config
from pipeline.errors import ConfigError

RECORD = "run.json"
SOCKET_PATH_MAX_BYTES = 107 - 16  # the kernel's limit, less the longest socket name of ours


@contextlib.contextmanager
def held(config: Config) -> Iterator[Path]:
    """Hold the room while the block runs; yields its runtime directory. ConfigError when it is taken."""
    runtime_dir = config.runtime_dir
    _make_private(runtime_dir)
    try:
        config.state_dir.mkdir(parents=True, exist_ok=True)
        lock = (config.state_dir / "lock").open("w")
    except OSError as error:
        raise ConfigError(f"state_dir: {config.state_dir}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"state_dir: another broadcaster is on air from {config.state_dir}") from None
        record = config.state_dir / RECORD
        record.touch(mode=0o600)
        url = children.redis_url(config, runtime_dir)
        record.write_text(json.dumps({"pid": os.getpid(), "runtime_dir": str(runtime_dir), "redis": url}))
        try:
            yield runtime_dir
        finally:
            record.unlink(missing_ok=True)


def redis_of(config: Config) -> str:
    """The Redis URL of this configuration's room, running or not."""
    if config.redis is not None:
        return config.redis.get_secret_value()
    try:
        return str(json.loads((config.state_dir / RECORD).read_text())["redis"])
    except (OSError, ValueError, KeyError):
        return children.redis_url(config, config.runtime_dir)


def _make_private(directory: Path) -> None:
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
