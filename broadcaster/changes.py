"""Orders that change what runs, one at a time: the configuration read again, an output changed, an upgrade.

In: orders, each with somebody who waits for the answer. Out: another roster, children that are told or begin anew, and
answers. It belongs to the supervisor's loop, and waits for nothing; the reading is done by a process of its own
(broadcaster.reader), the order of an upgrade is a pure one (broadcaster.upgrade).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from broadcaster.charge import Charge
from broadcaster.children import RETARGETED, TOLD, Plan
from broadcaster.handmade import Change
from broadcaster.reader import Reloader
from broadcaster.reload import Outcome
from broadcaster.roster import Roster
from broadcaster.upgrade import Action, End, Look, Restart, Seen, Upgrade, refused
from pipeline.wire import Answer, ChangeOutput, Message, Reload, Retarget
from pipeline.wire import Upgrade as UpgradeOrder

WAITING_MAX = 16  # orders; more are turned away
BUSY = "an upgrade is under way, at {}: try again when it has ended"

log = structlog.get_logger()

Order = Reload | ChangeOutput | UpgradeOrder
Reply = Callable[[Answer], None]


class Room(Protocol):
    """What the supervisor lends."""

    def tell(self, kind: str, message: Message) -> None:
        """Send this to the children of a kind."""

    def reading(self, begins: bool) -> None:
        """The configuration is about to be read; or it was."""

    def hushed(self) -> None:
        """No sentence may begin from now on; or one may again."""

    def panicked(self) -> bool:
        """The operator's panic is on."""


@dataclass(slots=True)
class Asked:
    order: Order
    replies: list[Reply] = field(default_factory=list)

    def answer(self, answer: Answer) -> None:
        for reply in self.replies:
            reply(answer)


