"""The online voice's service on this machine: it speaks its protocol, and fails in every way that services do.

`EdgeService` runs in a thread of its own, so that a test that drives a room by hand can use it. It says each word as a
beep of WORD_S. `fault` names what it does to whoever asks from then on; "" is health. Where the service is, and whether
it is there at all, is in the file `address`, which `patch` makes edge-tts read at each connection.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import threading
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

import av
import edge_tts.communicate
import numpy as np
from aiohttp import web

from pipeline.arrays import Pcm

WORD_S = 0.25
RATE_HZ = 24_000
HOUSE = "/edge/v1?TrustedClientToken=x"
FAULTS = (
    "refused",
    "dns",
    "mute tcp",
    "silent",
    "half then hang",
    "dies",
    "no turn end",
    "garbage",
    "noise",
    "silence",
    "empty",
    "forbidden",
    "too many",
    "slow",
)


class _Address:
    """Reads the file each time a URL is made of it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __format__(self, spec: str) -> str:
        return self._path.read_text()


def patch(address: Path) -> None:
    """Have edge-tts of this process go where the file says."""
    setattr(edge_tts.communicate, "WSS_URL", _Address(address))  # noqa: B010  it looks like a constant to mypy


def mp3(samples: Pcm) -> bytes:
    """As the service would send it: 24 kHz, 48 kb/s, mono."""
    encoder = av.CodecContext.create("libmp3lame", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE_HZ, "mono", "s16p", 48_000
    encoder.open()
    packets = []
    for at in range(0, len(samples) - 575, 576):
        frame = av.AudioFrame.from_ndarray(samples[at : at + 576].reshape(1, -1), format="s16p", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, at
        packets += encoder.encode(frame)
    return b"".join(bytes(packet) for packet in [*packets, *encoder.encode(None)])


def beeps(seconds: float, level: int = 12_000) -> Pcm:
    """A tone that swells and fades with each word."""
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (level * np.abs(np.sin(np.pi * at / WORD_S)) * np.sin(2 * np.pi * 440 * at)).astype(np.int16)


def audio(data: bytes) -> bytes:
    header = b"X-RequestId:1\r\nContent-Type:audio/mpeg\r\nPath:audio\r\n"
    return len(header).to_bytes(2, "big") + header + data


def boundary(text: str, offset: int, duration: int) -> str:
    data = {"Offset": offset, "Duration": duration, "text": {"Text": text, "Length": len(text), "BoundaryType": "Word"}}
    return "Path:audio.metadata\r\n\r\n" + json.dumps({"Metadata": [{"Type": "WordBoundary", "Data": data}]})


class EdgeService:
    def __init__(self, directory: Path, level: int = 12_000) -> None:
        self.address = directory / "edge-address"
        self.fault = ""
        self.asked: list[str] = []  #: texts
        self.said: list[str] = []  #: those that were delivered whole
        self._level = level
        self._url = ""
        self._mute_port = 0
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()], daemon=True)
        self._ready = threading.Event()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)
        self.fail("")

    def fail(self, fault: str) -> None:
        """From now on it fails in this way."""
        self.fault = fault
        elsewhere = {
            "refused": f"ws://127.0.0.1:1{HOUSE}",
            "dns": f"ws://speech.invalid{HOUSE}",
            "mute tcp": f"ws://127.0.0.1:{self._mute_port}{HOUSE}",
        }
        self.address.write_text(elsewhere.get(fault, self._url))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_get("/edge/v1", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._url = f"ws://127.0.0.1:{runner.addresses[0][1]}{HOUSE}"
        mute = await asyncio.start_server(self._say_nothing, "127.0.0.1", 0)
        self._mute_port = mute.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        mute.close()
        await runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _say_nothing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._end.wait()
        writer.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.fault in ("forbidden", "too many"):
            return web.Response(status={"forbidden": 403, "too many": 429}[self.fault])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_str()
        ssml = await socket.receive_str()
        text = html.unescape(re.findall(r"<prosody[^>]*>(.*)</prosody>", ssml, re.DOTALL)[0])
        self.asked.append(text)
        talks: dict[str, Callable[[web.WebSocketResponse, str], Awaitable[None]]] = {
            "silent": self._hang,
            "half then hang": self._half_then_hang,
            "dies": self._die,
            "no turn end": self._leave_early,
            "slow": self._crawl,
        }
        try:
            await talks.get(self.fault, self._talk)(socket, text)
        except ConnectionResetError:
            pass
        return socket

    async def _talk(self, socket: web.WebSocketResponse, text: str) -> None:
        fault, seconds = self.fault, WORD_S * len(text.split())
        data = {
            "garbage": b"\x7fnot an mp3" * 600,
            "noise": _noise(seconds),
            "silence": mp3(np.zeros(int(seconds * RATE_HZ), np.int16)),
            "empty": b"",
        }.get(fault)
        await self._send(socket, text, _speech(seconds, self._level) if data is None else data)
        await socket.send_str("Path:turn.end\r\n\r\n{}")
        if not fault:
            self.said.append(text)

    async def _hang(self, socket: web.WebSocketResponse, text: str) -> None:
        await socket.receive()  # until the client leaves

    async def _half_then_hang(self, socket: web.WebSocketResponse, text: str) -> None:
        await self._send_half(socket, text)
        await socket.receive()

    async def _die(self, socket: web.WebSocketResponse, text: str) -> None:
        await self._send_half(socket, text)
        assert socket._req is not None and socket._req.transport is not None
        socket._req.transport.abort()

    async def _leave_early(self, socket: web.WebSocketResponse, text: str) -> None:
        await self._send_half(socket, text)
        await socket.close()

    async def _crawl(self, socket: web.WebSocketResponse, text: str) -> None:
        data = _speech(WORD_S * len(text.split()), self._level)
        for at in range(0, len(data), 288):  # 48 ms of sound, ten times slower
            await socket.send_bytes(audio(data[at : at + 288]))
            await asyncio.sleep(0.48)

    async def _send_half(self, socket: web.WebSocketResponse, text: str) -> None:
        data = _speech(WORD_S * len(text.split()), self._level)
        await self._send(socket, " ".join(text.split()[: len(text.split()) // 2]), data[: len(data) // 2])

    async def _send(self, socket: web.WebSocketResponse, text: str, data: bytes) -> None:
        for index, word in enumerate(re.findall(r"\w+", text)):
            await socket.send_str(boundary(word, int(index * WORD_S * 1e7), int(0.8 * WORD_S * 1e7)))
        for at in range(0, len(data), 720):
            await socket.send_bytes(audio(data[at : at + 720]))


@cache
def _speech(seconds: float, level: int) -> bytes:
    return mp3(beeps(seconds, level))


@cache
def _noise(seconds: float) -> bytes:
    return mp3(np.random.default_rng(1).integers(-9_000, 9_000, int(seconds * RATE_HZ), np.int16))
