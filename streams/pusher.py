"""One destination's pusher: a small process that takes tags from playout and never gives up.

In: its section down the lifeline; headers and tags from playout's socket. Out: a connection to one
destination, `Sent` reports to playout, beats and notes to the supervisor. It knows no other
destination, and its URL leaves it only towards the destination.

States: idle (nothing to send yet) → connecting → live → backing-off → connecting … and orphaned: live
without playout, for up to 4 s. While not live it keeps the tags since the last key frame, so that
media starts at once when the connection stands, and drops what is older. A live line that is slower than the
stream gets fewer pictures (streams.waiting); an output with two URLs uses the one that works (streams.route).
"""

from __future__ import annotations

import random
import select
from pathlib import Path

from pipeline.clock import NS, Clock, RealClock
from pipeline.errors import OutputError
from pipeline.heap import Tidy
from pipeline.lifeline import Lifeline
from pipeline.wire import Beat, Drain, Headers, Sent, Tag
from streams import turns
from streams.destination import PusherSpec
from streams.farside import FarSide
from streams.flv import AUDIO
from streams.retry import APART_NS, Backoff
from streams.session import Fate, Session
from streams.tagfeed import TagFeed
from streams.waiting import Waiting

__all__ = ["PusherSpec", "run"]

WAIT_S = 0.05  # the longest look at the sockets: bounds how late a drain or a due try is noticed
REDIAL_NS = NS // 20
BEAT_NS = NS // 4
SENT_NS = 40 * NS // 1000  # one report per frame at most
ORPHAN_NS = 4 * NS  # how long a connection waits for a new playout
GOP_MAX_BYTES = 16 * 1024 * 1024  # as playout replays at most
SOUND_LATE_S = 4.0  # a line that is too slow for the sound alone is no line
LOUD_FAILURES = 3  # log the first ones, then one a minute: a destination that is down for a night fills no disk
QUIET_NS = 60 * NS
NOT_YET_NS = NS  # between two questions whether it is our turn


def run(spec: PusherSpec, lifeline: Lifeline) -> None:
    """Push until drained; LineClosed when the supervisor is gone."""
    Pusher(spec, lifeline, RealClock(), Backoff(lambda: random.uniform(-1, 1))).run()


