"""What the room's own status says is wrong, alarm by alarm.

In: the status that the supervisor sends each second, and what the room ought to be. Out: findings for the judge
(alarms.py). Pure. What stands still or is dark on purpose (the slate, a panic, an output that another
machine pushes) is no finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from broadcaster.monitor.alarms import (
    AV_OFFSET,
    BITRATE_LOW,
    BLACK,
    CHILD_BRAKED,
    FROZEN,
    LABEL_MISSING,
    OUTPUT_DOWN,
    REDIS_DOWN,
    SILENT,
    TIER_LOWERED,
    VOICES_DOWN,
    Key,
)
from broadcaster.names import PREVIEW, pusher_name

FREEZE_SEEN_S = 1.0  # a picture that stands so long is found; the rules add the rest
BLACK_SEEN_S = 1.0
SILENCE_SEEN_S = 5.0
AV_OFFSET_MS = 80.0  # EBU R 37 allows 40 early and 60 late; beyond this people see it
BITRATE_SHARE = 0.5  # of the constant rate that is asked for
PROBE_WITHIN_S = 5.0  # an older word of the probe says nothing of now
PUSHER = "pusher"
HELD, LIVE = "held", "live"
MOVING = ("live", "hold")  # programmes whose picture moves
AWAY = ("orphaned", "loading")  # phases of a pusher that say nothing of its destination

Found: TypeAlias = dict[Key, str | None]
Facts: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ought:
    """kbps: of picture and sound together."""

    kbps: float


def symptoms(status: Facts, ought: Ought) -> Found:
    children: Facts = status.get("children", {})
    found = _picture(status, children, ought)
    for name, child in children.items():
        if child.get("kind") == PUSHER and name != pusher_name(PREVIEW):  # the page's own is nobody's destination
            output = name.removeprefix(f"{PUSHER}-")
            found[OUTPUT_DOWN, output] = _output(output, child)
        found[CHILD_BRAKED, name] = f"{name} is in a crash loop" if child.get("braked") else ""
    found[TIER_LOWERED, ""] = _tier(status.get("tier", {}))
    return found | _words(facts(children, "director"))


def facts(children: Facts, name: str) -> Facts:
    """What a child said of itself last; nothing while it is away."""
    said: Facts = children.get(name, {}).get("facts", {})
    return said


def words_are_due(children: Facts) -> bool:
    """Whether something ought to be heard: an utterance is on air, out, or may begin now."""
    director = facts(children, "director")
    return bool(facts(children, "playout").get("speaking") or director.get("due") or director.get("on_air"))


def _picture(status: Facts, children: Facts, ought: Ought) -> Found:
    """What the probe sees. Rooms without one are not judged by it."""
    probes = [child for child in children.values() if child.get("kind") == "probe"]
    if not probes:
        return {}
    keys = [(name, "") for name in (FROZEN, BLACK, SILENT, AV_OFFSET, BITRATE_LOW, LABEL_MISSING)]
    seen: Facts = probes[0].get("facts", {})
    source = facts(children, "playout").get("source")
    if not seen.get("frames") or probes[0].get("beat_age_s", 0.0) > PROBE_WITHIN_S or not source:
        return dict.fromkeys(keys)
    moving = source in MOVING and not status.get("panic")
    due = words_are_due(children) and moving and not status.get("hush")  # an upgrade makes a pause
    offset_ms, kbps, label = seen.get("av_offset_ms"), seen.get("kbps"), seen.get("label")
    found = {
        FROZEN: moving
        and seen.get("freeze_s", 0.0) >= FREEZE_SEEN_S
        and f"the picture stands still, {source} being on air",
        BLACK: moving and seen.get("black_s", 0.0) >= BLACK_SEEN_S and f"the picture is black, {source} being on air",
        SILENT: due and seen.get("silence_s", 0.0) >= SILENCE_SEEN_S and "nothing is heard while words are due",
        AV_OFFSET: None
        if offset_ms is None
        else abs(offset_ms) > AV_OFFSET_MS and f"sound and picture are {offset_ms:.0f} ms apart",
        BITRATE_LOW: None
        if not kbps
        else kbps < BITRATE_SHARE * ought.kbps and f"{kbps:.0f} kbit/s are sent of {ought.kbps:.0f}",
        LABEL_MISSING: None if label is None else not label and "the AI label is not to be seen in the picture",
    }
    return {(name, ""): text if text is None else text or "" for name, text in found.items()}


def _output(name: str, child: Facts) -> str | None:
    phase = child.get("phase", "down")
    if phase in (LIVE, HELD):
        return ""
    if phase in AWAY:
        return None
    failures = child.get("facts", {}).get("failures", 0)
    return f"{name} is {phase}" + (f" after {failures} tries" if failures else "")


def _tier(tier: Facts) -> str | None:
    if not tier.get("on_air"):
        return None
    why = f": {tier['why']}" if tier.get("why") else ""
    return f"{tier['on_air']} draws in the place of {tier['wanted']}{why}" if tier.get("lowered") else ""


def _words(director: Facts) -> Found:
    if not director:
        return {(REDIS_DOWN, ""): None, (VOICES_DOWN, ""): None}
    voices = director.get("voices") or {}
    none_left = voices and all(state != "well" for state in voices.values())
    return {
        (REDIS_DOWN, ""): "the director cannot reach the queue" if director.get("redis") == "down" else "",
        (VOICES_DOWN, ""): f"no voice works: {', '.join(voices)}" if none_left else "",
    }
