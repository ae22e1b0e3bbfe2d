"""One destination's pusher: a small process that takes tags from playout and never gives up.

In: its section down the lifeline; headers and tags from playout's socket. Out: a connection to one
destination, `Sent` reports to playout, beats and notes to the supervisor. It knows no other
destination, and its URL leaves it only towards the destination.

States: idle (nothing to send yet) → connecting → live → backing-off → connecting … and orphaned: live
without playout, for up to 4 s. While not live it keeps the tags since the last key frame, so that
media starts at once when the connection stands, and drops what is older.
"""

from __future__ import annotations

import random
import select
from pathlib import Path

from pipeline.clock import NS, Clock, RealClock
from pipeline.errors import OutputError
from pipeline.lifeline import Lifeline
from pipeline.wire import Beat, Drain, Headers, Sent, Tag
from streams.destination import Destination, PusherSpec, destination, endpoint
from streams.flv import AUDIO
from streams.retry import Backoff
from streams.session import Session
from streams.tagfeed import TagFeed

__all__ = ["PusherSpec", "run"]

WAIT_S = 0.05  # the longest look at the sockets: bounds how late a drain or a due try is noticed
REDIAL_NS = NS // 20
BEAT_NS = NS // 4
SENT_NS = 40 * NS // 1000  # one report per frame at most
ORPHAN_NS = 4 * NS  # how long a connection waits for a new playout
GOP_MAX_BYTES = 16 * 1024 * 1024  # as playout replays at most
LOUD_FAILURES = 3  # log the first ones, then one in QUIET: a destination that is down for a night fills no disk
QUIET = 12  # once a minute at the longest delay


def run(spec: PusherSpec, lifeline: Lifeline) -> None:
    """Push until drained; LineClosed when the supervisor is gone."""
    clock = RealClock()
    pusher = Pusher(spec, lifeline, clock, Backoff(lambda: random.uniform(-1, 1)))
    pusher.attach(destination(spec, lifeline.note, pusher.moved))
    pusher.run()


