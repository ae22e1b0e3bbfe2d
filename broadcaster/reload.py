"""The configuration is read again while the room is on air, or one of its outputs is changed, in a process of its own.

In: the file, the configuration in force, perhaps a change to an output. Out: the plans of the children as they should
be now, which keys that takes up, which need a restart, or why nothing changes. What may change on air: the script, the
voices, the outputs and what counts as aired. A change to an output looks at nothing else: neither at the file, which
may be half edited, nor at the other outputs.

Started as `python -m broadcaster.reload CONFIG RUNTIME_DIR` by broadcaster.reader, which says how they speak.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from broadcaster import outputs_kept
from broadcaster.children import Plan
from broadcaster.handmade import Change, Kept, laid_over
from broadcaster.names import pusher_name
from pipeline.errors import BroadcasterError, ConfigError
from pipeline.wire import ChangeOutput

if TYPE_CHECKING:
    from broadcaster.config import Loaded

#: top-level keys that are taken up on air
LIVE = ("script", "voice", "evergreen", "schedule", "timezone", "chat", "guard", "outputs", "ack", "alarms")
NICE = 10  # the air goes first
TEXTS = {"script": "file", "evergreen": "file", "voice": "pronunciations"}  # their content may change, not the key

log = structlog.get_logger()


class InForce(msgspec.Struct, frozen=True):
    """The configuration as plain values, secrets and all, and digests of the texts that it names.

    filed: the file's own outputs. kept: changes made to them on air, which are in `tree` already.
    """

    tree: dict[str, Any]
    texts: dict[str, str] = {}
    filed: list[dict[str, Any]] = []
    kept: dict[str, Change] = {}

    def __repr__(self) -> str:
        return "InForce()"


class Question(msgspec.Struct, frozen=True):
    """change: to one output, instead of reading the file. rehearse: load what the children load, too."""

    owner: str
    in_force: InForce
    change: ChangeOutput | None = None
    rehearse: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """reasons: why nothing changes. applied, need_restart: keys. renew: kinds to begin anew with the same section.

    notes: what else a person should know. only: the children that this is about, None = all.
    """

    reasons: list[str] = []
    applied: list[str] = []
    need_restart: list[str] = []
    renew: list[str] = []
    plans: list[Plan] = []
    in_force: InForce | None = None
    notes: list[str] = []
    only: list[str] | None = None

    def lines(self) -> list[str]:
        """For a person."""
        lines = [f"taken up: {', '.join(self.applied)}"] if self.applied else []
        lines += [f"needs a restart: {', '.join(self.need_restart)}"] if self.need_restart else []
        return (lines or ["nothing changed"]) + self.notes


def in_force(config: Any, filed: list[dict[str, Any]] | None = None, kept: Kept | None = None) -> InForce:
    """The configuration that a room starts with."""
    texts = {name: _digest(getattr(getattr(config, name, None), key, None)) for name, key in TEXTS.items()}
    return InForce(plain(config.model_dump()), texts, plain(filed or []), kept or {})


def settled(path: Path) -> Loaded:
    """The configuration to go on air with, for whoever holds the room: changes that are void are forgotten for good.

    Those that do not fit are left out and left where they are: a room goes on air without them.
    """
    from broadcaster.config import load_whole

    loaded = load_whole(path)
    if loaded.unfit:
        log.error("outputs.unfit", reason=loaded.unfit)
        return loaded
    if loaded.void:
        log.warning("outputs.void", notes=outputs_kept.told({}, loaded.void))
        _keep(loaded.config.state_dir, loaded.kept)
    return loaded


def answer(path: Path, runtime_dir: Path, question: Question) -> Outcome:
    """The other process's work. It may load what the supervisor must not carry."""
    try:
        if question.change is not None:
            return change_output(runtime_dir, question, question.change)
        found = read_again(path, runtime_dir, question)
        return _rehearsed(found) if question.rehearse and not found.reasons else found
    except BroadcasterError as error:
        return Outcome(reasons=str(error).splitlines())


def read_again(path: Path, runtime_dir: Path, question: Question) -> Outcome:
    """Read, check, compare."""
    from broadcaster import checks, children
    from broadcaster.config import load_whole, validated

    old = question.in_force
    try:
        before = plain(validated(old.tree, "in force").model_dump())  # with the keys that this code knows
        loaded = load_whole(path, dict(old.kept))
        if loaded.unfit:
            raise ConfigError(f"outputs that were changed on air do not fit: {loaded.unfit}")
        checks.check(loaded.config, str(path))
    except BroadcasterError as error:
        return Outcome(reasons=str(error).splitlines())
    notes = outputs_kept.told({}, loaded.void)
    if loaded.kept != old.kept:
        notes += _keep(loaded.config.state_dir, loaded.kept)
    new = in_force(loaded.config)
    changed = changes(before, new.tree)
    live = [key for key in changed if _top(key) in LIVE]
    texts = [name for name in TEXTS if new.texts.get(name) != old.texts.get(name, "")]
    live += [f"the text of {name}.{TEXTS[name]}" for name in texts if not any(_top(key) == name for key in changed)]
    taken = validated(before | {key: new.tree[key] for key in LIVE if key in new.tree}, str(path))
    return Outcome(
        applied=live,
        need_restart=[key for key in changed if _top(key) not in LIVE],
        renew=["director"] if texts else [],
        plans=children.plan(taken, runtime_dir, question.owner),
        in_force=in_force(taken, loaded.filed, loaded.kept),
        notes=notes,
    )


