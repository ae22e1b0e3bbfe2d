"""Microsoft's read-aloud voices through edge-tts: a sentence in, pieces as the network brings them.

In: plain text (edge-tts escapes it). Out: speech decoded from mp3 as it arrives, with word marks. A task
of its own talks to the service, so that a consumer that stops, or a service that hangs, is left at
once. Errors of edge-tts and aiohttp become SpeechError here. It never retries.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator

import aiohttp
import edge_tts
from edge_tts.exceptions import EdgeTTSException
from edge_tts.typing import TTSChunk

from pipeline.arrays import silence
from pipeline.errors import SpeechError, UnknownVoice
from pipeline.media import AIR_HZ, WORD, Mark
from tts.pcm import Mp3Decoder, Speech
from tts.synthesizer import Piece, Voice

TICKS_HZ = 10_000_000  #: the service counts in 100 ns
CONNECT_S, ANSWER_S = 5, 10  #: whole seconds, as edge-tts wants them: to connect, and for its handshake
WAIT_S = 10.0  #: for a piece: once connected, edge-tts itself would wait for ever
QUEUE_PIECES = 64  #: about 10 s of speech; when full, the service is no longer read and waits in its socket
LEAVE_S = 2.0  #: for connections to close at the end; then they are dropped

PASSING = re.compile(r", url='[^']*'| ssl:<[^>]*>")  #: of aiohttp's texts: tokens, and what is new at each try
MP3_BPS = 48_000  #: constant, of the format that edge-tts asks for
LATE_S = 0.3  #: a word mark may reach so far beyond the sound
PITCH_HZ = 200.0  #: of most of its voices; it takes a shift in hertz alone
UNSAID_CHARS, UNSAID_SHARE = 16, 0.25  #: letters after the last word mark: more, and the end was not said

SILENT = silence(0)
NEURAL_VOICE = re.compile(r"[a-z]{2,3}-[A-Z]{2,}-([A-Za-z]+-)?[A-Za-z]+Neural")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z]{2,4})*(\+\w+)?")
VOICES = {
    "ar": "ar-EG-SalmaNeural", "cmn": "zh-CN-XiaoxiaoNeural", "cs": "cs-CZ-VlastaNeural", "da": "da-DK-ChristelNeural",
    "de": "de-DE-KatjaNeural", "el": "el-GR-AthinaNeural", "en": "en-US-AriaNeural", "en-gb": "en-GB-SoniaNeural",
    "es": "es-ES-ElviraNeural", "es-mx": "es-MX-DaliaNeural", "fi": "fi-FI-NooraNeural", "fr": "fr-FR-DeniseNeural",
    "he": "he-IL-HilaNeural", "hi": "hi-IN-SwaraNeural", "hu": "hu-HU-NoemiNeural", "id": "id-ID-GadisNeural",
    "it": "it-IT-ElsaNeural", "ja": "ja-JP-NanamiNeural", "ko": "ko-KR-SunHiNeural", "ms": "ms-MY-YasminNeural",
    "nb": "nb-NO-PernilleNeural", "nl": "nl-NL-ColetteNeural", "pl": "pl-PL-ZofiaNeural", "pt": "pt-BR-FranciscaNeural",
    "pt-pt": "pt-PT-RaquelNeural", "ro": "ro-RO-AlinaNeural", "ru": "ru-RU-SvetlanaNeural", "sv": "sv-SE-SofieNeural",
    "th": "th-TH-PremwadeeNeural", "tr": "tr-TR-EmelNeural", "uk": "uk-UA-PolinaNeural", "vi": "vi-VN-HoaiMyNeural",
    "yue": "zh-HK-HiuMaanNeural", "zh": "zh-CN-XiaoxiaoNeural", "zh-hk": "zh-HK-HiuMaanNeural",
    "zh-tw": "zh-TW-HsiaoChenNeural",
}  # fmt: skip


class EdgeSynthesizer:
    """Voices are the service's (`zh-CN-XiaoxiaoNeural`), or a language (`zh`) for one that we chose."""

    remote = True
    version = "1"  # rises with VOICES, and when the service's own voices change

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def speak(self, sentence: str, voice: Voice) -> AsyncGenerator[Piece, None]:
        inbox = _Inbox()
        task = asyncio.create_task(_receive(sentence, voice_for(voice.name), voice, inbox), name="edge")
        self._tasks.add(task)
        task.add_done_callback(self._gone)
        task.add_done_callback(lambda _: inbox.end())
        try:
            while piece := await inbox.take():
                yield piece
            if task.cancelled():
                raise SpeechError("edge: closed")
            task.result()
        finally:
            task.cancel()

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # asyncio complains of one that nobody looked at, as when the consumer left first

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEAVE_S)


