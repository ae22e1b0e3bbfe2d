"""Outputs that were changed on air, and how the changes lie over the configuration file.

In: the file's outputs; changes, kept in `state_dir/outputs.json`, for us alone since URLs hold stream keys. Out: the
outputs that a room has, each as plain keys and values. A change stands until the file says something else about the
same thing (the URL, or the whole output) than it did when the change was made: then the file has the last word, and the
change is void. Pure but for `load` and `save`.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from pipeline.errors import ConfigError
from pipeline.wholefile import write_whole

FILE = "outputs.json"
URL_KEYS = ("url", "backup")  # what `url` changes

Section = dict[str, Any]  # of one output: keys and values
Sections = Sequence[Mapping[str, Any]]


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was done to one output. given: add → its keys, url → URL_KEYS; references stand as they were typed.

    filed: digest of what the file said of it then, "" = nothing. at: when, for people.
    """

    what: Literal["add", "remove", "url"]
    filed: str
    given: Section = {}
    at: str = ""

    def __repr__(self) -> str:
        return f"Change({self.what!r})"


Kept = dict[str, Change]  # by the output's name


def load(state_dir: Path) -> Kept:
    """What was kept; ConfigError when it cannot be read."""
    path = state_dir / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError):  # its text may quote what stands there
        raise ConfigError(f"{path}: not what `broadcaster outputs` writes; move it aside, or mend it") from None


def save(state_dir: Path, kept: Mapping[str, Change]) -> None:
    """Keep these, whole or not at all, for us alone; OSError when the disk refuses."""
    path = state_dir / FILE
    if not kept:
        path.unlink(missing_ok=True)
        return
    write_whole(path, msgspec.json.format(msgspec.json.encode(kept, order="sorted")), mode=0o600, durable=True)


def laid_over(filed: Sections, kept: Mapping[str, Change], resolve: Callable[[Any], Any]) -> tuple[list[Section], Kept]:
    """The outputs with what was changed, and those changes that still stand.

    filed: the file's. resolve: puts secrets in the place of references, ConfigError when there is none.
    """
    outputs = {str(section.get("name")): dict(section) for section in filed}
    standing = {name: change for name, change in kept.items() if _stands(change, outputs.get(name))}
    for name, change in standing.items():
        if change.what == "remove":
            del outputs[name]
        elif change.what == "url":
            outputs[name] |= resolve(change.given)
        else:
            outputs[name] = {**resolve(change.given), "name": name}
    return list(outputs.values()), standing


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
        return others | {name: _change("add", digest(section), given)}
    if not known:
        raise ConfigError(f"there is no output {name}; {_names(kept, sections)}")
    if what == "remove":
        return others if section is None else others | {name: _change("remove", digest(section))}
    if was is not None and was.what == "add":
        return others | {name: _change("add", was.filed, was.given | given)}
    return others | {name: _change("url", digest(_urls(section)), given)}


def told(kept: Mapping[str, Change], void: Mapping[str, Change] | None = None) -> list[str]:
    """For a person, a line each; no URL is shown."""
    words = {"add": "added", "remove": "removed", "url": "another URL"}
    lines = [f"output {name}: {words[change.what]} on air, {change.at}" for name, change in kept.items()]
    return lines + [
        f"output {name}: the file says something else now, so what was changed on air ({words[change.what]}) is void"
        for name, change in (void or {}).items()
    ]


def digest(section: Mapping[str, Any] | None) -> str:
    """Of what the file says, references resolved: a rotated secret is another word of the file's."""
    if section is None:
        return ""
    return hashlib.sha256(json.dumps(section, sort_keys=True, default=str).encode()).hexdigest()


def _stands(change: Change, section: Mapping[str, Any] | None) -> bool:
    if change.what == "url":
        return section is not None and digest(_urls(section)) == change.filed
    return digest(section) == change.filed


def _urls(section: Mapping[str, Any] | None) -> Section:
    return {key: value for key, value in (section or {}).items() if key in URL_KEYS}


def _change(what: Literal["add", "remove", "url"], filed: str, given: Section | None = None) -> Change:
    return Change(what, filed, given or {}, datetime.datetime.now().astimezone().isoformat(timespec="seconds"))


def _names(kept: Mapping[str, Change], sections: Mapping[str, Any]) -> str:
    gone = {name for name, change in kept.items() if change.what == "remove"}
    names = sorted({*sections, *kept} - gone)
    return f"choose from {', '.join(names)}" if names else "the room has none"
