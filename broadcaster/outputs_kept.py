"""Outputs that were changed on air: added, removed, or led to another URL.

In: the file's outputs; changes, kept in `state_dir/outputs.json`. Out: the changes with one more, and what became of
them for a person; no URL is shown, since it holds a stream key. How changes lie over the file: broadcaster.handmade.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from broadcaster import handmade
from broadcaster.handmade import Change, Kept, Section, Sections, digest, made_now, urls
from pipeline.errors import ConfigError

FILE = "outputs.json"


def load(state_dir: Path) -> Kept:
    """What was kept; ConfigError when it cannot be read."""
    return handmade.load(state_dir / FILE, "broadcaster outputs")


def save(state_dir: Path, kept: Mapping[str, Change]) -> None:
    """Keep these, whole or not at all, for us alone; OSError when the disk refuses."""
    handmade.save(state_dir / FILE, kept)


def changed(kept: Mapping[str, Change], filed: Sections, what: str, name: str, given: Section) -> Kept:
    """The changes with this one; ConfigError when it cannot be made."""
    sections = {str(section.get("name")): section for section in filed}
    was, section = kept.get(name), sections.get(name)
    known = (section is not None or was is not None) and not (was is not None and was.what == "remove")
    others = {other: change for other, change in kept.items() if other != name}
    if what == "restore":
        if name and was is None:
            raise ConfigError(f"output {name}: nothing was changed on air")
        return others if name else {}
    if what == "add":
        if known:
            raise ConfigError(f"there is an output {name} already; for another URL: `broadcaster outputs refresh-url`")
        return others | {name: made_now("add", digest(section), given)}
    if not known:
        raise ConfigError(f"there is no output {name}; {_names(kept, sections)}")
    if what == "remove":
        return others if section is None else others | {name: made_now("remove", digest(section))}
    if was is not None and was.what == "add":
        return others | {name: made_now("add", was.filed, was.given | given)}
    return others | {name: made_now("url", digest(urls(section)), given)}


def told(kept: Mapping[str, Change], void: Mapping[str, Change] | None = None) -> list[str]:
    """For a person, a line each; no URL is shown."""
    words = {"add": "added", "remove": "removed", "url": "another URL"}
    lines = [f"output {name}: {words[change.what]} on air, {change.at}" for name, change in kept.items()]
    return lines + [
        f"output {name}: the file says something else now, so what was changed on air ({words[change.what]}) is void"
        for name, change in (void or {}).items()
    ]


def _names(kept: Mapping[str, Change], sections: Mapping[str, Any]) -> str:
    gone = {name for name, change in kept.items() if change.what == "remove"}
    names = sorted({*sections, *kept} - gone)
    return f"choose from {', '.join(names)}" if names else "the room has none"