def _rehearsed(found: Outcome) -> Outcome:
    """An upgrade changes the code and nothing else; ConfigError when the code cannot be loaded."""
    from broadcaster.rehearsal import rehearse

    if found.applied:
        raise ConfigError(f"the file was edited ({', '.join(found.applied)}): `broadcaster reload` first")
    rehearse(found.plans)
    return found


def change_output(runtime_dir: Path, question: Question, change: ChangeOutput) -> Outcome:
    """Change one output (restore: perhaps all), keep that, and leave everything else as it is in force."""
    from broadcaster import children, disk
    from broadcaster.config import validated

    old = question.in_force
    kept = outputs_kept.changed(old.kept, old.filed, change.what, change.name, change.given)
    outputs = _outputs(old, kept, change.name)
    taken = validated(old.tree | {"outputs": outputs}, "with this change")
    was = {one["name"]: one["url"] for one in old.tree.get("outputs", [])}
    for output in taken.outputs:
        if output.directory and output.url.get_secret_value() != was.get(output.name):
            disk.writable(output.directory, f"outputs.{output.name}.url")
    new = in_force(taken)
    applied = [key for key in changes(old.tree, new.tree) if _top(key) == "outputs"]
    names = {key.split(".")[1] for key in applied}
    return Outcome(
        applied=applied,
        plans=children.plan(taken, runtime_dir, question.owner),
        in_force=msgspec.structs.replace(old, tree=new.tree, kept=kept),
        notes=_keep(taken.state_dir, kept),
        only=[*(pusher_name(name) for name in sorted(names)), "monitor"],  # which watches their disks
    )


def changes(old: Any, new: Any, where: str = "") -> list[str]:
    """Dotted keys whose values differ; outputs go by their names."""
    if isinstance(old, list) and isinstance(new, list) and _named(old) and _named(new):
        old, new = _by_name(old), _by_name(new)
    if not isinstance(old, dict) or not isinstance(new, dict):
        return [] if old == new else [where]
    return [
        key
        for name in sorted({*old, *new})
        for key in changes(old.get(name), new.get(name), f"{where}.{name}" if where else name)
    ]


def plain(value: Any) -> Any:
    """Values that msgpack knows, secrets revealed."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    reveal = getattr(value, "get_secret_value", None)
    return reveal() if reveal else str(value)


def _outputs(old: InForce, kept: Kept, name: str) -> list[dict[str, Any]]:
    """All outputs as they are in force, but for this one; all as the file had them when there is no name."""
    from broadcaster.config import checked_output
    from broadcaster.references import resolved

    def resolve(given: Any) -> Any:
        return resolved(given, "the room")

    if not name:
        return laid_over(old.filed, {}, resolve)[0]
    change = {name: kept[name]} if name in kept else {}
    found = [one for one in laid_over(old.filed, change, resolve)[0] if one["name"] == name]
    for section in found:
        checked_output(section, f"output {name}")
    in_place = {one["name"]: one for one in [*old.tree.get("outputs", []), *found]}
    if not found:
        in_place.pop(name, None)
    return list(in_place.values())


def _keep(state_dir: Path, kept: Kept) -> list[str]:
    """Keep it for the next start; says so when the disk refuses."""
    try:
        outputs_kept.save(state_dir, kept)
    except OSError as error:
        return [f"{state_dir / outputs_kept.FILE}: {error.strerror}: the next start knows nothing of it"]
    return []


def _named(items: list[Any]) -> bool:
    return all(isinstance(item, dict) and "name" in item for item in items)


def _by_name(items: list[Any]) -> dict[str, Any]:
    return {item["name"]: item for item in items}


def _top(key: str) -> str:
    return key.partition(".")[0]


def _digest(file: Path | None) -> str:
    """Of its content; "" when there is none, or it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() if file else ""
    except OSError:
        return ""


def main() -> int:
    from broadcaster.reader import serve

    os.nice(NICE)
    os.dup2(2, 1)  # standard output is nobody's: whatever a library prints belongs to the log
    path, runtime_dir = Path(sys.argv[1]), Path(sys.argv[2])

    def told(asked: bytes) -> bytes:
        question = msgspec.msgpack.decode(asked, type=Question)
        return msgspec.msgpack.encode(answer(path, runtime_dir, question))

    serve(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
