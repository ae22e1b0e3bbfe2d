"""When a child counts as hung, and when a dead one is started again. Pure: no process, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

BACK_OFF_S = (0.0, 0.1, 0.3, 1.0, 2.0, 5.0)  # the first restart is at once; then a crash loop slows down
BURST, BURST_S = 12, 60.0  # so many deaths in so long are a crash loop, even of a child that gets to work each time
STEADY_S = 60.0  # of work in a row end a crash loop
TRIAL_S = 60.0  # between the starts of a child whose understudy is at work: each one may disturb the air
TRIAL_MAX_S = 3600.0  # where a trial takes the understudy's cards away, the next one waits twice as long, up to this
WORKING = ("ready", "live", "running")  # phases that count as having got to work
STEP_MEMORY = 500  # steps whose lengths are remembered for the p99
HANG_FACTOR = 3.0  # times p99: a step longer than that is a hang, where that exceeds the phase's deadline
UNKNOWN_PHASE_S = 10.0


@dataclass(slots=True)
class Progress:
    """What is known of one child's progress; the supervisor feeds it beats. Times: seconds, monotonic."""

    started_s: float
    beat_s: float
    phase: str = "loading"
    busy: bool = False
    turned_s: float = 0.0  #: when it last began or ended a step, or got to work
    working_since_s: float | None = None
    _steps: deque[float] = field(default_factory=lambda: deque(maxlen=STEP_MEMORY))

    def beat(self, now_s: float, phase: str, busy: bool) -> None:
        if self.busy and not busy:
            if phase not in WORKING:
                self._steps.clear()  # the last of the warming steps stands for those to come
            self._steps.append(now_s - self.turned_s)
        if (phase in WORKING) is not (self.working_since_s is not None) or busy is not self.busy:
            self.turned_s = now_s
        if phase not in WORKING:
            self.working_since_s = None
        elif self.working_since_s is None:
            self.working_since_s = now_s
        self.beat_s, self.phase, self.busy = now_s, phase, busy

    def forgive(self, away_s: float, now_s: float) -> None:
        """Nobody looked for so long: what was to be heard meanwhile may still come."""
        self.beat_s, self.turned_s = min(self.beat_s + away_s, now_s), min(self.turned_s + away_s, now_s)

    def worked_s(self, now_s: float) -> float | None:
        """How long it has been at work without a break; None when it is not."""
        return None if self.working_since_s is None else now_s - self.working_since_s

    def deadline_s(self, phases: Mapping[str, float]) -> float:
        """How old the last beat may be now."""
        limit = phases.get(self.phase, UNKNOWN_PHASE_S)
        if self.busy and self._steps:
            longest = sorted(self._steps)[int(len(self._steps) * 0.99)]
            return max(limit, HANG_FACTOR * longest)
        return limit

    def overdue_s(self, now_s: float, phases: Mapping[str, float]) -> float:
        """Seconds past the deadline; ≤ 0 while all is well."""
        return now_s - self.beat_s - self.deadline_s(phases)


@dataclass(slots=True)
class BackOff:
    """How long to wait before the next start: not at all after one that got to work, unless that is too often.

    A child that came to the longest wait is braked: it stays there until it has worked for a minute.
    """

    failures: int = 0
    braked: bool = False
    _deaths_s: deque[float] = field(default_factory=lambda: deque(maxlen=BURST))

    def after_death(self, now_s: float, worked_s: float | None) -> float:
        """Seconds to wait. worked_s: how long it had been at work, None when it was not."""
        self.release(worked_s)
        often = len(self._deaths_s) == BURST and now_s - self._deaths_s[0] < BURST_S
        self._deaths_s.append(now_s)
        if worked_s is not None and not often and not self.braked:
            self.failures = 0
        wait_s = BACK_OFF_S[min(self.failures, len(BACK_OFF_S) - 1)]
        self.failures += 1
        self.braked = self.braked or wait_s == BACK_OFF_S[-1]
        return wait_s

    def release(self, worked_s: float | None) -> bool:
        """End the brake after a minute of work; true when it ended now."""
        if not self.braked or worked_s is None or worked_s < STEADY_S:
            return False
        self.braked, self.failures = False, 0
        self._deaths_s.clear()
        return True
