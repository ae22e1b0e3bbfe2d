"""What processes say to each other: every message, who sends it to whom, and why.

In: values. Out: bytes (msgpack by msgspec) and back; large media travels beside a message as raw
buffers and is never copied into it. It opens no socket (pipeline.link does) and imports msgspec
alone, since the smallest process of all, a pusher, reads it.

    director ──AudioChunk──▶ engine ──Segment──▶ playout ──Headers, Tag──▶ pusher
             ◀─SpeechDemand─        ◀──Demand───         ◀──────Sent──────
    director ──Cut──▶ playout            playout ──Report──▶ journal ──▶ director
    supervisor ◀──Beat, Note── every child (lifeline)     supervisor ──Spec, Drain, Panic, Retarget──▶ child
    supervisor ──Status──▶ director, monitor     monitor ──Act──▶ supervisor
    supervisor of a house ──Spec, Drain, Reload──▶ supervisor of a room ──Beat──▶ that of the house
    command line ──Panic, Reload, ChangeOutput, Upgrade──▶ supervisor ──Answer──▶ command line
    command line ──ChangeSchedule──▶ supervisor ──▶ director ──Done──▶ supervisor ──Answer──▶ command line
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from pipeline.errors import WireError
from pipeline.media import Mark, Position

# ── speech: director → engine ────────────────────────────────────────────────────────────────────


class SpeechDemand(msgspec.Struct, frozen=True, tag=True):
    """engine → director: give me the next hop of speech. One is outstanding at most.

    The director answers when it has speech, not before: an engine that must not wait any longer
    renders silence, and the answer serves its next step. `credit` numbers the demands of one
    `incarnation`; a newer demand replaces the older one. `timeline`: the newest cut the engine
    knows of. `after`: where the last speech it received ended, so that a
    director that died resumes in the middle of a word; None when it has none.
    """

    engine: str
    incarnation: int
    credit: int
    timeline: int
    hop_samples: int  # 48 kHz
    ahead_samples: int  # 48 kHz, the most it can use
    after: Position | None = None


class AudioChunk(msgspec.Struct, frozen=True, tag=True):
    """director → engine: one hop of the room's speech. Positions are relative to its first sample.

    Buffers beside it: air int16 [hop_samples] 48 kHz, drive int16 [(hop_samples + ahead_samples) / 3]
    16 kHz. `ahead_samples`: how much of what follows is known (0 … asked for). `marks`: those in the
    hop and those in what is ahead (at ≥ hop_samples), the latter repeated by the next chunk.
    `until`: where the hop ends in what is being said.
    """

    incarnation: int
    credit: int
    timeline: int
    hop_samples: int
    ahead_samples: int
    marks: list[Mark] = []
    until: Position | None = None


# ── pictures: engine → playout ───────────────────────────────────────────────────────────────────


class EngineHello(msgspec.Struct, frozen=True, tag=True):
    """engine → playout, at connect and each second until answered: this is what I deliver."""

    engine: str
    incarnation: int  # rises at each start of the process
    width: int
    height: int
    hop_frames: int
    overlap_frames: int
    hold: str = ""  # path of the baked hold loop, raw I420 frames of this size; "" = none


class NewHold(msgspec.Struct, frozen=True, tag=True):
    """engine → playout: another person is in the picture, and this is the loop to go with it ("" = none)."""

    engine: str
    incarnation: int
    hold: str


class Demand(msgspec.Struct, frozen=True, tag=True):
    """playout → engine: render the next segment. Playout alone hands out epochs and credits.

    `epoch` rises at each engine start and each cut. `credit` numbers the demands of an epoch.
    `shown`: sequence of the last segment of which a frame was, or will be, on air; a new epoch
    continues from the state after it. −1: none of yours. `shown_frames`: how many of its frames.
    `slack_frames`: how long the buffer lasts. `timeline`: the newest cut. With `after` the last
    frames on air travel beside it (I420).
    """

    engine: str
    incarnation: int
    epoch: int
    credit: int
    shown: int
    slack_frames: int
    timeline: int
    shown_frames: int = 0
    after: bool = False


class Segment(msgspec.Struct, frozen=True, tag=True):
    """engine → playout: hop frames with exactly the audio that drove them.

    Buffers beside it: frames uint8 [hop_frames, H * 3 // 2, W] I420; audio int16
    [hop_frames * 1920] 48 kHz. `sequence` rises by one a segment and never restarts within an
    incarnation. `marks`: those of the hop. `speech`: false when the engine filled in silence.
    """

    engine: str
    incarnation: int
    epoch: int
    credit: int
    sequence: int
    timeline: int
    hop_frames: int
    width: int
    height: int
    speech: bool
    render_ms: int
    marks: list[Mark] = []
    notes: dict[str, float] = {}


class EngineBye(msgspec.Struct, frozen=True, tag=True):
    """engine → playout, last: nothing more comes of this incarnation; ask another engine, or show the hold loop.

    `why`: an engine of several rooms does not draw this one for now; "" = it ends.
    """

    engine: str
    incarnation: int
    why: str = ""


class Cut(msgspec.Struct, frozen=True, tag=True):
    """director → playout: stop what is on air now; what carries an older timeline is void.

    Idempotent: sent again until an engine's demand shows `timeline`. `utterance`: what is cut,
    "" when nothing is. playout fades it within 80 ms and reports it as cut.
    """

    timeline: int
    utterance: str = ""


class Report(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """playout → journal: what viewers really heard. One line of JSON each, in order, without loss.

    `what`: started | sentence | sentence_aired | aired | cut | lost | person | opened. `seq` rises for ever, over
    restarts.
    `frame`: the slot of air time, `sample` its audio sample (48 kHz, exact). `wall_s`: for people.
    started: its first sample was encoded. sentence: so was that of a sentence. sentence_aired, aired:
    the last sample of the sentence, of the utterance, was sent by the outputs that count. cut: a Cut
    or a panic ended it. lost: an engine's death did, after `samples` of the sentence. opened: playout started anew.
    person: `text` is in the picture from here on; `utterance`: the one whose mark called, or the order's id.
    `timeline`: the newest cut known, so that a new director continues above it.
    """

    seq: int
    what: str
    utterance: str
    frame: int
    sample: int
    wall_s: float
    sentence: int = 0
    samples: int = 0
    timeline: int = 0
    text: str = ""


# ── packets: playout → pusher ────────────────────────────────────────────────────────────────────


class PusherHello(msgspec.Struct, frozen=True, tag=True):
    """pusher → playout: I push for this output."""

    output: str
    pid: int


class Headers(msgspec.Struct, frozen=True, tag=True):
    """playout → pusher, first: what every connection begins with. All are whole FLV tags but `flv`."""

    flv: bytes  # 13-byte FLV file header with its previous-tag size
    metadata: bytes  # onMetaData
    video: bytes  # AVC sequence header
    audio: bytes  # AAC sequence header


class Tag(msgspec.Struct, frozen=True, tag=True):
    """playout → pusher: one FLV tag. `ms`: media time, 64 bit, never wraps. `kind`: 8 audio, 9 video."""

    kind: int
    ms: int
    key: bool
    data: bytes


class Sent(msgspec.Struct, frozen=True, tag=True):
    """pusher → playout: all audio up to `audio_ms` was handed to the destination.

    On a new line, until headers came, that is audio of the last playout, which cannot tell any more.
    `state`: connecting | live | backing-off, for the status page. `connects`: how often it went live.
    """

    audio_ms: int
    state: str
    connects: int
    dropped: int = 0


# ── lifeline: supervisor ↔ child ─────────────────────────────────────────────────────────────────


class Spec(msgspec.Struct, frozen=True, tag=True):
    """supervisor → child, first: its section of the configuration. It may hold secrets: never logged."""

    child: str
    kind: str
    spec: dict[str, Any]


class Beat(msgspec.Struct, frozen=True, tag=True):
    """child → supervisor: I made progress. Sent from the work loop, never from a side thread.

    `phase`: loading | warming | ready | connecting | live | backing-off | draining.
    `busy`: a step is outstanding, so the hang rule applies. `facts`: counters for the status.
    """

    phase: str
    busy: bool = False
    facts: dict[str, Any] = {}


class Note(msgspec.Struct, frozen=True, tag=True):
    """child → supervisor: log this for me (a pusher carries no logging library)."""

    level: str
    event: str
    fields: dict[str, Any] = {}


class Act(msgspec.Struct, frozen=True, tag=True):
    """monitor → supervisor: start this child anew, for what is on air says so. Obeyed at most once a minute a child."""

    child: str
    why: str


class Drain(msgspec.Struct, frozen=True, tag=True):
    """supervisor → child: finish what is begun, then exit 0. `follows`: another takes over at once, so no farewell."""

    grace_s: float
    follows: bool = False


class Panic(msgspec.Struct, frozen=True, tag=True):
    """supervisor → playout: slate and mute at once, or back to the programme. `text`: a line on the slate, "" = none.

    The command line sends the same to the supervisor (broadcaster.orders).
    """

    on: bool
    text: str = ""


class Retarget(msgspec.Struct, frozen=True, tag=True):
    """supervisor → playout, director: these outputs exist from now on, and this is what counts as aired (as in their
    sections)."""

    outputs: list[str]
    ack: str


# ── orders: command line → supervisor ────────────────────────────────────────────────────────────


class Reload(msgspec.Struct, frozen=True, tag=True):
    """command line, or the house that the room is in → supervisor: read the configuration again."""


class ChangeOutput(msgspec.Struct, frozen=True, tag=True):
    """command line → supervisor: change this output, and no other, and keep it so over restarts.

    `what`: add | remove | url | restore (as the configuration file says; name "" = all). `given`: keys of its section,
    references unresolved. It may hold a secret: never logged.
    """

    what: str
    name: str
    given: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"ChangeOutput({self.what!r}, {self.name!r})"


class ChangeSchedule(msgspec.Struct, frozen=True, tag=True):
    """command line → supervisor → director: change this job and keep it so over restarts, or run it now.

    `what`: add | remove | restore (as the configuration file says) | run. `given`: keys of its section. `number`: the
    supervisor's, by which it knows the answer.
    """

    what: str
    name: str
    given: dict[str, Any] = {}
    number: int = 0


class Done(msgspec.Struct, frozen=True, tag=True):
    """director → supervisor: what became of the order with this number."""

    number: int
    done: bool
    lines: list[str] = []


class Upgrade(msgspec.Struct, frozen=True, tag=True):
    """command line → supervisor: start the processes anew, one after the other, with the code that is installed now.

    `outputs`: the pushers as well, which costs each destination a reconnect.
    """

    outputs: bool = False


class Answer(msgspec.Struct, frozen=True, tag=True):
    """supervisor → command line: what became of an order; one line each for a person. `more`: another one follows."""

    done: bool
    lines: list[str] = []
    more: bool = False


class Status(msgspec.Struct, frozen=True, tag=True):
    """supervisor → director and monitor, each second and at each change: how all children are, for Redis and alarms."""

    facts: dict[str, Any]


Message = (
    SpeechDemand
    | AudioChunk
    | EngineHello
    | NewHold
    | EngineBye
    | Demand
    | Segment
    | Cut
    | Report
    | PusherHello
    | Headers
    | Tag
    | Sent
    | Spec
    | Beat
    | Note
    | Act
    | Drain
    | Panic
    | Retarget
    | Reload
    | ChangeOutput
    | ChangeSchedule
    | Done
    | Upgrade
    | Answer
    | Status
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)
T = TypeVar("T")
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)  #: what a decoder raises at foreign bytes


def encode(message: Message) -> bytes:
    return _encoder.encode(message)


def decode(data: bytes | memoryview, expect: type[T]) -> T:
    """Read one message of the given type; WireError says what came instead."""
    try:
        message = _decoder.decode(data)
    except UNREADABLE as error:
        raise WireError(f"expected {expect.__name__}, got {len(data)} bytes: {error}") from error
    if not isinstance(message, expect):
        raise WireError(f"expected {expect.__name__}, got {type(message).__name__}")
    return message


def decode_any(data: bytes | memoryview) -> Message:
    """Read one message of any type; WireError when it is none of ours."""
    try:
        message: Message = _decoder.decode(data)
    except UNREADABLE as error:
        raise WireError(f"not a message ({len(data)} bytes): {error}") from error
    return message
