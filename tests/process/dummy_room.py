"""A supervisor over dummy children: `python -m tests.process.dummy_room DIR CHILD …`.

Each child is NAME=BEHAVIOUR[*RANKS][:gated|:UNDERSTUDY].
When it is told to read its configuration again, it reads the same arguments from the file `next` in DIR.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from broadcaster import log
from broadcaster.children import Plan
from broadcaster.notify import Notifier
from broadcaster.reader import Reloader
from broadcaster.reload import InForce, Outcome
from broadcaster.supervisor import Supervisor
from pipeline.clock import RealClock
from pipeline.wire import ChangeOutput

STAGES = {"director": 0, "monitor": 0, "engine": 1, "playout": 2, "pusher": 3}


class FromFile(Reloader):
    """Finds what stands in a file, at once."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / "next", directory, "", InForce({}))
        self._asked = False

    @property
    def is_running(self) -> bool:
        return self._asked

    def start(self, now_s: float, change: ChangeOutput | None = None, rehearse: bool = False) -> None:
        self._asked = True

    def outcome(self, now_s: float) -> Outcome | None:
        self._asked = False
        text = self.path.read_text()
        if text.startswith("bad"):
            return Outcome(reasons=[text])
        return Outcome(applied=["outputs"], plans=plans(self.path.parent, text.split()))


def plans(directory: Path, arguments: Sequence[str]) -> list[Plan]:
    made = []
    outputs = [argument.partition("=")[0][7:] for argument in arguments if argument.startswith("pusher-")]
    for argument in arguments:
        name, _, rest = argument.partition("=")
        behaviour, _, more = rest.partition(":")
        gated = more == "gated"
        made.append(_plan(directory, name, behaviour, outputs, gated, "" if gated else more))
    return made


def _plan(directory: Path, name: str, behaviour: str, outputs: list[str], gated: bool, understudy: str) -> Plan:
    kind = name.partition("-")[0]
    behaviour, _, ranks = behaviour.partition("*")
    argv = (sys.executable, "-m", "tests.process.dummy_child", str(directory), behaviour)
    spec = {"outputs": outputs, "ack": "any"} if kind == "playout" else {"behaviour": behaviour}
    other = _plan(directory, understudy, "beat", outputs, False, "") if understudy else None
    phases = {"loading": 10.0, "ready": 1.0}
    return Plan(name, kind, STAGES[kind], phases, spec, argv, gated=gated, understudy=other, ranks=int(ranks or 1))


def main() -> int:
    directory = Path(sys.argv[1])
    log.configure("supervisor")
    runtime_dir = Path(os.environ["RUNTIME_DIRECTORY"])
    made = plans(directory, sys.argv[2:])
    return Supervisor(made, RealClock(), Notifier(), runtime_dir, FromFile(directory)).run()


if __name__ == "__main__":
    sys.exit(main())
