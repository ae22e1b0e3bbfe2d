"""An operator's hand on the show: pause, resume, skip and goto, at a sentence end or at once.

In: orders. Out: what became of each, in words, and a rundown that says what was ordered. Pure: it reads no clock and
does no I/O; the cut itself, and what is told of it, are the show's.

The rules
* Paused, lane live alone speaks: a person's voice and what a presenter pushes there. All else waits where it is, over a
  restart of the director as well, until it is resumed.
* At a sentence end means the end of what has been given to an engine: the sentence on air, and the next one if its
  first sound is on its way already. At once means the cut of a barge-in: the old voice fades within 80 ms.
* What a pause cuts is said again from its start. What a skip drops is never said again: it ends as `utterance.skipped`
  and is acknowledged like one that was aired. Of a turn all that was not begun is dropped, and what still comes of it.
* goto concerns the script alone: what of it is on air ends, what waits of it is withdrawn, and other lanes go on.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from broadcaster.prompter import Prompter
from broadcaster.rundown import Rundown
from broadcaster.utterance import Lane, Utterance

SKIPPED_KEPT = 500  # ids that are recognised when their message comes again

NOTHING_ON_AIR = "nothing is being said"


class Became(Enum):
    """What an order led to."""

    DONE = "done"
    CONFLICT = "conflict"  #: it makes no sense as things stand
    UNKNOWN = "unknown"  #: what it names is not there
    REFUSED = "refused"  #: the machine would not do it


@dataclass(frozen=True, slots=True)
class Outcome:
    """`text`: one line for a person."""

    became: Became
    text: str

    @property
    def done(self) -> bool:
        return self.became is Became.DONE


class Takeover:
    """break_off: ends what is on air; all that was not heard to its end waits again. drop: an utterance has left the
    rundown for good; tells of it. forget: one was withdrawn that nothing was said of. hang_up: ends a person's talk.
    """

    def __init__(
        self,
        rundown: Rundown,
        prompter: Prompter,
        paused: bool,
        skipped: Iterable[str],
        break_off: Callable[[], None],
        drop: Callable[[Utterance], None],
        forget: Callable[[str], None],
    ) -> None:
        self._rundown = rundown
        self._prompter = prompter
        self._break_off = break_off
        self._drop = drop
        self._forget = forget
        self._skipped: dict[str, None] = dict.fromkeys(skipped)
        self.hang_up: Callable[[str], None] = lambda identity: None
        self._set(paused)

    @property
    def paused(self) -> bool:
        return self._rundown.least > Lane.SCRIPT

    def is_skipped(self, identity: str, turn: str = "") -> bool:
        """Whether what is left of this one, or of its turn, is never to be said."""
        return identity in self._skipped or bool(turn and _turn(turn) in self._skipped)

    def skipped(self) -> list[str]:
        """What the next director must know of."""
        return list(self._skipped)

    def sections(self) -> list[str]:
        return self._prompter.sections()

    # ── orders ───────────────────────────────────────────────────────────────────────────────────

    def pause(self, now: bool) -> Outcome:
        was = self.paused
        self._set(True)
        on_air = self._rundown.on_air()
        if now and on_air is not None and on_air.lane < Lane.LIVE:
            self._break_off()
            return _done("paused at once; what was cut is said again when the show is resumed")
        if was:
            return _done("it was paused already")
        return _done("paused" if on_air is None else "paused from the end of this sentence on")

    def resume(self) -> Outcome:
        was = self.paused
        self._set(False)
        return _done("the show goes on" if was else "it was not paused")

    def skip(self, now: bool) -> Outcome:
        on_air = self._rundown.on_air()
        if on_air is None:
            return Outcome(Became.CONFLICT, NOTHING_ON_AIR)
        if on_air.is_person:
            if now:
                self._break_off()
            self.hang_up(on_air.id)
            return _done("the person's talk ends")
        if now:
            self._break_off()
            self._end(on_air)
            return _done(f"{on_air.id}: cut, and not said again")
        if self._rundown.next_sentence(on_air.id) >= len(on_air.sentences) and not on_air.more:
            return _done(f"{on_air.id}: it ends with this sentence")
        self._end(on_air)
        return _done(f"{on_air.id}: its rest is skipped from the end of this sentence on")

    def goto(self, section: str, now: bool) -> Outcome:
        known = self._prompter.sections()
        if not known:
            return Outcome(Became.CONFLICT, "there is no script")
        if section not in known or not self._prompter.goto(section):
            near = difflib.get_close_matches(section, known, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else "see the list of sections"
            return Outcome(Became.UNKNOWN, f"the script has no section {section[:100]!r}; {hint}")
        on_air, begun_ids = self._rundown.on_air(), self._prompter.begun()
        for identity in self._prompter.withdraw():
            self._forget(identity)
        if now and on_air is not None and on_air.lane == Lane.SCRIPT:
            self._break_off()
        for identity in begun_ids:
            if begun := self._rundown.get(identity):
                self._end(begun)
        return _done(f"the script goes on at {section!r}")

    # ── how ──────────────────────────────────────────────────────────────────────────────────────

    def _set(self, paused: bool) -> None:
        self._rundown.least = Lane.LIVE if paused else Lane.SCRIPT

    def _end(self, utterance: Utterance) -> None:
        """Say no more of it, and of its turn, than was given away."""
        self._end_one(utterance)
        if utterance.turn:
            self._skip(_turn(utterance.turn))
            for other in self._rundown.of_turn(utterance.turn):
                self._end_one(other)
            self._rundown.close_turn(utterance.turn)

    def _end_one(self, utterance: Utterance) -> None:
        identity = utterance.id
        self._skip(identity)
        if any(name == identity for name, _ in self._rundown.out):
            self._rundown.shorten(identity, self._rundown.next_sentence(identity))
        elif self._rundown.remove(identity) is not None:
            self._drop(utterance)

    def _skip(self, name: str) -> None:
        self._skipped[name] = None
        while len(self._skipped) > SKIPPED_KEPT:
            del self._skipped[next(iter(self._skipped))]


def _turn(turn: str) -> str:
    """Its name among those of utterances."""
    return f"turn {turn}"


def _done(text: str) -> Outcome:
    return Outcome(Became.DONE, text)
