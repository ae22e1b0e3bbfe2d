"""Who is to be in the picture, and who is: an operator's orders, and what viewers saw of them.

In: names of the room's persons, orders, reports of who came into the picture. Out: the mark that is due to an engine,
events. An order stands until a report says what became of it, over cuts and deaths of director and engine: what is lost
on the way is given again. A newer one takes its place. Pure.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from broadcaster.events import PERSON_CHANGED, Event
from broadcaster.takeover import Became, Outcome
from pipeline.clock import NS
from pipeline.media import PERSON, Mark
from pipeline.wire import Report

ORDER = "order:"  # what stands before the number of an order in its mark
AGAIN_NS = 10 * NS  # an order that nothing is heard of is given again, which changes nothing if it was obeyed
TIMES = 3  # then it is given up: the engine has another idea of who there is


class Persons:
    """names: the room's own first. on_air, ordered: as an earlier director left them. emit: takes events."""

    def __init__(self, on_air: str, ordered: tuple[int, str], emit: Callable[[Event], None]) -> None:
        self.names: Sequence[str] = ()
        self.seen = on_air  #: who was in the picture last, as far as viewers saw
        self._number, self._wanted = ordered
        self._given_ns: int | None = None  #: when an engine got it last
        self._times = 0  #: that it was given
        self._emit = emit

    @property
    def on_air(self) -> str:
        """Who is in the picture; "" where nobody else can be."""
        if len(self.names) < 2:
            return ""
        return self.seen or self.names[0]

    @property
    def ordered(self) -> tuple[int, str]:
        """For the next director: number of the newest order, and whom it called; "" when that is settled."""
        return self._number, self._wanted

    def order(self, name: str) -> Outcome:
        """Have this person come at the end of the sentence on air, in silence at once."""
        name = " ".join(name.lower().split())
        if len(self.names) < 2:
            return Outcome(Became.CONFLICT, "the room has one person; `avatar.persons` names more")
        if name not in self.names:
            near = difflib.get_close_matches(name, self.names, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(self.names)}"
            return Outcome(Became.UNKNOWN, f"the room has no person {name[:40]!r}; {hint}")
        self._number, self._wanted, self._given_ns = self._number + 1, name, None
        self._times = 0
        return Outcome(Became.DONE, f"{name} comes at the end of this sentence, in silence at once")

    def due(self, now_ns: int) -> Mark | None:
        """The order that no engine has yet, or that nothing was heard of."""
        if not self._wanted or self._times >= TIMES or not self._is_open(now_ns):
            return None
        return Mark(0, PERSON, f"{ORDER}{self._number}", 0, self._wanted)

    def given(self, now_ns: int) -> None:
        """An engine has it."""
        self._given_ns = now_ns
        self._times += 1

    def lost(self) -> None:
        """What was given away and not seen is void."""
        self._given_ns, self._times = None, 0

    def shown(self, report: Report) -> None:
        """Viewers see this person from here on."""
        if report.utterance == f"{ORDER}{self._number}":
            self._wanted = ""
        if report.text == self.on_air:
            return
        self.seen = report.text
        facts: dict[str, str | int] = {"person": report.text, "frame": report.frame, "sample": report.sample}
        self._emit(Event(PERSON_CHANGED, "" if report.utterance.startswith(ORDER) else report.utterance, facts=facts))

    def _is_open(self, now_ns: int) -> bool:
        """Whether it is not on its way."""
        return self._given_ns is None or now_ns >= self._given_ns + AGAIN_NS
