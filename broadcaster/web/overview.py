"""What the page shows, of all that is known: one flat picture of the room. Pure.

In: the status (supervisor's and director's facts) and the agenda's view. Out: plain values for JSON, without process
ids, paths or addresses. `steady` leaves out what changes by itself as time goes by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broadcaster.names import PREVIEW, pusher_name


def overview(status: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    children = status.get("children", {})
    playout = _facts(children, "playout")
    director = status.get("director", {})
    return {
        "room": status.get("room", ""),
        "ready": bool(status.get("ready")),
        "on_air_s": status.get("on_air_s", 0.0),
        "source": playout.get("source", ""),
        "panic": bool(status.get("panic") or playout.get("panic")),
        "preview": pusher_name(PREVIEW) in children,
        "lease": director.get("lease", "ours"),
        "queue": director.get("redis", "down"),
        "paused": bool(director.get("paused")),
        "held": bool(director.get("held")),
        "talking": bool(director.get("talking")),
        "person": str(director.get("person", "")),
        "alarms": [_alarm(alarm) for alarm in _facts(children, "monitor").get("alarms", [])],
        "skipped": playout.get("skipped", 0),
        "engine": _engine(children, str(playout.get("engine", ""))),
        "outputs": [_output(children, name, facts) for name, facts in playout.get("outputs", {}).items()],
        **words,
    }


def steady(view: Mapping[str, Any]) -> dict[str, Any]:
    """The same, for comparing: two that are equal here need not both be sent."""
    now = view.get("now")
    return {
        **view,
        "on_air_s": None,
        "now": {**now, "age_s": now["age_s"] is None} if now else None,
    }


def _engine(children: Mapping[str, Any], chosen: str) -> dict[str, Any]:
    names = [name for name, child in children.items() if child.get("kind") == "engine"]
    name = f"engine-{chosen}" if f"engine-{chosen}" in names else next(iter(names), "")
    child = children.get(name, {})
    return {
        "name": name.removeprefix("engine-"),
        "state": child.get("phase", "down"),
        "restarts": max(0, child.get("starts", 1) - 1),
    }


def _alarm(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """`of` only where it is a name; a directory is nobody's business here."""
    of = alarm.get("of", "")
    return {"name": alarm.get("name", ""), "of": "" if "/" in of else of, "text": alarm.get("text", "")}


def _output(children: Mapping[str, Any], name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """As its pusher said to playout; while that is not on the line, as the supervisor sees it."""
    child = children.get(pusher_name(name), {})
    connected = facts.get("connected", True)
    return {
        "name": name,
        "state": facts.get("state", "idle") if connected else child.get("phase", "down"),
        "reconnects": max(0, facts.get("connects", 0) - 1),
        "dropped": facts.get("dropped", 0),
    }


def _facts(children: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = children.get(name, {}).get("facts", {})
    return facts
