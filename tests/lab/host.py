"""A room on a machine of its own making: a small disk, names that can die, a log whose reader can fall asleep, and the
faults of preload.py between it and the system's libraries.

In: a configuration. Out: the same room as any, in a mount namespace. What is on its disk is seen from here under
`disk`, since the namespace is its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from broadcaster.config import load
from tests.lab.preload import Preload, compiler
from tests.lab.room import LabStation
from tests.lab.stage import HEALTHY, THIRD, Stage
from tests.station import ROOT

DISK_MB = 96
PIPE_BYTES = 4096  # the least a pipe can have: twenty lines of a log fill it
NAME = "ingest.test"
RECORDED = "recorded"
HOSTS = f"127.0.0.1 localhost {NAME}\n"
NOBODY = "nameserver 192.0.2.1\noptions timeout:5 attempts:2\n"  # of TEST-NET-1: no machine answers there
SETUP = (
    'mount -t tmpfs -o "size=$1m" tmpfs "$2" && mount --bind "$3/hosts" /etc/hosts'
    ' && mount --bind "$3/resolv.conf" /etc/resolv.conf && shift 3 && exec "$@"'
)


def hindrance() -> str:
    """Why this machine cannot make another; "" when it can."""
    if compiler() is None:
        return "no C compiler"
    try:
        probe = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except OSError as error:
        return f"unshare: {error.strerror}"
    return f"no mount namespaces: {probe.stderr.strip()}" if probe.returncode else ""


class HostStation(LabStation):
    def __init__(self, directory: Path, **config: Any) -> None:
        self._files = directory / "etc"
        self._files.mkdir(parents=True)
        self.names(alive=True)
        self.preload = Preload(directory)
        (directory / "var").mkdir()
        super().__init__(directory, **config)
        self._reader: _Reader | None = None

    def start(self) -> None:
        self.log_path.touch()
        self._reader = _Reader(self.log_path)
        var = str(self.directory / "var")
        argv = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", SETUP, "host", str(DISK_MB), var]
        room = [str(self._files), sys.executable, "-m", *self.program, str(self.config_path)]
        self.process = subprocess.Popen(
            argv + room, cwd=ROOT, env=self.environment(), stdin=subprocess.DEVNULL, stderr=self._reader.end
        )
        self._reader.start()

    def environment(self) -> dict[str, str]:
        """Its runtime directory is named, since it depends on who one is, and in there everybody is root."""
        there = load(self.config_path).runtime_dir
        there.mkdir(mode=0o700, parents=True, exist_ok=True)
        return {**super().environment(), **self.preload.environment, "RUNTIME_DIRECTORY": str(there)}

    def stop(self) -> int:
        self.read_log(True)
        status = super().stop()
        if self._reader is not None:
            self._reader.join(5)
        return status

    @property
    def disk(self) -> Path:
        """state_dir, as the room sees it."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/root{(self.directory / 'var').resolve()}")

    def names(self, alive: bool) -> None:
        """Whether a name can be looked up."""
        (self._files / "hosts").write_text(HOSTS if alive else "127.0.0.1 localhost\n")
        (self._files / "resolv.conf").write_text(NOBODY)

    def read_log(self, on: bool) -> None:
        """Whether anybody reads the log."""
        if self._reader is not None:
            (self._reader.awake.set if on else self._reader.awake.clear)()

    def hang_up_log(self) -> None:
        """Whoever read the log is gone for good."""
        if self._reader is not None:
            self._reader.gone.set()
            self._reader.awake.set()
            self._reader.join(5)

    def fill_disk(self) -> None:
        """To the last byte."""
        with (self.disk / "ballast").open("wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    def free_disk(self) -> None:
        (self.disk / "ballast").unlink()

    def journal(self) -> list[dict[str, Any]]:
        """Reports of what was heard; of the room that stands."""
        lines = [
            line for path in sorted((self.disk / "journal").glob("*.jsonl")) for line in path.read_text().splitlines()
        ]
        return [json.loads(line) for line in lines if line.endswith("}")]


class HostStage(Stage):
    """As any stage; its third receiver is reached by a name, and it is recorded on its small disk."""

    station_type = HostStation
    station: HostStation

    def __init__(self, **config: Any) -> None:
        super().__init__((*HEALTHY, THIRD, RECORDED), **config)

    def output(self, name: str, **more: Any) -> dict[str, Any]:
        if name == RECORDED:
            return {"name": name, "url": f"file:{self.directory}/var/{RECORDED}.mp4", "min_free_gb": 0}
        made = super().output(name, **more)
        if name == THIRD:
            made["url"] = made["url"].replace("127.0.0.1", NAME)
        return made

    def is_well(self, names: Sequence[str] | None = None) -> bool:
        return super().is_well(names or (*HEALTHY, THIRD))

    def recordings(self) -> list[Path]:
        """In the order in which they were begun."""
        return sorted(self.station.disk.glob(f"{RECORDED}-*.mp4"), key=lambda path: path.stat().st_mtime)


class _Reader(threading.Thread):
    """Reads what a room logs into a file, through a pipe that takes next to nothing, and while it is awake."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._from, self.end = os.pipe()
        fcntl.fcntl(self.end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.awake, self.gone = threading.Event(), threading.Event()
        self.awake.set()

    def run(self) -> None:
        os.close(self.end)
        with self._path.open("ab", buffering=0) as file:
            while not self.gone.is_set():
                self.awake.wait()
                data = os.read(self._from, PIPE_BYTES)
                if not data:
                    break
                file.write(data)
        os.close(self._from)
