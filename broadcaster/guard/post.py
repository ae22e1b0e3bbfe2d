"""The guard at its post: every utterance passes here before anything of it becomes speech, whatever lane it has.

In: utterances as they come, and again when lists or products have changed. Out: what may be said of them: as they are,
a safe sentence in the place of a reply, or nothing; and an event for each that was stopped, for a line of a script once
until it passes again. A person's own voice has no text and passes. Without a guard all do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import structlog

from broadcaster.events import GUARD_STOPPED, Event
from broadcaster.guard.verdict import Verdict
from broadcaster.utterance import Lane, Utterance

TOLD_KEPT = 1_000  # lines of scripts that were told of
TURNS_KEPT = 64
ALLOWED_KEPT = 4_000  # sentences of which is known whether they pass
REMEMBERED_CHARS = 200  # of what was said before in a turn

log = structlog.get_logger()


class Guarding(Protocol):
    """broadcaster.guard.guard.Guard."""

    @property
    def version(self) -> int: ...

    def refresh(self) -> None: ...

    def judge(self, text: str, *, lane: str, product: str = "", before: str = "") -> Verdict: ...


class Post:
    """guard: None lets all pass. split: a text into sentences. put: takes events."""

    def __init__(
        self, guard: Guarding | None, split: Callable[[str], Sequence[str]], put: Callable[[Event], None]
    ) -> None:
        self._guard = guard
        self._split = split
        self._put = put
        self._told: dict[str, str] = {}  # source of a script's line → by which rule it was stopped
        self._turns: dict[str, str] = {}  # turn → what of it was passed before
        self._saved: dict[str, None] = {}  # turns in which a safe sentence was said
        self._cleared: dict[str, int] = {}  # utterance → version under which it passed
        self._allowed: dict[str, bool] = {}
        self._allowed_under = 0

    def look(self, utterance: Utterance, begun: int = 0) -> tuple[Utterance | None, str]:
        """As it may be said, or None and why not. begun: so many of its sentences were heard, and are not looked at."""
        if self._guard is None or utterance.is_person or not utterance.sentences[begun:]:
            return utterance, ""
        text = " ".join(utterance.sentences[begun:])
        again = utterance.id in self._cleared
        before = "" if again else self._turns.get(utterance.turn, "")
        verdict = self._guard.judge(text, lane=utterance.lane_name, product=utterance.product, before=before)
        if utterance.question and not self._guard.judge(utterance.question, lane=utterance.lane_name).passed:
            utterance = msgspec.structs.replace(utterance, question="")
        if verdict.passed:
            self._pass(utterance, text, before)
            return utterance, ""
        self._tell(utterance, verdict)
        return self._instead(utterance, verdict, begun), verdict.reason

    def is_cleared(self, utterance: Utterance) -> bool:
        """Whether it passed, and nothing has changed since."""
        if self._guard is None or utterance.is_person:
            return True
        return self._cleared.get(utterance.id) == self._guard.version

    def allows(self, sentence: str) -> bool:
        """The same for a sentence that may be wanted; nobody is told."""
        if self._guard is None:
            return True
        if self._allowed_under != self._guard.version or len(self._allowed) > ALLOWED_KEPT:
            self._allowed.clear()
            self._allowed_under = self._guard.version
        if sentence not in self._allowed:
            self._allowed[sentence] = self._guard.judge(sentence, lane=Lane.SCRIPT.name.lower()).passed
        return self._allowed[sentence]

    def let_go(self, identity: str) -> None:
        """It will not be said any more."""
        self._cleared.pop(identity, None)

    # ── how ──────────────────────────────────────────────────────────────────────────────────────

    def _pass(self, utterance: Utterance, text: str, before: str) -> None:
        assert self._guard is not None
        self._cleared[utterance.id] = self._guard.version
        self._told.pop(_line(utterance), None)
        if utterance.turn:
            self._turns.pop(utterance.turn, None)
            self._turns[utterance.turn] = f"{before} {text}"[-REMEMBERED_CHARS:]
            _bound(self._turns, TURNS_KEPT)

    def _instead(self, utterance: Utterance, verdict: Verdict, begun: int) -> Utterance | None:
        """A safe sentence, once a turn; what is begun just ends."""
        if not verdict.instead or begun or utterance.turn in self._saved or self._guard is None:
            return None
        if utterance.turn:
            self._saved[utterance.turn] = None
            _bound(self._saved, TURNS_KEPT)
        self._cleared[utterance.id] = self._guard.version
        sentences = tuple(self._split(verdict.instead))
        source = f"guard, in the place of queue {utterance.id}"
        return msgspec.structs.replace(utterance, sentences=sentences, question="", source=source)

    def _tell(self, utterance: Utterance, verdict: Verdict) -> None:
        if utterance.lane is Lane.SCRIPT:
            line = _line(utterance)
            if self._told.get(line) == verdict.rule:
                return
            self._told[line] = verdict.rule
            _bound(self._told, TOLD_KEPT)
        told = {"utterance": utterance.id, "lane": utterance.lane_name, "rule": verdict.rule, "reason": verdict.reason}
        log.warning("guard.stopped", **told, source=utterance.source, pii_found=verdict.found)
        facts: dict[str, str | int] = {
            "rule": verdict.rule,
            "found": verdict.found,
            "reason": verdict.reason,
            "source": utterance.source,
            "instead": verdict.instead,
        }
        self._put(Event(GUARD_STOPPED, utterance.id, utterance.lane_name, facts=facts))


def _line(utterance: Utterance) -> str:
    """What is said again and again: of a script where it stands, of evergreen words themselves."""
    return utterance.source or " ".join(utterance.sentences)[:REMEMBERED_CHARS]


def _bound(kept: dict[str, str] | dict[str, None], most: int) -> None:
    while len(kept) > most:
        del kept[next(iter(kept))]
