"""The status of a room in words. In: the status as it stands in Redis. Out: text for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def describe(status: Mapping[str, Any]) -> str:
    children = status.get("children", {})
    playout = children.get("playout", {}).get("facts", {})
    director = children.get("director", {}).get("facts", {})
    return "\n".join(
        [
            *_alarms(children),
            *_air(status, playout),
            *_words(director, playout),
            *_answers(children.get("chat", {})),
            *_outputs(status, playout),
            *_seen(children),
            *_children(children),
        ]
    )


def _alarms(children: Mapping[str, Any]) -> Iterator[str]:
    """What stands, first of all; docs/runbook.md says what to do."""
    for child in children.values():
        if child.get("kind") == "monitor":
            for alarm in child.get("facts", {}).get("alarms", []):
                of = f" ({alarm['of']})" if alarm["of"] else ""
                yield f"ALARM {alarm['name']}{of}: {alarm['text']}"


def _air(status: Mapping[str, Any], playout: Mapping[str, Any]) -> Iterator[str]:
    room = status.get("room", "")
    if not status.get("ready"):
        yield f"{room}: not on air yet"
        return
    yield (
        f"{room}: on air for {_duration(status.get('on_air_s', 0))}, showing {playout.get('source', '?')}, "
        f"{playout.get('encoded', 0)} frames, {playout.get('skipped', 0)} skipped"
    )
    tier = status.get("tier", {})
    if tier.get("lowered"):
        why = tier.get("why", "?")
        again = f"{why}, tried again in {_duration(tier['again_in_s'])}" if "again_in_s" in tier else why
        yield f"tier: {tier['on_air']} draws in the place of {tier['wanted']}: {again}"
    if (step := status.get("upgrade")) is not None:
        yield f"upgrade: under way, at {step or 'its next step'}"
    if status.get("panic"):
        yield "panic: on, until `broadcaster panic --off`"
    director = status.get("children", {}).get("director", {}).get("facts", {})
    if director.get("held"):
        yield "paused: by an operator, until `broadcaster resume`; lane live alone speaks"
    if person := director.get("person"):
        yield f"in the picture: {person}"
    if director.get("talking"):
        yield "a person is talking"


def _words(director: Mapping[str, Any], playout: Mapping[str, Any]) -> Iterator[str]:
    speaking = playout.get("speaking") or "nothing"
    yield f"speaking: {speaking}; waiting: {director.get('waiting', '?')}; redis {director.get('redis', '?')}"


def _answers(chat: Mapping[str, Any]) -> Iterator[str]:
    """What viewers are answered."""
    facts = chat.get("facts", {})
    if "answers" not in facts:
        return
    answers = ", ".join(f"{count} by {source}" for source, count in facts["answers"].items() if source != "unanswered")
    nobody = facts["answers"].get("unanswered", 0)
    comments = facts.get("comments", {}).get("comments", 0)
    yield (
        f"answers: {answers or 'none yet'}; nobody knew {nobody}; "
        f"{facts.get('waiting', 0)} of {comments} comments wait{'' if facts.get('reading') else ', none is read now'}"
    )
    for name, source in facts.get("connectors", {}).get("sources", {}).items():
        state = "connected" if source.get("connected") else f"not connected: {source.get('error') or 'not yet'}"
        yield f"comments from {name}: {state}, {source.get('messages', 0)} came"


def _outputs(status: Mapping[str, Any], playout: Mapping[str, Any]) -> Iterator[str]:
    changed = status.get("changed_outputs", {})
    words = {"add": ", added on air", "url": ", another URL than the file's"}
    for name, output in playout.get("outputs", {}).items():
        counts = f"went live {output['connects']} times, {output['dropped']} tags dropped"
        yield f"output {name}: {output['state']}, {counts}{words.get(changed.get(name, ''), '')}"
    for name in [name for name, what in changed.items() if what == "remove"]:
        yield f"output {name}: removed on air; `broadcaster outputs restore {name}` brings it back"


def _seen(children: Mapping[str, Any]) -> Iterator[str]:
    """What the probe sees of what the outputs get."""
    for child in children.values():
        seen = child.get("facts", {})
        if child.get("kind") != "probe" or "freeze_s" not in seen:
            continue
        parts = [f"{seen['kbps']:.0f} kbit/s" if "kbps" in seen else "bit rate not known yet"]
        parts += [
            f"{what} for {seen[key]:.0f} s"
            for key, what in (("freeze_s", "picture still"), ("black_s", "black"), ("silence_s", "silent"))
            if seen.get(key, 0) >= 1
        ]
        if "av_offset_ms" in seen:
            parts.append(f"sound and picture {abs(seen['av_offset_ms']):.0f} ms apart")
        if "label" in seen:
            parts.append("label shows" if seen["label"] else "NO LABEL")
        yield f"seen: {', '.join(parts)}"


def _children(children: Mapping[str, Any]) -> Iterator[str]:
    for name, child in children.items():
        braked = ", crash loop: see child.braked in the log" if child.get("braked") else ""
        yield f"  {name:<18} {child['phase']:<12} pid {child['pid'] or '-':<8} started {child['starts']} times{braked}"
        for rank in child.get("ranks", [])[1:]:
            yield f"    rank {rank['rank']:<11} {rank['phase']:<12} pid {rank['pid']}"


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
