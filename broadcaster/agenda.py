"""What the page shows of words: what is said now and how far it is, what comes next, what became of each pushed line.

In: utterances as they come, events as they are told, reports of what viewers heard. Out: plain values for JSON.
Bounded. It decides nothing, keeps no clock and does no I/O: times are arguments, Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from broadcaster.events import ACCEPTED, AIRED, DEAD_LETTERED, DUPLICATE, EXPIRED, INTERRUPTED, SKIPPED, STARTED, Event
from broadcaster.utterance import LANES, Key, Utterance
from pipeline.media import AIR_HZ
from pipeline.wire import Report
from tts.markup import plain

LINES_KEPT = 30  # pushed lines, newest first on the page
NEXT_SHOWN = 8  # utterances to come; how many wait beyond them is told as a number
TEXT_SHOWN = 300  # characters of a line, or of what comes next; the sentence on air is shown whole

STATES = {
    ACCEPTED: "accepted",
    STARTED: "on air",
    INTERRUPTED: "waits again",
    AIRED: "aired",
    SKIPPED: "skipped",
    EXPIRED: "expired",
    DEAD_LETTERED: "refused",
    DUPLICATE: "refused",
}
REASONS = {EXPIRED: "its time ran out before it could begin", DUPLICATE: "this id was said before"}
OVER = ("aired", "skipped", "expired", "refused")


@dataclass(slots=True)
class _Line:
    """One line that somebody pushed."""

    id: str
    lane: str
    mode: str
    text: str
    state: str
    reason: str = ""


@dataclass(slots=True)
class _Sentence:
    """The sentence on air. `began_s`: None when an earlier process saw it begin. `length_s`: None until it is known."""

    key: Key
    text: str
    lane: str
    of: int
    began_s: float | None
    length_s: float | None = None


class Agenda:
    """All on the director's loop."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._now: _Sentence | None = None

    # ── what happens ─────────────────────────────────────────────────────────────────────────────

    def resume(self, on_air: Iterable[Utterance], out: Iterable[Key]) -> None:
        """Take up what an earlier director left: these are begun, and the oldest sentence is what viewers hear."""
        begun = {utterance.id: utterance for utterance in on_air}
        for utterance in begun.values():
            self._note(utterance, "on air")
        name, sentence = next(iter(out), ("", 0))
        if name in begun:
            self._now = _sentence(begun[name], sentence, None)

    def told(self, event: Event, utterance: Utterance | None) -> None:
        """An event goes out. `utterance`: of that id, where it is still known."""
        state = STATES.get(event.name)
        line = self._lines.get(event.id)
        if state is None or (event.name == DUPLICATE and line is not None):
            return
        if line is None:
            line = self._note(utterance, state) if utterance is not None else self._note_event(event, state)
        if line is not None:
            line.state = state
            line.reason = str(event.facts.get("reason", "")) if event.name == DEAD_LETTERED else ""
            line.reason = line.reason or REASONS.get(event.name, "")

    def heard(self, report: Report, utterance: Utterance | None) -> None:
        """A report of the journal, before it changes the rundown."""
        key = (report.utterance, report.sentence)
        if report.what == "sentence" and utterance is not None and report.sentence < len(utterance.sentences):
            self._now = _sentence(utterance, report.sentence, report.wall_s)
            if (line := self._lines.get(utterance.id)) is not None and line.state not in OVER:
                line.state = "on air"
        elif self._now is None or report.what not in ("sentence_aired", "aired", "cut", "lost", "opened"):
            return
        elif report.what == "opened" or self._now.key == key or self._now.key[0] == report.utterance != "":
            self._now = None

    # ── how it stands ────────────────────────────────────────────────────────────────────────────

    @property
    def on_air(self) -> Key | None:
        return self._now.key if self._now else None

    def length(self, samples: int) -> None:
        """How long the sentence on air is, once that is known."""
        if self._now is not None and self._now.length_s is None:
            self._now.length_s = samples / AIR_HZ

    def view(self, now_s: float, coming: Iterable[tuple[Utterance, int]], waiting: int) -> dict[str, Any]:
        """For the page. `coming`: sentences that follow, first to last. `waiting`: utterances, all of them."""
        return {
            "now": _shown(self._now, now_s) if self._now else None,
            "next": self._next(coming),
            "waiting": waiting,
            "lines": [_line_shown(line) for line in reversed(self._lines.values())],
        }

    def _next(self, coming: Iterable[tuple[Utterance, int]]) -> list[dict[str, Any]]:
        """One entry an utterance: what of it is still to come."""
        shown: dict[str, dict[str, Any]] = {}
        for utterance, sentence in coming:
            if utterance.id in shown:
                continue
            if len(shown) == NEXT_SHOWN:
                break
            shown[utterance.id] = {
                "id": utterance.id,
                "lane": utterance.lane_name,
                "text": _clipped(" ".join(map(plain, utterance.sentences[sentence:]))),
                "rest": sentence > 0,
            }
        return list(shown.values())

    # ── pushed lines ─────────────────────────────────────────────────────────────────────────────

    def _note(self, utterance: Utterance, state: str) -> _Line | None:
        if not utterance.stream_id:
            return None  # the script's, or another of our own: nobody pushed it
        text = " ".join(map(plain, utterance.sentences))
        return self._keep(_Line(utterance.id, utterance.lane_name, utterance.mode, _clipped(text), state))

    def _note_event(self, event: Event, state: str) -> _Line | None:
        """Refused at the door: there never was an utterance, but for the message itself."""
        if not event.stream_id or not event.original:
            return None
        fields = {
            name: event.original.get(name.encode(), b"")[: 4 * TEXT_SHOWN].decode("utf-8", "replace")
            for name in ("text", "lane", "mode")
        }
        lane = fields["lane"] if fields["lane"] in LANES else event.lane
        return self._keep(_Line(event.id, lane, fields["mode"][:20], _clipped(plain(fields["text"])), state))

    def _keep(self, line: _Line) -> _Line:
        self._lines[line.id] = line
        if len(self._lines) > LINES_KEPT:
            over = next((name for name, kept in self._lines.items() if kept.state in OVER), next(iter(self._lines)))
            del self._lines[over]
        return line


def _sentence(utterance: Utterance, index: int, began_s: float | None) -> _Sentence:
    sentences = utterance.sentences
    text = plain(sentences[index]) if index < len(sentences) else ""
    return _Sentence((utterance.id, index), text, utterance.lane_name, len(sentences), began_s)


def _shown(now: _Sentence, now_s: float) -> dict[str, Any]:
    return {
        "id": now.key[0],
        "lane": now.lane,
        "text": now.text,
        "sentence": now.key[1] + 1,
        "of": now.of,
        "age_s": None if now.began_s is None else round(max(0.0, now_s - now.began_s), 2),
        "length_s": None if now.length_s is None else round(now.length_s, 2),
    }


def _line_shown(line: _Line) -> dict[str, str]:
    return {
        "id": line.id,
        "lane": line.lane,
        "mode": line.mode,
        "text": line.text,
        "state": line.state,
        "reason": line.reason,
    }


def _clipped(text: str) -> str:
    return text if len(text) <= TEXT_SHOWN else text[: TEXT_SHOWN - 1].rstrip() + "…"
