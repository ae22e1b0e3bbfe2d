"""A room under a real systemd: ready with its first frame, restarted when it hangs, stopped in good order.

Run by test_systemd.py within `systemd_user.run_beside`; prints what it saw as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.station import until
from tests.systemd_user import Manager

UNIT = "broadcaster@shop"
WATCHDOG_S = 3.0


def main() -> None:
    home = Path(os.environ["HOME"])
    manager = Manager()
    installed = subprocess.run(
        [sys.executable, "-m", "broadcaster.cli", "systemd", "install", "shop", "--user", "--root", "/"],
        capture_output=True,
        text=True,
    )
    assert installed.returncode == 0, installed.stderr
    hurried = home / ".config/systemd/user" / f"{UNIT}.service.d" / "watchdog.conf"
    hurried.write_text(f"[Service]\nWatchdogSec={WATCHDOG_S:g}\n")
    manager("daemon-reload")
    seen: dict[str, object] = {"install": installed.stdout + installed.stderr}
    began_s = time.monotonic()
    manager("start", f"{UNIT}.service")
    first = manager.wait(UNIT, 60, ActiveState="active", SubState="running")
    seen["ready_s"] = time.monotonic() - began_s
    os.kill(int(first["MainPID"]), signal.SIGSTOP)  # the supervisor hangs: nobody pets the watchdog
    began_s = time.monotonic()
    again = manager.wait(UNIT, 60, NRestarts="1", ActiveState="active", SubState="running")
    seen["again_s"] = time.monotonic() - began_s
    seen["pids"] = [first["MainPID"], again["MainPID"]]
    journal = home.parent / "state" / "journal"
    until(lambda: _aired(journal) >= 2, 30, "sentences are aired")
    seen["aired"] = _aired(journal)
    reload = manager("reload", f"{UNIT}.service")
    seen["reload"] = reload
    manager.wait(UNIT, 60, ActiveState="active")
    manager("stop", f"{UNIT}.service")
    seen["stopped"] = manager.wait(UNIT, 60, ActiveState="inactive")
    sys.stdout.write(json.dumps(seen) + "\n")
    sys.stdout.flush()
    manager.end()


def _aired(journal: Path) -> int:
    return sum(path.read_text().count("sentence_aired") for path in journal.glob("*.jsonl"))


if __name__ == "__main__":
    main()
