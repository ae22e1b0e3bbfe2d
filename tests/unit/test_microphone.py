"""A person's voice on the timeline: when it is heard, how late, and what its faults do to the room. Virtual time."""

from __future__ import annotations

import av
import msgspec
import numpy as np
import pytest

from broadcaster.continuity import Continuity
from broadcaster.events import AIRED, SKIPPED, Event
from broadcaster.jitter import EDGE, HOLD_S, LATE_S, Jitter
from broadcaster.microphone import SILENT_NS, TALK_MAX_NS, Busy, Microphone, Talk
from broadcaster.rundown import Rundown
from broadcaster.show import Show
from broadcaster.supply import Supply
from broadcaster.timeline import Speech, Timeline
from broadcaster.utterance import LANES, Key, Utterance
from pipeline.arrays import Pcm
from pipeline.clock import NS, FakeClock
from pipeline.errors import SpeechError
from pipeline.media import AIR_HZ, SENTENCE, SENTENCE_END, UTTERANCE, UTTERANCE_END, Position
from pipeline.wire import Report, SpeechDemand
from tts.loudness import TARGET_LUFS, measure
from tts.synthesizer import Piece
from tts.voicein import VoiceIn

HOP = 9_600
STEP = AIR_HZ // 50


def tone(samples: int, level: int = 6_000, start: int = 0) -> Pcm:
    at = np.arange(start, start + samples)
    return (level * np.sin(2 * np.pi * 220 * at / AIR_HZ)).astype(np.int16)


