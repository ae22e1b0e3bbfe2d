"""The supervisor's children by what they are to each other: stages, kinds, understudies, and who comes and goes.

In: plans, deaths, brakes. Out: charges that are to run, and those that were asked to leave. It waits for nothing and
starts no process; times are arguments.

An engine's understudies are a ladder of tiers (broadcaster.ladder): the same engine on fewer cards, smaller, at the
bottom one that needs no card. Tiers of one place use the same cards. Those that say what they need of one, and fit on
it together, run beside each other until the higher one has worked for a minute, as all do that share no cards. Of
others only one runs, and a higher one is tried again only while one of another place (the bridge) speaks meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog

from broadcaster import ladder
from broadcaster.charge import Charge
from broadcaster.children import REMEDIES, Plan
from broadcaster.watch import STEADY_S, TRIAL_S, BackOff

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
            startable = not charge.is_running and not charge.plan.elsewhere and now_s >= charge.start_s
            if startable and self._has_place(charge, now_s):
                yield charge

    # ── another configuration ────────────────────────────────────────────────────────────────────

    def become(
        self, plans: Mapping[str, Plan], renew: Sequence[str], now_s: float, only: Sequence[str] | None = None
    ) -> None:
        """Another director, other pushers; what is unchanged is not touched. renew: kinds that begin anew anyway.

        only: children that may begin, end or begin anew, None = any; others take their section up at their next start.
        """
        below = {tier.name for charge in self for tier in charge.plan.below}
        for charge in self:
            plan = plans.get(charge.plan.name)
            may = only is None or charge.plan.name in only
            if plan is None:
                if charge.plan.name not in below and may:
                    self._let_go(charge, now_s)
                continue
            charge.leaves = charge.leaves and not may
            if plan.kind == "engine":
                continue  # nothing of it is taken up on air, and cards that were lost must not change its ladder
            old, charge.plan = charge.plan, plan
            if may and (plan.kind in renew or (plan.renewable and plan.lasting != old.lasting)):
                charge.start_s, charge.back_off = now_s, BackOff()
                if charge.is_running:
                    charge.drain(now_s)
        known = {charge.plan.name for charge in self}
        new = [plan for name, plan in plans.items() if name not in known and (only is None or name in only)]
        self._charges += [Charge(plan) for plan in new]

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
        if understudy is not None and understudy.name == charge.plan.name:
            charge.plan, charge.back_off, charge.start_s = understudy, BackOff(), now_s
            return
        self.step_down(charge, ladder.CRASHES, now_s)

    # ── tiers ────────────────────────────────────────────────────────────────────────────────────

    def step_down(self, charge: Charge, why: str, now_s: float) -> Plan | None:
        """Have a tier below work in its place, and say when it is tried again; None when there is no such tier.

        One that runs goes on until another speaks (`hand_over`).
        """
        charge.fault = why
        below = ladder.step_down(charge.plan, why, lambda name: self._rests(name, now_s))
        if below is None:
            if why == ladder.SLOW:
                log.warning("tier.kept", child=charge.plan.name, why=why)
            return None
        wait_s = 0.0 if charge.plan.elsewhere else ladder.trial_after_s(charge.trials, TRIAL_S)
        charge.lowered, charge.start_s = why, now_s + wait_s
        charge.trials += 1
        if charge.is_running:
            charge.yields_s = now_s
        added = self._add(below)
        added.start_s = min(added.start_s, now_s)
        bridge = self._bridge(charge.plan)
        beside = charge.is_running and self._holder(added) is None
        if bridge and not beside and not _speaks(added):  # nobody would while it loads
            self._add(bridge)
        log.warning("tier.lowered", child=charge.plan.name, to=below.name, why=why, again_in_s=wait_s)
        return below

    def hand_over(self, now_s: float) -> None:
        """End tiers that were stepped down from, once another could speak; they finish their sentence."""
        for charge in self:
            if charge.yields_s is None or not charge.is_running or charge.kill_s is not None:
                continue
            below = {tier.name for tier in charge.plan.below}
            others = [other for other in self if other.plan.name in below and not other.leaves]
            speaks = any(_speaks(other) for other in others)
            blocked = charge.plan.place and all(self._waits(other, charge) for other in others)
            if speaks or blocked:
                charge.drain(now_s, ladder.SENTENCE_S)
                charge.start_s = now_s + ladder.trial_after_s(charge.trials - 1, TRIAL_S)

    def follow(self, charge: Charge, is_heard: bool | None, refused: str, now_s: float) -> None:
        """Of a tier that another process draws: whether playout shows it now, None when that says nothing.

        refused: why that process does not draw this room, "" when it does not say so.
        """
        charge.progress.beat(now_s, "ready" if is_heard else "loading", busy=False)
        if is_heard is not False:
            charge.heard_s = now_s
        elif not charge.lowered and (refused or now_s - charge.heard_s >= ladder.GONE_S):
            charge.settled = False
            self.step_down(charge, refused or ladder.GONE, now_s)
        if charge.lowered and (charge.progress.worked_s(now_s) or 0.0) >= STEADY_S:
            self.steady(charge, now_s)

    def slow(self) -> Iterator[Charge]:
        """Tiers at work that do not keep up. While another one loads, that is the load on the machine, and no fault."""
        engines = [charge for charge in self if charge.plan.kind == "engine" and charge.is_running]
        if any(charge.progress.working_since_s is None for charge in engines):
            return
        for charge in engines:
            if not charge.fault and charge.kill_s is None and ladder.is_slow(charge.facts):
                yield charge

    def tier(self, on_air: str, now_s: float) -> dict[str, Any]:
        """For the status: which tier is on air (an engine's name, "" = none), and why it is not the room's own."""
        top = next((charge for charge in self if charge.plan.kind == "engine"), None)
        if top is None:
            return {}
        name = str(top.plan.spec.get("name", ""))
        again = {} if top.plan.elsewhere else {"again_in_s": round(max(0.0, top.start_s - now_s), 1)}
        lowered = {"why": top.lowered, **again} if top.lowered else {}
        return {"on_air": on_air, "wanted": name, "lowered": on_air not in ("", name), **lowered}

    def _rests(self, name: str, now_s: float) -> bool:
        """Whether a tier was stepped down from itself, and waits for its trial."""
        there = next((charge for charge in self if charge.plan.name == name), None)
        return there is not None and bool(there.lowered) and not there.is_running and there.start_s > now_s

    def steady(self, charge: Charge, now_s: float) -> None:
        """It has worked for a minute: a crash loop is over, and what stood in for it goes."""
        lowered, charge.settled, charge.trials, charge.lowered = charge.lowered, True, 0, ""
        if charge.back_off.release(charge.progress.worked_s(now_s)):
            log.info("child.steady", child=charge.plan.name)
        if lowered:
            log.info("tier.raised", child=charge.plan.name, after=lowered)
        below = {tier.name for tier in charge.plan.below if tier.name != charge.plan.name}
        for other in self:
            if other.plan.name in below:
                self._let_go(other, now_s)

    def _waits(self, charge: Charge, other: Charge) -> bool:
        """Whether it cannot run before the other has ended."""
        same = charge.plan.place == other.plan.place
        return same and not charge.is_running and self._holder(charge) is not None

    def _has_place(self, charge: Charge, now_s: float) -> bool:
        """Whether nothing runs where it is to run, or all of that leaves it room."""
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
        """Who runs where it is to run, and leaves it no room."""
        place = charge.plan.place
        others = [other for other in self if other is not charge and other.is_running and other.plan.place == place]
        return others[0] if place and others and not _fits(charge, others) else None

    def _is_bridged(self, plan: Plan) -> bool:
        """Whether something speaks while cards change hands; it is called for when it is not there."""
        bridge = self._bridge(plan)
        if bridge is None:
            return True
        self._add(bridge)
        charge = next(other for other in self if other.plan.name == bridge.name)
        return charge.back_off.braked or charge.progress.working_since_s is not None

    def _bridge(self, plan: Plan) -> Plan | None:
        """The next tier that needs none of the cards of this one; None also when this one uses none."""
        return next((tier for tier in plan.below if tier.place != plan.place), None) if plan.place else None

    def _add(self, plan: Plan) -> Charge:
        """Have it run, unless it is there; one that was asked to leave stays."""
        there = next((charge for charge in self if charge.plan.name == plan.name), None)
        if there is None:
            there = Charge(plan)
            self._charges.append(there)
        there.leaves = False
        return there

    def _let_go(self, charge: Charge, now_s: float) -> None:
        """It ends in good order, and is not started again."""
        charge.leaves = True
        if not charge.is_running:
            self.forget(charge)
        else:
            charge.drain(now_s)


def _speaks(charge: Charge) -> bool:
    """Whether it could draw now."""
    return charge.is_running and charge.progress.working_since_s is not None


def _fits(charge: Charge, others: Sequence[Charge]) -> bool:
    """Whether the cards have room for all of them. What failed for want of memory or of a card has to be gone first."""
    if any(other.fault in (ladder.MEMORY, ladder.CARD) for other in others):
        return False
    return ladder.fits_beside([charge.plan.needs_gb, *map(_needs_gb, others)], charge.plan.there_gb)


def _needs_gb(charge: Charge) -> float:
    """What a tier that runs says it needs of a card, or takes where that is more; 0 = it does not say."""
    needs_gb = charge.plan.needs_gb
    notes = charge.facts.get("notes") if needs_gb else None
    taken = notes.get("memory_gb") if isinstance(notes, dict) else None
    return max(needs_gb, taken) if isinstance(taken, float) else needs_gb
