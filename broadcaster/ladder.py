"""Which tier of an engine is to work: when one is stepped down from, to which, and when it is tried again. Pure.

In: plans of tiers, why one cannot go on, how often its trials failed. Out: the tier below that can help, and seconds.
broadcaster.roster does what this decides.

Fewer ranks help where a card or its memory fails, and not where steps are too slow: with fewer they are slower still.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from broadcaster.watch import TRIAL_MAX_S

if TYPE_CHECKING:
    from broadcaster.children import Plan

SLOW, MEMORY, CARD, CRASHES = "too slow", "out of memory", "a card is lost", "crash loop"
GONE = "the shared engine is not there"
GONE_S = 3.0  # a cut, a new playout or a new process of a small engine is over by then; viewers see the hold loop
SLOW_STEPS = 3  # in a row: one is a hiccup of the machine
SENTENCE_S = 6.0  # how long a change waits for the end of a sentence, which else would have to be said again

FAULTS: Mapping[str, str] = {"TooSlow": SLOW, "OutOfMemory": MEMORY, "CardLost": CARD}
"""Last words of an engine (classes of pipeline.errors) after which another start of the same tier does not help."""

OF_A_TIER = ("name", "must_keep_up")  # of a plan's section: what says which tier it is, and nothing of its weight


def is_slow(facts: Mapping[str, Any]) -> bool:
    """Whether an engine's last beat says that it does not keep up."""
    slow = facts.get("slow", 0)
    return isinstance(slow, int) and slow >= SLOW_STEPS


def lighter(tiers: list[Plan], than: Plan, why: str) -> list[Plan]:
    """Of the tiers below, those that may work where this one cannot."""
    return [tier for tier in tiers if why != SLOW or not only_fewer_ranks(than, tier)]


def step_down(plan: Plan, why: str, rests: Callable[[str], bool]) -> Plan | None:
    """The tier to go to; None when there is none. rests: whether a tier, by name, failed a short while ago itself.

    When all of them did, the last one: it asks least.
    """
    below = lighter(plan.below, plan, why)
    return next((tier for tier in below if not rests(tier.name)), below[-1] if below else None)


def only_fewer_ranks(tier: Plan, other: Plan) -> bool:
    """Whether the other differs in nothing but the number of its ranks."""
    return _weight(tier.spec) == _weight(other.spec)


def trial_after_s(failed: int, first_s: float) -> float:
    """Seconds until a tier is tried again that has failed so many trials: each one doubles the wait, up to an hour."""
    return min(first_s * 2.0 ** min(failed, 32), max(first_s, TRIAL_MAX_S))


def fits_beside(needs_gb: Sequence[float], there_gb: float) -> bool:
    """Whether engines fit on a card together; one of which nothing is known (0) may need all of it."""
    return all(needs_gb) and sum(needs_gb) <= there_gb


def _weight(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in OF_A_TIER}