class Studio:
    """A show, an engine of 200 ms hops, a playout that plays them in time, a microphone."""

    def __init__(self, hop: int = HOP) -> None:
        self.hop = hop
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.told: list[tuple[str, str]] = []
        self.show = Show(Rundown(), None, Continuity(), self.clock, self.events.append, lambda _: False)
        self.supply = Supply(self.show, Timeline(), self.clock, 0)
        self.microphone = Microphone(self.show, self.supply, self.clock, lambda: None)
        self.show.talk_began, self.show.takeover.hang_up = self.microphone.begun, self.microphone.hang_up
        self.show.cut, self.show.forget, self.show.speech_of = self.supply.cut, self.microphone.forget, self.speech
        self.show.opened = True
        self.show.left_behind_is_read()
        self.sounds: dict[Key, Speech] = {}
        self.credit = self.timeline = self.seq = self.steps = self.lost = 0
        self.after: Position | None = None
        self.ready: list[tuple[Pcm, list[object]]] = []
        self.air: list[Pcm] = []  #: what viewers hear, by hops
        self.starved = 0  #: hops that began without sound while a talk was live
        self.sent = 0

    def speech(self, key: Key) -> Speech | None:
        if key[0].startswith("person:"):
            return self.microphone.speech(key)
        if key not in self.sounds and (utterance := self.show.utterance(key[0])):
            made = self.sounds[key] = Speech()
            air = np.full(3 * len(utterance.sentences[key[1]]) * 1_600, 100, np.int16)
            made.add(Piece(air, air[::3]))
            made.complete = True
        return self.sounds.get(key)

    def talk(self, mode: str = "now", format_name: str = "pcm48000") -> Talk:
        return self.microphone.begin(format_name, mode, lambda what, why: self.told.append((what, why)))

    def run(self, seconds: float, talk: Talk | None = None, sound: Pcm | None = None, every: int = 1) -> None:
        """Time passes; the person sends 20 ms of sound each 20 ms, or so many of them at once."""
        late: list[bytes] = []
        for _ in range(round(seconds * 50)):
            if talk is not None:
                piece = tone(STEP, start=self.sent) if sound is None else sound[self.sent : self.sent + STEP]
                self.sent += STEP
                late.append(piece.tobytes())
                if len(late) == every:
                    for message in late:
                        self.microphone.feed(talk, message)
                    late.clear()
            self.clock.advance(0.02)
            self.microphone.step()
            self.engine()
            self.steps += 1
            if self.steps % (self.hop // STEP) == 0:
                self.playout()
            self.show.tick()

    def engine(self) -> None:
        if (cut := self.supply.due_cut()) is not None and cut.timeline > self.timeline:
            self.timeline, self.after = cut.timeline, None
            self.ready.clear()
            self.report("cut", (cut.utterance, 0))
        if len(self.ready) < 2:
            self.credit += 1
            demand = SpeechDemand("e", 1, self.credit, self.timeline, self.hop, 19_200, self.after)
            self.supply.demand(demand, b"")
            if answer := self.supply.answer():
                self.after = answer.chunk.until
                self.ready.append((answer.air, [m for m in answer.chunk.marks if m.at <= self.hop]))

    def playout(self) -> None:
        if not self.ready:
            self.starved += 1
            self.air.append(np.zeros(self.hop, np.int16))
            return
        air, marks = self.ready.pop(0)
        self.air.append(air)
        for mark in marks:
            kind = {UTTERANCE: "started", SENTENCE: "sentence", SENTENCE_END: "sentence_aired", UTTERANCE_END: "aired"}
            if mark.kind in kind:  # type: ignore[attr-defined]
                self.report(kind[mark.kind], (mark.utterance, mark.sentence))  # type: ignore[attr-defined]

    def report(self, what: str, key: Key) -> None:
        self.seq += 1
        fields = {"seq": self.seq, "what": what, "utterance": key[0], "sentence": key[1]}
        self.show.report(Report(**fields, frame=0, sample=0, wall_s=self.clock.wall_s(), timeline=self.timeline))

    def heard(self) -> Pcm:
        return np.concatenate(self.air) if self.air else np.zeros(0, np.int16)

    def names(self, name: str) -> list[str]:
        return [event.id for event in self.events if event.name == name]


def words(name: str, mode: str = "append", lane: str = "live") -> Utterance:
    return Utterance(name, ("a" * 40,) * 2, LANES[lane], mode, stream_id=f"{name}-0")


def test_a_voice_is_on_air_soon_and_whole() -> None:
    studio = Studio()
    studio.run(1.0)
    talk = studio.talk()
    quiet = np.zeros(AIR_HZ, np.int16)
    studio.run(1.0, talk, quiet)
    pressed, studio.sent = len(studio.heard()), 0
    studio.run(3.0, talk)
    studio.microphone.release(talk)
    studio.run(2.0)
    heard = studio.heard()
    loud = np.flatnonzero(np.abs(heard) > 1_000)
    late_s = (loud[0] - pressed) / AIR_HZ
    assert late_s <= 0.75  # of 1.2 s in all: encoder, network and player have the rest
    assert (loud[-1] - loud[0]) / AIR_HZ == pytest.approx(3.0, abs=0.1)
    assert ("live", "") in studio.told and studio.names(AIRED) == [talk.key[0]] and talk.padded == 0


def test_an_engine_with_a_long_hop_is_fed_as_well() -> None:
    studio = Studio(hop=28 * 1_920)
    talk = studio.talk()
    studio.run(6.0, talk)
    studio.microphone.release(talk)
    studio.run(4.0)
    assert np.count_nonzero(np.abs(studio.heard()) > 1_000) > 4 * AIR_HZ * 0.8
    assert studio.names(AIRED) == [talk.key[0]]


def test_a_voice_inserted_waits_for_the_sentence_and_the_rest_goes_on_after_it() -> None:
    studio = Studio()
    studio.show.accept(words("script", lane="command"))
    studio.run(1.0)
    talk = studio.talk("insert")
    studio.run(1.0, talk)
    assert studio.told == []
    studio.run(6.0, talk)
    assert studio.told == [("live", "")]
    studio.microphone.release(talk)
    studio.run(8.0)
    assert studio.names(AIRED) == [talk.key[0], "script"]


def test_a_voice_that_is_late_leaves_a_gap_and_catches_up_in_the_next_pause() -> None:
    studio = Studio()
    talk = studio.talk()
    studio.run(2.0, talk)
    studio.run(0.5)  # the network holds it
    for _ in range(25):
        studio.microphone.feed(talk, tone(STEP).tobytes())
    studio.run(0.2, talk)
    assert talk.padded > 0
    pause = np.zeros(100 * AIR_HZ, np.int16)
    studio.run(2.0, talk, pause)
    assert talk.dropped >= talk.padded * 0.8
    assert studio.starved <= 3  # before it began


def test_what_is_said_is_never_more_than_half_a_second_late() -> None:
    studio = Studio()
    talk = studio.talk()
    studio.run(1.0, talk)
    for _ in range(500):  # ten seconds at once
        studio.microphone.feed(talk, tone(STEP).tobytes())
    assert talk.dropped > 9 * AIR_HZ


def test_a_person_who_vanishes_leaves_the_room_speaking() -> None:
    studio = Studio()
    studio.show.accept(words("script", lane="command"))
    studio.run(1.0)
    talk = studio.talk()
    studio.run(1.0, talk)
    studio.run(SILENT_NS / NS + 0.1)
    assert studio.told[-1] == ("ended", "no sound came for 2 s") and studio.microphone.talking == ""
    studio.run(12.0)
    assert studio.names(AIRED) == [talk.key[0], "script"]


def test_a_talk_has_an_end() -> None:
    studio = Studio()
    talk = studio.talk()
    studio.run(1.0, talk)
    talk._began_ns -= TALK_MAX_NS
    studio.run(0.1, talk)
    assert studio.told[-1] == ("ended", "10 minutes are over")


def test_one_person_talks_at_a_time_and_nobody_during_a_panic() -> None:
    studio = Studio()
    talk = studio.talk()
    with pytest.raises(Busy, match="another person"):
        studio.talk()
    studio.microphone.release(talk)
    studio.show.paused = True
    with pytest.raises(Busy, match="no words"):
        studio.talk()


def test_a_tap_without_a_word_is_told_and_forgotten() -> None:
    studio = Studio()
    talk = studio.talk()
    studio.microphone.release(talk)
    assert studio.names(SKIPPED) == [talk.key[0]] and studio.events[-1].facts["reason"] == "nothing was said"
    studio.run(1.0)
    assert studio.show.quiet()


def test_a_short_word_is_said_whole_though_the_button_is_let_go_before_its_turn() -> None:
    studio = Studio()
    talk = studio.talk()
    for index in range(15):
        studio.microphone.feed(talk, tone(STEP, start=index * STEP).tobytes())
    studio.microphone.release(talk)
    studio.run(3.0)
    assert np.count_nonzero(np.abs(studio.heard()) > 1_000) / AIR_HZ > 0.15 and studio.names(AIRED) == [talk.key[0]]


def test_the_next_press_does_not_cut_the_end_of_the_last_talk() -> None:
    studio = Studio()
    first = studio.talk()
    studio.run(2.0, first)
    studio.microphone.release(first)
    number = studio.supply.number
    second = studio.talk()
    studio.run(3.0, second)
    studio.microphone.release(second)
    studio.run(3.0)
    assert studio.supply.number == number and studio.names(AIRED) == [first.key[0], second.key[0]]


def test_words_that_cut_a_person_are_said_and_the_person_goes_on_live() -> None:
    studio = Studio()
    talk = studio.talk()
    studio.run(2.0, talk)
    studio.show.accept(words("alert", "now"))
    studio.run(12.0, talk)
    assert [what for what, _ in studio.told] == ["live", "waiting", "live"]
    before = len(studio.heard())
    studio.run(1.0, talk)
    studio.microphone.release(talk)
    studio.run(3.0)
    after = np.flatnonzero(np.abs(studio.heard()[before:]) > 1_000)
    assert after[-1] / AIR_HZ <= 1.0 + LATE_S + 0.8  # nothing old is said again
    assert studio.names(AIRED) == ["alert", talk.key[0]]


def test_a_skip_ends_the_talk_at_once() -> None:
    studio = Studio()
    talk = studio.talk()
    studio.run(2.0, talk)
    assert studio.show.takeover.skip(now=True).done
    studio.run(1.5, talk)
    assert studio.names(SKIPPED) == [talk.key[0]] and studio.microphone.talking == ""
    assert not np.abs(studio.heard()[-HOP:]).any()


def test_a_quiet_microphone_becomes_as_loud_as_the_voices() -> None:
    for level in (300, 3_000, 30_000):
        voice = VoiceIn("pcm48000")
        sound = np.concatenate([voice.feed(tone(STEP, level, at).tobytes()) for at in range(0, 4 * AIR_HZ, STEP)])
        assert measure([sound[-AIR_HZ:]]) == pytest.approx(TARGET_LUFS, abs=2.0)


def test_the_noise_of_a_room_is_not_brought_up() -> None:
    voice = VoiceIn("pcm48000")
    noise = np.random.default_rng(1).integers(-40, 40, 3 * AIR_HZ).astype(np.int16)
    for at in range(0, len(noise), STEP):
        voice.feed(noise[at : at + STEP].tobytes())
    assert voice.gain_db == 0.0


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_pcm_of_each_rate_keeps_its_length(rate: int) -> None:
    voice = VoiceIn(f"pcm{rate}")
    made = sum(len(voice.feed(np.ones(rate // 50, np.int16).tobytes())) for _ in range(100))
    assert made == pytest.approx(2 * AIR_HZ, abs=AIR_HZ * 0.02)


def test_opus_packets_are_heard() -> None:
    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = AIR_HZ, "mono", "s16"
    encoder.open()
    packets = []
    for at in range(0, 2 * AIR_HZ, 960):
        frame = av.AudioFrame.from_ndarray(tone(960, start=at).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = AIR_HZ, at
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    voice = VoiceIn("opus")
    sound = np.concatenate([voice.feed(packet) for packet in packets])
    assert len(sound) == pytest.approx(2 * AIR_HZ, abs=2_000) and np.abs(sound).max() > 3_000


@pytest.mark.parametrize(
    ("name", "message"), [("pcm16000", b"odd"), ("opus", b"\xff" * 60), ("pcm48000", b"x" * 96_002)]
)
def test_what_is_no_sound_is_refused(name: str, message: bytes) -> None:
    with pytest.raises(SpeechError):
        VoiceIn(name).feed(message)


def test_gaps_in_the_sound_have_soft_edges() -> None:
    jitter = Jitter()
    jitter.push(tone(AIR_HZ // 2, 12_000), AIR_HZ)
    jitter.start(0, len(jitter.preview()))
    out = np.concatenate([jitter.due(at * NS // 50) for at in range(1, 26)])
    assert len(out) == AIR_HZ // 2 and jitter.padded > 0
    jitter.push(tone(AIR_HZ // 2, 12_000), AIR_HZ)
    out = np.concatenate([out, *(jitter.due(at * NS // 50) for at in range(26, 40)), jitter.end()])
    assert np.abs(np.diff(out.astype(np.int32))).max() < 1_000  # a tone of that level moves by 345 a sample
    assert not out[-1]


def test_a_hop_is_kept_in_hand_against_a_late_network() -> None:
    jitter = Jitter()
    jitter.push(tone(AIR_HZ), AIR_HZ)
    assert len(jitter.preview()) == AIR_HZ - round(HOLD_S * AIR_HZ)
    assert not jitter.preview()[:1].any() and EDGE == AIR_HZ // 50


def another_director(studio: Studio) -> Show:
    """The one that follows it, with its notes."""
    saved = msgspec.json.decode(msgspec.json.encode(studio.show.continuity(studio.supply.number)), type=Continuity)
    show = Show(Rundown(), None, saved, studio.clock, studio.events.append, lambda _: False)
    show.cut, show.forget = lambda identity: None, lambda identity: None
    return show


def test_the_sentence_before_a_talk_is_not_said_again_when_its_director_dies() -> None:
    studio = Studio()
    studio.show.accept(words("before"))
    before = ("before", 0)
    talk = studio.talk(mode="insert")
    studio.show.begun([before, talk.key])
    assert studio.show.out == (before, talk.key)
    show = another_director(studio)
    show.after_replay()
    assert show.resume(Position(*talk.key, samples=1_000)) is None and show.out == (before,)
    again = Continuity(before_talk=1, out=[before, ("later", 0)])
    show = Show(Rundown(), None, again, studio.clock, studio.events.append, lambda _: False)
    show.resume(Position(*talk.key, samples=1_000))
    assert show.out == (before,)


def test_a_talk_that_was_heard_to_its_end_is_not_told_as_lost_by_the_next_director() -> None:
    studio = Studio()
    talk = studio.talk()
    studio.run(1.0, talk)
    show = another_director(studio)
    fields = {"utterance": talk.key[0], "sentence": 0, "frame": 0, "sample": 0, "wall_s": 1.0, "timeline": 1}
    show.report(Report(1, "aired", **fields), replayed=True)  # type: ignore[arg-type]
    show.after_replay()
    assert studio.names(AIRED) == [talk.key[0]] and studio.names(SKIPPED) == []
