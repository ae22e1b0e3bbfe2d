"""espeak-ng inside this process: a sentence in, pieces with word and phoneme marks out, without a network.

In: plain text (markup is off: `<break/>` is read out, not obeyed), with IPA as tts.ipa brackets it. Out:
speech cut at words, so that the marks of a stretch come with its sound. The library has one state for the
whole process: one thread at a time speaks, the event loop never waits for it. A consumer that stops
iterating aborts the sentence.
"""

from __future__ import annotations

import asyncio
import ctypes
import re
import threading
import unicodedata
from collections.abc import AsyncGenerator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata

import espeakng_loader
import numpy as np

from pipeline.arrays import Pcm
from pipeline.errors import SpeechError, UnknownVoice
from pipeline.media import AIR_HZ, PHONEME, WORD, Mark
from tts.inthread import HandOver, pieces
from tts.ipa import has_sounds, spelt
from tts.pcm import Speech
from tts.synthesizer import Piece, Voice

WORDS_PER_MINUTE = 175  #: espeak's normal speed, rate 1.0
LOUDNESS = 85  #: of 100, espeak's normal: at 100 its vowels come within 0.3 dB of full scale
WPM_RANGE = (80, 450)  #: what espeak can do
MAX_CHARS = 4000  #: of a sentence: what bounds the memory between the two threads, since nothing is dropped there
STRETCH_S = 0.25  #: speech handed over at a time, up to the next word
BUFFER_MS = 60  #: of one callback
WAIT_S = 5.0  #: the longest sentence takes 0.5 s on a busy core; beyond that the thread is lost

# speak_lib.h of espeak-ng 1.52
SYNCHRONOUS = 2
PHONEME_EVENTS, IPA, DONT_EXIT = 1, 2, 0x8000
UTF8 = 1  # without the flag SSML (0x10): text is text
PHONEMES = 0x100  # [[…]] is espeak's own letters; set only where there are some
RATE, VOLUME, PITCH = 1, 2, 3
OK = 0
EVENT_END, EVENT_WORD, EVENT_PHONEME = 0, 1, 7

# espeak's pitch, 50 being a voice's own: so many semitones, measured
PITCHES = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)
SEMITONES = (-6.7, -5.4, -4.0, -2.8, -1.6, 0.0, 1.7, 3.4, 4.8, 6.8, 8.6)

ALIASES = {"zh-hk": "yue", "zh-mo": "yue", "zh-yue": "yue", "zh": "cmn", "iw": "he"}
HAN_AND_KANA = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
TOKENS = re.compile(rf"[{HAN_AND_KANA}]|[^\W_{HAN_AND_KANA}]+(?:['’][^\W_{HAN_AND_KANA}]+)*")
VOICE_NAME = re.compile(r"[A-Za-z0-9_-]+(?P<variant>\+[a-z0-9]+)?")
# stress, and what espeak leaves of its own mnemonics in the IPA of Mandarin and Cantonese; in this order
TO_IPA = (
    ("ˈ", ""), ("ˌ", ""), ("ts.", "ʈʂ"), ("s.", "ʂ"), ("i.", "ɨ"), ("i̪", "ɨ"), ("o-", "ɤ"), ("ŋ-", "ŋ"), ("nɡ", "ŋ"),
    ("th", "tʰ"), ("kh", "kʰ"), ("ph", "pʰ"), ("sh", "sʰ"), ("ɕh", "ɕʰ"), ("ʂh", "ʂʰ"),
)  # fmt: skip


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _EventId),
    )  # fmt: skip


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p), ("languages", ctypes.c_void_p), ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte), ("age", ctypes.c_ubyte), ("variant", ctypes.c_ubyte), ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int), ("spare", ctypes.c_void_p),
    )  # fmt: skip


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class Heard:
    """What espeak reported at a sample of its own rate: a word at a character of the text, or a phoneme."""

    sample: int
    kind: int
    at: int
    ipa: str = ""


class EspeakSynthesizer:
    """Voices are languages (`en`, `zh`), espeak's own names (`en-us+f3`) or names of others, by language."""

    remote = False
    version = f"1 {metadata.version('espeakng-loader')}"

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="espeak")

    async def speak(self, sentence: str, voice: Voice) -> AsyncGenerator[Piece, None]:
        text = _clean(sentence)
        if len(text) > MAX_CHARS:
            raise SpeechError(f"espeak: a sentence of {len(text)} characters; the longest is {MAX_CHARS}")
        spoken = pieces(self._thread, lambda hand_over, stop: _say(text, voice, hand_over, stop), "espeak", WAIT_S)
        try:
            async for piece in spoken:
                yield piece
        finally:
            await spoken.aclose()  # now, not when it is collected

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)