class Changes:
    """`order` takes one, `turn` goes on with them; without a reloader there is nothing to read."""

    def __init__(self, roster: Roster, reloader: Reloader | None, room: Room) -> None:
        self._roster = roster
        self._reloader = reloader
        self._room = room
        self._waiting: deque[Asked] = deque()
        self._reading: Asked | None = None
        self._upgrade: Upgrade | None = None
        self._upgraded: Asked | None = None  # who waits for it
        self._plans: dict[str, Plan] = {}  # of the new code

    @property
    def hush(self) -> bool:
        """Whether no sentence may be begun, for its process is about to be replaced."""
        return self._upgrade is not None and self._upgrade.hush

    @property
    def upgrading(self) -> bool:
        return self._upgrade is not None

    def facts(self) -> dict[str, Any]:
        """For the status: outputs that are not as the file says, and the upgrade under way."""
        kept: dict[str, Change] = self._reloader.in_force.kept if self._reloader else {}
        return {
            **({"changed_outputs": {name: change.what for name, change in kept.items()}} if kept else {}),
            **({"upgrade": self._upgrade.step, "hush": self.hush} if self._upgrade else {}),
        }

    def order(self, order: Order, reply: Reply | None = None) -> None:
        """reply: None for one that nobody waits for, as a signal. It may be called more than once: see Answer.more."""
        replies = [reply] if reply else []
        if self._reloader is None:
            Asked(order, replies).answer(Answer(False, ["this room has no configuration file"]))
        elif self._upgrade is not None and replies:
            Asked(order, replies).answer(Answer(False, [BUSY.format(self._upgrade.step or "its next step")]))
        elif isinstance(order, Reload) and self._waiting and isinstance(self._waiting[-1].order, Reload):
            self._waiting[-1].replies += replies  # the file is read once for both, and after both were asked
        elif len(self._waiting) >= WAITING_MAX:
            Asked(order, replies).answer(Answer(False, [f"{WAITING_MAX} orders wait already: try again"]))
        else:
            self._waiting.append(Asked(order, replies))

    def turn(self, now_s: float) -> None:
        """Go on with what was ordered, as far as it can without waiting."""
        if self._reloader is None:
            return
        if self._upgrade is not None:
            self._advance(self._upgrade, now_s)
        elif self._reading is not None:
            if (outcome := self._reloader.outcome(now_s)) is not None:
                asked, self._reading = self._reading, None
                self._room.reading(begins=False)
                self._follow(asked, outcome, now_s)
        elif self._waiting:
            self._read(self._waiting.popleft(), self._reloader, now_s)
        else:
            self._reloader.tidy()

    def abandon(self) -> None:
        """The room stops."""
        for asked in [*self._waiting, *[one for one in (self._reading, self._upgraded) if one is not None]]:
            asked.answer(Answer(False, ["the room is stopping"]))
        self._waiting.clear()
        self._reading = self._upgrade = self._upgraded = None
        if self._reloader is not None:
            self._reloader.close()

    # ── the configuration ────────────────────────────────────────────────────────────────────────

    def _read(self, asked: Asked, reloader: Reloader, now_s: float) -> None:
        """Have it read, or the change made, by the other process."""
        order = asked.order
        if isinstance(order, UpgradeOrder) and (reasons := refused(self._look(now_s))):
            asked.answer(Answer(False, reasons))
            return
        log.info("config.reloading", file=str(reloader.path), why=type(order).__name__.lower())
        try:
            change = order if isinstance(order, ChangeOutput) else None
            reloader.start(now_s, change, rehearse=isinstance(order, UpgradeOrder))
        except OSError as error:
            self._follow(asked, Outcome(reasons=[f"no process can be started: {error.strerror}"]), now_s)
            return
        self._room.reading(begins=True)
        self._reading = asked

    def _follow(self, asked: Asked, outcome: Outcome, now_s: float) -> None:
        if outcome.reasons:
            log.error("config.refused", reasons=outcome.reasons)
            asked.answer(Answer(False, outcome.reasons))
            return
        log.info("config.reloaded", applied=outcome.applied, need_restart=outcome.need_restart, notes=outcome.notes)
        plans = {plan.name: plan for plan in outcome.plans}
        before = {kind: self._told(kind) for kind in RETARGETED}
        if not isinstance(asked.order, UpgradeOrder):
            self._roster.become(plans, outcome.renew, now_s, outcome.only)
        for kind in RETARGETED:
            if (after := self._told(kind)) != before[kind]:
                self._room.tell(kind, Retarget(**after))
        if isinstance(asked.order, UpgradeOrder):
            self._plans, self._upgraded = plans, asked
            self._upgrade = Upgrade(self._look(now_s), asked.order.outputs)
            for charge in self._roster:
                charge.standby.dismiss()  # it has read the old code
            log.info("upgrade.begun", outputs=asked.order.outputs)
        else:
            asked.answer(Answer(True, outcome.lines()))

    def _told(self, kind: str) -> dict[str, Any]:
        """What children of this kind take up while they run."""
        spec = next((charge.plan.spec for charge in self._roster.of_kind(kind)), {})
        return {key: spec[key] for key in TOLD if key in spec}

    # ── the upgrade ──────────────────────────────────────────────────────────────────────────────

    def _advance(self, upgrade: Upgrade, now_s: float) -> None:
        was_hushed = upgrade.hush
        for action in upgrade.advance(self._look(now_s)):
            self._act(action, now_s)
        if upgrade.hush != was_hushed:
            self._room.hushed()

    def _act(self, action: Action, now_s: float) -> None:
        if isinstance(action, Restart):
            charge = next(charge for charge in self._roster if charge.plan.name == action.name)
            tiers = {tier.name: tier for plan in self._plans.values() for tier in plan.below}
            charge.plan = (tiers | self._plans).get(action.name, charge.plan)
            log.info("upgrade.restarting", child=action.name)
            charge.drain(now_s, follows=True)
        elif isinstance(action, End):
            self._upgrade, asked, self._upgraded = None, self._upgraded, None
            if action.done:
                log.info("upgrade.ended", text=action.line)
                known = {charge.plan.name for charge in self._roster}
                self._roster.become(self._plans, [], now_s, only=[name for name in self._plans if name not in known])
            else:
                log.error("upgrade.stopped", reason=action.line)
            if asked is not None:
                asked.answer(Answer(action.done, [action.line]))
        elif self._upgraded is not None:
            self._upgraded.answer(Answer(True, [action.line], more=True))

    def _look(self, now_s: float) -> Look:
        """What an upgrade wants to know. Quiet is between two sentences, also of one utterance: those are long."""
        director, playout = self._first("director"), self._first("playout")
        heard = director.facts if director else {}
        aired = playout.facts if playout else {}
        outputs = aired.get("outputs", {})
        return Look(
            now_s,
            {charge.plan.name: _seen(charge) for charge in self._roster if not charge.leaves},
            aired.get("source"),
            frozenset(name for name, one in outputs.items() if one.get("connected") and one.get("state") == "live"),
            quiet=bool(heard.get("paused") and not heard.get("out")),
            panic=self._room.panicked(),
        )

    def _first(self, kind: str) -> Charge | None:
        return next(iter(self._roster.of_kind(kind)), None)


def _seen(charge: Charge) -> Seen:
    return Seen(charge.plan.kind, charge.starts, charge.works, charge.back_off.braked, charge.is_running)
