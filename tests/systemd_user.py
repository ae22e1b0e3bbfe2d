"""A real `systemd --user`, in namespaces of its own: cgroup, processes, mounts. Needs root, unshare and dbus.

In: a Python module to run beside it. Out: what that printed. The manager must not see the machine's own cgroups: it
would move every process of the root one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.station import ROOT, until

# $1: a cgroup's name. The rest: what to run. A cgroup tree of one's own needs a remount from within the namespace.
OUTER = """
set -e
systemd=/sys/fs/cgroup/systemd
[ -d $systemd ] || systemd=/sys/fs/cgroup
mkdir -p $systemd/$1
echo $$ > $systemd/$1/cgroup.procs
shift
exec unshare --cgroup --pid --mount --fork --kill-child --mount-proc sh -c "$INNER" inner "$@"
"""
INNER = """
set -e
mount --make-rprivate /
if [ -d /sys/fs/cgroup/systemd ]; then
  umount /sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
else
  umount -R /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR"
exec dbus-run-session -- "$@"
"""


def why_not() -> str:
    """What is missing to run one here; "" when nothing is."""
    if os.geteuid() != 0:
        return "a systemd in namespaces needs root"
    for program in ("systemd", "systemctl", "dbus-run-session", "unshare"):
        if subprocess.run(["sh", "-c", f"command -v {program}"], capture_output=True).returncode:
            return f"{program} is not installed"
    return ""


def run_beside(module: str, home: Path, timeout_s: float) -> str:
    """Run `python -m MODULE` with a systemd --user beside it, `home` being $HOME; AssertionError when it fails."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_RUNTIME_DIR": "/run/user/0",
        "INNER": INNER,
    }
    command = ["sh", "-c", OUTER, "outer", f"broadcaster-test-{os.getpid()}", sys.executable, "-m", module]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout_s)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


class Manager:
    """The manager, seen from within: started by the module that `run_beside` runs."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(["systemd", "--user", "--log-target=console", "--log-level=notice"])
        until(lambda: self("is-system-running").strip() in ("running", "degraded", "starting"), 20, "systemd runs")

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(["systemctl", "--user", *arguments], capture_output=True, text=True)
        return done.stdout + done.stderr

    def shows(self, unit: str) -> dict[str, str]:
        """ActiveState, SubState, MainPID, NRestarts, Result of a unit."""
        wanted = "ActiveState,SubState,MainPID,NRestarts,Result,StatusText"
        lines = self("show", unit, "-p", wanted).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def wait(self, unit: str, timeout_s: float, **facts: str) -> dict[str, str]:
        """Wait until the unit shows these."""
        deadline = time.monotonic() + timeout_s
        while not facts.items() <= (shown := self.shows(unit)).items():
            assert time.monotonic() < deadline, f"{unit}: {shown}, not {facts}\n{self('status', unit)}"
            time.sleep(0.1)
        return shown

    def end(self) -> None:
        self("exit")
        self._process.wait(30)
