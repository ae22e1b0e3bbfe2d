"""A language model's server on this machine: OpenAI's streamed chat completions, and every way in which they go wrong.

`answer` makes the text of an answer from the messages. `fault` names what the server does instead, from then on; "" is
health. `held` keeps it from going on after the first sentence until it is set. What was asked is in `asked`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

KEY = "sk-chat-0987654321fedcba"
VIEWER = re.compile(r"<viewer>(.*?)</viewer>", re.DOTALL)
#: what never yields a whole answer, whatever the model would say
FAULTS = (
    "stalls before",
    "stalls within",
    "thinks for ever",
    "keeps alive only",
    "unauthorized",
    "too many",
    "error",
    "error within",
    "half and closes",
    "half and hangs up",
    "hangs up",
    "garbage",
    "garbage within",
    "no json",
    "html",
    "empty",
    "empty stream",
    "filtered",
    "redirect",
    "huge event",
)
PIECE_CHARS = 4


class CompletionsService:
    def __init__(self) -> None:
        self.fault = ""
        self.answer: Callable[[str], str] = lambda words: "Yes, gladly."
        self.first_s = self.between_s = 0.0
        self.bytes_at_once = 0  #: so many are written at a time, wherever they cut; 0: event by event
        self.plain = False  #: answers whole, as if it knew no streams
        self.thoughts = ""  #: told before the answer, as reasoning
        self.tokens = 0  #: told after the answer, 0 = not at all
        self.held: asyncio.Event | None = None
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.connections: set[int] = set()
        self.left = asyncio.Event()  #: whoever asked went away before the end
        self.url = ""

    @property
    def viewers(self) -> list[str]:
        """The viewers' words that were asked about."""
        return [match[1] for _, body in self.asked if (match := VIEWER.search(body["messages"][-1]["content"]))]

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append((dict(request.headers), body))
        self.connections.add(id(request.transport))
        found = VIEWER.search(body["messages"][-1]["content"])
        text = self.answer(found[1] if found else "")
        await asyncio.sleep(self.first_s)
        match self.fault:
            case "stalls before":
                await asyncio.sleep(30)
            case "unauthorized":
                return web.json_response({"error": {"message": f"Incorrect API key provided: {KEY}"}}, status=401)
            case "too many":
                return web.json_response({"error": "slow down"}, status=429, headers={"Retry-After": "7"})
            case "error":
                return web.json_response({"error": {"message": f"overloaded, key {KEY}"}}, status=500)
            case "redirect":
                return web.Response(status=307, headers={"Location": f"{self.url}/elsewhere"})
            case "hangs up":
                assert request.transport is not None
                request.transport.close()
            case "garbage":
                return web.Response(body=b"\x00\xff\xfe{]" * 1000, content_type="text/event-stream")
            case "no json":
                return web.Response(text="data: Yes, gladly.\n\n", content_type="text/event-stream")
            case "html":
                return web.Response(text="<html>502 Bad Gateway</html>", content_type="text/html")
            case "empty":
                return web.Response(text="", content_type="text/event-stream")
        if self.plain:
            message = {"role": "assistant", "content": text}
            return web.json_response({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
        try:
            return await self._streamed(request, text)
        except (ConnectionResetError, asyncio.CancelledError):
            self.left.set()
            raise

    async def _streamed(self, request: web.Request, text: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        await self._write(response, _event(_chunk({"role": "assistant"})))
        if self.thoughts:
            await self._write(response, _event(_chunk({"reasoning_content": self.thoughts})))
        if self.fault in ("thinks for ever", "keeps alive only"):
            while True:
                thought = _event(_chunk({"reasoning_content": "hm "}))
                await response.write(thought if self.fault == "thinks for ever" else b": PROCESSING\n\n")
                await asyncio.sleep(0.02)
        half = len(text) // 2
        written = 0
        pieces = [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]
        if self.fault == "empty stream":
            pieces = []
        for piece in pieces:
            await self._write(response, _event(_chunk({"content": piece})))
            written += len(piece)
            await asyncio.sleep(self.between_s)
            if self.held and any(stop in text[:written] for stop in (". ", "。")):
                await self.held.wait()
            if written >= half and self.fault in ENDINGS:
                return await ENDINGS[self.fault](request, response)
        while self.fault == "never ends":
            await self._write(response, _event(_chunk({"content": text})))
            await asyncio.sleep(0.001)
        reason = {"cut off": "length", "filtered": "content_filter"}.get(self.fault, "stop")
        await self._write(response, _event(_chunk({}, reason)))
        if self.tokens:
            await self._write(response, _event({"choices": [], "usage": {"total_tokens": self.tokens}}))
        await self._write(response, b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        size = self.bytes_at_once or len(data)
        for at in range(0, len(data), size):
            await response.write(data[at : at + size])
            if self.bytes_at_once:
                await asyncio.sleep(0)


async def _stalls(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    await asyncio.sleep(30)
    return response


async def _tells_error(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    await response.write(_event({"error": {"message": f"the worker with key {KEY} died"}}))
    return response


async def _closes(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    await response.write_eof()
    return response


async def _hangs_up(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return response


async def _writes_garbage(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    await response.write(b"data: {\xff\xfe\x00]]]\n\n")
    return response


async def _writes_much(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    for _ in range(400):
        await response.write(b"data: " + b"y" * 10_000)
    return response


ENDINGS = {
    "stalls within": _stalls,
    "error within": _tells_error,
    "half and closes": _closes,
    "half and hangs up": _hangs_up,
    "garbage within": _writes_garbage,
    "huge event": _writes_much,
}


@asynccontextmanager
async def completions_open() -> AsyncIterator[CompletionsService]:
    service = CompletionsService()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", service.chat)
    app.router.add_post("/v1/elsewhere", service.chat)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield service
    finally:
        await runner.cleanup()


def _chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "test", "choices": [choice]}


def _event(told: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(told, ensure_ascii=False)}\n\n".encode()
