"""The pattern engine on several ranks, and a room that knows it: `python -m tests.rankedpattern room CONFIG`.

Its engine is called `ranked` in a configuration. Every rank makes every step and agrees on the state, over the same
gang as the real thing; what it draws can be counted. A file `broken` beside the weights makes gangs of that many ranks
(it holds a number) fail as they are made; a file `lost` has them miss a card. The room brakes at the second death in a
row, and tries again in seconds.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

import broadcaster.child
from broadcaster import roster, supervisor, watch
from pipeline import engine, follower
from pipeline.arrays import silence
from pipeline.engine import Job, Made
from pipeline.engines.pattern import HOP_FRAMES, PatternEngine, PatternState
from pipeline.errors import EngineError
from pipeline.media import DRIVE_SAMPLES

NAME = "ranked"
HASTE_S = 4.0  # in the place of a minute
CUDA = RuntimeError("CUDA error: uncorrectable ECC error encountered")


class RankedPattern(PatternEngine):
    def __init__(
        self,
        weights: str,
        cache: str,
        beat: Callable[[], None] = lambda: None,
        device: str = "auto",
        strategy: str = "auto",
        steps: int = 4,
        sage: bool = False,
        offload: bool | None = None,
        gang: Any = None,
    ) -> None:
        self._gang = gang
        self._calls = 0
        world = str(gang.world if gang else 1)
        for name, error in (("broken", EngineError("this number of ranks does not work today")), ("lost", CUDA)):
            if (Path(weights) / name).exists() and (Path(weights) / name).read_text() == world:
                raise error
        (Path(weights) / f"rank-{gang.rank if gang else 0}.threads").write_text(os.environ.get("OMP_NUM_THREADS", ""))

    def step(self, jobs: Sequence[Job]) -> Sequence[Made]:
        if self._gang is not None and self._gang.rank == 0:
            self._gang.tell(msgspec.msgpack.encode([job.state for job in jobs]))
        made = super().step(jobs)
        if self._gang is not None:
            self._calls += 1
            self._gang.agree(self._calls, "step", b"".join(self.save(one.state) for one in made))
        return made


def follow(ranked: RankedPattern, gang: Any, beat: Callable[[], None]) -> None:
    beat()
    while (data := gang.hear(beat=beat)) is not None:
        states = msgspec.msgpack.decode(data, type=list[PatternState])
        ranked.step([Job(state, silence(HOP_FRAMES * DRIVE_SAMPLES), silence(0)) for state in states])
        beat()


def known() -> None:
    """Enter the engine in the tables of this process."""
    engine.ENGINES[NAME] = "tests.rankedpattern:RankedPattern"  # type: ignore[index]
    follower.RANKED[NAME] = "tests.rankedpattern:follow"  # type: ignore[index]


def main() -> int:
    known()
    role = sys.argv.pop(1)
    if role == "child":
        broadcaster.child.leave(broadcaster.child.main())
    watch.BACK_OFF_S = (0.0, 1.0)
    watch.STEADY_S = supervisor.STEADY_S = roster.TRIAL_S = HASTE_S
    return _room(Path(sys.argv[1]))


def _room(path: Path) -> int:
    """`broadcaster run`, with engines that are started through this file."""
    from broadcaster import children, log, room
    from broadcaster.config import load
    from broadcaster.notify import Notifier
    from broadcaster.supervisor import Supervisor
    from pipeline.clock import RealClock

    loaded = load(path)
    log.configure("supervisor")
    with room.held(loaded) as runtime_dir:
        plans = [_through_here(plan) for plan in children.plan(loaded, runtime_dir, room.owner(loaded))]
        return Supervisor(plans, RealClock(), Notifier(), runtime_dir).run()


def _through_here(plan: Any) -> Any:
    if plan.spec.get("engine") != NAME:
        return plan
    argv = (sys.executable, "-m", "tests.rankedpattern", "child", plan.kind, plan.name)
    below = _through_here(plan.understudy) if plan.understudy else None
    return replace(plan, argv=argv, understudy=below)


if __name__ == "__main__":
    sys.exit(main())
