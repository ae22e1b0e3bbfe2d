"""The processes of a room, counted from outside by /proc: who is there, and what each holds.

It asks nobody, so it also works while the queue, the director or the supervisor is stopped.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STANDBY = "standby"
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Count:
    """One look at one process. at_s: CLOCK_MONOTONIC. rss_mb: 10^6 bytes."""

    at_s: float
    name: str
    pid: int
    rss_mb: float
    descriptors: int
    threads: int


def pids(supervisor: int) -> dict[str, int]:
    """The supervisor and its children by the names that status gives them; a gang by its rank 0."""
    found = {"supervisor": supervisor}
    for pid in sorted(_children(supervisor)):
        with contextlib.suppress(OSError):
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            if "redis-server" in Path(argv[0].split(" ")[0]).name:
                found.setdefault("redis", pid)
            elif Path(f"/proc/{pid}/comm").read_text().startswith(STANDBY):
                continue  # nobody yet
            elif "child" in argv or "broadcaster.child" in argv:
                found.setdefault([word for word in argv if word not in ("", STANDBY)][-1], pid)
    return found


def standbys(supervisor: int) -> dict[str, int]:
    """The processes that stand by, by the name of the child that each would follow."""
    found = {}
    for pid in _children(supervisor):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().startswith(STANDBY):
                argv = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                found[argv[argv.index(STANDBY) - 1]] = pid
    return found


def count(name: str, pid: int) -> Count | None:
    """None when it has just ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        rss = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return None
    if fields[0] in "ZX":
        return None
    return Count(time.monotonic(), name, pid, rss / 1e6, descriptors, int(fields[17]))


class Census:
    """Counts every process each `every_s` seconds, in a thread of its own, until closed."""

    def __init__(self, supervisor: int, every_s: float) -> None:
        self.counts: list[Count] = []
        self._supervisor = supervisor
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Census:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def now(self) -> dict[str, Count]:
        """One look at all of them."""
        looked = (count(name, pid) for name, pid in pids(self._supervisor).items())
        return {one.name: one for one in looked if one is not None}

    def of(self, name: str, pid: int) -> list[Count]:
        return [one for one in list(self.counts) if (one.name, one.pid) == (name, pid)]

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self.counts += self.now().values()


def _children(pid: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    yield int(entry.name)