class Pusher:
    def __init__(self, spec: PusherSpec, lifeline: Lifeline, clock: Clock, backoff: Backoff) -> None:
        self._spec = spec
        self._lifeline = lifeline
        self._clock = clock
        self._backoff = backoff
        self._feed = TagFeed(Path(spec.runtime_dir), spec.name)
        self._destination: Destination
        self._session: Session
        self._headers: Headers | None = None
        self._gop: list[Tag] = []
        self._gop_bytes = 0
        self._state = "idle"
        self._audio_ms = -1  # handed over; of the last playout, until headers come
        self._connects = 0
        self._dropped = 0
        self._fresh = True  # the last Sent said less than is known now
        self._next_try_ns = 0
        self._dialled_ns = 0
        self._orphaned_ns = 0
        self._beat_ns = 0
        self._sent_ns = 0
        self._live_ns = 0
        self._drain_ns: int | None = None

    def attach(self, to: Destination) -> None:
        self._destination = to
        self._session = Session(to, self._clock)

    def moved(self) -> None:
        """The destination took bytes while the work loop may be waiting in it: that is progress. Any thread."""
        if self._clock.now_ns() - self._beat_ns > BEAT_NS:
            self._beat()

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
        sockets: list[TagFeed | Lifeline] = [self._lifeline]
        if self._feed.connected:
            sockets.append(self._feed)
        select.select(sockets, [], [], WAIT_S)

    def _obey(self) -> None:
        for message in self._lifeline.poll():
            if isinstance(message, Drain):
                self._drain_ns = self._clock.now_ns() + int(message.grace_s * NS)

    def _drained(self) -> bool:
        if self._drain_ns is None:
            return False
        finished = not self._feed.connected or self._state != "live"
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
        """What was kept is of a time that is over; a connection waits for the next playout."""
        self._headers, self._gop = None, []
        if self._state == "live":
            self._session.pause()
            self._orphaned_ns = self._clock.now_ns()
            self._enter("orphaned")
            self._note("warning", "output.orphaned")

    def _on_headers(self, headers: Headers) -> None:
        self._headers, self._gop = headers, []
        self._audio_ms = -1
        if not self._session.is_open:
            return
        if self._session.continues_with(headers):
            self._session.pause()
            self._note("info", "output.continued")
        else:
            self._replan("headers")

    def _on_tag(self, tag: Tag) -> None:
        self._keep(tag)
        if self._state != "live":
            return
        if tag.key and self._session.too_long:
            self._replan("session length")
            return
        try:
            self._push(tag)
        except OutputError as error:
            self._on_lost(error)

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

    # ── what goes out ────────────────────────────────────────────────────────────────────────────

    def _drive(self) -> None:
        """Connect when it is time, and see that what stands still stands."""
        now_ns = self._clock.now_ns()
        if self._session.is_open:
            try:
                self._destination.check()
            except OutputError as error:
                self._on_lost(error)
                return
            if self._state == "orphaned" and now_ns - self._orphaned_ns >= ORPHAN_NS:
                self._note("warning", "output.closed", why="no playout")
                self._session.close()
                self._enter("idle")
        elif self._headers is None or not self._gop:
            if now_ns >= self._next_try_ns:
                self._enter("idle")
        elif now_ns >= self._next_try_ns and self._drain_ns is None:
            self._connect(self._headers)

    def _connect(self, headers: Headers) -> None:
        self._backoff.tried(self._clock.now_ns())
        self._enter("connecting")
        if self._loud():
            self._note("info", "output.connecting")
        begun_ns = self._clock.now_ns()
        try:
            self._session.open(headers)
            took_ms = (self._clock.now_ns() - begun_ns) // 1_000_000
            for tag in self._gop:
                self._push(tag)
        except OutputError as error:
            self._on_lost(error)
            return
        self._live_ns = self._clock.now_ns()
        self._backoff.live(self._live_ns)
        self._connects += 1
        self._enter("live")
        self._note("info", "output.live", connect_ms=took_ms, connects=self._connects)

    def _push(self, tag: Tag) -> None:
        if self._session.write(tag) and tag.kind == AUDIO:
            self._audio_ms = max(self._audio_ms, tag.ms)
            self._fresh = True

    def _on_lost(self, error: OutputError) -> None:
        was, loud = self._state, self._loud()
        self._session.abort()
        now_ns = self._clock.now_ns()
        if was != "connecting":
            live_s = (now_ns - self._live_ns) / NS
            self._note("warning", "output.lost", kind=error.kind, error=str(error), live_s=round(live_s, 1))
        self._next_try_ns = self._backoff.failed(now_ns)
        self._enter("backing-off")
        if loud:
            wait_s = round((self._next_try_ns - now_ns) / NS, 2)
            self._note(
                "warning",
                "output.backing_off",
                kind=error.kind,
                error=str(error),
                wait_s=wait_s,
                failures=self._backoff.failures,
            )

    def _replan(self, why: str) -> None:
        """End this connection in good order and make the next one at once."""
        self._note("info", "output.closed", why=why)
        self._session.close()
        self._next_try_ns = 0
        self._enter("idle")

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

    def _report(self) -> None:
        self._sent_ns, self._fresh = self._clock.now_ns(), False
        self._feed.report(Sent(self._audio_ms, self._state, self._connects, self._dropped))

    def _beat(self) -> None:
        self._beat_ns = self._clock.now_ns()
        facts = {"connects": self._connects, "dropped": self._dropped, "failures": self._backoff.failures}
        self._lifeline.send(Beat(self._state, facts=facts | self._destination.facts()))

    def _loud(self) -> bool:
        return self._backoff.failures < LOUD_FAILURES or self._backoff.failures % QUIET == 0

    def _note(self, level: str, event: str, **fields: object) -> None:
        self._lifeline.note(level, event, output=self._spec.name, to=endpoint(self._spec.url), **fields)
