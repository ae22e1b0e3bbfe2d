"""What became of each comment of an evening, held against what was expected. Pure.

In: comments as they were sent, the room's events, what was said with its place in the recording, why intake passes a
comment over by itself. Out: a story of each comment, all that is wrong, counts and latencies. Whoever was neither told
of nor passed over had no turn: others were worth more. That is no fault, but for a buyer and for ready-made words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from benchmarks.figures import percentile
from broadcaster.chat.phrase import LANE, owner, turn_of
from broadcaster.chat.record import AIRED, STOPPED
from broadcaster.events import CHAT_ANSWERED, CHAT_DROPPED, CHAT_MERGED, GUARD_STOPPED
from tests.lab.audience import ANSWERED, NOT_ANSWERED, Sent

NO_TURN, NOBODY_KNEW, AT_THE_END, MERGED = (
    "no turn",
    "nobody knew",
    "still on its way at the end",
    "answered with another",
)
STAGES = ("waited_ms", "understood_ms", "held_ms", "air_ms", "total_ms")
WAITED = ("stale", "merged", "crowded", "unwanted")  # how those end that have no turn, as chat counts them
REMARK = "remark"
AGAIN_S = 30.0

Event: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Heard:
    """A sentence that viewers heard. at_s: Unix seconds. recorded_s: from the recording's start, None = not known."""

    utterance: str
    sentence: int
    text: str
    lane: str
    at_s: float
    whole: bool = True
    recorded_s: float | None = None


@dataclass(slots=True)
class Story:
    """became: as events tell, or why nobody told. events: the comment's own. answer: what was said of it, and of those
    that it was answered with. stops: of the guard, in its turn.
    """

    sent: Sent
    became: str
    events: list[Event] = field(default_factory=list)
    turn: str = ""
    answer: str = ""
    said: list[Heard] = field(default_factory=list)
    stops: list[Event] = field(default_factory=list)

    @property
    def wrong(self) -> str:
        """In which way its expectation was not met; "" when it was."""
        expect, fields = self.sent.line.expect, self.sent.fields
        was_answered = self.became in (ANSWERED, MERGED)
        if expect == NOT_ANSWERED and was_answered:
            return "it was answered"
        if was_answered and (says := self.sent.line.says) and not any(one in self.answer for one in says):
            return f"it was answered, but not with {' or '.join(map(repr, says))}"
        if expect != ANSWERED or was_answered or self.became == AT_THE_END:
            return ""
        if self.became == NO_TURN:
            goes_first = fields.get("buyer") == "1" or "reply" in fields
            return "it had no turn, though it goes before others" if goes_first else ""
        return f"it was not answered: {self.became}"


def stories(
    sent: Sequence[Sent], events: Sequence[Event], heard: Sequence[Heard], why: Mapping[int, str], ended_s: float
) -> list[Story]:
    """One for each comment. why: see audience.passed_over. ended_s: when the room was told to end, Unix seconds."""
    own: dict[str, list[Event]] = {}
    for event in events:
        if event.get("event") in (CHAT_ANSWERED, CHAT_MERGED, CHAT_DROPPED) and event.get("id"):
            own.setdefault(event["id"], []).append(event)
    ends: dict[str, list[Event]] = {}
    for event in events:
        if event.get("event") == CHAT_ANSWERED:
            ends.setdefault(event["turn"], []).append(event)
    found, known = [], set()
    for one in sent:
        story = Story(one, why.get(one.line.number, NO_TURN))
        if one.id not in known:  # what the room tells of an id is of the first comment that had it
            known.add(one.id)
            story.events = own.get(one.id, [])
            story.turn = next((event["turn"] for event in story.events if event.get("turn")), turn_of(one.id))
            story.said = [word for word in heard if owner(word.utterance) == story.turn]
            story.stops = [event for event in events if _is_stop_of(event, story.turn)]
            parts = [event for event in story.events if event["event"] == CHAT_ANSWERED] or ends.get(story.turn, [])
            story.answer = " ".join(event.get("answer", "") for event in parts)
            story.became = _became(story, parts, ended_s)
        found.append(story)
    return found


