"""Other words for the script, a lap ahead of when they are said.

In: each line as a reading takes it, or looks ahead at it. Out: at once, the version that is ready, else the line as it
was written; and in the background, by one request at a time, a version for the next lap. Nothing ever waits for it, and
what broadcaster.rewrite.verdict doubts is not said. A line gets one try a lap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from broadcaster.rewrite.budget import Budget
from broadcaster.rewrite.prompt import Answer
from broadcaster.rewrite.verdict import TOO_CLOSE, verdict
from pipeline.clock import NS, Clock
from pipeline.errors import RewriteError, RewriteRefused

TRIES = 2  # for a version that is too close to what was said
LINES_KEPT = 12_000  # of which versions are remembered; a script of ten thousand lines has its place
WAITING_MAX = 2_000  # lines to be rewritten; beyond that they are said as they are written
LINE_MAX_CHARS = 1_000  # longer ones are said as they are written
RESTS_S = (5.0, 15.0, 60.0, 300.0)  # after a failure, the next, …; the last again and again
REFUSED_REST_S = 600.0  # after an answer that will be the same next time
EMPTY_REST_S = 60.0  # until the budget is looked at again

log = structlog.get_logger()


class Endpoint(Protocol):
    async def reword(self, line: str, lately: Sequence[str]) -> Answer: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class _Line:
    """A text stands beside each version that was made of it: an edited line has none. given: by lap. fresh: not given
    yet. tried: the newest lap for whose sake a version was asked for.
    """

    given: dict[int, tuple[str, str]] = field(default_factory=dict)
    fresh: tuple[str, str] | None = None
    tried: int = -1


class Rewriter:
    """All on the director's loop. locked: names that are facts. remembered: versions that the next must differ from."""

    def __init__(
        self,
        endpoint: Endpoint,
        budget: Budget,
        clock: Clock,
        locked: Callable[[], Sequence[str]],
        remembered: int,
    ) -> None:
        self._endpoint = endpoint
        self._budget = budget
        self._clock = clock
        self._locked = locked
        self._remembered = remembered
        self._lines: dict[str, _Line] = {}
        self._waiting: dict[str, tuple[int, str]] = {}  # line → lap, text
        self._some = asyncio.Event()
        self._failures = 0
        self._rests_until_ns = 0
        self._is_spent = False
        self.made = self.kept = 0  #: versions that may be said, and lines that stay as they were written

    def reword(self, identity: str, lap: int, text: str) -> str:
        """What to say for this line in this lap, at once: a version, and then the same one however often it is asked,
        or the line as it was written while there is none.
        """
        line = self._lines.pop(identity, None) or _Line()
        self._lines[identity] = line
        if len(self._lines) > LINES_KEPT:
            del self._lines[next(iter(self._lines))]
        given = line.given.get(lap)
        if (given is None or given[0] != text) and line.fresh is not None and line.fresh[0] == text:
            given = line.given[lap] = line.fresh
            line.fresh = None
            for old in sorted(line.given)[: -self._remembered]:
                del line.given[old]
        if line.fresh is None and lap > line.tried and len(text) <= LINE_MAX_CHARS:
            self._want(identity, lap, text)
        return given[1] if given is not None and given[0] == text else text

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            while not self._waiting:
                self._some.clear()
                await self._some.wait()
            if (rest_s := self._rest_s()) > 0:
                await asyncio.sleep(rest_s)
                continue
            identity = next(iter(self._waiting))
            lap, text = self._waiting.pop(identity)
            if (line := self._lines.get(identity)) is not None:
                line.tried = max(line.tried, lap)
                await self._rewrite(identity, line, text)

    async def close(self) -> None:
        await self._endpoint.close()

    def facts(self) -> dict[str, int | str]:
        """For the status."""
        state = "spent" if self._is_spent else "resting" if self._rest_s() > 0 else "well"
        return {"state": state, "made": self.made, "kept": self.kept, "waiting": len(self._waiting)}

    # ── one line ─────────────────────────────────────────────────────────────────────────────────

    def _want(self, identity: str, lap: int, text: str) -> None:
        if identity in self._waiting or len(self._waiting) < WAITING_MAX:
            self._waiting[identity] = (lap, text)
            self._some.set()

    async def _rewrite(self, identity: str, line: _Line, text: str) -> None:
        reason, version = "", ""
        lately = [text, *(version for original, version in line.given.values() if original == text)]
        for _ in range(TRIES):
            answer = await self._ask(text, lately)
            if answer is None:
                return
            version = answer.text
            reason = verdict(text, version, lately, self._locked())
            if reason != TOO_CLOSE:
                break
        if reason:
            self.kept += 1
            log.info("rewrite.kept", line=identity, reason=reason)
        else:
            self.made += 1
            line.fresh = (text, version)

    async def _ask(self, text: str, lately: Sequence[str]) -> Answer | None:
        """None when there is no answer, which is told, or may be none."""
        if not self._may_spend():
            return None
        self._budget.ask()
        try:
            answer = await self._endpoint.reword(text, lately)
        except RewriteError as error:
            self._failed(error)
            return None
        self._budget.cost(answer.tokens)
        if self._failures:
            log.info("rewrite.recovered", failures=self._failures)
            self._failures = 0
        return answer

    # ── bounds ───────────────────────────────────────────────────────────────────────────────────

    def _rest_s(self) -> float:
        """How long nothing may be asked."""
        if not self._may_spend():
            return EMPTY_REST_S
        return max(0.0, (self._rests_until_ns - self._clock.now_ns()) / NS)

    def _may_spend(self) -> bool:
        left = self._budget.left
        if not left and not self._is_spent:
            log.warning("rewrite.spent")
        self._is_spent = not left
        return left

    def _failed(self, error: RewriteError) -> None:
        refused = isinstance(error, RewriteRefused)
        rest_s = REFUSED_REST_S if refused else RESTS_S[min(self._failures, len(RESTS_S) - 1)]
        if not self._failures:
            log.warning("rewrite.failed", reason=str(error))
        self._failures += 1
        self._rests_until_ns = self._clock.now_ns() + int(rest_s * NS)