def voice_for(name: str, known: Mapping[str, str]) -> str:
    """espeak's identifier for a voice name: its own, else that of its language; UnknownVoice.

    known: names and languages in lower case → identifier.
    """
    match = VOICE_NAME.fullmatch(name)
    if match:
        variant = match["variant"] or ""
        parts = name.removesuffix(variant).replace("_", "-").lower().split("-")
        for length in range(len(parts), 0, -1):
            wanted = "-".join(parts[:length])
            if found := known.get(ALIASES.get(wanted, wanted)):
                return found + variant
    languages = ", ".join(sorted({language for language in known if len(language) <= 3} | {"zh"}))
    raise UnknownVoice(f"espeak has no voice {name[:60]!r} nor its language; it speaks {languages}")


def marks_of(text: str, start: int, end: int, heard: list[Heard], sample: int, rate_hz: int) -> list[Mark]:
    """WORD and PHONEME marks, in 48 kHz samples, of text[start:end], whose speech stops at `sample`.

    A token that espeak ran into the one before (`to the`, 你好) gets its share of the time.
    """
    reports = {event.at: event.sample for event in reversed(heard) if event.kind == EVENT_WORD}
    tokens = list(TOKENS.finditer(text, start, end))
    places = sorted(reports)
    words = []
    if places:
        times = np.interp(
            [token.start() for token in tokens], [*places, end], [*map(reports.__getitem__, places), sample]
        )
        words = [(int(time), token[0]) for time, token in zip(times, tokens, strict=True)]
    sounds = [(event.sample, event.ipa) for event in heard if event.kind == EVENT_PHONEME]
    return _marks(WORD, words, sample, rate_hz) + _marks(PHONEME, sounds, sample, rate_hz)