def faults(found: Sequence[Story], heard: Sequence[Heard], counts: Mapping[str, int]) -> list[str]:
    """All that is wrong, one a line. counts: comments by how they ended, and `waiting`, as chat counts them."""
    return [
        *(f"#{one.sent.line.number} {one.wrong} ({one.sent.line.note})" for one in found if one.wrong),
        *_twice(found, heard),
        *_forbidden(found, heard),
        *_unaccounted(found, counts),
    ]


def latencies(events: Iterable[Event]) -> dict[str, tuple[int, float, float]]:
    """By stage: how many answers, and p50 and p95 of the milliseconds."""
    answers = [one for one in events if one.get("event") == CHAT_ANSWERED and one.get("source") != REMARK]
    took = {stage: [float(one[stage]) for one in answers if one.get(stage)] for stage in STAGES}
    return {stage: (len(ms), percentile(ms, 0.5), percentile(ms, 0.95)) for stage, ms in took.items() if ms}


def counted(found: Iterable[Story]) -> Counter[str]:
    """Comments by what became of them, details apart."""
    return Counter(one.became.partition(":")[0] for one in found)


def again(events: Iterable[Event]) -> list[str]:
    """Entries that were the answer of two turns within half a minute: no fault, but worth hearing."""
    last: dict[str, tuple[float, str]] = {}
    found = []
    for event in events:
        if event.get("event") != CHAT_ANSWERED or not event.get("entry") or event.get("source") == REMARK:
            continue
        entry, at_s = event["entry"], float(event.get("ts") or 0)
        before_s, turn = last.get(entry, (float("-inf"), ""))
        if turn != event["turn"] and at_s - before_s <= AGAIN_S:
            found.append(f"{entry}: {turn} and {event['turn']}, {at_s - before_s:.0f} s apart")
        last[entry] = at_s, event["turn"]
    return found


def _became(story: Story, parts: Sequence[Event], ended_s: float) -> str:
    """parts: what was told when its turn was over, of itself where that is known."""
    dropped = next((event for event in story.events if event["event"] == CHAT_DROPPED), None)
    if dropped is not None:
        return f"{NOBODY_KNEW}: {dropped.get('why', '')}"
    if not story.events and not story.said:
        return story.became
    became, at_s = (parts[-1]["became"], float(parts[-1].get("ts") or 0)) if parts else ("", 0.0)
    if became == AIRED:
        return MERGED if story.events[0]["event"] == CHAT_MERGED else ANSWERED
    return became if became and (became == STOPPED or at_s < ended_s) else AT_THE_END


def _is_stop_of(event: Event, turn: str) -> bool:
    return event.get("event") == GUARD_STOPPED and owner(event.get("id", "")) == turn


def _twice(found: Iterable[Story], heard: Iterable[Heard]) -> Iterator[str]:
    for story in found:
        told = [event for event in story.events if event["event"] == CHAT_ANSWERED]
        turns = {event["turn"] for event in story.events if event.get("turn")}
        if len(told) > 1 or len(turns) > 1:
            times = max(len(told), len(turns))
            yield f"#{story.sent.line.number} was answered {times} times: {', '.join(sorted(turns))}"
    said = Counter((word.utterance, word.sentence) for word in heard if word.whole)
    yield from (f"{name} sentence {at} was said {count} times" for (name, at), count in said.items() if count > 1)


def _forbidden(found: Iterable[Story], heard: Sequence[Heard]) -> Iterator[str]:
    for story in found:
        for words in story.sent.line.never:
            for word in heard:
                if word.lane == LANE and words.casefold() in word.text.casefold():
                    yield f"#{story.sent.line.number} {words!r} was said, by {word.utterance}"


def _unaccounted(found: Iterable[Story], counts: Mapping[str, int]) -> Iterator[str]:
    """More had no turn than chat says it let go, or has waiting."""
    without = sum(story.became == NO_TURN for story in found)
    told = sum(counts.get(reason, 0) for reason in (*WAITED, "waiting"))
    if counts and without > told:
        yield f"{without} had no turn, and chat counts {told} that grew stale, were merged or crowded out, or wait"
