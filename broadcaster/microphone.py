"""A person's own voice as words of the room: each talk is an utterance whose sound grows while the person speaks.

In: messages of a microphone, and what becomes of the talk on air. Out: the sound of that utterance, 48 kHz for air and
16 kHz to drive the avatar. One person talks at a time. A talk ends at its release, when no sound comes for 2 s, or
after 10 minutes; whatever happens to the person, the room speaks on. What was lost of a talk is never said again: a
person can repeat it, and a recording would make all that follows late.

Until its turn comes a talk only listens, and keeps the newest half second; then `live` is told, and it is on air.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Protocol

import structlog

from broadcaster.jitter import HOLD_S, LATE_S, Jitter
from broadcaster.timeline import Speech
from broadcaster.utterance import PERSON_PREFIX, Key, Lane, Utterance
from pipeline.arrays import Pcm
from pipeline.clock import NS, Clock
from pipeline.errors import BroadcasterError
from pipeline.media import AIR_HZ
from tts import pcm
from tts.voicein import VoiceIn

STEP_S = 0.02
SILENT_NS = 2 * NS  # without a message: the person, or the network, is gone
TALK_MAX_NS = 600 * NS
AHEAD_SAMPLES = AIR_HZ // 10  # beyond a hop, ready for an engine
UNHEARD_MAX = 8  # talks that are over for the person and not yet heard to their end
KEPT_SAMPLES = 2 * AIR_HZ  # of what was given away

log = structlog.get_logger()


class Busy(BroadcasterError):
    """Nobody can talk now: another person does, or the room is not to be heard."""


class Stage(Protocol):
    """What it needs of a show."""

    def talk(self, utterance: Utterance) -> bool:
        """A person begins to speak; false when there is no room for it."""

    def end_talk(self, identity: str, reason: str) -> None:
        """What was not heard of it is gone."""


class Taker(Protocol):
    """What it needs to know of who gives sound to engines."""

    number: int  #: rises with each cut
    hop_samples: int

    def read_of(self, key: Key) -> int:
        """Samples of it that were given away."""


class Microphone:
    """All on one event loop. on_sound: something was added."""

    def __init__(self, stage: Stage, taker: Taker, clock: Clock, on_sound: Callable[[], None]) -> None:
        self._stage = stage
        self._taker = taker
        self._clock = clock
        self._on_sound = on_sound
        self._talks: dict[str, Talk] = {}  # those that are not heard to their end
        self._open: Talk | None = None
        self._some = asyncio.Event()
        self._gain_db = 0.0

    @property
    def talking(self) -> str:
        """Id of the talk that a person is at, or ""."""
        return self._open.key[0] if self._open else ""

    def begin(self, format_name: str, mode: str, tell: Callable[[str, str], None]) -> Talk:
        """A person presses the button. mode: insert | now. tell: waiting | live | ended, and why. Raises Busy."""
        if self._open is not None:
            raise Busy("another person is talking")
        if len(self._talks) >= UNHEARD_MAX:
            raise Busy(f"{UNHEARD_MAX} talks are not heard to their end yet")
        identity = f"{PERSON_PREFIX}{uuid.uuid4().hex[:12]}"
        if self._talks:  # the end of the last one is on its way to viewers: it is not to be cut
            mode = "insert"
        talk = Talk(identity, VoiceIn(format_name, self._gain_db), self._taker, self._clock, tell)
        self._open = self._talks[identity] = talk
        accepted_s = self._clock.wall_s()
        if not self._stage.talk(Utterance(identity, ("",), Lane.LIVE, mode, accepted_s=accepted_s, source="person")):
            self._talks.pop(identity)
            self._open = None
            raise Busy("the room takes no words now")
        self._some.set()
        log.info("talk.begun", utterance=identity, mode=mode, format=format_name)
        return talk

    def feed(self, talk: Talk, message: bytes) -> None:
        """A message of the microphone; SpeechError when it is not what was announced."""
        if talk is self._open:
            talk.feed(message)
            self._on_sound()

    def release(self, talk: Talk, reason: str = "released") -> None:
        """The person lets the button go, or is gone."""
        if talk is not self._open:
            return
        self._open, self._gain_db = None, talk.gain_db
        talk.end(reason)
        log.info("talk.ended", utterance=talk.key[0], reason=reason, dropped=talk.dropped, padded=talk.padded)
        if talk.void:
            self._drop(talk, talk.void)
        self._on_sound()

    def close(self, reason: str) -> None:
        """Nobody is to be heard any more."""
        for identity in list(self._talks):
            self.hang_up(identity, reason)

    def hang_up(self, identity: str, reason: str = "ended by the operator") -> None:
        """The operator ends a talk."""
        if talk := self._talks.get(identity):
            self.release(talk, reason)
            self._drop(talk, reason)

    # ── what the show asks and tells ─────────────────────────────────────────────────────────────

    def speech(self, key: Key) -> Speech | None:
        """Its sound so far."""
        talk = self._talks.get(key[0])
        return talk.speech() if talk else None

    def begun(self, key: Key) -> None:
        """Its first sound is on its way."""
        if talk := self._talks.get(key[0]):
            talk.begin()

    def forget(self, identity: str) -> None:
        """It was heard to its end, or is dropped."""
        talk = self._talks.pop(identity, None)
        if talk is not None and talk is self._open:  # its utterance left the rundown some other way
            self._open = None
            talk.end("it left the rundown")

    # ── time passes ──────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        while True:
            await self._some.wait()
            while self._talks:
                self.step()
                await asyncio.sleep(STEP_S)
            self._some.clear()

    def step(self) -> None:
        for talk in list(self._talks.values()):
            if talk is self._open and (reason := talk.overdue()):
                self.release(talk, reason)
            if talk.void:
                self._drop(talk, talk.void)
            elif talk.step():
                self._on_sound()

    def _drop(self, talk: Talk, reason: str) -> None:
        self._stage.end_talk(talk.key[0], reason)
        self._talks.pop(talk.key[0], None)


class Talk:
    """From the press of the button until its end was heard."""

    def __init__(
        self, identity: str, voice: VoiceIn, taker: Taker, clock: Clock, tell: Callable[[str, str], None]
    ) -> None:
        self.key: Key = (identity, 0)
        self.void = ""  #: why it cannot be said
        self._voice = voice
        self._taker = taker
        self._clock = clock
        self._tell = tell
        self._jitter = Jitter()
        self._began_ns = self._heard_ns = clock.now_ns()
        self._live = False  #: an engine has its beginning
        self._ended = False  #: nothing will be added
        self._number = 0  #: of the timeline that it is live on
        self._renew()

    @property
    def gain_db(self) -> float:
        return self._voice.gain_db

    @property
    def dropped(self) -> int:
        """Samples that nobody heard, since they would have come late."""
        return self._jitter.dropped

    @property
    def padded(self) -> int:
        """Samples of silence in place of those that came too late."""
        return self._jitter.padded

    @property
    def is_open(self) -> bool:
        """Whether the person is at it."""
        return not self._ended

    def feed(self, message: bytes) -> None:
        samples = self._voice.feed(message)
        self._heard_ns = self._clock.now_ns()
        late = round(LATE_S * AIR_HZ)
        if not self._live:
            late = max(late, self._taker.hop_samples + round(HOLD_S * AIR_HZ) + AHEAD_SAMPLES)
            self._previewed = False
        self._jitter.push(samples, late)

    def overdue(self) -> str:
        """Why it must end now, or ""."""
        now_ns = self._clock.now_ns()
        if now_ns - self._heard_ns >= SILENT_NS:
            return f"no sound came for {SILENT_NS // NS} s"
        if now_ns - self._began_ns >= TALK_MAX_NS:
            return f"{TALK_MAX_NS // NS // 60} minutes are over"
        return ""

    def end(self, reason: str) -> None:
        self._ended = True
        self._previewed = False
        if self._live and not self._is_lost():
            self._add(self._jitter.end())
            self._finish()
        elif self._live:
            self.void = "it was cut"
        elif self._jitter.dropped:
            self.void = "it was released before its turn came"
        elif not self._jitter.waiting:
            self.void = "nothing was said"
        self._tell("ended", reason)

    def speech(self) -> Speech | None:
        """Before its turn: the newest sound, as if it began now."""
        if self._live and self._is_lost():
            self._listen_again()
        if self.void:
            return None
        if not self._live and not self._previewed:
            self._renew()
            self._previewed = True
            if self._ended:
                self._add(self._jitter.end())
                self._finish()
            else:
                preview = self._jitter.preview()
                self._shown = len(preview)
                self._add(preview)
        return self._speech

    def begin(self) -> None:
        self._live, self._number = True, self._taker.number
        if not self._ended:
            self._jitter.start(self._clock.now_ns(), self._shown)
            self._tell("live", "")

    def step(self) -> bool:
        """Let through what is due; whether anything was."""
        if self._live and self._is_lost():
            self._listen_again()
        if not self._live or self._ended:
            return False
        read = self._taker.read_of(self.key)
        room = self._taker.hop_samples + AHEAD_SAMPLES - (self._speech.samples - read)
        due = self._jitter.due(self._clock.now_ns(), max(0, room))
        self._add(due)
        self._speech.forget(read - KEPT_SAMPLES)
        return bool(len(due))

    def _is_lost(self) -> bool:
        """Whether a cut made void what was given away of it."""
        return self._taker.number != self._number

    def _listen_again(self) -> None:
        self._live = False
        self._jitter.stop()
        self._previewed = False
        if self._ended:
            self.void = "it was cut"
        else:
            self._tell("waiting", "")

    def _renew(self) -> None:
        self._speech = Speech()
        self._maker = pcm.Speech(AIR_HZ)
        self._shown = 0
        self._previewed = False

    def _add(self, samples: Pcm) -> None:
        if piece := self._maker.feed(samples):
            self._speech.add(piece)

    def _finish(self) -> None:
        if piece := self._maker.end():
            self._speech.add(piece)
        self._speech.complete = True
