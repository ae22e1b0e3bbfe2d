"""An OpenAI-compatible chat endpoint: a request in; its answer whole, or as it is written; or CompletionError.

It waits no longer than it is told, reads no more than an answer can be, follows no redirect (the key would go along),
uses no proxy, and lets neither the key, nor the URL, nor what the other side wrote into an error.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import msgspec

from broadcaster.eventstream import EventStream
from pipeline.errors import CompletionError, CompletionRefused

ANSWER_MAX_BYTES = 256 << 10
STREAM_MAX_BYTES = 4 << 20  # each token comes with a quarter of a kB around it
AGENT = "broadcaster"
LATER = (408, 425, 429)  # of 4xx: not now
AFTER_MAX_S = 600.0  # of Retry-After
DONE = "[DONE]"
WHOLE = ("stop", "eos", "end_turn", "stop_sequence")  # finish reasons of a text that has its end
LEAVE_S = 0.2  # after the last word, for what else is told and the connection to come free
ASKS = 2  # a connection that the server closed in the moment of asking costs a second try


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: from the question to the first text, from there to the next and so on, for all of it."""

    first_s: float
    between_s: float
    whole_s: float


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer, or the next piece of one. is_last: its end is known. is_cut: it would have gone on. tokens: what it
    cost by the endpoint's own count, 0 where it tells none.
    """

    text: str
    is_last: bool = False
    is_cut: bool = False
    tokens: int = 0


class _Words(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Words | None = None
    delta: _Words | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    total_tokens: int | None = None


class _Reply(msgspec.Struct):
    """An answer, or a piece of one."""

    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None

    def completion(self) -> Completion:
        choice = self.choices[0] if self.choices else _Choice()
        words = choice.message or choice.delta or _Words()
        tokens = (self.usage.total_tokens if self.usage else None) or 0
        why = choice.finish_reason or ""
        return Completion(words.content or "", bool(why), bool(why) and why not in WHOLE, max(0, tokens))


class Completions:
    """On its owner's loop. url: up to /v1. key: "" = none."""

    def __init__(self, url: str, key: str = "") -> None:
        self._address = f"{url.rstrip('/')}/chat/completions"
        self._key = key
        self._session: aiohttp.ClientSession | None = None

    async def whole(self, request: Mapping[str, Any], within_s: float) -> Completion:
        try:
            async with (
                asyncio.timeout(within_s),
                self._answer({**request, "stream": False}) as response,
            ):
                return _parsed(await _all(response))
        except TimeoutError:
            raise CompletionError(f"no answer within {within_s:g} s") from None

    async def streamed(self, request: Mapping[str, Any], patience: Patience) -> AsyncGenerator[Completion, None]:
        """Pieces of the text as they are written. CompletionError where it breaks off: what came before is the
        beginning of an answer.
        """
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + patience.whole_s
        due_s, awaited, has_end = min(ends_s, loop.time() + patience.first_s), "first word", False
        try:
            async with aclosing(self._pieces({**request, "stream": True})) as pieces:
                while True:
                    async with asyncio.timeout_at(due_s):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    if has_end:  # said before, and maybe that it was cut
                        piece = replace(piece, is_last=False, is_cut=False)
                    if piece.text or piece.is_last or piece.tokens:
                        yield piece
                    has_end = has_end or piece.is_last
                    if piece.text or piece.is_last:
                        awaited = "next word"
                        due_s = min(ends_s, loop.time() + (LEAVE_S if has_end else patience.between_s))
        except (TimeoutError, CompletionError) as error:
            if has_end:
                return
            if isinstance(error, CompletionError):
                raise
            raise CompletionError(f"its {'end' if due_s == ends_s else awaited} did not come in time") from None
        if not has_end:
            raise CompletionError("its answer broke off")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _pieces(self, request: Mapping[str, Any]) -> AsyncGenerator[Completion, None]:
        async with self._answer(request) as response:
            kind = response.content_type
            if kind == "application/json":  # asked for a stream, it does not know how
                yield replace(_reply(await _all(response)).completion(), is_last=True)
                return
            if kind.endswith(("html", "xml")) or kind.startswith(("image/", "audio/", "video/")):
                raise CompletionError("its answer is no stream of words")
            async for event in _events(response):
                yield Completion("", is_last=True) if event.strip() == DONE else _reply(event).completion()

    @asynccontextmanager
    async def _answer(self, request: Mapping[str, Any]) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, once its head says that there will be an answer."""
        body = json.dumps(request, ensure_ascii=False).encode("utf-8", "replace")
        try:
            response = await self._asked(body)
            async with response:
                if response.status != 200:
                    raise _refusal(response)
                yield response
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CompletionError(f"no whole answer: {type(error).__name__}") from None  # its own text holds the URL

    async def _asked(self, body: bytes) -> aiohttp.ClientResponse:
        for again in reversed(range(ASKS)):
            try:
                return await self._opened().post(self._address, data=body, allow_redirects=False)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                if not again:
                    raise
        raise AssertionError

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json", "User-Agent": AGENT, "Accept-Encoding": "identity"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            timeout = aiohttp.ClientTimeout(total=None)
            self._session = aiohttp.ClientSession(
                headers=headers, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


async def _all(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(16 << 10):
        data += chunk
        if len(data) > ANSWER_MAX_BYTES:
            raise CompletionError(f"its answer is more than {ANSWER_MAX_BYTES >> 10} kB")
    return bytes(data)


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[str]:
    stream, size = EventStream(), 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > STREAM_MAX_BYTES:
            raise CompletionError(f"its answer is more than {STREAM_MAX_BYTES >> 20} MB")
        for event in stream.feed(piece):
            yield event
    for event in stream.end():
        yield event


def _refusal(response: aiohttp.ClientResponse) -> CompletionError:
    status, after = response.status, response.headers.get("Retry-After", "")
    if 300 <= status < 500 and status not in LATER:
        return CompletionRefused(f"HTTP {status}")
    return CompletionError(f"HTTP {status}", min(float(after), AFTER_MAX_S) if after.isdecimal() else 0.0)


def _parsed(data: bytes) -> Completion:
    completion = _reply(data).completion()
    if completion.is_cut:
        raise CompletionError("its answer was cut off")
    if not completion.text:
        raise CompletionError("it answered without a text")
    return completion


def _reply(data: bytes | str) -> _Reply:
    try:
        reply = msgspec.json.decode(data, type=_Reply)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise CompletionError("its answer is no chat completion") from None
    if reply.error:
        raise CompletionError("it told of an error instead of an answer")
    return reply
