"""What an operator changed on air: kept in the state directory, and laid over what the configuration file says.

In: the file's sections, changes by name. Out: the sections that a room has, as plain keys and values. A change stands
until the file says something else about the same thing (the part that was changed, or the whole section) than it did
when the change was made: then the file has the last word, and the change is void. Pure but for `load` and `save`.
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

URL_KEYS = ("url", "backup")  # what `url` changes

Section = dict[str, Any]  # keys and values
Sections = Sequence[Mapping[str, Any]]


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was done to one section. given: add → its keys, url → URL_KEYS; references stand as they were typed.

    filed: digest of what the file said of it then, "" = nothing. at: when, for people.
    """

    what: Literal["add", "remove", "url"]
    filed: str
    given: Section = {}
    at: str = ""

    def __repr__(self) -> str:
        return f"Change({self.what!r})"


Kept = dict[str, Change]  # by the section's name


def made_now(what: Literal["add", "remove", "url"], filed: str, given: Section | None = None) -> Change:
    """A change that is made at this moment."""
    return Change(what, filed, given or {}, datetime.datetime.now().astimezone().isoformat(timespec="seconds"))


def load(path: Path, writer: str) -> Kept:
    """What was kept; ConfigError when it cannot be read. writer: the command that keeps it, for that error."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError):  # its text may quote what stands there
        raise ConfigError(f"{path}: not what `{writer}` writes; move it aside, or mend it") from None


def save(path: Path, kept: Mapping[str, Change]) -> None:
    """Keep these, whole or not at all, for us alone; OSError when the disk refuses."""
    if not kept:
        path.unlink(missing_ok=True)
        return
    write_whole(path, msgspec.json.format(msgspec.json.encode(kept, order="sorted")), mode=0o600, durable=True)


def laid_over(filed: Sections, kept: Mapping[str, Change], resolve: Callable[[Any], Any]) -> tuple[list[Section], Kept]:
    """The sections with what was changed, and those changes that still stand.

    filed: the file's. resolve: puts secrets in the place of references, ConfigError when there is none.
    """
    sections = {str(section.get("name")): dict(section) for section in filed}
    standing = {name: change for name, change in kept.items() if _stands(change, sections.get(name))}
    for name, change in standing.items():
        if change.what == "remove":
            del sections[name]
        elif change.what == "url":
            sections[name] |= resolve(change.given)
        else:
            sections[name] = {**resolve(change.given), "name": name}
    return list(sections.values()), standing


def digest(section: Mapping[str, Any] | None) -> str:
    """Of what the file says, references resolved: a rotated secret is another word of the file's."""
    if section is None:
        return ""
    return hashlib.sha256(json.dumps(section, sort_keys=True, default=str).encode()).hexdigest()


def _stands(change: Change, section: Mapping[str, Any] | None) -> bool:
    if change.what == "url":
        return section is not None and digest(urls(section)) == change.filed
    return digest(section) == change.filed


def urls(section: Mapping[str, Any] | None) -> Section:
    return {key: value for key, value in (section or {}).items() if key in URL_KEYS}
