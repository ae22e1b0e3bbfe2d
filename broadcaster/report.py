"""The status of a room in words. In: the status as it stands in Redis. Out: text for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def describe(status: Mapping[str, Any]) -> str:
    children = status.get("children", {})
    playout = children.get("playout", {}).get("facts", {})
    director = children.get("director", {}).get("facts", {})
    return "\n".join([*_air(status, playout), *_words(director, playout), *_outputs(playout), *_children(children)])


def _air(status: Mapping[str, Any], playout: Mapping[str, Any]) -> Iterator[str]:
    room = status.get("room", "")
    if not status.get("ready"):
        yield f"{room}: not on air yet"
        return
    yield (
        f"{room}: on air for {_duration(status.get('on_air_s', 0))}, showing {playout.get('source', '?')}, "
        f"{playout.get('encoded', 0)} frames, {playout.get('skipped', 0)} skipped"
    )
    if status.get("panic"):
        yield "panic: on, until `broadcaster panic --off`"


def _words(director: Mapping[str, Any], playout: Mapping[str, Any]) -> Iterator[str]:
    speaking = playout.get("speaking") or "nothing"
    yield f"speaking: {speaking}; waiting: {director.get('waiting', '?')}; redis {director.get('redis', '?')}"


def _outputs(playout: Mapping[str, Any]) -> Iterator[str]:
    for name, output in playout.get("outputs", {}).items():
        counts = f"went live {output['connects']} times, {output['dropped']} tags dropped"
        yield f"output {name}: {output['state']}, {counts}"


def _children(children: Mapping[str, Any]) -> Iterator[str]:
    for name, child in children.items():
        braked = ", crash loop: see child.braked in the log" if child.get("braked") else ""
        yield f"  {name:<18} {child['phase']:<12} pid {child['pid'] or '-':<8} started {child['starts']} times{braked}"
        for rank in child.get("ranks", [])[1:]:
            yield f"    rank {rank['rank']:<11} {rank['phase']:<12} pid {rank['pid']}"


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
