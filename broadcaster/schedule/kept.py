"""Jobs that were added or removed by hand, and how they lie over the configuration file's.

In: the file's jobs; changes, kept in the state directory. Out: the jobs of the room. As with outputs, a change stands
until the file says something else about a job of that name than it did when the change was made. Pure but for `load`
and `save`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from broadcaster import handmade
from broadcaster.handmade import Change, Kept, Sections, digest, laid_over, made_now
from broadcaster.schedule.jobs import Job, job_of
from pipeline.errors import ConfigError

FILE = "schedule_kept.json"
DONE = {"add": "added", "remove": "removed", "restore": "as the configuration file says"}


def load(state_dir: Path) -> Kept:
    """What was kept; ConfigError when it cannot be read."""
    return handmade.load(state_dir / FILE, "broadcaster schedule")


def save(state_dir: Path, kept: Mapping[str, Change]) -> None:
    """Keep these, whole or not at all; OSError when the disk refuses."""
    handmade.save(state_dir / FILE, kept)


def jobs(filed: Sections, kept: Mapping[str, Change], timezone: str) -> tuple[list[Job], Kept]:
    """The jobs of the room, and the changes that still stand."""
    sections, standing = laid_over(filed, kept, lambda given: given)
    added = {name for name, change in standing.items() if change.what == "add"}
    return [job_of(section, timezone, section["name"] in added) for section in sections], standing


def changed(kept: Mapping[str, Change], filed: Sections, what: str, name: str, given: Mapping[str, Any]) -> Kept:
    """The changes with this one (add | remove | restore); ConfigError when it cannot be made."""
    sections = {str(section["name"]): section for section in filed}
    was, section = kept.get(name), sections.get(name)
    there = (section is not None or was is not None) and not (was is not None and was.what == "remove")
    others = {other: change for other, change in kept.items() if other != name}
    if what == "restore":
        if was is None:
            raise ConfigError(f"job {name}: nothing was changed by hand")
        return others
    if what == "add":
        if there:
            raise ConfigError(f"there is a job {name} already; `broadcaster schedule rm {name}` first")
        return others | {name: made_now("add", digest(section), dict(given))}
    if not there:
        raise ConfigError(f"there is no job {name}; {choices(set(sections) | set(kept))}")
    return others if section is None else others | {name: made_now("remove", digest(section))}


def told(what: str, name: str) -> str:
    """For a person, when it is done."""
    return f"job {name}: {DONE[what]}"


def choices(names: Iterable[str]) -> str:
    listed = ", ".join(sorted(names))
    return f"choose from {listed}" if listed else "the schedule is empty"
