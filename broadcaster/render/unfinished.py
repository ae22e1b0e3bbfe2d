"""The directory beside a file that is being made: what was asked, and what is done so far.

In: the name of the file, and what decides its content. Out: paths in `NAME.part/`, which outlives a kill, so that
the same request goes on where it was; another one is refused. Nothing lies under the final name before it is whole.
ConfigError when that cannot be, OutputError when the disk refuses later.

    NAME.part/request.json    what was asked
              speech/         sentences that were spoken
              tape.json …     the sound and its marks
              000007.state    the engine's state after group 7
              000007.mp4      the pictures of group 7: written last, so it stands for both
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from broadcaster.lockfile import locked
from broadcaster.render.tape import WHOLE
from pipeline.errors import BadInput, ConfigError, OutputError
from pipeline.wholefile import write_whole

REQUEST, LOCK, JOINED = "request.json", "lock", "joined.mp4"


class Unfinished:
    """The directory, held by this process alone."""

    def __init__(self, out: Path, directory: Path) -> None:
        self._out = out
        self.directory = directory
        self.speech = directory / "speech"
        self.joined = directory / JOINED

    def group(self, index: int) -> Path:
        return self.directory / f"{index:06}.mp4"

    def groups_done(self) -> int:
        """How many groups are there, from the first on without a gap."""
        done = 0
        while self.group(done).exists():
            done += 1
        return done

    def keep_state(self, index: int, state: bytes) -> None:
        write_whole(self._state(index), state, durable=True)

    def state(self, index: int) -> bytes:
        """The engine's state after this group."""
        return self._state(index).read_bytes()

    def is_worth_keeping(self, bad_input: bool) -> bool:
        """Whether there is anything in it that the same request would go on with."""
        return (self.directory / WHOLE).exists() or (not bad_input and any(self.speech.glob("*.speech")))

    def finish(self) -> None:
        """Put the joined file in its place; nothing else is left."""
        self.joined.replace(self._out)
        (self.directory / REQUEST).unlink()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _state(self, index: int) -> Path:
        return self.directory / f"{index:06}.state"


@contextlib.contextmanager
def held(out: Path, request: Mapping[str, str], restart: bool) -> Iterator[Unfinished]:
    """Hold the unfinished file while the block runs. `request`: what decides the content, in words.

    ConfigError when the directory cannot be written, another process works on it, it holds another request, or
    `out` is there already; `restart` begins anew in the last two cases.
    """
    directory = out.with_name(f"{out.name}.part")
    if out.exists() and not directory.exists() and not restart:
        raise ConfigError(f"{out} exists; --restart makes it again")
    with contextlib.ExitStack() as stack:
        try:
            directory.mkdir(exist_ok=True)
            stack.enter_context(locked(directory / LOCK, f"{out}: another process is making it"))
        except OSError as error:
            raise ConfigError(f"{directory}: cannot be written: {error.strerror}") from error
        if restart:
            (directory / REQUEST).unlink(missing_ok=True)
        elif out.exists() and not (directory / REQUEST).exists():  # a kill came when all was done but the tidying
            shutil.rmtree(directory)
            raise ConfigError(f"{out} exists; --restart makes it again")
        _agree(directory / REQUEST, out, request)
        place = Unfinished(out, directory)
        try:
            yield place
        except BaseException as error:
            if not place.is_worth_keeping(isinstance(error, BadInput)):
                shutil.rmtree(directory, ignore_errors=True)
            if isinstance(error, OSError):
                raise OutputError("disk", f"{directory}: {error.strerror}") from error
            raise


def _agree(path: Path, out: Path, request: Mapping[str, str]) -> None:
    if not path.exists():
        _clear(path.parent)  # without its request, nobody knows what the rest belongs to
        write_whole(path, msgspec.json.encode(request), durable=True)
        return
    try:
        before = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a request ({error}); --restart begins anew") from error
    names = [*request, *(name for name in before if name not in request)]
    differ = [name for name in names if before.get(name) != request.get(name)]
    if differ:
        changes = ", ".join(f"{name} {before.get(name, 'none')} → {request.get(name, 'none')}" for name in differ)
        raise ConfigError(
            f"{path.parent} holds an unfinished {out.name} of another request ({changes}); "
            "give that command again to go on, or this one with --restart to begin anew"
        )


def _clear(directory: Path) -> None:
    """Remove all but the lock."""
    for path in directory.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()
