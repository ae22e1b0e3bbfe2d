"""The supervisor's children by what they are to each other: stages, kinds, understudies, and who comes and goes.

In: plans, deaths, brakes. Out: charges that are to run, and those that were asked to leave. It waits for nothing and
starts no process; times are arguments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import structlog

from broadcaster.charge import Charge
from broadcaster.children import REMEDIES, Plan
from broadcaster.watch import TRIAL_S, BackOff

log = structlog.get_logger()


class Roster:
    """Iterating gives all charges, of which some may not run now; it may be changed meanwhile."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._charges = [Charge(plan) for plan in plans]

    def __iter__(self) -> Iterator[Charge]:
        return iter(list(self._charges))

    def of_kind(self, kind: str) -> list[Charge]:
        return [charge for charge in self._charges if charge.plan.kind == kind]

    def running(self, stage: int) -> list[Charge]:
        return [charge for charge in self._charges if charge.plan.stage == stage and charge.process is not None]

    def forget(self, charge: Charge) -> None:
        self._charges.remove(charge)

    # ── another configuration ────────────────────────────────────────────────────────────────────

    def become(self, plans: Mapping[str, Plan], renew: Sequence[str], now_s: float) -> None:
        """Another director, other pushers; what is unchanged is not touched. renew: kinds that begin anew anyway."""
        understudies = {plan.understudy.name for plan in plans.values() if plan.understudy}
        for charge in self:
            plan = plans.get(charge.plan.name)
            if plan is None:
                if charge.plan.name not in understudies:
                    self._let_go(charge, now_s)
                continue
            old, charge.plan, charge.leaves = charge.plan, plan, False
            if plan.kind in renew or (plan.renewable and plan.spec != old.spec):
                charge.start_s, charge.back_off = now_s, BackOff()
                if charge.process is not None:
                    charge.drain(now_s)
        known = {charge.plan.name for charge in self}
        self._charges += [Charge(plan) for name, plan in plans.items() if name not in known]

    # ── crash loops ──────────────────────────────────────────────────────────────────────────────

    def slow_down(self, charge: Charge, now_s: float, first: bool) -> None:
        """A crash loop: something else takes over where there is something, and somebody must look."""
        understudy = charge.plan.understudy
        if first:
            log.error(
                "child.braked",
                child=charge.plan.name,
                remedy=REMEDIES[charge.plan.kind],
                understudy=understudy.name if understudy else "",
            )
        if understudy is None:
            return
        if understudy.name == charge.plan.name:
            charge.plan, charge.back_off, charge.start_s = understudy, BackOff(), now_s
            return
        charge.start_s = now_s + TRIAL_S
        if all(other.plan.name != understudy.name for other in self):
            self._charges.append(Charge(understudy))

    def steady(self, charge: Charge, now_s: float) -> None:
        """The crash loop is over: its understudy goes."""
        log.info("child.steady", child=charge.plan.name)
        understudy = charge.plan.understudy
        for other in self:
            if understudy is not None and other.plan.name == understudy.name and other is not charge:
                self._let_go(other, now_s)

    def _let_go(self, charge: Charge, now_s: float) -> None:
        """It ends in good order, and is not started again."""
        charge.leaves = True
        if charge.process is None:
            self.forget(charge)
        else:
            charge.drain(now_s)
