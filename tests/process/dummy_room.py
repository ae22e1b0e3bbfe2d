"""A supervisor over dummy children: `python -m tests.process.dummy_room DIR NAME=BEHAVIOUR …`."""

from __future__ import annotations

import sys
from pathlib import Path

from broadcaster import log
from broadcaster.children import Plan
from broadcaster.notify import Notifier
from broadcaster.supervisor import Supervisor
from pipeline.clock import RealClock

STAGES = {"director": 0, "engine": 1, "playout": 2, "pusher": 3}


def main() -> int:
    directory = Path(sys.argv[1])
    log.configure("supervisor")
    plans = []
    for argument in sys.argv[2:]:
        name, _, behaviour = argument.partition("=")
        kind = name.partition("-")[0]
        argv = (sys.executable, "-m", "tests.process.dummy_child", str(directory), behaviour)
        plans.append(Plan(name, kind, STAGES[kind], {"loading": 10.0, "ready": 1.0}, {}, argv))
    return Supervisor(plans, RealClock(), Notifier()).run()


if __name__ == "__main__":
    sys.exit(main())