def _marks(kind: str, starts: list[tuple[int, str]], end: int, rate_hz: int) -> list[Mark]:
    """Each lasts until the next begins; one without text (a pause) only ends another."""
    ends = [*(sample for sample, _ in starts[1:]), end][: len(starts)]
    marks = []
    for (start, text), stop in zip(starts, ends, strict=True):
        at = start * AIR_HZ // rate_hz
        if text:
            marks.append(Mark(at=at, kind=kind, text=text, span=max(0, stop * AIR_HZ // rate_hz - at)))
    return marks


class _Stretches:
    """Collects what one sentence makes espeak say, and hands it over in stretches that end where a word does."""

    def __init__(self, text: str, rate_hz: int, hand_over: HandOver) -> None:
        self._text, self._rate_hz, self._hand_over = text, rate_hz, hand_over
        self._token_starts = {match.start() for match in TOKENS.finditer(text)}
        self._speech = Speech(rate_hz)
        self._held: list[Pcm] = []
        self._heard: list[Heard] = []
        self._done_samples, self._done_chars, self._made = 0, 0, 0

    def take(self, samples: Pcm, heard: list[Heard]) -> None:
        self._held.append(samples)
        self._made += len(samples)
        self._heard += heard
        least = self._done_samples + int(STRETCH_S * self._rate_hz)
        for event in reversed(self._heard):
            if event.sample < least:
                return
            if event.kind == EVENT_WORD and event.sample <= self._made and event.at in self._token_starts:
                self._cut(event.sample, event.at)
                return

    def end(self) -> None:
        self._cut(self._made, len(self._text))
        if piece := self._speech.end():
            self._hand_over(piece)

    def _cut(self, sample: int, char: int) -> None:
        held = np.concatenate([np.zeros(0, np.int16), *self._held])
        count = sample - self._done_samples
        now = [event for event in self._heard if event.sample < sample]
        marks = marks_of(self._text, self._done_chars, char, now, sample, self._rate_hz)
        self._held, self._heard = [held[count:]], self._heard[len(now) :]
        self._done_samples, self._done_chars = sample, char
        if piece := self._speech.feed(held[:count], marks):
            self._hand_over(piece)


class _Library:
    """libespeak-ng, opened once; `lock` is held while it speaks."""

    def __init__(self) -> None:
        try:
            self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
            data = espeakng_loader.get_data_path()
        except (OSError, RuntimeError) as error:
            raise SpeechError(f"espeak: the library cannot be opened: {error}") from error
        self.rate_hz: int = self._lib.espeak_Initialize(
            SYNCHRONOUS, BUFFER_MS, data.encode(), PHONEME_EVENTS | IPA | DONT_EXIT
        )
        if self.rate_hz <= 0:
            raise SpeechError(f"espeak: cannot start with the data of {data}")
        self.known = _known_voices(self._lib)
        self.lock = threading.Lock()

    def say(self, text: str, name: str, voice: Voice, stretches: _Stretches, stop: threading.Event) -> None:
        """Speak in the calling thread; returns when all is said or `stop` was set. name: espeak's, of the voice."""
        written = spelt(text)

        def take(wave: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
            if not stop.is_set():
                samples = np.ctypeslib.as_array(wave, (count,)).copy() if wave and count else np.zeros(0, np.int16)
                stretches.take(samples, [replace(one, at=written.origin(one.at)) for one in _heard(events)])
            return int(stop.is_set())

        callback = _Callback(take)
        encoded = written.text.encode()
        flags = UTF8 | PHONEMES if has_sounds(text) else UTF8
        words_per_minute = min(max(round(WORDS_PER_MINUTE * voice.rate), WPM_RANGE[0]), WPM_RANGE[1])
        self._lib.espeak_SetSynthCallback(callback)
        if self._lib.espeak_SetVoiceByName(name.encode()) != OK:
            raise UnknownVoice(f"espeak: the voice {name!r} cannot be loaded")
        self._lib.espeak_SetParameter(RATE, words_per_minute, 0)
        self._lib.espeak_SetParameter(VOLUME, LOUDNESS, 0)
        self._lib.espeak_SetParameter(PITCH, round(float(np.interp(voice.pitch, SEMITONES, PITCHES))), 0)
        if (code := self._lib.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, flags, None, None)) != OK:
            raise SpeechError(f"espeak: error {code}")


@cache
def _library() -> _Library:
    """The state of libespeak-ng is one for the process, whoever speaks with it."""
    return _Library()


def _say(text: str, voice: Voice, hand_over: HandOver, stop: threading.Event) -> None:
    """The work of the thread."""
    library = _library()
    with library.lock:
        if stop.is_set():
            return
        stretches = _Stretches(text, library.rate_hz, hand_over)
        library.say(text, voice_for(voice.name, library.known), voice, stretches, stop)
        if not stop.is_set():
            stretches.end()


def _heard(events: ctypes._Pointer[_Event]) -> Iterator[Heard]:
    at = 0
    while (event := events[at]).type != EVENT_END:
        at += 1
        if event.type == EVENT_WORD:
            yield Heard(event.sample, EVENT_WORD, event.text_position - 1)
        elif event.type == EVENT_PHONEME:
            ipa = event.id.string.decode("utf-8", "ignore")
            if not ipa.startswith("("):  # "(en)": the language changes, nothing sounds
                yield Heard(event.sample, EVENT_PHONEME, event.text_position - 1, _ipa(ipa))


def _ipa(phoneme: str) -> str:
    for own, ipa in TO_IPA:
        phoneme = phoneme.replace(own, ipa)
    return phoneme


def _known_voices(lib: ctypes.CDLL) -> dict[str, str]:
    """Each language, voice and file name in lower case → identifier; where several claim one, its best."""
    lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    voices = lib.espeak_ListVoices(None)
    claims: list[tuple[int, str, str]] = []
    at = 0
    while voices[at]:
        voice = voices[at].contents
        identifier = voice.identifier.decode()
        claims.append((0, identifier.rpartition("/")[2].lower(), identifier))
        claims += [(priority, language.lower(), identifier) for priority, language in _languages(voice.languages)]
        at += 1
    known: dict[str, str] = {}
    for _, name, identifier in sorted(claims, key=lambda claim: claim[0]):
        known.setdefault(name, identifier)
    return known


def _languages(address: int) -> Iterator[tuple[int, str]]:
    """(priority, language) of a list of a byte and a C string each, ended by a zero byte."""
    while priority := ctypes.string_at(address, 1)[0]:
        language = ctypes.string_at(address + 1)
        yield priority, language.decode()
        address += len(language) + 2


def _clean(sentence: str) -> str:
    """No control characters (espeak obeys some) and no half characters; positions stay as they are."""
    return "".join(" " if unicodedata.category(char) in ("Cc", "Cs") else char for char in sentence)
