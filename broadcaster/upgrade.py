"""The order in which a room's processes are started anew on air, each only when the one before works again. Pure.

In: what is known of the children at each look. Out: what to do now. Words first: the director finishes its sentence and
the next one goes on after it. Then, in a pause between two sentences, the engine, and playout, whose successor goes on
in the sessions of the pushers. Then who only looks on. Where one does not come up, nothing more is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

ORDER = ("director", "engine", "playout")
LAST = "pusher"  # only when asked for: each costs its destination a reconnect
HUSHED = ("engine", "playout")  # what they hold of a sentence is said again, so none is begun
HUSH_S = 30.0  # for the sentence on air to end; the longest takes some twenty
DEATHS_MAX = 3  # of a new process before it worked: two may have their cause elsewhere
WITHIN_S = {"director": 60.0, "engine": 600.0, "playout": 60.0}  # to work again; an engine may load 50 GB
OTHERS_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One child at one look. works: it is at work. runs: a process of it is there."""

    kind: str
    starts: int
    works: bool
    braked: bool = False
    runs: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """now_s: monotonic. source: what is on air. live: outputs that are. quiet: no sentence is under way."""

    now_s: float
    children: Mapping[str, Seen]
    source: str | None
    live: frozenset[str]
    quiet: bool
    panic: bool = False


@dataclass(frozen=True, slots=True)
class Restart:
    name: str


@dataclass(frozen=True, slots=True)
class Say:
    """For a person."""

    line: str


@dataclass(frozen=True, slots=True)
class End:
    """done: all steps were made."""

    done: bool
    line: str


Action = Restart | Say | End


def refused(look: Look) -> list[str]:
    """Why an upgrade cannot begin now."""
    reasons = [f"{name}: it is in a crash loop; see to that first" for name, one in look.children.items() if one.braked]
    for kind in ORDER:
        if not any(one.works for one in look.children.values() if one.kind == kind):
            reasons.append(f"{kind}: none is at work; an upgrade begins from a room that is on air")
    return reasons


class Upgrade:
    """`advance` at each look, until it gives an End."""

    def __init__(self, look: Look, outputs: bool) -> None:
        self._left = _steps(look, outputs)
        self._steps = len(self._left)
        self._was_live = look.live  # outputs, before the step
        self._source = look.source
        self._began_s = look.now_s
        self._name = ""  # of the child under way
        self._hush_s: float | None = None  # since when no sentence is begun
        self._starts = 0  # of it, before
        self._restarted_s = 0.0

    @property
    def step(self) -> str:
        """The child that it is at."""
        return self._name

    @property
    def hush(self) -> bool:
        """Whether no sentence may be begun now."""
        return self._hush_s is not None

    def advance(self, look: Look) -> Iterator[Action]:
        """What to do now; nothing while a step is under way."""
        if self._name:
            yield from self._follow(look)
        elif not self._left:
            self._hush_s = None
            yield End(True, f"upgraded {self._steps} processes in {look.now_s - self._began_s:.0f} s")
        else:
            yield from self._begin(self._left[0], look)

    def _begin(self, name: str, look: Look) -> Iterator[Action]:
        seen = look.children.get(name)
        if seen is None or not seen.runs:  # it left meanwhile, or is not to run now
            self._left = self._left[1:]
            return
        if seen.kind not in HUSHED:
            self._hush_s = None
        elif self._hush_s is None:
            self._hush_s = look.now_s
            return
        elif not look.quiet:
            if look.now_s - self._hush_s < HUSH_S:
                return
            yield Say(f"{name}: no pause within {HUSH_S:g} s; the sentence on air is said again")
        self._name, self._starts, self._restarted_s, self._was_live = name, seen.starts, look.now_s, look.live
        yield Restart(name)

    def _follow(self, look: Look) -> Iterator[Action]:
        name, seen = self._name, look.children.get(self._name)
        took_s = look.now_s - self._restarted_s
        if seen is None:
            self._next()
        elif self._is_up(seen, look):
            self._next()
            yield Say(f"{name}: works again after {took_s:.1f} s")
        elif seen.braked or seen.starts > self._starts + DEATHS_MAX:
            yield from self._fail(seen, "ended again and again before it worked: see its child.crashed line in the log")
        elif took_s >= WITHIN_S.get(seen.kind, OTHERS_WITHIN_S):
            yield from self._fail(seen, f"does not work after {took_s:.0f} s")

    def _is_up(self, seen: Seen, look: Look) -> bool:
        if seen.starts <= self._starts:
            return False
        if seen.kind == LAST and self._name.removeprefix(f"{LAST}-") not in self._was_live:
            return seen.runs  # nobody was there before, either
        if not seen.works:
            return False
        if seen.kind == "engine":
            return look.panic or look.source == self._source or look.source == "live"
        if seen.kind == "playout":
            return self._was_live <= look.live
        return True

    def _next(self) -> None:
        self._left, self._name = self._left[1:], ""

    def _fail(self, seen: Seen, why: str) -> Iterator[Action]:
        """Stop; who only looks on stops nothing."""
        if seen.kind not in (*ORDER, LAST):
            yield Say(f"{self._name}: it {why}")
            self._next()
            return
        untouched = f"; not touched: {', '.join(self._left[1:])}" if self._left[1:] else ""
        self._hush_s = None
        yield End(False, f"stopped at {self._name}: it {why}{untouched}. It is tried again: put the old code back")


def _steps(look: Look, outputs: bool) -> Sequence[str]:
    """Names of children, in the order of their turn."""
    running = {name: one.kind for name, one in look.children.items() if one.runs}
    ordered = [name for kind in ORDER for name, one in running.items() if one == kind]
    pushers = [name for name, kind in running.items() if kind == LAST]
    others = [name for name, kind in running.items() if kind not in (*ORDER, LAST, "redis")]
    return ordered + others + (pushers if outputs else [])
