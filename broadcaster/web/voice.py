"""The microphone's WebSocket: a person presses, talks, lets go, and hears what becomes of it.

In: a first JSON message `{"format": "pcm48000"}`, then `{"type": "talk"}`, binary messages of sound, `{"type":
"release"}`, as often as wanted. Out: JSON: `ready`, `waiting`, `live`, `ended` with a reason. Whoever breaks the rules
is told why in the close frame. It decides nothing of the air; a connection that dies ends its talk.

A socket that is open costs nothing: only a talk takes the microphone. Outgoing messages are few, and a client that does
not read them is let go.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, Literal

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from broadcaster.microphone import Busy, Microphone, Talk
from broadcaster.web.stream import Seats
from broadcaster.web.wicket import SUBPROTOCOL
from pipeline.errors import SpeechError
from tts.voicein import FORMATS, MESSAGE_MAX_BYTES

SOCKETS_MAX = 8
HELLO_WAIT_S = 5.0
IDLE_S = 1800.0  # without a word: the page opens another one
TEXT_MAX = 4_096  # characters of a JSON message
NEWS_MAX = 32  # messages that a client has not read
SEND_WAIT_S = 2.0

BAD, BUSY, FULL, SLOW = 4400, 4409, 4429, 4408
"""Close codes: like HTTP's, in the range that is free for applications."""


class Broken(Exception):
    """The connection is to end; `code` and the text go into its close frame."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def serve_voice(app: FastAPI, microphone: Microphone) -> None:
    seats = Seats(SOCKETS_MAX)

    @app.websocket("/voice")
    async def voice(socket: WebSocket, mode: str = "insert") -> None:
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope.get("subprotocols", []) else None)
        if not seats.take():
            await _close(socket, FULL, f"{SOCKETS_MAX} microphones are connected already")
            return
        visit = Visit(socket, microphone, mode)
        try:
            await visit.run()
        finally:
            visit.leave()
            seats.leave()


class Visit:
    """One connection."""

    def __init__(self, socket: WebSocket, microphone: Microphone, mode: str) -> None:
        self._socket = socket
        self._microphone = microphone
        self._mode = mode
        self._format = ""
        self._talk: Talk | None = None
        self._reason = "the connection broke"
        self._news: asyncio.Queue[dict[str, str]] = asyncio.Queue(NEWS_MAX)
        self._slow = False

    async def run(self) -> None:
        teller = asyncio.create_task(self._tell())
        try:
            await self._greet()
            while True:
                self._take(await self._receive(IDLE_S))
                if self._slow or teller.done():
                    raise Broken(SLOW, "the messages to this client are not read")
        except Broken as broken:
            self._reason = str(broken)
            self.leave()
            await _close(self._socket, broken.code, str(broken))
        except (WebSocketDisconnect, RuntimeError):  # the latter: what starlette says of a connection that is gone
            pass
        finally:
            teller.cancel()
            await asyncio.gather(teller, return_exceptions=True)

    def leave(self) -> None:
        """It is over: whoever talks is released."""
        if self._talk is not None:
            self._microphone.release(self._talk, self._reason)
            self._talk = None

    # ── what the person's side says ──────────────────────────────────────────────────────────────

    async def _greet(self) -> None:
        if self._mode not in ("insert", "now"):
            raise Broken(BAD, "mode: write ?mode=insert or ?mode=now")
        hello = await self._receive(HELLO_WAIT_S)
        told = _parsed(hello) if isinstance(hello, str) else None
        if told is None or told.get("format") not in FORMATS:
            raise Broken(BAD, f'the first message is {{"format": …}}, one of {", ".join(FORMATS)}')
        self._format = str(told["format"])
        self._say("ready", "")

    async def _receive(self, wait_s: float) -> str | bytes:
        try:
            async with asyncio.timeout(wait_s):
                message = await self._socket.receive()
        except TimeoutError as error:
            raise Broken(SLOW, f"nothing came for {wait_s:g} s") from error
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        data = message.get("bytes")
        if data is not None:
            if len(data) > MESSAGE_MAX_BYTES:
                raise Broken(BAD, f"{len(data)} bytes in a message; at most {MESSAGE_MAX_BYTES}")
            return bytes(data)
        text = str(message.get("text") or "")
        if len(text) > TEXT_MAX:
            raise Broken(BAD, f"{len(text)} characters in a message; at most {TEXT_MAX}")
        return text

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._hear(message)
            return
        match (_parsed(message) or {}).get("type"):
            case "talk":
                self._press()
            case "release":
                if self._talk is not None:
                    self._microphone.release(self._talk)
                    self._talk = None
            case _:
                raise Broken(BAD, 'messages are {"type": "talk"}, {"type": "release"} and binary sound')

    def _press(self) -> None:
        if self._talk is not None and self._talk.is_open:
            return
        mode: Literal["insert", "now"] = "now" if self._mode == "now" else "insert"
        try:
            self._talk = self._microphone.begin(self._format, mode, self._say)
        except Busy as error:
            raise Broken(BUSY, str(error)) from error

    def _hear(self, message: bytes) -> None:
        """Sound outside a talk is what was on its way when the button was let go."""
        if self._talk is None:
            return
        try:
            self._microphone.feed(self._talk, message)
        except SpeechError as error:
            raise Broken(BAD, str(error)) from error

    # ── what it is told ──────────────────────────────────────────────────────────────────────────

    def _say(self, what: str, reason: str) -> None:
        try:
            self._news.put_nowait({"type": what, **({"reason": reason} if reason else {})})
        except asyncio.QueueFull:
            self._slow = True

    async def _tell(self) -> None:
        while True:
            news = await self._news.get()
            async with asyncio.timeout(SEND_WAIT_S):
                await self._socket.send_json(news)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    if socket.application_state is not WebSocketState.DISCONNECTED:
        with contextlib.suppress(RuntimeError, OSError, TimeoutError):
            async with asyncio.timeout(SEND_WAIT_S):
                await socket.close(code, reason.encode()[:120].decode("utf-8", "ignore"))
