"""Whether the platforms still show what they are sent: their playback is looked at, as a viewer would.

In: the playback URLs of outputs, and which outputs are live. Out: findings for the judge. Each look is a process of its
own (streams/probe/farend.py), which gets the URL on its standard input; nothing here waits for it.

An output that is not live is not looked at, and what is seen soon after it went live does not count against it, for
platforms take their time. It is off the air after two looks in a row that did not find it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from broadcaster.monitor.alarms import OFF_AIR_FAR_END
from broadcaster.monitor.symptoms import LIVE, Found
from broadcaster.names import pusher_name

PROGRAM = (sys.executable, "-m", "streams.probe.farend")
LOOK_S = 15.0  # two segments of the longest usual HLS; two looks and the pause between them fit into a minute
GRACE_S = 5.0  # for a look to end by itself, its start included
AGAIN_S = 2.0  # after a look that found nothing
LOOKS = 2
ANSWER_MAX_BYTES = 4096


class Answer(msgspec.Struct, frozen=True):
    """What a look found (streams.probe.farend.Finding)."""

    plays: bool
    why: str = ""


@dataclass(slots=True)
class _Output:
    url: str
    due_s: float
    live_since_s: float | None = None
    failures: int = 0
    why: str = ""
    plays: bool | None = None  #: None: not known
    process: subprocess.Popen[bytes] | None = None
    began_s: float = 0.0


class Playbacks:
    """urls: of playback, by the outputs' names. every_s: between looks. settle_s: until a new broadcast is shown."""

    def __init__(
        self, urls: Mapping[str, str], every_s: float, settle_s: float, now_s: float, program: Sequence[str] = PROGRAM
    ) -> None:
        self._every_s = every_s
        self._settle_s = settle_s
        self._program = program
        apart_s = every_s / max(1, len(urls))  # not all at once
        self._outputs = {name: _Output(url, now_s + index * apart_s) for index, (name, url) in enumerate(urls.items())}

    def turn(self, now_s: float, status: Mapping[str, Any]) -> None:
        children: Mapping[str, Any] = status.get("children", {})
        for name, output in self._outputs.items():
            if children.get(pusher_name(name), {}).get("phase") != LIVE:
                output.live_since_s = None
            elif output.live_since_s is None:
                output.live_since_s = now_s
            if output.process is not None:
                self._hear(now_s, output)
            elif output.live_since_s is not None and now_s >= output.due_s:
                self._look(now_s, output)

    def findings(self) -> Found:
        return {(OFF_AIR_FAR_END, name): _finding(name, output) for name, output in self._outputs.items()}

    def close(self) -> None:
        for output in self._outputs.values():
            if output.process is not None:
                _end(output.process)

    def _look(self, now_s: float, output: _Output) -> None:
        output.began_s = now_s
        try:
            output.process = subprocess.Popen(
                [*self._program, f"{LOOK_S:g}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libraries print URLs
                start_new_session=True,
            )
        except OSError:
            output.due_s = now_s + self._every_s
            return
        assert output.process.stdin is not None
        with contextlib.suppress(OSError), output.process.stdin as question:
            question.write(output.url.encode() + b"\n")  # less than a pipe holds: it does not block

    def _hear(self, now_s: float, output: _Output) -> None:
        assert output.process is not None and output.process.stdout is not None
        if output.process.poll() is None:
            if now_s - output.began_s > LOOK_S + GRACE_S:
                _end(output.process)
            return
        with output.process.stdout as pipe:
            said = pipe.read(ANSWER_MAX_BYTES)
        output.process = None
        try:
            answer = msgspec.json.decode(said, type=Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            answer = None
        if answer is not None and answer.plays:
            output.plays, output.failures, output.due_s = True, 0, output.began_s + self._every_s
            return
        since_s = output.live_since_s
        if answer is None or since_s is None or output.began_s - since_s < self._settle_s:
            output.due_s = now_s + self._every_s  # it says nothing of the platform
            return
        output.failures, output.why = output.failures + 1, answer.why or "nothing plays"
        output.due_s = now_s + AGAIN_S if output.failures < LOOKS else output.began_s + self._every_s
        if output.failures >= LOOKS:
            output.plays = False


def _finding(name: str, output: _Output) -> str | None:
    if output.plays is None:
        return None
    return "" if output.plays else f"{name} is sent, but its playback does not show it ({output.why})"


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
