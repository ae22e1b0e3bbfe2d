"""The monitor: looks at what the room says of itself, raises alarms, tells of them, and has children started anew.

In: the status that the supervisor sends each second; the machine; the playback of outputs, where their URLs are known.
Out: alarms in the log, in its beats (from there in the status and, by the director, in Redis) and by webhook; acts for
the supervisor. A small process of its own: who kills it takes only the alarms away; the next one goes on where it was.
"""

from __future__ import annotations

import os
import select
import socket
from pathlib import Path
from typing import Any

import msgspec
import structlog

from broadcaster.monitor.acts import Acts
from broadcaster.monitor.alarms import ALARM_CLEARED, ALARM_RAISED, Alarm, Judge, News
from broadcaster.monitor.gpuwatch import Gpus
from broadcaster.monitor.playback import Playbacks
from broadcaster.monitor.symptoms import Found, Ought, symptoms
from broadcaster.monitor.watches import Disks, Memory
from broadcaster.monitor.webhook import Webhook
from broadcaster.unwritten import Unwritten
from pipeline.clock import NS, Clock, RealClock
from pipeline.lifeline import Lifeline
from pipeline.wholefile import write_whole
from pipeline.wire import Beat, Drain, Status

TURN_S = 0.25
BEAT_S = 0.5
FLUSH_S = 1.0  # for news that wait, at the end
NICE = 5
STATE_FILE = "alarms.json"

log = structlog.get_logger()


class MonitorSpec(msgspec.Struct, frozen=True):
    """webhook: "" = none. playback: URLs by the outputs' names. directories: where something is written.

    kbps: of picture and sound. gpus: whether a tier uses any.
    """

    room: str
    state_dir: str
    webhook: str
    playback: dict[str, str]
    every_s: float
    settle_s: float
    act: bool
    disk_gb: float
    directories: list[str]
    kbps: float
    gpus: bool


class Kept(msgspec.Struct, frozen=True):
    """What outlives the process. tried: how many remedies, by alarm."""

    alarms: list[Alarm] = []
    tried: list[tuple[str, str, int]] = []


def run(spec: MonitorSpec, lifeline: Lifeline) -> None:
    """Watch until drained; LineClosed when the supervisor is gone."""
    os.nice(NICE)
    lifeline.beat("loading")
    monitor = Monitor(spec, lifeline, RealClock())
    monitor.open()
    try:
        monitor.serve()
    finally:
        monitor.close()


class Monitor:
    """One thread, and one of the webhook's."""

    def __init__(self, spec: MonitorSpec, lifeline: Lifeline, clock: Clock) -> None:
        self._spec = spec
        self._lifeline = lifeline
        self._clock = clock
        self._ought = Ought(spec.kbps)
        self._state_file = Path(spec.state_dir) / STATE_FILE
        self._memory = Memory()
        self._disks = Disks(spec.directories, spec.disk_gb)
        self._gpus = Gpus() if spec.gpus else None
        self._playbacks = Playbacks(spec.playback, spec.every_s, spec.settle_s, self._now())
        self._webhook = Webhook(spec.webhook) if spec.webhook else None
        self._status: dict[str, Any] = {}
        self._fresh = False  # a status came that was not judged yet
        self._beat_s = 0.0
        self._unwritten = Unwritten()
        self._drained = False

    def open(self) -> None:
        kept = self._load()
        self._judge = Judge(kept.alarms)
        self._acts = Acts({(name, of): count for name, of, count in kept.tried})
        if self._webhook is not None:
            self._webhook.open()

    def serve(self) -> None:
        while not self._drained:
            select.select([self._lifeline], [], [], TURN_S)
            self._listen()
            self._watch()
            if self._fresh:
                self._fresh = False
                self._look()
            self._beat()

    def close(self) -> None:
        self._playbacks.close()
        if self._gpus is not None:
            self._gpus.close()
        if self._webhook is not None:
            self._webhook.close(FLUSH_S)

    # ── what comes in ────────────────────────────────────────────────────────────────────────────

    def _listen(self) -> None:
        for message in self._lifeline.poll():
            if isinstance(message, Status):
                self._status, self._fresh = message.facts, True
            elif isinstance(message, Drain):
                self._drained = True

    def _watch(self) -> None:
        now_s = self._now()
        self._memory.turn(now_s, self._status)
        self._disks.turn(now_s)
        self._playbacks.turn(now_s, self._status)
        if self._gpus is not None:
            self._gpus.turn(now_s)

    # ── what is made of it ───────────────────────────────────────────────────────────────────────

    def _look(self) -> None:
        news = self._judge.look(self._now(), self._clock.wall_s(), self._findings())
        for one in news:
            self._tell(one)
        tried = self._acts.tried
        if self._spec.act:
            act = self._acts.due(self._now(), self._judge.standing, self._status)
            if act is not None:
                self._lifeline.send(act)
        if news or self._acts.tried != tried:
            self._keep()

    def _findings(self) -> Found:
        found = symptoms(self._status, self._ought) | self._memory.findings() | self._disks.findings()
        found |= self._playbacks.findings()
        return found | (self._gpus.findings() if self._gpus is not None else {})

    def _tell(self, news: News) -> None:
        alarm = news.alarm
        lasted_s = round(max(0.0, self._clock.wall_s() - alarm.since_s), 1)
        if news.raised:
            log.error("alarm.raised", alarm=alarm.name, of=alarm.of, text=alarm.text)
        else:
            log.info("alarm.cleared", alarm=alarm.name, of=alarm.of, lasted_s=lasted_s)
        if self._webhook is not None:
            self._webhook.put(self._message(news, lasted_s))

    def _message(self, news: News, lasted_s: float) -> dict[str, Any]:
        """Documented in docs/events.md. `text` is what chat services show of it."""
        alarm = news.alarm
        subject = f"{self._spec.room}: {alarm.name}{f' ({alarm.of})' if alarm.of else ''}"
        return {
            "event": ALARM_RAISED if news.raised else ALARM_CLEARED,
            "room": self._spec.room,
            "host": socket.gethostname(),
            "alarm": alarm.name,
            "of": alarm.of,
            "since_s": alarm.since_s,
            "ts": round(self._clock.wall_s(), 3),
            "lasted_s": 0.0 if news.raised else lasted_s,
            "detail": alarm.text,
            "text": f"{subject}: {alarm.text}" if news.raised else f"{subject}: over after {lasted_s:.0f} s",
        }

    def _beat(self) -> None:
        now_s = self._now()
        if now_s - self._beat_s < BEAT_S:
            return
        self._beat_s = now_s
        alarms = [msgspec.to_builtins(alarm) for alarm in self._judge.standing]
        webhook = {"webhook": self._webhook.facts()} if self._webhook is not None else {}
        self._lifeline.send(Beat("ready", facts={"alarms": alarms, **webhook}))

    # ── what outlives the process ────────────────────────────────────────────────────────────────

    def _load(self) -> Kept:
        try:
            return msgspec.json.decode(self._state_file.read_bytes(), type=Kept)
        except FileNotFoundError:
            return Kept()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("state.unreadable", path=str(self._state_file), reason=str(error))
            return Kept()

    def _keep(self) -> None:
        tried: list[tuple[str, str, int]] = [(*key, count) for key, count in self._acts.tried.items()]
        kept = msgspec.json.encode(Kept(self._judge.standing, tried))
        self._unwritten.watch(lambda: write_whole(self._state_file, kept))

    def _now(self) -> float:
        return self._clock.now_ns() / NS
