"""The configuration is read again while the room is on air, in a process of its own.

In: the file, and the configuration in force. Out: the plans of the children as they should be now, which keys that
takes up, which need a restart, or why nothing changes. What may change on air: the script, the voices, the outputs and
what counts as aired. Both ways a memory file carries what is said, so that no secret is in argv, environment or on a
disk, and the supervisor waits for nothing.

Started as `python -m broadcaster.reload CONFIG RUNTIME_DIR`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from broadcaster.children import Plan
from pipeline.errors import BroadcasterError

LIVE = ("script", "voice", "evergreen", "outputs", "ack")  # top-level keys that are taken up on air
READ_WITHIN_S = 60.0  # pictures and voices are tried as well
NICE = 10  # the air goes first
TEXTS = ("script", "evergreen")  # sections whose file may change while the key does not


class InForce(msgspec.Struct, frozen=True):
    """The configuration as plain values, secrets and all, and digests of the texts that it names."""

    tree: dict[str, Any]
    texts: dict[str, str] = {}


class Question(msgspec.Struct, frozen=True):
    owner: str
    in_force: InForce


class Outcome(msgspec.Struct, frozen=True):
    """reasons: why nothing changes. applied, need_restart: keys. renew: kinds to begin anew with the same section."""

    reasons: list[str] = []
    applied: list[str] = []
    need_restart: list[str] = []
    renew: list[str] = []
    plans: list[Plan] = []
    in_force: InForce | None = None

    def lines(self) -> list[str]:
        """For a person."""
        if not self.applied and not self.need_restart:
            return ["nothing changed"]
        lines = [f"taken up: {', '.join(self.applied)}"] if self.applied else []
        return lines + ([f"needs a restart: {', '.join(self.need_restart)}"] if self.need_restart else [])


class Reloader:
    """The supervisor's side. Nothing here waits for the other process."""

    def __init__(self, path: Path, runtime_dir: Path, owner: str, in_force: InForce) -> None:
        self.path = path
        self._runtime_dir = runtime_dir
        self._owner = owner
        self._in_force = in_force
        self._process: subprocess.Popen[bytes] | None = None
        self._said_fd = -1
        self._ends_s = 0.0

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self, now_s: float) -> None:
        """Begin to read; OSError when no process can be started."""
        asked_fd = os.memfd_create("reload-question", os.MFD_CLOEXEC)
        self._said_fd = os.memfd_create("reload-outcome", os.MFD_CLOEXEC)
        try:
            os.write(asked_fd, msgspec.msgpack.encode(Question(self._owner, self._in_force)))
            os.lseek(asked_fd, 0, os.SEEK_SET)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "broadcaster.reload", str(self.path), str(self._runtime_dir)],
                stdin=asked_fd,
                stdout=self._said_fd,
                start_new_session=True,
            )
        except OSError:
            os.close(self._said_fd)
            raise
        finally:
            os.close(asked_fd)
        self._ends_s = now_s + READ_WITHIN_S

    def outcome(self, now_s: float) -> Outcome | None:
        """What it found, once; None while it reads."""
        assert self._process is not None
        if self._process.poll() is None:
            if now_s < self._ends_s:
                return None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        code, self._process = self._process.returncode, None
        with os.fdopen(self._said_fd, "rb") as said:
            said.seek(0)
            data = said.read()
        try:
            found = msgspec.msgpack.decode(data, type=Outcome)
        except msgspec.MsgspecError:
            return Outcome(reasons=[f"{self.path}: reading it ended with status {code} and without an outcome"])
        if found.in_force is not None:
            self._in_force = found.in_force
        return found


def in_force(config: Any) -> InForce:
    """The configuration that a room starts with."""
    return InForce(_plain(config.model_dump()), {name: _digest(getattr(config, name, None)) for name in TEXTS})


def read_again(path: Path, runtime_dir: Path, question: Question) -> Outcome:
    """The other process's work: read, check, compare. It may load what the supervisor must not carry."""
    from broadcaster import checks, children
    from broadcaster.config import Config, load

    try:
        wanted = load(path)
        checks.check(wanted, str(path))
    except BroadcasterError as error:
        return Outcome(reasons=str(error).splitlines())
    old = question.in_force
    new = in_force(wanted)
    changed = changes(old.tree, new.tree)
    live = [key for key in changed if _top(key) in LIVE]
    texts = [name for name in TEXTS if new.texts.get(name) != old.texts.get(name)]
    live += [f"the text of {name}.file" for name in texts if not any(_top(key) == name for key in changed)]
    taken = Config.model_validate(old.tree | {key: new.tree[key] for key in LIVE if key in new.tree})
    return Outcome(
        applied=live,
        need_restart=[key for key in changed if _top(key) not in LIVE],
        renew=["director"] if texts else [],
        plans=children.plan(taken, runtime_dir, question.owner),
        in_force=in_force(taken),
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


def _named(items: list[Any]) -> bool:
    return all(isinstance(item, dict) and "name" in item for item in items)


def _by_name(items: list[Any]) -> dict[str, Any]:
    return {item["name"]: item for item in items}


def _top(key: str) -> str:
    return key.partition(".")[0]


def _plain(value: Any) -> Any:
    """Values that msgpack knows, secrets revealed."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    reveal = getattr(value, "get_secret_value", None)
    return reveal() if reveal else value


def _digest(section: Any) -> str:
    """Of the section's file; "" when there is none, or it cannot be read."""
    try:
        return hashlib.sha256(section.file.read_bytes()).hexdigest() if section else ""
    except OSError:
        return ""


def main() -> int:
    os.nice(NICE)
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Question)
    said = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not stand in the outcome
    outcome = read_again(Path(sys.argv[1]), Path(sys.argv[2]), question)
    os.write(said, msgspec.msgpack.encode(outcome))
    return 0


if __name__ == "__main__":
    sys.exit(main())
