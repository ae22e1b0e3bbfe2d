"""The main job on one machine: a presenter on air to a receiver of our own, with three viewers' answers.

In: how long, and where the recording goes. Out: the page's address, `demo.mp4` and a summary. It starts the same
programs a user would (`broadcaster run`, `broadcaster ingest`) and speaks to them as a user would, by Redis.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import typer

from broadcaster.client import Client
from broadcaster.config import load
from broadcaster.room import redis_of
from broadcaster.script.load import load as load_script
from pipeline.errors import BroadcasterError, RedisDown
from pipeline.shipped import CONFIGS

ON_AIR_WITHIN_S = 30.0
STOP_WITHIN_S = 25.0
FIRST_ANSWER_S = 8.0  # after going on air; then one every quarter of the time left
ANSWERS = (
    ("Mia", "Mia asks whether the mug is safe in the dishwasher. Yes Mia, it is, on the upper rack."),
    ("Tom", "Tom would like to know how long shipping takes. Tom, it takes 2 to 3 days."),
    ("Aiko", "Aiko asks if there are other colours. There are three: sand, sea and charcoal."),
)
SHOWN_CHARS = 70
CONTROL_PORT = 8787  # the page's, where it is free
EVERY_S = 15.0  # between answers when the demo has no end
ANSWERED_WITHIN_S = 30.0  # after its time is over; a busy machine speaks late


class DemoFailed(BroadcasterError):
    """The demo did not get on air; its log says why."""


@dataclass(slots=True)
class Seen:
    """What the events told."""

    aired: list[str] = field(default_factory=list)
    waited_ms: list[float] = field(default_factory=list)


class Demo:
    """`run` returns the exit status. One thread, and one that listens to events."""

    def __init__(self, out: Path, seconds: float | None) -> None:
        self._out = out.resolve()
        self._seconds = seconds
        self._recording = self._out / "demo.mp4"
        self._log = self._out / "demo.log"
        self._state_dir = self._out / "demo"
        self._seen = Seen()
        self._status: dict[str, Any] = {}
        self._stopping = threading.Event()

    def run(self) -> int:
        self._prepare()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with self._log.open("w") as log:
            receiver = self._start(log, "ingest", self._url, str(self._recording))
            room = self._start(log, "run", str(self._config_path), "--verbose")
            try:
                client = self._connect(room)
                self._go_on_air(client, room)
                threading.Thread(target=self._listen, daemon=True).start()  # it begins with what was said by now
                self._perform(client, room)
            except KeyboardInterrupt:
                typer.echo("\nending: the sentence is finished first …")
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever presses again must not leave a part running
                self._stopping.set()
                _end(room)
                _end(receiver)
        return self._summary()

    # ── before ───────────────────────────────────────────────────────────────────────────────────

    def _prepare(self) -> None:
        """A clean room: what an earlier demo left in queue and journal is not said again."""
        self._out.mkdir(parents=True, exist_ok=True)
        self._lock = (self._out / "demo.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFailed(f"another demo is on air from {self._out}; end it, or choose another --out") from None
        for old in (self._state_dir / "redis", self._state_dir / "journal"):
            shutil.rmtree(old, ignore_errors=True)
        for recording in self._out.glob("demo*.mp4"):
            recording.unlink()
        port = _free_port()
        os.environ |= {
            "DEMO_PORT": str(port),
            "DEMO_STATE_DIR": str(self._state_dir),
            "DEMO_CONTROL_PORT": str(_free_port(CONTROL_PORT)),
        }
        self._url = f"rtmp://127.0.0.1:{port}/live/demo"
        self._config_path = CONFIGS / "demo.yaml"
        self._config = load(self._config_path)
        lines = load_script(CONFIGS / "scripts" / "demo.md").lines()
        self._texts = {str(index): line.text for index, (_, line) in enumerate(lines)}
        self._texts |= {_answer_id(viewer): text for viewer, text in ANSWERS}

    def _start(self, log: Any, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "broadcaster.cli", *arguments],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=CONFIGS.parent,
        )

    def _connect(self, room: subprocess.Popen[bytes]) -> Client:
        for _ in _until(ON_AIR_WITHIN_S):
            self._check_alive(room)
            with contextlib.suppress(RedisDown):
                client = Client("demo", redis_of(self._config))
                client.status()
                return client
        raise DemoFailed(f"the message queue did not start; see {self._log}")

    def _go_on_air(self, client: Client, room: subprocess.Popen[bytes]) -> None:
        began_s = time.monotonic()
        for _ in _until(ON_AIR_WITHIN_S):
            self._check_alive(room)
            self._status = client.status() or {}
            if _live(self._status):
                break
        else:
            raise DemoFailed(f"not on air after {ON_AIR_WITHIN_S:.0f} s; see {self._log}")
        typer.echo(f"on air after {time.monotonic() - began_s:.1f} s")
        typer.echo(f"\n  Open  http://{self._config.control.listen}/  to watch, and to type what is said.\n")
        typer.echo(f"recording {self._url} to {self._recording}, log in {self._log}")
        typer.echo(f"say something: {sys.argv[0]} say 'Hello' --room demo --redis {redis_of(self._config)}")
        typer.echo("Ctrl-C ends it." if self._seconds is None else f"It ends after {self._seconds:g} s.")

    # ── on air ───────────────────────────────────────────────────────────────────────────────────

    def _perform(self, client: Client, room: subprocess.Popen[bytes]) -> None:
        began_s = time.monotonic()
        waiting = list(zip(self._answer_times(), ANSWERS, strict=True))
        while self._goes_on(time.monotonic() - began_s):
            self._check_alive(room)
            if waiting and time.monotonic() - began_s >= waiting[0][0]:
                _, (viewer, text) = waiting.pop(0)
                typer.echo(f"  + {viewer} is answered next: {_clipped(text)}")
                client.say(text, lane="reply", mode="insert", id=_answer_id(viewer))
            with contextlib.suppress(RedisDown):
                self._status = client.status() or self._status
            time.sleep(0.25)

    def _goes_on(self, elapsed_s: float) -> bool:
        """Until its time is over, and no viewer who asked is still without an answer."""
        if self._seconds is None or elapsed_s < self._seconds:
            return True
        return len(self._answered()) < len(ANSWERS) and elapsed_s < self._seconds + ANSWERED_WITHIN_S

    def _answered(self) -> list[str]:
        return [name for name in self._seen.aired if name.startswith("answer-")]

    def _answer_times(self) -> list[float]:
        if self._seconds is None:
            return [FIRST_ANSWER_S + index * EVERY_S for index in range(len(ANSWERS))]
        first = min(FIRST_ANSWER_S, self._seconds / 6)
        step = (self._seconds - first) / (len(ANSWERS) + 1)
        return [first + index * step for index in range(len(ANSWERS))]

    def _listen(self) -> None:
        """Say what is heard, as it happens. A queue that goes away at the end is no news."""
        listener = Client("demo", redis_of(self._config))
        with contextlib.suppress(RedisDown):
            for event in listener.events("0"):
                if self._stopping.is_set():
                    return
                if event.get("id") not in self._texts and event.get("event") == "utterance.accepted":
                    self._texts[event["id"]] = listener.text_of(event["id"]) or event["id"]
                self._note(event)

    def _note(self, event: dict[str, str]) -> None:
        kind, identity = event.get("event", ""), event.get("id", "")
        if kind == "utterance.started":
            if "waited_ms" in event and event.get("lane") != "script":
                self._seen.waited_ms.append(float(event["waited_ms"]))
            typer.echo(f"  ▸ {self._text(identity)}")
        elif kind == "utterance.aired":
            self._seen.aired.append(identity)

    def _text(self, identity: str) -> str:
        """How the utterance begins, as far as that is known."""
        name = identity.rpartition(":")[2] if identity.startswith("script:") else identity
        return _clipped(self._texts.get(name, identity))

    def _check_alive(self, room: subprocess.Popen[bytes]) -> None:
        if room.poll() is not None:
            raise DemoFailed(f"the broadcaster ended with status {room.returncode}; see {self._log}")

    # ── after ────────────────────────────────────────────────────────────────────────────────────

    def _summary(self) -> int:
        from streams.inspection import inspect

        playout = _facts(self._status, "playout")
        outputs = playout.get("outputs", {})
        found = inspect(self._recording)
        latencies = sorted(self._seen.waited_ms)
        rows = [
            ("recording", f"{self._recording}, {found.width}×{found.height}"),
            ("length", f"{found.seconds:.1f} s{self._why_longer(found.seconds)}"),
            ("frames", f"{found.frames} received in order: {found.monotone}, slots skipped: {playout.get('skipped')}"),
            ("drift", f"audio against video at the end: {found.drift_ms:+.0f} ms"),
            ("said", f"{len(self._seen.aired)} utterances, {len(self._answered())} of {len(ANSWERS)} answers"),
            ("time-to-air", f"{median(latencies) / 1000:.1f} s, answers that let a sentence end" if latencies else "-"),
            ("reconnects", str(sum(max(0, output["connects"] - 1) for output in outputs.values()))),
        ]
        typer.echo("")
        for name, text in rows:
            typer.echo(f"{name:>12}  {text}")
        return 0 if found.frames and found.monotone else 1

    def _why_longer(self, seconds: float) -> str:
        if self._seconds is None or seconds < self._seconds + 1:
            return ""
        return f": the {self._seconds:g} s, and what was still to be answered then, to its end"


def _clipped(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARS else f"{line[:SHOWN_CHARS]}…"


def _answer_id(viewer: str) -> str:
    return f"answer-{viewer.lower()}"


def _facts(status: dict[str, Any], child: str) -> dict[str, Any]:
    return dict(status.get("children", {}).get(child, {}).get("facts", {}))


def _live(status: dict[str, Any]) -> bool:
    outputs = _facts(status, "playout").get("outputs", {})
    return bool(outputs) and all(output["state"] == "live" for output in outputs.values())


def _free_port(wanted: int = 0) -> int:
    """That port if it is free, else another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return _free_port()
        return int(probe.getsockname()[1])


def _until(seconds: float) -> Iterator[None]:
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        yield
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end in good order, and see that it does."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
