"""A speech server of OpenAI's protocol: a sentence in, pieces as the network brings them.

CosyVoice, GPT-SoVITS, Kokoro-FastAPI, openedai-speech and others serve `POST {url}/audio/speech`. In: plain text. Out:
speech decoded from whatever they send, while they send it; no marks, the protocol has none. Errors of aiohttp become
SpeechError here, without key and address. It never retries, and never follows a redirection with the key.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from typing import Any, ParamSpec

import aiohttp
import msgspec

from pipeline.arrays import Pcm
from pipeline.clock import Clock, RealClock
from pipeline.errors import SpeechError, TooOften, UnknownVoice
from pipeline.media import AIR_HZ
from tts.decode import Decoder, SniffingDecoder
from tts.pcm import Speech
from tts.raw import RATES_HZ, RawDecoder
from tts.settings import HttpSettings
from tts.synthesizer import Piece, Voice

PATH = "/audio/speech"
READ_BYTES = 1 << 16  #: at most, of one stretch
MOST_BYTES = 1 << 26  #: of one sentence: ten minutes of uncompressed sound
TOLD_BYTES = 4096  #: of an answer that is no sound
TOLD_CHARS = 200
CONNECTIONS = 8  #: at once; the next sentence waits
LEAVE_S = 0.25  #: for TLS to say good-bye at the end
OK, REDIRECTED, REFUSED = 200, range(300, 400), (401, 403)
BUSY = (429, 503)
UNSAYABLE = (400, 404, 422)
TEXTUAL = ("text/", "application/json", "application/problem+json", "application/xml")
CODED = re.compile(r"audio/(x-)?(mpeg|mp3|aac|aacp)\b")
RATE = re.compile(r"\brate=(\d+)")
ALIASES = {"cmn": "zh", "zh": "cmn"}
SOUND = ("url", "model", "default_voice", "voices", "format", "rate_hz", "body")  #: settings: another sound each
P = ParamSpec("P")
PASSING = re.compile(r", url='[^']*'| ssl:<[^>]*>|https?://\S+")  # of aiohttp's texts


class HttpSynthesizer:
    """Voices are the server's; names and languages of others are given one by the settings."""

    remote = True

    def __init__(self, settings: HttpSettings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or RealClock()
        self._session: aiohttp.ClientSession | None = None
        made_by = {name: getattr(settings, name) for name in SOUND}
        self.version = f"1 {hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:16]}"

    async def speak(self, sentence: str, voice: Voice) -> AsyncGenerator[Piece, None]:
        received = 0
        decoder: Decoder | None = None
        speech, spoken = Speech(AIR_HZ), False
        try:
            async with aclosing(self._stretches(self._body(sentence, voice))) as stretches:
                async for headers, data in stretches:
                    decoder = decoder or self._decoder(headers)
                    received += len(data)
                    if received > MOST_BYTES:
                        raise SpeechError(f"http: more than {MOST_BYTES} bytes for a sentence")
                    if piece := speech.feed(await _aside(decoder.feed, data)):
                        spoken = True
                        yield piece
            for piece in (speech.feed(await _aside(decoder.end)) if decoder else None, speech.end()):
                if piece:
                    spoken = True
                    yield piece
        finally:
            if decoder:
                decoder.close()
        if not spoken:
            raise SpeechError(f"http: {received} bytes came, none of them sound")

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            await asyncio.sleep(LEAVE_S if self._settings.url.startswith("https") else 0)

    def _body(self, sentence: str, voice: Voice) -> dict[str, Any]:
        settings = self._settings
        body: dict[str, Any] = {
            "model": settings.model,
            "input": sentence,
            "voice": voice_for(voice.name, settings.voices, settings.default_voice),
            "response_format": settings.format,
        }
        if voice.rate != 1.0:
            body["speed"] = round(voice.rate, 3)
        return body | settings.body

    def _decoder(self, headers: dict[str, str]) -> SniffingDecoder:
        kind = headers.get("content-type", "").lower()
        raw = None
        if self._settings.format == "pcm":
            told = RATE.search(f"{kind};rate={headers.get('x-sample-rate', '')}")
            rate_hz = int(told[1]) if told else 0
            raw = RawDecoder(rate_hz if rate_hz in RATES_HZ else self._settings.rate_hz)
        return SniffingDecoder(raw, coded=bool(CODED.match(kind)))

    # ── the connection ───────────────────────────────────────────────────────────────────────────

    async def _stretches(self, body: dict[str, Any]) -> AsyncGenerator[tuple[dict[str, str], bytes], None]:
        """(headers, bytes as they come); SpeechError where the server did not deliver."""
        settings = self._settings
        response: aiohttp.ClientResponse | None = None
        limit, due_s = "first_byte_s", asyncio.get_running_loop().time() + settings.first_byte_s
        try:
            async with asyncio.timeout_at(due_s):
                response = await self._ask(body)
                headers = {name.lower(): value for name, value in response.headers.items()}
                if response.status != OK or headers.get("content-type", "").lower().startswith(TEXTUAL):
                    raise self._refusal(response.status, headers, await response.content.read(TOLD_BYTES))
                data = await response.content.read(READ_BYTES)
            limit = "idle_s"
            while data:
                yield headers, data
                async with asyncio.timeout(settings.idle_s):
                    data = await response.content.read(READ_BYTES)
        except aiohttp.ServerTimeoutError as error:
            raise SpeechError(f"http: no connection within {settings.connect_s:g} s (connect_s)") from error
        except TimeoutError as error:
            raise SpeechError(f"http: nothing for {getattr(settings, limit):g} s ({limit})") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SpeechError(f"http: {type(error).__name__}: {self._clean(str(error))}") from error
        finally:
            if response:
                response.close()

    async def _ask(self, body: dict[str, Any]) -> aiohttp.ClientResponse:
        settings = self._settings
        if self._session is None:
            # a connection each: one that the server closes in the moment of asking would cost a sentence its voice
            connector = aiohttp.TCPConnector(limit=CONNECTIONS, force_close=True)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_s)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        headers = {"Accept-Encoding": "identity"} | (
            {"Authorization": f"Bearer {settings.key}"} if settings.key else {}
        )
        address = settings.url.rstrip("/") + PATH
        return await self._session.post(address, json=body, headers=headers, allow_redirects=False)

    def _refusal(self, status: int, headers: dict[str, str], answer: bytes) -> SpeechError:
        words = self._clean(_words(answer))
        text = f"http: status {status}: {words}" if words else f"http: status {status}"
        if status in REFUSED:
            return SpeechError(f"{text}; voice.http.key is {'not accepted' if self._settings.key else 'missing'}")
        if status in BUSY and (after_s := self._after_s(headers.get("retry-after", ""))) is not None:
            return TooOften(text, after_s)
        if status in UNSAYABLE and "voice" in words.lower():
            return UnknownVoice(text)
        if status == OK:
            return SpeechError(f"http: words instead of sound: {words}")
        if status in REDIRECTED:
            return SpeechError(f"{text}; write the address that it leads to as voice.http.url")
        return SpeechError(text)

    def _after_s(self, told: str) -> float | None:
        """Of Retry-After: seconds, or a date."""
        if told.isdigit():
            return float(told)
        try:
            return max(0.0, parsedate_to_datetime(told).timestamp() - self._clock.wall_s())
        except ValueError:
            return None

    def _clean(self, text: str) -> str:
        """One line without secrets."""
        text = PASSING.sub("", text)
        if self._settings.key:
            text = text.replace(self._settings.key, "…")
        return " ".join(text.split())[:TOLD_CHARS]


def voice_for(name: str, voices: dict[str, str], default: str) -> str:
    """The server's voice for a name: its own entry, else that of its language, else the default, else the name."""
    known = {key.lower().replace("_", "-"): voice for key, voice in voices.items()}
    parts = name.partition("+")[0].replace("_", "-").lower().split("-")
    for length in range(len(parts), 0, -1):
        wanted = "-".join(parts[:length])
        for key in (wanted, ALIASES.get(wanted, wanted)):
            if key in known:
                return known[key]
    return default or name


def _words(answer: bytes) -> str:
    """What an answer that is no sound says: of the kinds of JSON that such servers use, or as it is."""
    try:
        told = msgspec.json.decode(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return re.sub(r"<[^>]*>", " ", answer.decode("utf-8", "replace"))
    while isinstance(told, dict):
        told = next((told[key] for key in ("error", "message", "detail", "msg") if key in told), str(told))
    return str(told)


async def _aside(work: Callable[P, Pcm], *given: P.args, **named: P.kwargs) -> Pcm:
    """Decoding takes milliseconds; the event loop does not wait for them."""
    try:
        return await asyncio.to_thread(work, *given, **named)
    except SpeechError as error:
        raise SpeechError(f"http: {error}") from error
