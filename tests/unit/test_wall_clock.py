"""Nothing that paces, judges or times the air asks the wall clock: it may leap, and nothing happens.

`make chaos` leaps it for every process of a room; this holds where it may be asked at all.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("broadcaster", "pipeline", "streams", "tts")
READERS = {"time", "time_ns", "now", "utcnow", "today", "localtime", "gmtime", "strftime", "ctime", "wall_s"}
MODULES = {"time", "datetime", "date"}
MAY_ASK = {
    "pipeline/clock.py": "the one place that reads it; everybody else has a Clock",
    "broadcaster/director.py": "stamps of events; what is shown on the page",
    "broadcaster/show.py": "ttl_s and at are Unix times",
    "broadcaster/inbox.py": "ttl_s counts from a stream id, which is a Unix time",
    "broadcaster/monitor/monitor.py": "stamps of alarms, for people",
    "broadcaster/chat/desk.py": "stamps of what is told",
    "broadcaster/chat/host.py": "stamps of what is told",
    "broadcaster/chat/intake.py": "comments carry Unix times, and grow stale",
    "broadcaster/chat/onair.py": "stamps of what is told",
    "broadcaster/chat/reader.py": "comments carry Unix times, and grow stale",
    "broadcaster/chat/saying.py": "how old a comment is; stamps of what is told",
    "broadcaster/chat/talk.py": "stamps of what is told; an id",
    "broadcaster/chat/trial.py": "a comment that is tried is one of now",
    "broadcaster/chat/understanding.py": "the time of day that is said",
    "broadcaster/connectors/caller.py": "when the newest message came, for people",
    "broadcaster/cli/schedule.py": "what comes next, for people",
    "broadcaster/cli/script.py": "what is read at this time of day, for people",
    "broadcaster/microphone.py": "when a person began, for the account",
    "broadcaster/rewrite/budget.py": "of a day",
    "broadcaster/schedule/planner.py": "programmes are planned by the wall clock, which may be set (timetable.py)",
    "broadcaster/script/preview.py": "its own clock: an hour in a moment",
    "broadcaster/script/surroundings.py": "the time of day that is said",
    "tts/http.py": "Retry-After may be a date",
    "broadcaster/handmade.py": "when an output or a job was changed, for people",
    "streams/chronicle.py": "stamps of reports, for people; how far a playout that begins is ahead of the last one",
    "streams/file.py": "names and ages of recordings",
    "streams/hls.py": "dates of a playlist",
}


def asks(tree: ast.AST) -> bool:
    """Whether time.time(), datetime.now(), clock.wall_s() or the like is called, with no time given to convert."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, owner = node.func.attr, node.func.value
        if name == "wall_s":
            return True
        of = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        if name in READERS and of in MODULES and len(node.args) < (2 if name == "strftime" else 1):
            return True
    return False


def test_the_wall_clock_is_asked_where_a_person_or_a_deadline_of_words_needs_it_and_nowhere_else() -> None:
    asking = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if asks(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert asking - set(MAY_ASK) == set()


def test_what_may_ask_still_does() -> None:
    silent = [name for name in MAY_ASK if not asks(ast.parse((ROOT / name).read_text(encoding="utf-8")))]
    assert not silent
