"""A speech server of OpenAI's protocol on this machine, that fails in every way that such servers do.

`SpeechServer` answers `/v1/audio/speech` in a thread of its own, so that a test that drives a room by hand can use it.
What it says is espeak's. `fault` names what it does to whoever asks from then on; "" is
health. `python -m tests.voices_server PORT` runs it in a terminal.
"""

from __future__ import annotations

import asyncio
import io
import sys
import threading
import time
from functools import cache
from typing import Any

import av
import numpy as np
from aiohttp import web

from pipeline.arrays import Pcm
from tts.espeak import EspeakSynthesizer
from tts.synthesizer import Voice

RATE_HZ = 24_000
KEY = "sk-correct-horse-battery"
FAULTS = (
    "nothing",
    "noise",
    "hum",
    "silence",
    "half",
    "wrong rate",
    "wrong format",
    "garbage",
    "html",
    "json",
    "500",
    "401",
    "429",
    "never ends",
    "stalls",
    "stalls before",
    "resets",
    "resets before",
    "closes early",
    "slow",
)
CHUNK_BYTES = 4_800  # 0.1 s of sound
CONTAINERS = {
    "wav": ("wav", "pcm_s16le"),
    "mp3": ("mp3", "libmp3lame"),
    "opus": ("ogg", "libopus"),
    "flac": ("flac", "flac"),
}
FRAMES = {"libmp3lame": 1152, "libopus": 960}


@cache
def spoken(text: str, rate: float = 1.0, language: str = "en") -> Pcm:
    """What a real voice makes of it, 48 kHz; to be read only."""

    async def say() -> list[Pcm]:
        voice = EspeakSynthesizer()
        try:
            return [piece.air async for piece in voice.speak(text, Voice(language, rate))]
        finally:
            await voice.close()

    return np.concatenate(asyncio.run(say()))


def encoded(samples: Pcm, response_format: str, rate_hz: int = RATE_HZ) -> bytes:
    """48 kHz samples as a file of that format; `pcm`: bare, of rate_hz."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate_hz)
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = 48_000
    bare = b"".join(one.to_ndarray().tobytes() for one in [*resampler.resample(frame), *resampler.resample(None)])
    if response_format == "pcm":
        return bare
    name, codec = CONTAINERS[response_format]
    file = io.BytesIO()
    with av.open(file, "w", format=name) as container:
        stream: Any = container.add_stream(codec, rate=48_000 if codec == "libopus" else rate_hz)
        stream.layout = "mono"
        into = av.AudioResampler(
            stream.codec_context.format.name, "mono", stream.rate, frame_size=FRAMES.get(codec, 4096)
        )
        frame = av.AudioFrame.from_ndarray(np.frombuffer(bare, np.int16).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate_hz
        for one in [*into.resample(frame), *into.resample(None)]:
            container.mux(stream.encode(one))
        container.mux(stream.encode(None))
    return file.getvalue()


class SpeechServer:
    """asked: bodies of all requests. said: texts that were delivered whole. abandoned: answers nobody took whole."""

    def __init__(self, key: str = KEY, latency_s: float = 0.0, port: int = 0) -> None:
        self.fault = ""
        self.retry_after = "7"
        self.format_sent = ""  #: "" = as asked
        self.content_type = ""  #: "" = the right one
        self.asked: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.abandoned = 0
        self.url = ""
        self._key = key
        self._latency_s = latency_s
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve(port)], daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def fail(self, fault: str) -> None:
        """From now on it fails in this way."""
        assert fault in ("", *FAULTS)
        self.fault = fault

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    async def _serve(self, port: int) -> None:
        app = web.Application()
        app.router.add_post("/v1/audio/speech", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        self._ready.set()
        await self._end.wait()
        await runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.asked.append(asked)
        fault = self.fault
        if fault == "resets before":
            _abort(request)
        if fault == "stalls before":
            await self._end.wait()
        if fault in ("500", "429"):
            headers = {"Retry-After": self.retry_after} if fault == "429" else {}
            return web.json_response({"error": {"message": f"no luck ({fault})"}}, status=int(fault), headers=headers)
        if fault == "401" or (self._key and request.headers.get("Authorization") != f"Bearer {self._key}"):
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            return web.json_response({"error": {"message": f"Incorrect API key provided: {given}"}}, status=401)
        if asked.get("voice") == "nobody":
            return web.json_response({"detail": "Voice 'nobody' not found"}, status=400)
        if fault == "html":
            return web.Response(text="<html>Bad gateway</html>", content_type="text/html")
        if fault == "json":
            return web.json_response({"error": {"message": "the model is loading"}})
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        return await self._answer(request, asked, fault)

    async def _answer(self, request: web.Request, asked: dict[str, Any], fault: str) -> web.StreamResponse:
        kind = self.format_sent or asked.get("response_format", "mp3")
        data = await asyncio.to_thread(_sound, asked["input"], float(asked.get("speed", 1.0)), kind, fault)
        response = web.StreamResponse(headers={"Content-Type": self.content_type or f"audio/{kind}"})
        response.enable_chunked_encoding()
        if fault == "closes early":  # as a server of HTTP 1.0 that dies: the end cannot be told from a good one
            response = web.StreamResponse(headers={"Content-Type": f"audio/{kind}"})
            response.content_length = len(data)
        await response.prepare(request)
        half = len(data) // 2
        try:
            for at in range(0, len(data), CHUNK_BYTES):
                if fault in ("stalls", "resets", "closes early") and at >= half:
                    if fault == "stalls":
                        await self._end.wait()
                    _abort(request)
                    return response
                await response.write(data[at : at + CHUNK_BYTES])
                if fault == "slow":
                    await asyncio.sleep(1.0)
            while fault == "never ends":
                await response.write(data[-CHUNK_BYTES * 10 :])
                await asyncio.sleep(0.01)
            await response.write_eof()
        except (ConnectionResetError, asyncio.CancelledError):
            self.abandoned += 1
            raise
        if not fault:
            self.said.append(asked["input"])
        return response


def _abort(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


@cache
def _sound(text: str, rate: float, kind: str, fault: str) -> bytes:
    dice = np.random.default_rng(len(text))
    language = "cmn" if any("\u4e00" <= char <= "\u9fff" for char in text) else "en"
    samples = spoken(text, rate, language)
    if fault == "nothing":
        return b""
    if fault == "garbage":
        return bytes(dice.integers(0, 128, 40_000, np.uint8))
    if fault == "noise":
        samples = dice.integers(-9_000, 9_000, len(samples), np.int16)
    elif fault == "hum":
        samples = (9_000 * np.sin(np.arange(len(samples)) * 2 * np.pi * 100 / 48_000)).astype(np.int16)
    elif fault == "silence":
        samples = np.zeros(len(samples), np.int16)
    elif fault == "half":
        samples = samples[: len(samples) // 2]
    elif fault == "wrong rate":
        samples = samples[::3].copy()  # three times too fast
    elif fault == "wrong format":
        return encoded(samples, "pcm", RATE_HZ)[1:]
    elif fault == "never ends" and kind == "wav":
        data = bytearray(encoded(samples, kind))
        data[4:8] = data[40:44] = b"\xff" * 4  # as streaming servers write it
        return bytes(data)
    return encoded(samples, kind)


def main() -> None:
    server = SpeechServer(key="", port=int(sys.argv[1]))
    server.start()
    print(server.url)  # noqa: T201
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
