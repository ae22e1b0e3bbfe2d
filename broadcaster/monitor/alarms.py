"""Which alarms stand, and what was raised or cleared just now.

In: findings each second: for each alarm that is watched, what is wrong, "" when nothing is, None when that cannot be
told now. Out: the alarms that stand, and news of them. Pure: no I/O, no clock; times are arguments.

An alarm is raised when its finding has held for `after_s` without a break and cleared when all has been well for
`clear_s`, so that nothing flaps. What cannot be told changes nothing that stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

FROZEN = "frozen"
BLACK = "black"
SILENT = "silent"
AV_OFFSET = "av_offset"
BITRATE_LOW = "bitrate_low"
LABEL_MISSING = "label_missing"
OUTPUT_DOWN = "output_down"
OFF_AIR_FAR_END = "off_air_far_end"
MEMORY_GROWING = "memory_growing"
GPU_MEMORY_GROWING = "gpu_memory_growing"
GPU_THROTTLED = "gpu_throttled"
GPU_FAULT = "gpu_fault"
TIER_LOWERED = "tier_lowered"
CHILD_BRAKED = "child_braked"
REDIS_DOWN = "redis_down"
DISK_LOW = "disk_low"
VOICES_DOWN = "voices_down"

ALARM_RAISED, ALARM_CLEARED = "alarm.raised", "alarm.cleared"  # what is told of them

Key: TypeAlias = tuple[str, str]  # an alarm's name, and what it is of: an output, a child, a GPU; "" = the room
Findings: TypeAlias = Mapping[Key, str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """after_s: how long a finding must hold. clear_s: how long all must be well."""

    after_s: float
    clear_s: float


# What a probe or a beat tells has lasted a while already when it is found (symptoms.py): both together are the time
# after which viewers have seen it.
RULES: Mapping[str, Rule] = {
    FROZEN: Rule(9.0, 3.0),  # found after 1 s: 10 s of a picture that stands
    BLACK: Rule(2.0, 3.0),  # found after 1 s
    SILENT: Rule(10.0, 3.0),  # found after 5 s
    AV_OFFSET: Rule(10.0, 10.0),
    BITRATE_LOW: Rule(15.0, 15.0),  # a constant rate may swing for the second that its buffer holds, no longer
    LABEL_MISSING: Rule(3.0, 3.0),  # three looks: one may fall into a cross-fade
    OUTPUT_DOWN: Rule(60.0, 5.0),  # platforms hold a key busy for most of a minute
    OFF_AIR_FAR_END: Rule(0.0, 0.0),  # it takes two looks in a row (broadcaster/monitor/playback.py)
    MEMORY_GROWING: Rule(0.0, 0.0),  # hours went into it
    GPU_MEMORY_GROWING: Rule(0.0, 0.0),
    GPU_THROTTLED: Rule(30.0, 60.0),
    GPU_FAULT: Rule(0.0, 0.0),
    TIER_LOWERED: Rule(10.0, 10.0),  # a restart lends the air to another engine for less
    CHILD_BRAKED: Rule(0.0, 0.0),
    REDIS_DOWN: Rule(5.0, 3.0),  # an outage that heals within the bar is no alarm
    DISK_LOW: Rule(10.0, 30.0),
    VOICES_DOWN: Rule(5.0, 5.0),
}


class Alarm(msgspec.Struct, frozen=True):
    """One that stands. `of`: see Key. `since_s`: when it was raised, Unix seconds. `text`: for a person."""

    name: str
    of: str
    since_s: float
    text: str

    @property
    def key(self) -> Key:
        return self.name, self.of


@dataclass(frozen=True, slots=True)
class News:
    """`raised`: it stands now; else it stands no more."""

    alarm: Alarm
    raised: bool


class Judge:
    """`standing`: what an earlier monitor of this room knew to stand."""

    def __init__(self, standing: Iterable[Alarm] = ()) -> None:
        self._standing = {alarm.key: alarm for alarm in standing}
        self._wrong_s: dict[Key, float] = {}  #: since when, monotonic
        self._well_s: dict[Key, float] = {}

    @property
    def standing(self) -> list[Alarm]:
        """Oldest first."""
        return sorted(self._standing.values(), key=lambda alarm: alarm.since_s)

    def look(self, now_s: float, wall_s: float, findings: Findings) -> list[News]:
        """Judge anew. now_s: monotonic. An alarm that nobody watches any more (its output was removed) is cleared."""
        news = []
        for key in [key for key in self._standing if key not in findings]:
            news.append(self._clear(key))
        for key, found in findings.items():
            if found is None:
                self._wrong_s.pop(key, None)
                self._well_s.pop(key, None)
            elif found:
                self._well_s.pop(key, None)
                since_s = self._wrong_s.setdefault(key, now_s)
                if key not in self._standing and now_s - since_s >= RULES[key[0]].after_s:
                    self._standing[key] = Alarm(*key, since_s=round(wall_s, 3), text=found)
                    news.append(News(self._standing[key], raised=True))
            else:
                self._wrong_s.pop(key, None)
                since_s = self._well_s.setdefault(key, now_s)
                if key in self._standing and now_s - since_s >= RULES[key[0]].clear_s:
                    news.append(self._clear(key))
        return news

    def _clear(self, key: Key) -> News:
        self._wrong_s.pop(key, None)
        return News(self._standing.pop(key), raised=False)


def standing_in(status: Mapping[str, Any]) -> list[Alarm] | None:
    """What stands by the monitor's last word in a room's status; None while it says nothing."""
    for child in status.get("children", {}).values():
        if child.get("kind") == "monitor" and "alarms" in child.get("facts", {}):
            return msgspec.convert(child["facts"]["alarms"], list[Alarm])
    return None


def changes(before: Iterable[Alarm], now: Iterable[Alarm]) -> list[News]:
    """What differs between two lists of standing alarms, for one who only hears such lists."""
    old, new = ({(alarm.key, alarm.since_s): alarm for alarm in alarms} for alarms in (before, now))
    gone = [News(alarm, raised=False) for key, alarm in old.items() if key not in new]
    return gone + [News(alarm, raised=True) for key, alarm in new.items() if key not in old]