class Pusher:
    def __init__(self, spec: PusherSpec, lifeline: Lifeline, clock: Clock, backoff: Backoff) -> None:
        self._spec = spec
        self._lifeline = lifeline
        self._clock = clock
        self._backoff = backoff
        self._feed = TagFeed(Path(spec.runtime_dir), spec.name)
        self._far = FarSide(spec, lifeline.note, clock)
        self._session = self._new_session()
        self._waiting = Waiting()
        self._headers: Headers | None = None
        self._gop: list[Tag] = []
        self._gop_bytes = 0
        self._state = "idle"
        self._audio_ms = -1  # handed over; of the last playout, until headers come
        self._connects = 0
        self._dropped = 0
        self._fresh = True  # the last Sent said less than is known now
        self._next_try_ns = 0
        self._tried_ns = 0
        self._told_ns = 0
        self._loud = True  # whether this try is logged
        self._dialled_ns = 0
        self._orphaned_ns = 0
        self._beat_ns = 0
        self._sent_ns = 0
        self._tidy = Tidy(clock)
        self._live_ns = 0
        self._turn_ns = 0
        self._drain_ns: int | None = None

    def run(self) -> None:
        try:
            while not self._drained():
                self._wait()
                self._obey()
                self._take()
                self._drive()
                self._account()
            self._session.close()
        finally:
            if self._session.is_open:
                self._session.abort()
            self._feed.hang_up()

    # ── what comes in ────────────────────────────────────────────────────────────────────────────

    def _wait(self) -> None:
        far, asked = self._far.current.watched(), self._far.watched()
        readers: list[TagFeed | Lifeline | int] = [self._lifeline, *far.read, *asked.read]
        if self._feed.connected:
            readers.append(self._feed)
        select.select(readers, [*far.write, *asked.write], [], min(WAIT_S, far.within_s, asked.within_s))

    def _obey(self) -> None:
        for message in self._lifeline.poll():
            if isinstance(message, Drain):
                self._drain_ns = self._clock.now_ns() + int(message.grace_s * NS)

    def _drained(self) -> bool:
        if self._drain_ns is None:
            return False
        finished = self._state not in ("live", "orphaned") or (not self._feed.connected and not self._waiting)
        return finished or self._clock.now_ns() >= self._drain_ns

    def _take(self) -> None:
        if not self._feed.connected:
            self._dial()
            return
        for message in self._feed.read():
            if isinstance(message, Headers):
                self._on_headers(message)
            else:
                self._on_tag(message)
        if not self._feed.connected:
            self._on_playout_gone()

    def _dial(self) -> None:
        now_ns = self._clock.now_ns()
        if now_ns - self._dialled_ns < REDIAL_NS:
            return
        self._dialled_ns = now_ns
        if self._feed.dial():
            if self._state == "orphaned":
                self._enter("live")
            self._report()  # how far the last playout was sent: the new one cannot know

    def _on_playout_gone(self) -> None:
        """What was kept for a connection is of a time that is over; one that stands waits for the next playout."""
        self._headers, self._gop = None, []
        if self._state == "live":
            self._orphaned_ns = self._clock.now_ns()
            self._enter("orphaned")
            if self._drain_ns is None:  # else it is this output that went, and not playout
                self._note("warning", "output.orphaned")
        elif self._state == "connecting":
            self._session.abort()
            self._next_try_ns = self._tried_ns + APART_NS
            self._enter("idle")

    def _on_headers(self, headers: Headers) -> None:
        self._headers, self._gop = headers, []
        self._audio_ms = -1
        self._forget_waiting()
        if not self._session.is_open:
            return
        if self._session.continues_with(headers):
            self._session.pause()
            if self._state == "live":
                self._note("info", "output.continued")
        else:
            self._replan("headers")

    def _on_tag(self, tag: Tag) -> None:
        self._keep(tag)
        if self._state != "live":
            return
        if tag.key and self._session.too_long and self._is_our_turn():
            self._pump()
            if self._state == "live":
                self._replan("session length")
            return
        self._waiting.push(tag, self._clock.now_ns())

    def _keep(self, tag: Tag) -> None:
        """Keep the tags since the last key frame."""
        if tag.key:
            self._dropped += len(self._gop) if self._state != "live" else 0
            self._gop, self._gop_bytes = [], 0
        elif not self._gop:
            return
        self._gop.append(tag)
        self._gop_bytes += len(tag.data)
        if self._gop_bytes > GOP_MAX_BYTES:
            self._gop = []

    def _is_our_turn(self) -> bool:
        """Whether a planned interruption may be now."""
        now_ns = self._clock.now_ns()
        if now_ns - self._turn_ns < NOT_YET_NS:
            return False
        self._turn_ns = now_ns
        return turns.take(Path(self._spec.runtime_dir), now_ns)

    # ── what goes out ────────────────────────────────────────────────────────────────────────────

    def _drive(self) -> None:
        """Connect when it is time, and see that what stands still stands."""
        now_ns = self._clock.now_ns()
        if self._state == "connecting":
            self._go_on_connecting()
        elif self._session.is_open:
            self._go_on()
        elif self._headers is None or not self._gop:
            if now_ns >= self._next_try_ns:
                self._enter("idle")
        elif now_ns >= self._next_try_ns and self._drain_ns is None:
            self._connect(self._headers)

    def _go_on(self) -> None:
        """One turn of a connection that stands."""
        try:
            self._far.current.check()
        except OutputError as error:
            self._on_lost(error)
            return
        self._pump()
        if self._state == "orphaned" and self._clock.now_ns() - self._orphaned_ns >= ORPHAN_NS:
            self._note("warning", "output.closed", why="no playout")
            self._session.close()
            self._forget_waiting()
            self._enter("idle")
        elif self._state == "live" and self._gop and self._far.first_is_back():
            self._replan("first URL")

    def _connect(self, headers: Headers) -> None:
        self._tried_ns = self._clock.now_ns()
        self._backoff.tried(self._tried_ns)
        self._loud = self._backoff.failures < LOUD_FAILURES or self._tried_ns - self._told_ns >= QUIET_NS
        self._enter("connecting")
        if self._loud:
            self._told_ns = self._tried_ns
            self._note("info", "output.connecting")
        try:
            self._session.open(headers)
        except OutputError as error:
            self._on_lost(error)
            return
        self._go_on_connecting()

    def _go_on_connecting(self) -> None:
        try:
            if not self._session.is_ready():
                return
        except OutputError as error:
            self._on_lost(error)
            return
        self._waiting.begin(self._gop)
        self._live_ns = self._clock.now_ns()
        self._pump()
        if self._state != "connecting":  # it was lost again
            return
        self._backoff.live(self._live_ns)
        self._far.live()
        self._connects += 1
        self._enter("live")
        connect_ms = (self._live_ns - self._tried_ns) // 1_000_000
        self._note("info", "output.live", connect_ms=connect_ms, connects=self._connects)

    def _pump(self) -> None:
        """Hand over what waits, as far as there is room."""
        try:
            while (tag := self._waiting.head(self._clock.now_ns(), self._ahead_ns())) is not None:
                fate = self._session.write(tag)
                if fate is Fate.NO_ROOM:
                    break
                self._waiting.pop()
                if fate is Fate.SENT and tag.kind == AUDIO:
                    self._audio_ms = max(self._audio_ms, tag.ms)
                    self._fresh = True
            if self._waiting.waited_s(self._clock.now_ns()) > SOUND_LATE_S:
                raise OutputError("stall", "the line is too slow for the sound alone")
        except OutputError as error:
            self._on_lost(error)

    def _ahead_ns(self) -> int:
        """Media that was taken and has not arrived, where something waits behind it."""
        if not self._waiting.is_behind(self._clock.now_ns()):
            return 0
        return self._far.current.facts().get("queue_ms", 0) * NS // 1000

    def _on_lost(self, error: OutputError) -> None:
        was = self._state
        self._session.abort()
        self._forget_waiting()
        now_ns = self._clock.now_ns()
        if was != "connecting":
            live_s = (now_ns - self._live_ns) / NS
            self._note("warning", "output.lost", kind=error.kind, error=str(error), live_s=round(live_s, 1))
        self._next_try_ns = self._backoff.failed(now_ns, error.kind)
        self._enter("backing-off")
        if was != "connecting" or self._loud:
            wait_s, failures = round((self._next_try_ns - now_ns) / NS, 2), self._backoff.failures
            self._note(
                "warning", "output.backing_off", kind=error.kind, error=str(error), wait_s=wait_s, failures=failures
            )
        if self._far.failed():
            self._session = self._new_session()
            if self._far.on_backup:
                self._note("warning", "output.backup_used")
            else:
                self._note("info", "output.backup_left", why="it failed")

    def _replan(self, why: str) -> None:
        """End this connection in good order and make the next one at once, with the group of pictures on air."""
        self._note("info", "output.closed", why=why)
        self._session.close()
        self._forget_waiting()
        self._session = self._new_session()  # the URL may be another now
        self._next_try_ns = self._tried_ns + APART_NS
        self._enter("idle")

    def _forget_waiting(self) -> None:
        self._dropped += len(self._waiting)
        self._waiting.clear()

    def _new_session(self) -> Session:
        return Session(self._far.current, self._clock, int(self._spec.session_s * 1000))

    # ── what others hear of it ───────────────────────────────────────────────────────────────────

    def _enter(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._fresh = True
            self._beat()
            self._report()

    def _account(self) -> None:
        now_ns = self._clock.now_ns()
        if now_ns - self._beat_ns >= BEAT_NS:
            self._beat()
        if self._fresh and now_ns - self._sent_ns >= SENT_NS:
            self._report()
        self._tidy()

    def _report(self) -> None:
        self._sent_ns, self._fresh = self._clock.now_ns(), False
        dropped = self._dropped + self._waiting.dropped
        self._feed.report(Sent(self._audio_ms, self._state, self._connects, dropped))

    def _beat(self) -> None:
        self._beat_ns = self._clock.now_ns()
        dropped = self._dropped + self._waiting.dropped
        waiting_ms = int(self._waiting.waited_s(self._clock.now_ns()) * 1000)
        facts = {"connects": self._connects, "dropped": dropped, "failures": self._backoff.failures}
        facts["waiting_ms"] = waiting_ms
        if self._spec.backup:
            facts["on_backup"] = int(self._far.on_backup)
        self._lifeline.send(Beat(self._state, facts=facts | self._far.current.facts()))

    def _note(self, level: str, event: str, **fields: object) -> None:
        self._lifeline.note(level, event, output=self._spec.name, to=self._far.endpoint, **fields)
