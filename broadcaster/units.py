"""A room, or a house of several, as a systemd unit: which files, with what in them.

In: its name and configuration file, where this program lies. Out: texts and paths; `write` puts them in place. The
unit itself, its user and its directories are the files in systemd/; what differs from room to room goes into a drop-in:
the program's path, credentials for the secrets that the configuration names, directories that it writes to.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broadcaster.config import ROOMS, checked, parse, read
from broadcaster.config_house import HouseSection
from broadcaster.references import REFERENCE
from broadcaster.tiers import SHARED
from pipeline.errors import ConfigError

UNIT = "broadcaster@.service"
ROOM_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
#: what a unit does not see of the machine: ProtectHome=tmpfs, PrivateTmp=yes
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
STATE_HOME = Path("/var/lib/broadcaster")
PORTRAIT = "portrait"  # the engine that needs no card
NAMED = (("script", "file"), ("evergreen", "file"), ("avatar", "image"), ("avatar", "weights"), ("engine", "weights"))

# A user's manager may not do what needs privileges; what works by seccomp stays.
NOT_FOR_USERS = re.compile(
    r"^(User|Group|AmbientCapabilities|CapabilityBoundingSet|Device\w+|Keyring\w+|Private\w+|Proc\w+|Protect\w+|RemoveIPC"
    r"|Configuration\w+|Limit\w+|OOMPolicy|Wants|After)="
)


@dataclass(frozen=True, slots=True)
class File:
    """One to be written. mode: of the file."""

    path: Path
    text: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Program:
    """Where this program lies. seen: directories that it must be able to read."""

    path: Path
    seen: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """files: to be written. directories: to be made, with their modes. missing: secrets to be put in place."""

    name: str
    files: list[File]
    directories: dict[Path, int] = field(default_factory=dict)
    missing: list[Path] = field(default_factory=list)


def this_program() -> Program:
    """The command that runs now, in its environment."""
    path = Path(sysconfig.get_path("scripts")) / "broadcaster"
    if not path.exists():
        raise ConfigError(f"{path}: not there; install the project into this environment first (`make setup`)")
    package = Path(__file__).resolve().parents[1]
    python = Path(sys.executable).resolve().parents[1]
    return Program(path, tuple(dict.fromkeys([Path(sys.prefix), Path(sys.base_prefix), python, package])))


def plan(room: str, config: Path | None, program: Program, user: bool = False, gpu: bool | None = None) -> Plan:
    """Everything for one room. config: default, /etc/broadcaster/ROOM.yaml (for a user: ~/.config/broadcaster).

    gpu: whether it may use the cards; default, whether its engine needs one. ConfigError when the name or the
    configuration cannot be used; secrets need not be there yet.
    """
    if not ROOM_NAME.fullmatch(room):
        raise ConfigError(f"room {room!r}: a unit's name takes letters, digits, '_', '.' and '-'")
    home = _config_home() if user else Path("/etc")
    units = home / "systemd" / ("user" if user else "system")
    path = (config or home / "broadcaster" / f"{room}.yaml").absolute()
    trees = _trees(path)
    engine = _engine(room, trees)
    keys = path.parent / f"{room}.keys"
    texts = [text for tree in trees.values() for text in _texts(tree)]
    names = sorted({match[2] for text in texts for match in REFERENCE.finditer(text) if match[1] is None})
    files = [File(units / UNIT, _for_user(_shipped(UNIT)) if user else _shipped(UNIT))]
    drop_ins = units / f"broadcaster@{room}.service.d"
    files.append(File(drop_ins / "room.conf", _drop_in(path, program, keys, names, trees, user)))
    if not user:
        files.append(File(Path("/etc/sysusers.d/broadcaster.conf"), _shipped("broadcaster.sysusers")))
        files.append(File(Path("/etc/tmpfiles.d/broadcaster.conf"), _shipped("broadcaster.tmpfiles")))
        if gpu if gpu is not None else engine not in (PORTRAIT, SHARED):
            files.append(File(drop_ins / "gpu.conf", _shipped("gpu.conf")))
    missing = [keys / name for name in names if not (keys / name).is_file()]
    return Plan(f"broadcaster@{room}", files, {keys: 0o700} if names else {}, missing)


def write(plan: Plan, root: Path = Path("/")) -> list[Path]:
    """Put the files below `root`; returns the paths of those that changed. ConfigError when it may not."""
    changed = []
    try:
        for directory, mode in plan.directories.items():
            _below(root, directory).mkdir(mode=mode, parents=True, exist_ok=True)
        for file in plan.files:
            path = _below(root, file.path)
            if path.is_file() and path.read_text(encoding="utf-8") == file.text:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.part")
            part.write_text(file.text, encoding="utf-8")
            part.chmod(file.mode)
            part.replace(path)
            changed.append(file.path)
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}; run it as root, or for yourself with --user") from error
    return changed


def _trees(path: Path) -> dict[Path, dict[str, Any]]:
    """The file, and of a house its rooms' files."""
    tree = read(path)
    rooms = [path.parent / str(room) for room in tree.get(ROOMS) or ()]
    return {path: tree} | {room: read(room) for room in rooms}


