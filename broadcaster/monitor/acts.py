"""Which child is to be started anew because of an alarm, if any.

In: the alarms that stand, and the room's status. Out: at most one act at a time. Pure; times are arguments, monotonic.

Each alarm has a list of remedies, tried one after the other and each once: what does not help is left to a person. They
may be tried again when the alarm was away for ten minutes. What leaks is started anew at a quiet moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from broadcaster.monitor.alarms import (
    AV_OFFSET,
    BLACK,
    FROZEN,
    GPU_MEMORY_GROWING,
    LABEL_MISSING,
    MEMORY_GROWING,
    OFF_AIR_FAR_END,
    SILENT,
    VOICES_DOWN,
    Alarm,
    Key,
)
from broadcaster.monitor.symptoms import LIVE, facts, words_are_due
from broadcaster.names import pusher_name
from broadcaster.watch import WORKING
from pipeline.wire import Act

REMEDIES: Mapping[str, tuple[str, ...]] = {
    FROZEN: ("engine", "playout"),
    BLACK: ("playout", "engine"),
    SILENT: ("director",),
    AV_OFFSET: ("playout",),
    LABEL_MISSING: ("playout",),
    OFF_AIR_FAR_END: ("pusher",),
    MEMORY_GROWING: ("child",),
    GPU_MEMORY_GROWING: ("engine",),
}
"""What is started anew, first to last. engine: the one on air. pusher, child: the one that the alarm is of."""

PLANNED = (MEMORY_GROWING, GPU_MEMORY_GROWING)  # at a quiet moment
NEXT_S = 60.0  # from one remedy of an alarm to the next: whether it helped must show
CHILD_S = 61.0  # from one time to the next for the same child, whatever for: the supervisor obeys once a minute
APART_S = 10.0  # between any two acts: a restart takes two seconds, and its alarm is cleared three later
REARM_S = 600.0  # an alarm that was away for so long has its remedies again
CARRYING = ("director", "engine", "playout")  # while one of them is away, no other is taken off for its memory
NOT_OURS = ("redis",)  # what grows there is what was put in: a new one would load it again
QUIET_S = 2.0  # without a word, on air or due
PATIENCE_S = 1800.0  # a room that never is quiet so long: any pause between two sentences will do
PATIENCE_MAX_S = 7200.0  # one without pauses: now


class Acts:
    def __init__(self, tried: Mapping[Key, int] | None = None) -> None:
        """`tried`: remedies of standing alarms that an earlier monitor tried."""
        self._tried = dict(tried or {})
        self._tried_s: dict[Key, float] = {}
        self._cleared_s: dict[Key, float] = {}
        self._stands_s: dict[Key, float] = {}
        self._anew_s: dict[str, float] = {}  #: children, and when
        self._last_s: float | None = None
        self._quiet_since_s: float | None = None

    @property
    def tried(self) -> dict[Key, int]:
        return dict(self._tried)

    def due(self, now_s: float, alarms: Iterable[Alarm], status: Mapping[str, Any]) -> Act | None:
        """The act for now. To be asked each second."""
        standing = {alarm.key: alarm for alarm in alarms}
        self._follow(now_s, standing, status)
        if status.get("upgrade"):
            return None  # all is started anew, one after the other
        if self._last_s is not None and now_s - self._last_s < APART_S:
            return None
        for key, alarm in standing.items():
            remedies = REMEDIES.get(alarm.name, ())
            step = self._tried.get(key, 0)
            if step >= len(remedies) or now_s - self._tried_s.get(key, -NEXT_S) < NEXT_S:
                continue
            if alarm.name == SILENT and ((VOICES_DOWN, "") in standing or not _is_live(status)):
                continue  # a new director has no other voices, and no engine to give words to
            if alarm.name in PLANNED and not self._is_moment(now_s, key, status):
                continue
            child = _child(remedies[step], alarm, status)
            if child is not None and now_s - self._anew_s.get(child, -CHILD_S) >= CHILD_S:
                self._tried[key], self._tried_s[key], self._last_s = step + 1, now_s, now_s
                self._anew_s[child] = now_s
                return Act(child, f"{alarm.name}: {alarm.text}")
        return None

    def _follow(self, now_s: float, standing: Mapping[Key, Alarm], status: Mapping[str, Any]) -> None:
        for key in standing:
            self._cleared_s.pop(key, None)
            self._stands_s.setdefault(key, now_s)
            if key in self._tried:
                self._tried_s.setdefault(key, now_s)  # by an earlier monitor: perhaps just now
        for key in [key for key in self._stands_s if key not in standing]:
            del self._stands_s[key]
        for key in [key for key in self._tried if key not in standing]:
            if now_s - self._cleared_s.setdefault(key, now_s) >= REARM_S:
                for known in (self._tried, self._tried_s, self._cleared_s):
                    known.pop(key, None)
        if _is_silent(status) and not words_are_due(status.get("children", {})):
            self._quiet_since_s = now_s if self._quiet_since_s is None else self._quiet_since_s
        else:
            self._quiet_since_s = None

    def _is_moment(self, now_s: float, key: Key, status: Mapping[str, Any]) -> bool:
        """Whether a child may be missed for a moment now, the others being at work."""
        if any(
            child.get("kind") in CARRYING and not child.get("braked") and child.get("phase") not in WORKING
            for child in status.get("children", {}).values()
        ):
            return False
        if self._quiet_since_s is not None and now_s - self._quiet_since_s >= QUIET_S:
            return True
        waited_s = now_s - self._stands_s[key]
        return waited_s >= PATIENCE_MAX_S or (waited_s >= PATIENCE_S and _is_silent(status))


def _is_live(status: Mapping[str, Any]) -> bool:
    return facts(status.get("children", {}), "playout").get("source") == LIVE


def _is_silent(status: Mapping[str, Any]) -> bool:
    return not facts(status.get("children", {}), "playout").get("speaking")


def _child(remedy: str, alarm: Alarm, status: Mapping[str, Any]) -> str | None:
    """The name of the child to start anew; None when it is not at work: then it is on its way already."""
    children: Mapping[str, Any] = status.get("children", {})
    name = {
        "engine": f"engine-{facts(children, 'playout').get('engine', '')}",
        "pusher": pusher_name(alarm.of),
        "child": alarm.of,
    }.get(remedy, remedy)
    child = children.get(name, {})
    if child.get("kind") in NOT_OURS:
        return None
    return name if child.get("phase") in WORKING and not child.get("braked") else None
