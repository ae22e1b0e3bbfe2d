"""The supervisor's children by what they are to each other: stages, kinds, understudies, and who comes and goes.

In: plans, deaths, brakes. Out: charges that are to run, and those that were asked to leave. It waits for nothing and
starts no process; times are arguments.

An engine's understudies are a ladder: the same engine on fewer cards, at the bottom one that needs none. Tiers of one
place use the same cards, so only one of them runs, and a higher one is tried again only while the lowest of another
place (the bridge) speaks meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import structlog

from broadcaster.charge import Charge
from broadcaster.children import REMEDIES, Plan
from broadcaster.watch import TRIAL_MAX_S, TRIAL_S, BackOff

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
        return [charge for charge in self._charges if charge.plan.stage == stage and charge.is_running]

    def forget(self, charge: Charge) -> None:
        self._charges.remove(charge)

    def due(self, now_s: float) -> Iterator[Charge]:
        """What is to be started now. What stands in the way of a higher tier is asked to leave its place to it."""
        for charge in self:
            if not charge.is_running and now_s >= charge.start_s and self._has_place(charge, now_s):
                yield charge

    # ── another configuration ────────────────────────────────────────────────────────────────────

    def become(self, plans: Mapping[str, Plan], renew: Sequence[str], now_s: float) -> None:
        """Another director, other pushers; what is unchanged is not touched. renew: kinds that begin anew anyway."""
        below = {tier.name for charge in self for tier in charge.plan.below}
        for charge in self:
            plan = plans.get(charge.plan.name)
            if plan is None:
                if charge.plan.name not in below:
                    self._let_go(charge, now_s)
                continue
            charge.leaves = False
            if plan.kind == "engine":
                continue  # nothing of it is taken up on air, and cards that were lost must not change its ladder
            old, charge.plan = charge.plan, plan
            if plan.kind in renew or (plan.renewable and plan.spec != old.spec):
                charge.start_s, charge.back_off = now_s, BackOff()
                if charge.is_running:
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
        wait_s = TRIAL_S
        if understudy.place and understudy.place == charge.plan.place:
            wait_s = min(TRIAL_S * 2**charge.trials, TRIAL_MAX_S)
            charge.trials += 1
        charge.start_s = now_s + wait_s
        self._add(understudy)
        self._add(self._bridge(charge.plan))

    def steady(self, charge: Charge, now_s: float) -> None:
        """It has worked for a minute: a crash loop is over, and what stood in for it goes."""
        charge.settled, charge.trials = True, 0
        if charge.back_off.release(charge.progress.worked_s(now_s)):
            log.info("child.steady", child=charge.plan.name)
        below = {tier.name for tier in charge.plan.below if tier.name != charge.plan.name}
        for other in self:
            if other.plan.name in below:
                self._let_go(other, now_s)

    def _has_place(self, charge: Charge, now_s: float) -> bool:
        """Whether nothing runs where it is to run."""
        holder = self._holder(charge)
        if holder is None:
            return True
        if holder.plan.name in {tier.name for tier in charge.plan.below} and not holder.drained:
            worked_s = holder.progress.worked_s(now_s)
            if worked_s is not None and worked_s >= TRIAL_S and self._is_bridged(charge.plan):
                log.info("child.tried", child=charge.plan.name, instead_of=holder.plan.name)
                holder.drain(now_s)
        return False

    def _holder(self, charge: Charge) -> Charge | None:
        place = charge.plan.place
        others = [other for other in self if other is not charge and other.is_running and other.plan.place == place]
        return others[0] if place and others else None

    def _is_bridged(self, plan: Plan) -> bool:
        """Whether something speaks while cards change hands; it is called for when it is not there."""
        bridge = self._bridge(plan)
        if bridge is None:
            return True
        self._add(bridge)
        charge = next(other for other in self if other.plan.name == bridge.name)
        return charge.back_off.braked or charge.progress.working_since_s is not None

    def _bridge(self, plan: Plan) -> Plan | None:
        """The next tier that needs none of the cards of this one."""
        return next((tier for tier in plan.below if tier.place != plan.place), None)

    def _add(self, plan: Plan | None) -> None:
        """Have it run, unless it is there; one that was asked to leave stays."""
        if plan is None:
            return
        there = next((charge for charge in self if charge.plan.name == plan.name), None)
        if there is None:
            self._charges.append(Charge(plan))
        else:
            there.leaves = False

    def _let_go(self, charge: Charge, now_s: float) -> None:
        """It ends in good order, and is not started again."""
        charge.leaves = True
        if not charge.is_running:
            self.forget(charge)
        else:
            charge.drain(now_s)
