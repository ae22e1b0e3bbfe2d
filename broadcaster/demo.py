"""The main job on one machine: a presenter on air to a receiver of our own, with three viewers' answers.

In: how long, and where the recording goes. Out: `demo.mp4` and a summary. It starts the same programs
a user would (`broadcaster run`, `broadcaster ingest`) and speaks to them as a user would, by Redis.
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

from broadcaster import script
from broadcaster.client import Client
from broadcaster.config import load
from broadcaster.room import redis_of
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
EVERY_S = 15.0  # between answers when the demo has no end


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
                listener = threading.Thread(target=self._listen, daemon=True)
                listener.start()
                self._go_on_air(client, room)
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
        os.environ |= {"DEMO_PORT": str(port), "DEMO_STATE_DIR": str(self._state_dir)}
        self._url = f"rtmp://127.0.0.1:{port}/live/demo"
        self._config_path = CONFIGS / "demo.yaml"
        self._config = load(self._config_path)
        paragraphs = script.load(CONFIGS / "scripts" / "demo.md").paragraphs
        self._texts = {str(index): paragraph.text for index, paragraph in enumerate(paragraphs)}
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
        typer.echo(f"on air after {time.monotonic() - began_s:.1f} s: {self._url} → {self._recording}")
        typer.echo(f"control and status at http://{self._config.control.listen}/status, log in {self._log}")
        typer.echo(f"say something: {sys.argv[0]} say 'Hello' --room demo --redis {redis_of(self._config)}")
        if self._seconds is None:
            typer.echo("Ctrl-C ends it.")

    # ── on air ───────────────────────────────────────────────────────────────────────────────────

    def _perform(self, client: Client, room: subprocess.Popen[bytes]) -> None:
        began_s = time.monotonic()
        waiting = list(zip(self._answer_times(), ANSWERS, strict=True))
        while self._seconds is None or time.monotonic() - began_s < self._seconds:
            self._check_alive(room)
            if waiting and time.monotonic() - began_s >= waiting[0][0]:
                _, (viewer, text) = waiting.pop(0)
                typer.echo(f"  · answer to {viewer} pushed")
                client.say(text, lane="reply", mode="insert", id=_answer_id(viewer))
            with contextlib.suppress(RedisDown):
                self._status = client.status() or self._status
            time.sleep(0.25)

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
        """How the utterance begins, as far as it is one of ours."""
        text = self._texts.get(identity.rpartition(":")[2] if identity.startswith("script:") else identity, identity)
        return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"

    def _check_alive(self, room: subprocess.Popen[bytes]) -> None:
        if room.poll() is not None:
            raise DemoFailed(f"the broadcaster ended with status {room.returncode}; see {self._log}")

    # ── after ────────────────────────────────────────────────────────────────────────────────────

    def _summary(self) -> int:
        from streams.inspection import inspect

        playout = _facts(self._status, "playout")
        outputs = playout.get("outputs", {})
        found = inspect(self._recording)
        answered = [name for name in self._seen.aired if name.startswith("answer-")]
        latencies = sorted(self._seen.waited_ms)
        rows = [
            ("recording", f"{self._recording}, {found.seconds:.1f} s, {found.width}×{found.height}"),
            ("frames", f"{found.frames} received in order: {found.monotone}, slots skipped: {playout.get('skipped')}"),
            ("drift", f"audio against video at the end: {found.drift_ms:+.0f} ms"),
            ("said", f"{len(self._seen.aired)} utterances, {len(answered)} of {len(ANSWERS)} answers"),
            ("time-to-air", f"{median(latencies) / 1000:.1f} s, answers that let a sentence end" if latencies else "-"),
            ("reconnects", str(sum(max(0, output["connects"] - 1) for output in outputs.values()))),
        ]
        typer.echo("")
        for name, text in rows:
            typer.echo(f"{name:>12}  {text}")
        return 0 if found.frames and found.monotone else 1


def _answer_id(viewer: str) -> str:
    return f"answer-{viewer.lower()}"


def _facts(status: dict[str, Any], child: str) -> dict[str, Any]:
    return dict(status.get("children", {}).get(child, {}).get("facts", {}))


def _live(status: dict[str, Any]) -> bool:
    outputs = _facts(status, "playout").get("outputs", {})
    return bool(outputs) and all(output["state"] == "live" for output in outputs.values())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
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
