"""The probe: decodes what the pushers get, and says what a viewer would see. A small process of its own.

In: its section down the lifeline; headers and tags from playout's socket, as a pusher that nobody counts. Out: beats
with figures (vitals.py) and whether the label shows. It judges nothing and touches nothing: who kills it takes
only these figures away.

It decodes all sound, and looks at two pictures of each group, which is one a second. No picture of ours can be left out
between two that are decoded, so those after the second look, which would only be decoded to be thrown away, are not
(docs/adr/0012-probe.md).
"""

from __future__ import annotations

import math
import os
import select
import subprocess
import sys
from pathlib import Path

import msgspec

from pipeline.clock import NS, Clock, RealClock
from pipeline.errors import BroadcasterError
from pipeline.lifeline import Lifeline
from pipeline.wire import Beat, Drain, Headers, Tag
from streams import flv
from streams.probe.decoder import Decoder, Eye, Undecodable
from streams.probe.labelmark import Burnt, LabelFinder
from streams.probe.vitals import Vitals
from streams.tagfeed import TagFeed

NAME = "probe"  #: of the output that playout knows it by
NICE = 10  # the air goes first
TURN_S = 0.1  # tags are read in batches: waking for each of the 72 a second would cost more than decoding them
TAGS_MAX = 200  # in one turn: a beat must not wait for more
BEAT_NS = NS // 2
LIVE_NS = 2 * NS  # without a tag for longer, there is no stream
LOOKS_MS = (0, 600)  # after each key frame, 2 s apart; unequal, so that what swings in step is not taken for still
PRINT_WITHIN_S = 30.0


class ProbeSpec(msgspec.Struct, frozen=True):
    """width, height: of the pictures on air. The label as playout was told."""

    runtime_dir: str
    width: int
    height: int
    label_text: str
    label_corner: str


class ProbeFailed(BroadcasterError):
    """The label could not be drawn for comparison."""

    retryable = True


def run(spec: ProbeSpec, lifeline: Lifeline) -> None:
    """Look until drained; LineClosed when the supervisor is gone."""
    os.nice(NICE)
    lifeline.beat("loading")
    Probe(spec, lifeline, RealClock(), _printed(spec)).run()


class Probe:
    """One thread."""

    def __init__(self, spec: ProbeSpec, lifeline: Lifeline, clock: Clock, burnt: Burnt) -> None:
        self._lifeline = lifeline
        self._clock = clock
        self._feed = TagFeed(Path(spec.runtime_dir), NAME)
        self._viewer = Viewer(spec.width, spec.height, burnt)
        self._tag_ns = 0
        self._beat_ns = 0
        self._drained = False

    def run(self) -> None:
        try:
            while not self._drained:
                select.select([self._lifeline], [], [], TURN_S)
                self._drained = any(isinstance(message, Drain) for message in self._lifeline.poll())
                self._take()
                self._beat()
        finally:
            self._feed.hang_up()

    def _take(self) -> None:
        if not self._feed.connected and not self._feed.dial():
            return
        taken = 0
        while taken < TAGS_MAX and (messages := self._feed.read()):
            for message in messages:
                if isinstance(message, Headers):
                    self._viewer.begin(message)
                else:
                    self._viewer.take(message)
            taken += len(messages)
        if taken:
            self._tag_ns = self._clock.now_ns()
        if not self._feed.connected:
            self._viewer.end()  # the next playout begins with a clean slate

    def _beat(self) -> None:
        now_ns = self._clock.now_ns()
        if now_ns - self._beat_ns >= BEAT_NS:
            self._beat_ns = now_ns
            live = self._tag_ns and now_ns - self._tag_ns < LIVE_NS
            self._lifeline.send(Beat("live" if live else "idle", facts=self._viewer.facts()))


class Viewer:
    """Watches one stream after the other: decodes what is looked at and keeps the figures."""

    def __init__(self, width: int, height: int, burnt: Burnt) -> None:
        self._eye = Eye(width, height, burnt.label)
        self._finder = LabelFinder(burnt.label)
        self._judged = programme_cells(self._eye.columns, self._eye.rows, width, height, burnt)
        self._frames = 0
        self._undecodable = 0
        self._decoder: Decoder | None = None
        self.end()

    def begin(self, headers: Headers) -> None:
        self.end()
        try:
            self._decoder = Decoder(headers)
        except Undecodable:
            self._undecodable += 1

    def end(self) -> None:
        """The stream is over: what is known of it says nothing about the next."""
        self._decoder = None
        self._vitals = Vitals(self._judged)
        self._key_ms: int | None = None  # of the group that is being decoded; None between
        self._looks: list[int] = []
        self._label: bool | None = None

    def take(self, tag: Tag) -> None:
        sound = tag.kind == flv.AUDIO
        self._vitals.come(tag.ms, len(tag.data), sound)
        if self._decoder is None:
            return
        try:
            if sound:
                self._hear(self._decoder, tag)
            else:
                self._see(self._decoder, tag)
        except Undecodable:
            self._undecodable += 1
            self._key_ms = None if not sound else self._key_ms

    def facts(self) -> dict[str, float | bool]:
        label = {} if self._label is None else {"label": self._label}
        return {"frames": self._frames, "undecodable": self._undecodable, **self._vitals.facts(), **label}

    def _hear(self, decoder: Decoder, tag: Tag) -> None:
        rms = decoder.rms(tag)
        if rms is not None:
            self._vitals.hear(tag.ms, rms)

    def _see(self, decoder: Decoder, tag: Tag) -> None:
        if tag.key:
            self._key_ms, self._looks = tag.ms, [tag.ms + after for after in LOOKS_MS]
        if self._key_ms is None:
            return
        frame = decoder.picture(tag)
        if frame is None:
            return
        self._frames += 1
        if tag.ms >= self._looks[0]:
            self._looks.pop(0)
            self._vitals.see(tag.ms, self._eye.coarse(frame), place=len(self._looks))
            self._label = self._finder.is_in(self._eye.label(frame))
        if not self._looks:
            self._key_ms = None


def programme_cells(columns: int, rows: int, width: int, height: int, burnt: Burnt) -> bytes:
    """1 for each cell that shows the programme alone, 0 under the label and where subtitles come and go.

    Words that change are no sign of life of a picture that stands still, and none of them makes black bright.
    """
    label, (top, stop) = burnt.label, burnt.subtitles
    label_rows = _cells(label.y, label.y + label.height, rows / height)
    label_columns = _cells(label.x, label.x + label.width, columns / width)
    subtitle_rows = _cells(top, stop, rows / height)
    return bytes(
        row not in subtitle_rows and not (row in label_rows and column in label_columns)
        for row in range(rows)
        for column in range(columns)
    )


def _cells(start: int, stop: int, cells_per_px: float) -> range:
    """The cells that pixels from start to before stop lie in."""
    return range(math.floor(start * cells_per_px), math.ceil(stop * cells_per_px))


def _printed(spec: ProbeSpec) -> Burnt:
    """What is burnt in, drawn by a process that ends at once; ProbeFailed when it cannot be."""
    request = {"width": spec.width, "height": spec.height, "text": spec.label_text, "corner": spec.label_corner}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "streams.probe.labelprint"],
            input=msgspec.json.encode(request),
            capture_output=True,
            timeout=PRINT_WITHIN_S,
            check=True,
        )
        return msgspec.msgpack.decode(done.stdout, type=Burnt)
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode(errors="replace").splitlines() or [f"status {error.returncode}"]
        raise ProbeFailed(f"the label cannot be drawn: {words[-1]}") from None
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProbeFailed(f"the label cannot be drawn: {error}") from error