def voice_for(name: str) -> str:
    """A voice of the service; UnknownVoice for a name that is neither one nor a language it has."""
    if NEURAL_VOICE.fullmatch(name):
        return name
    if LANGUAGE.fullmatch(name):
        parts = name.partition("+")[0].replace("_", "-").lower().split("-")
        for length in range(len(parts), 0, -1):
            if found := VOICES.get("-".join(parts[:length])):
                return found
    raise UnknownVoice(f"edge has no voice {name[:60]!r}; give one as zh-CN-XiaoxiaoNeural, or of {', '.join(VOICES)}")


class _Inbox:
    """Pieces from the task to the consumer, in order; when it is full the task waits, and so does the service."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Piece | None] = asyncio.Queue()  # bounded by _free, but for the end
        self._free = asyncio.Semaphore(QUEUE_PIECES)

    async def put(self, piece: Piece | None) -> bool:
        """Whether there was a piece."""
        if piece:
            await self._free.acquire()
            self._queue.put_nowait(piece)
        return piece is not None

    def end(self) -> None:
        self._queue.put_nowait(None)

    async def take(self) -> Piece | None:
        """The next piece, None after the last one."""
        try:
            piece = await asyncio.wait_for(self._queue.get(), WAIT_S)
        except TimeoutError as error:
            raise SpeechError(f"edge: nothing for {WAIT_S} s") from error
        self._free.release()
        return piece


async def _receive(sentence: str, name: str, voice: Voice, inbox: _Inbox) -> None:
    """The work of the task; SpeechError where the service did not deliver."""
    try:
        await _stream(sentence, name, voice, inbox)
    except (aiohttp.ClientError, EdgeTTSException, OSError, TimeoutError) as error:
        raise SpeechError(f"edge: {type(error).__name__}: {PASSING.sub('', str(error))}") from error
    except (ValueError, KeyError) as error:
        # edge-tts lets its parser's own errors through
        raise SpeechError(f"edge: an answer that cannot be read: {type(error).__name__}: {error}") from error


async def _stream(sentence: str, name: str, voice: Voice, inbox: _Inbox) -> None:
    service = edge_tts.Communicate(
        sentence,
        name,
        rate=f"{round((voice.rate - 1) * 100):+d}%",
        pitch=f"{round(PITCH_HZ * (2 ** (voice.pitch / 12) - 1)):+d}Hz",
        boundary="WordBoundary",
        connect_timeout=CONNECT_S,
        receive_timeout=ANSWER_S,
    )
    decoder, speech = Mp3Decoder(), Speech(AIR_HZ)
    received, spoken = 0, False
    words: list[Mark] = []
    async for chunk in service.stream():
        samples, marks = SILENT, []
        if chunk["type"] == "audio":
            received += len(chunk["data"])
            samples = decoder.feed(chunk["data"])
        else:
            marks = [_mark(chunk)]
            words += marks
        spoken |= await inbox.put(speech.feed(samples, marks))
    if spoken:
        _check_end(sentence, words, received, service.state["cumulative_audio_bytes"])
    for piece in (speech.feed(decoder.end()), speech.end()):
        spoken |= await inbox.put(piece)
    if not spoken:
        raise SpeechError(f"edge: {received} bytes came, none of them sound")


def _check_end(sentence: str, words: list[Mark], received: int, confirmed: int) -> None:
    """SpeechError when the service went away before it had said all: edge-tts itself takes that for the end.

    confirmed: bytes of sound in turns that the service ended itself, as edge-tts counts them.
    """
    if confirmed < received:
        raise SpeechError(f"edge: the connection ended after {received} bytes, before the sentence did")
    if not words:
        return  # some voices tell none
    seconds, last_s = received * 8 / MP3_BPS, (words[-1].at + words[-1].span) / AIR_HZ
    if seconds < last_s - LATE_S:
        raise SpeechError(f"edge: {seconds:.1f} s of sound, and its last word ends at {last_s:.1f} s")
    at = 0
    for word in words:
        found = sentence.find(word.text, at)
        at = found + len(word.text) if found >= 0 else at
    unsaid = sum(char.isalnum() for char in sentence[at:])
    if at and unsaid > max(UNSAID_CHARS, UNSAID_SHARE * len(sentence)):
        raise SpeechError(f"edge: it stopped after {sentence[:at][-30:]!r}, {unsaid} characters before the end")


def _mark(chunk: TTSChunk) -> Mark:
    return Mark(
        at=int(chunk["offset"]) * AIR_HZ // TICKS_HZ,
        kind=WORD,
        text=chunk["text"],
        span=int(chunk["duration"]) * AIR_HZ // TICKS_HZ,
    )
