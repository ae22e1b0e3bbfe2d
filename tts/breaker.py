"""Which providers of a chain are well, which rest, and when a resting one is tried again.

In: what became of each thing that was asked of a provider. Out: that, and word of changes in the log. It asks nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from pipeline.clock import NS, Clock
from pipeline.errors import SpeechError, TooOften, UnknownVoice

REST_S = 30.0  #: a provider that failed is left alone so long, and after each failed probe
ASKED_REST_S = 600.0  #: the longest that a provider which asks for time is given; some ask for a day
ALONE_REST_S = (0.0, 1.0, 2.0, 4.0, 8.0)  #: while no other one is well; the last again and again

log = structlog.get_logger()


@dataclass(slots=True)
class Health:
    """Of one provider. setbacks: its failures in all; what was asked before one tells nothing of what is after it."""

    name: str
    rests_until_ns: int | None = None  # None: well
    proven: bool = False  # it spoke, or said a probe, since it last failed
    failures: int = 0  # since it last worked
    setbacks: int = 0
    last_reason: str = ""  # told once, not at every sentence

    @property
    def well(self) -> bool:
        return self.rests_until_ns is None


class Breaker:
    """rest_s: of a provider that failed while another one is well."""

    def __init__(self, names: Sequence[str], clock: Clock, rest_s: float) -> None:
        self._clock = clock
        self._rest_s = rest_s
        self.all = [Health(name) for name in names]  #: best first

    @property
    def works(self) -> bool:
        return any(one.well for one in self.all)

    def rested(self, one: Health) -> bool:
        """Whether it is time to try it again."""
        return one.rests_until_ns is not None and self._clock.now_ns() >= one.rests_until_ns

    def worked(self, one: Health, setbacks: int) -> None:
        """`setbacks`: as they were when it was asked."""
        if one.setbacks != setbacks:
            return
        if not one.well:
            log.info("voice.recovered", name=one.name)
        one.rests_until_ns, one.last_reason, one.failures = None, "", 0
        one.proven = True

    def failed(self, one: Health, error: SpeechError, setbacks: int) -> None:
        """`setbacks`: as they were when it was asked."""
        if str(error) != one.last_reason:
            log.warning("voice.failed", name=one.name, reason=str(error))
        one.last_reason = str(error)
        if isinstance(error, UnknownVoice) or one.setbacks != setbacks:
            return  # the provider is well, it only lacks this voice; or its failure is known already
        did_work = self.works
        one.rests_until_ns = self._clock.now_ns()
        rest_s = self._rest_s
        if not self.works:
            rest_s = min(rest_s, ALONE_REST_S[min(one.failures, len(ALONE_REST_S) - 1)])
            if did_work:
                log.error("voice.none_left", reason=str(error))
                self._hurry()
        if isinstance(error, TooOften):
            rest_s = max(rest_s, min(error.after_s, ASKED_REST_S))
        one.rests_until_ns += int(rest_s * NS)
        one.failures += 1
        one.setbacks += 1
        one.proven = False

    def _hurry(self) -> None:
        """Nobody is well: those that rest while another one spoke are tried now."""
        now_ns = self._clock.now_ns()
        for one in self.all:
            if one.rests_until_ns is not None:
                one.rests_until_ns = min(one.rests_until_ns, now_ns)
                one.failures = 0