def _engine(name: str, trees: Mapping[Path, dict[str, Any]]) -> str:
    """Which engine the unit runs. ConfigError when a file cannot be used."""
    (path, tree), *rooms = ((path, _with(tree, "placeholder")) for path, tree in trees.items())
    if ROOMS in tree:
        for room, inner in rooms:
            parse(inner, str(room))
        return checked(HouseSection, tree, str(path)).engine.engine
    parsed = parse(tree, str(path))
    if parsed.room != name:
        raise ConfigError(f"{path}: its room is {parsed.room!r}, not {name!r}; the unit is named after the room")
    return parsed.avatar.engine


def _drop_in(
    path: Path, program: Program, keys: Path, names: Iterable[str], trees: Mapping[Path, Any], user: bool
) -> str:
    lines = [f"# Written by `broadcaster systemd install` for {path}; run it again when outputs or secrets change."]
    lines += ["[Service]", "ExecStart=", f"ExecStart={_quoted(program.path)} run {_quoted(path)}"]
    lines.append(f"WorkingDirectory={_escaped(path.parent)}")
    lines += [f"LoadCredential={name}:{_escaped(keys / name)}" for name in names]
    if not user:
        base = path.parent  # relative paths count from there, also those of a house's rooms
        seen = [*program.seen, *(file.parent for file in trees)]
        seen += [named for tree in trees.values() for named in _named_files(tree, base)]
        lines += [f"BindReadOnlyPaths={_escaped(one)}" for one in _outermost(one for one in seen if _is_hidden(one))]
        written = _outermost(place for tree in trees.values() for place in _written(tree, base))
        lines += [f"ReadWritePaths=-{_escaped(one)}" for one in written if not _is_hidden(one)]
        lines += [f"BindPaths=-{_escaped(one)}" for one in written if _is_hidden(one)]
    return "\n".join(lines) + "\n"


def _written(tree: Mapping[str, Any], base: Path) -> Iterator[Path]:
    """Directories that the room writes to, beyond its state directory."""
    if given := tree.get("state_dir"):
        yield base / str(given)
    for output in tree.get("outputs") or ():
        scheme, _, rest = str(output.get("url", "")).partition(":")
        if scheme in ("file", "hls") and rest:
            place = base / rest
            yield place.parent if scheme == "file" and place.suffix else place


def _named_files(tree: Mapping[str, Any], base: Path) -> Iterator[Path]:
    """Directories of the files that the configuration names."""
    for section, key in NAMED:
        if given := (tree.get(section) or {}).get(key):
            place = base / str(given)
            yield place if place.is_dir() else place.parent
    for text in _texts(tree):
        yield from (Path(match[2]).parent for match in REFERENCE.finditer(text) if match[1] == "file")


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """Each directory once, and none that lies in another."""
    found = sorted({Path(os.path.normpath(path)) for path in paths})
    return [path for path in found if not any(other in path.parents for other in found)]


def _is_hidden(path: Path) -> bool:
    return any(path.is_relative_to(place) for place in HIDDEN)


def _for_user(text: str) -> str:
    """The unit for a user's own manager."""
    lines = [line for line in text.splitlines() if not NOT_FOR_USERS.match(line)]
    return "\n".join(lines).replace("WantedBy=multi-user.target", "WantedBy=default.target") + "\n"


def _with(value: Any, secret: str) -> Any:
    """The same tree, with a word in the place of every reference to a secret."""
    if isinstance(value, Mapping):
        return {key: _with(inner, secret) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with(inner, secret) for inner in value]
    return REFERENCE.sub(secret, value) if isinstance(value, str) else value


def _texts(value: Any) -> Iterator[str]:
    """All strings of a tree."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _shipped(name: str) -> str:
    """A file of systemd/, beside the packages or where the wheel put it."""
    places = (Path(__file__).resolve().parents[1] / "systemd", Path(sys.prefix) / "share" / "broadcaster" / "systemd")
    for place in places:
        if (place / name).is_file():
            return (place / name).read_text(encoding="utf-8")
    raise ConfigError(f"{places[0] / name}: not there; install the project again")


def _config_home() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _escaped(path: Path) -> str:
    """For a unit file: `%` begins a specifier."""
    return str(path).replace("%", "%%")


def _quoted(path: Path) -> str:
    """One word of a command line in a unit file."""
    text = _escaped(path).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{text}"' if re.search(r"\s|['\"\\;]", text) else text
