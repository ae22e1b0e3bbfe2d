"""A language model's server on this machine: OpenAI's chat completions, and every way in which they go wrong.

It answers whole or word by word, as the request's `stream` says. `answer` makes the text of an answer from the words
that the request is about. `fault` names what the server does instead, from then on; "" is health. `held` keeps a stream
from going on after the first sentence until it is set. What was asked is in `asked`, with its headers.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from aiohttp import web

KEY = "sk-test-1234567890abcdef"
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
    "half of its length",
    "hangs up",
    "garbage",
    "garbage within",
    "no json",
    "html",
    "no body",
    "empty text",
    "null",
    "no choices",
    "filtered",
    "cut off",
    "redirect",
    "huge",
)
WORDLESS = ("empty text", "null", "no choices")  #: a stream of these comes to its end without a text
#: why a text ends that is not whole
REASONS = {"cut off": "length", "filtered": "content_filter"}
ENDED = (*WORDLESS, *REASONS)  #: no error in a stream: it tells how it ended
#: what is told for ever instead of words, in a stream and whole
DRIPS = {
    "thinks for ever": (b'data: {"choices": [{"index": 0, "delta": {"reasoning_content": "hm "}}]}\n\n', b"hm "),
    "keeps alive only": (b": PROCESSING\n\n", b" "),
}
DRIP_S = 0.02
PIECE_CHARS = 4
TOLD_LENGTH = 100_000  # bytes, of which half an answer is a part


class CompletionsService:
    """tag: of the element in the last message whose words the request is about."""

    def __init__(self, tag: str) -> None:
        self._element = re.compile(f"<{tag}>(.*?)</{tag}>", re.DOTALL)
        self.fault = ""
        self.answer: Callable[[str], str] = lambda words: "Yes, gladly."
        self.bytes_at_once = 0  #: so many of a stream are written at a time, wherever they cut; 0: event by event
        self.plain = False  #: answers whole whatever is asked, as if it knew no streams
        self.thoughts = ""  #: told before the answer, as reasoning
        self.tokens = 0  #: told after the answer, 0 = not at all
        self.held: asyncio.Event | None = None
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.connections: set[int] = set()
        self.at_once = self.most_at_once = 0
        self.left = asyncio.Event()  #: whoever asked went away before the end
        self.url = ""

    @property
    def words(self) -> list[str]:
        """What was asked about."""
        return [found for _, body in self.asked if (found := self._about(body)) is not None]

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append((dict(request.headers), body))
        self.connections.add(id(request.transport))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._respond(request, body)
        except (ConnectionResetError, asyncio.CancelledError):
            self.left.set()
            raise
        finally:
            self.at_once -= 1

    def _about(self, body: dict[str, Any]) -> str | None:
        found = self._element.search(body["messages"][-1]["content"])
        return found[1] if found else None

    async def _respond(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        text = self.answer(self._about(body) or "")
        is_streamed = bool(body.get("stream")) and not self.plain
        kind = "text/event-stream" if is_streamed else "application/json"
        match self.fault:
            case "stalls before":
                await asyncio.sleep(30)
            case "unauthorized":
                return web.json_response(_error(f"Incorrect API key provided: {KEY}"), status=401)
            case "too many":
                return web.json_response({"error": "slow down"}, status=429, headers={"Retry-After": "7"})
            case "error":
                return web.json_response(_error(f"overloaded, key {KEY}"), status=500)
            case "redirect":
                return web.Response(status=307, headers={"Location": f"{self.url}/elsewhere"})
            case "hangs up":
                assert request.transport is not None
                request.transport.close()
            case "garbage":
                return web.Response(body=b"\x00\xff\xfe{]" * 1000, content_type=kind)
            case "no json":
                return web.Response(text="data: Yes, gladly.\n\n", content_type=kind)
            case "html":
                return web.Response(text="<html>502 Bad Gateway</html>", content_type="text/html")
            case "no body":
                return web.Response(text="", content_type=kind)
        return await (self._streamed(request, text) if is_streamed else self._whole(request, text))

    # ── whole ────────────────────────────────────────────────────────────────────────────────────

    async def _whole(self, request: web.Request, text: str) -> web.StreamResponse:
        match self.fault:
            case "error within":
                return web.json_response(DIED)
            case "no choices":
                return web.json_response({"choices": []})
            case "empty text":
                return web.json_response(self._completion(""))
            case "null":
                return web.json_response(self._completion(None))
            case "huge":
                return web.json_response(self._completion("y" * 1_000_000))
        if self.fault not in DRIPS and self.fault not in ENDINGS:
            return web.json_response(self._completion(text))
        response = await self._begun(request, "application/json")
        if self.fault in DRIPS:
            await _drip(response, DRIPS[self.fault][1])
        data = json.dumps(self._completion(text)).encode()
        await response.write(data[: len(data) // 2])
        return await ENDINGS[self.fault](request, response)

    def _completion(self, text: str | None) -> dict[str, Any]:
        thoughts = {"reasoning_content": self.thoughts} if self.thoughts else {}
        message = {"role": "assistant", "content": text, **thoughts}
        choice = {"index": 0, "message": message, "finish_reason": REASONS.get(self.fault, "stop")}
        usage = {"usage": {"total_tokens": self.tokens}} if self.tokens else {}
        return {"id": "chatcmpl-1", "object": "chat.completion", "model": "test", "choices": [choice], **usage}

    # ── word by word ─────────────────────────────────────────────────────────────────────────────

    async def _streamed(self, request: web.Request, text: str) -> web.StreamResponse:
        response = await self._begun(request, "text/event-stream; charset=utf-8")
        await self._write(response, _event(_chunk({"role": "assistant"})))
        if self.thoughts:
            await self._write(response, _event(_chunk({"reasoning_content": self.thoughts})))
        if self.fault in DRIPS:
            await _drip(response, DRIPS[self.fault][0])
        if self.fault in WORDLESS:
            text = ""
        if self.fault == "null":
            await self._write(response, _event(_chunk({"content": None})))
        written, half = 0, len(text) // 2
        for piece in (text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)):
            await self._write(response, _event(_chunk({"content": piece})))
            written += len(piece)
            await asyncio.sleep(0)
            if self.held and any(stop in text[:written] for stop in (". ", "。")):
                await self.held.wait()
            if written >= half and self.fault in ENDINGS:
                return await ENDINGS[self.fault](request, response)
        while self.fault == "never ends":
            await self._write(response, _event(_chunk({"content": text})))
            await asyncio.sleep(0.001)
        end = {"choices": []} if self.fault == "no choices" else _chunk({}, REASONS.get(self.fault, "stop"))
        await self._write(response, _event(end))
        if self.tokens:
            await self._write(response, _event({"choices": [], "usage": {"total_tokens": self.tokens}}))
        await self._write(response, b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def _begun(self, request: web.Request, kind: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": kind})
        if self.fault == "half of its length":
            response.content_length = TOLD_LENGTH
        await response.prepare(request)
        return response

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        size = self.bytes_at_once or len(data)
        for at in range(0, len(data), size):
            await response.write(data[at : at + size])
            if self.bytes_at_once:
                await asyncio.sleep(0)


async def _drip(response: web.StreamResponse, drop: bytes) -> NoReturn:
    while True:
        await response.write(drop)
        await asyncio.sleep(DRIP_S)


async def _stalls(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    await asyncio.sleep(30)
    return response


async def _tells_error(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    await response.write(_event(DIED))
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


#: after half an answer
ENDINGS = {
    "stalls within": _stalls,
    "error within": _tells_error,
    "half and closes": _closes,
    "half and hangs up": _hangs_up,
    "half of its length": _hangs_up,
    "garbage within": _writes_garbage,
    "huge": _writes_much,
}


@asynccontextmanager
async def completions_open(tag: str = "viewer") -> AsyncIterator[CompletionsService]:
    service = CompletionsService(tag)
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


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}


def _chunk(delta: Mapping[str, str | None], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "test", "choices": [choice]}


def _event(told: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(told, ensure_ascii=False)}\n\n".encode()


DIED = _error(f"the worker with key {KEY} died")
