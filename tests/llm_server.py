"""A chat endpoint on this machine: OpenAI's protocol, and every way in which a model or its server goes wrong.

`LlmServer.answer` makes the text of an answer from the line that is to be reworded. `fault` names what the server does
instead, from then on; "" is health. What was asked is in `asked`, with its headers.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

KEY = "sk-test-1234567890abcdef"
LINE = re.compile(r"<line>(.*?)</line>", re.DOTALL)
FAULTS = (
    "stalls",
    "error",
    "too many",
    "half",
    "half chunked",
    "hangs up",
    "garbage",
    "html",
    "empty",
    "no choices",
    "null",
    "cut off",
    "huge",
    "drips",
    "forbidden",
    "redirect",
)


class LlmServer:
    def __init__(self) -> None:
        self.fault = ""
        self.answer: Callable[[str], str] = lambda line: line
        self.tokens: int | None = 100
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.at_once = self.most_at_once = 0
        self.url = ""

    @property
    def lines(self) -> list[str]:
        """The lines that were to be reworded."""
        return [match[1] for _, body in self.asked if (match := LINE.search(body["messages"][-1]["content"]))]

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append((dict(request.headers), body))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._respond(request, body)
        finally:
            self.at_once -= 1

    async def _respond(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        found = LINE.search(body["messages"][-1]["content"])
        whole = _completion(self.answer(found[1] if found else ""), "stop", self.tokens)
        match self.fault:
            case "stalls":
                await asyncio.sleep(30)
            case "error":
                return web.json_response({"error": {"message": f"overloaded, key {KEY}"}}, status=500)
            case "too many":
                return web.json_response({"error": {"message": "slow down"}}, status=429)
            case "forbidden":
                return web.json_response({"error": {"message": f"Incorrect API key provided: {KEY}"}}, status=401)
            case "redirect":
                return web.Response(status=307, headers={"Location": f"{self.url}/elsewhere"})
            case "half" | "half chunked" | "drips":
                return await self._in_part(request, json.dumps(whole).encode())
            case "hangs up":
                assert request.transport is not None
                request.transport.close()
            case "garbage":
                return web.Response(body=b"\x00\xff\xfe{]", content_type="application/json")
            case "html":
                return web.Response(text="<html>502 Bad Gateway</html>", content_type="text/html")
            case "empty":
                return web.json_response(_completion("", "stop", 10))
            case "null":
                return web.json_response(_completion(None, "stop", 10))
            case "no choices":
                return web.json_response({"choices": []})
            case "cut off":
                return web.json_response(_completion("And then the", "length", 10))
            case "huge":
                return web.json_response(_completion("y" * 1_000_000, "stop", 10))
        return web.json_response(whole)

    async def _in_part(self, request: web.Request, data: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if self.fault == "half":
            response.content_length = len(data)
        await response.prepare(request)
        if self.fault == "drips":
            for _ in range(300):
                await response.write(b" ")
                await asyncio.sleep(0.05)
        await response.write(data[: len(data) // 2])
        assert request.transport is not None
        request.transport.close()
        return response


@asynccontextmanager
async def llm_open() -> AsyncIterator[LlmServer]:
    server = LlmServer()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_post("/v1/elsewhere", server.chat)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


def _completion(text: str | None, finish: str, tokens: int | None) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = (
        {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": tokens}} if tokens is not None else {}
    )
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "test", "choices": [choice], **usage}
