"""The page of an evening: what became of the comments, and side by side what was written, told and said. Pure.

In: stories (tests.lab.aftermath), the room's events, what was heard, all that is wrong. Out: Markdown. What cannot be
seen in a comment stands as an escape. Times are minutes and seconds since the evening began; `rec` is the place in the
recording.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from broadcaster.chat.phrase import LANE
from broadcaster.events import CHAT_ANSWERED, GUARD_STOPPED
from tests.lab.aftermath import Event, Heard, Story, again, counted, latencies

SHOWN_CHARS = 160
FLAGS = ("buyer", "mention")
TOLD = ("source", "entry", "sure", "became", "reason", "why", "total_ms")  # of a comment's events


def written(
    head: str,
    began_s: float,
    found: Sequence[Story],
    events: Sequence[Event],
    heard: Sequence[Heard],
    wrong: Sequence[str],
    counts: Mapping[str, int],
    skipped: int,
) -> str:
    """began_s: Unix seconds of the evening's beginning."""
    rows = sorted(found, key=lambda one: (one.sent.at_s, one.sent.line.number))
    unasked = _unasked(found, heard)
    lines = [
        "# An evening",
        "",
        head,
        "",
        *_summary(found, events, wrong, counts, skipped),
        "## Side by side",
        "",
        "| # | at | comment | expected | became | told | said |",
        "|--:|---|---|---|---|---|---|",
        *(_row(one, began_s) for one in rows),
        "",
        "## Said without being asked",
        "",
        *(f"* {_when(word, began_s)} {_plain(word.text)} (`{word.utterance}`)" for word in unasked),
        "",
    ]
    return "\n".join(lines)


def _summary(
    found: Sequence[Story], events: Sequence[Event], wrong: Sequence[str], counts: Mapping[str, int], skipped: int
) -> Iterator[str]:
    yield from ["## Wrong", "", *([f"* {_plain(one)}" for one in wrong] or ["Nothing."]), ""]
    yield from ["## Comments", "", f"{len(found)} were written.", "", "| what became of them | comments |", "|---|--:|"]
    yield from (f"| {name} | {count} |" for name, count in counted(found).most_common())
    yield from ["", f"As chat counts them: {_listed(counts)}.", ""]
    yield from ["## Answers", "", "| stage | answers | p50 | p95 |", "|---|--:|--:|--:|"]
    yield from (
        f"| {stage.removesuffix('_ms')} | {count} | {p50:.0f} ms | {p95:.0f} ms |"
        for stage, (count, p50, p95) in latencies(events).items()
    )
    by_source: dict[str, int] = {}
    for event in events:
        if event.get("event") == CHAT_ANSWERED:
            by_source[event.get("source", "")] = by_source.get(event.get("source", ""), 0) + 1
    stops = [event for event in events if event.get("event") == GUARD_STOPPED]
    yield from [
        "",
        f"By source: {_listed(by_source)}. Slots skipped: {skipped}. Stopped by the guard: {len(stops)}.",
        "",
    ]
    yield from (
        f"* `{one.get('id', '')}` ({one.get('lane', '')}): {one.get('rule', '')}, {_plain(one.get('reason', ''))}"
        f": {_plain(one.get('found', ''))}"
        for one in stops
    )
    if same := again(events):
        yield from ["", "The same answer twice within half a minute:", "", *(f"* {one}" for one in same)]
    yield ""


def _row(story: Story, began_s: float) -> str:
    line, fields = story.sent.line, story.sent.fields
    flags = [f"{fields['kind']}" if fields.get("kind", "comment") != "comment" else ""]
    flags += [flag for flag in FLAGS if fields.get(flag) == "1"]
    words = _plain(fields.get("text", "")) + (f" → {_plain(fields['reply'])}" if "reply" in fields else "")
    comment = f"**{_plain(fields.get('user', ''))}** {words}" + "".join(f" _{flag}_" for flag in flags if flag)
    became = f"**{story.became}: {story.wrong}**" if story.wrong else story.became
    told = [_told(event) for event in story.events]
    told += [f"guard: {event.get('rule', '')}, {event.get('reason', '')}" for event in story.stops]
    said = [f"{_when(word, began_s)} {_plain(word.text)}" for word in story.said]
    cells = [
        str(line.number),
        _clock(story.sent.at_s - began_s),
        comment,
        f"{line.expect}: {line.note}",
        became,
        "<br>".join(map(_plain, told)),
        "<br>".join(said),
    ]
    return f"| {' | '.join(cells)} |"


def _told(event: Event) -> str:
    facts = [f"{name} {event[name]}" for name in TOLD if event.get(name)]
    return f"{event['event'].removeprefix('chat.')}: {', '.join(facts) or event.get('turn', '')}"


def _unasked(found: Iterable[Story], heard: Iterable[Heard]) -> list[Heard]:
    """Words of the answers' lane that belong to no comment."""
    asked = {(word.utterance, word.sentence) for one in found for word in one.said}
    return [word for word in heard if word.lane == LANE and (word.utterance, word.sentence) not in asked]


def _when(word: Heard, began_s: float) -> str:
    place = f" rec {_clock(word.recorded_s)}" if word.recorded_s is not None else ""
    return f"[{_clock(word.at_s - began_s)}{place}]{'' if word.whole else ' (cut)'}"


def _clock(seconds: float) -> str:
    tenths = round(seconds * 10)
    return f"{'-' if tenths < 0 else ''}{abs(tenths) // 600}:{abs(tenths) % 600 / 10:04.1f}"


def _plain(text: str) -> str:
    """For a cell of a table, on one line."""
    seen = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    short = seen if len(seen) <= SHOWN_CHARS else f"{seen[:SHOWN_CHARS]}… ({len(text):,} characters)"
    for mark in "\\|<>*_`[]":
        short = short.replace(mark, f"\\{mark}")
    return short


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name or 'nobody'} {count}" for name, count in counts.items() if count) or "nothing"
