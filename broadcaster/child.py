"""The entry of every child process: its section comes down the lifeline, then its work begins.

Started as `python -m broadcaster.child KIND NAME [standby [MODULE …]]` with the lifeline as standard input. It imports
nothing but what its kind needs: a pusher must stay small. A standby reads its modules first, and those that are named,
and waits as long as it takes for the section of the one that it is to follow.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from pipeline.errors import BroadcasterError
from pipeline.lifeline import SPEC_WAIT_S, Lifeline, LineClosed

KINDS = {
    "chat": "broadcaster.chat.host:ChatSpec",
    "director": "broadcaster.director:DirectorSpec",
    "engine": "pipeline.worker:WorkerSpec",
    "monitor": "broadcaster.monitor.monitor:MonitorSpec",
    "playout": "streams.playout:PlayoutSpec",
    "probe": "streams.probe.probe:ProbeSpec",
    "pusher": "streams.pusher:PusherSpec",
    "room": "broadcaster.tenant:RoomSpec",
}
"""What each kind is told; its `run(spec, lifeline)` stands in the same module."""

# Where torch is loaded the interpreter takes a second or two to take its modules apart, in playout a quarter, for which
# viewers would wait when another one follows.
HEAVY = ("engine", "playout")
STANDBY = "standby"
LOWEST = 19  # of nice(2)
TRACE_FRAMES = 12  # the innermost ones
LOGS_BY_NOTES = ("pusher", "probe")  # too small for a logging library of their own


def main() -> int:
    kind, name, *how = sys.argv[1:]
    module_name, _, spec_name = KINDS[kind].partition(":")
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor orders the shutdown
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        lifeline = Lifeline.of_child()
        reading = read_ahead(name, [module_name, *how[1:]]) if STANDBY in how else None
        section = lifeline.spec(None if reading else SPEC_WAIT_S)
        if reading:
            reading.join()
    except LineClosed as error:
        if STANDBY not in how:
            print(f"{name}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    call_me(name)
    if kind not in LOGS_BY_NOTES:
        from broadcaster.log import configure  # only by those who log

        configure(name, verbose=bool(os.environ.get("BROADCASTER_VERBOSE")))
    module = importlib.import_module(module_name)
    try:
        module.run(msgspec.convert(section.spec, getattr(module, spec_name)), lifeline)
    except LineClosed:
        return 1
    except BroadcasterError as error:
        lifeline.note("error", "child.failed", reason=str(error), error=type(error).__name__)
        return 1
    except Exception as error:
        # The one place where anything may end: the traceback goes up whole, the supervisor starts us again.
        lifeline.note("error", "child.crashed", reason=traceback.format_exc(limit=-TRACE_FRAMES), error=repr(error))
        return 1
    return 0


def read_ahead(name: str, modules: Sequence[str]) -> threading.Thread:
    """Read the modules of one that stands by. It takes a second of a core that the air may need, so it is done on a
    thread with the lowest priority: Linux keeps one for each, and that of a process cannot be raised again.
    """
    call_me(f"{STANDBY}-{name}")

    def read() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
        for module in modules:
            with contextlib.suppress(Exception):  # it is raised again by who begins
                importlib.import_module(module)

    thread = threading.Thread(target=read, name="modules", daemon=True)
    thread.start()
    return thread


def call_me(name: str) -> None:
    """The name that `top` shows, of which the kernel keeps 15 bytes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name)


def leave(status: int) -> NoReturn:
    """End the process, whose work is done and closed."""
    if sys.argv[1] in HEAVY:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    leave(main())
