"""An OpenAI-compatible chat endpoint: messages in, one answer out, or RewriteError.

It asks once, waits no longer than it is told, reads no more than an answer can be, follows no redirect (the key would
go along), uses no proxy, and lets neither the key, nor the URL, nor what the other side wrote into an error.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import aiohttp
import msgspec

from broadcaster.rewrite.prompt import Answer, answer_tokens, bare, messages
from broadcaster.rewrite.settings import RewriteSpec
from pipeline.errors import RewriteError, RewriteRefused

ANSWER_MAX_BYTES = 256 << 10
AGENT = "broadcaster"
LATER = (408, 425, 429)  # of 4xx: not now


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    total_tokens: int = 0


class _Reply(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class ChatClient:
    """On the director's loop; one request at a time is its owner's to see to."""

    def __init__(self, spec: RewriteSpec) -> None:
        self._spec = spec
        self._session: aiohttp.ClientSession | None = None

    async def reword(self, line: str, lately: Sequence[str]) -> Answer:
        """Another wording of the line. RewriteRefused when this endpoint will never give one as it is set."""
        spec = self._spec
        asked = messages(line, spec.style, lately)
        body = {"model": spec.model, "messages": asked, "temperature": spec.temperature, "stream": False}
        body["max_tokens"] = answer_tokens(line)
        reply = _parsed(await self._post(json.dumps(body, ensure_ascii=False).encode()))
        choice = reply.choices[0] if reply.choices else None
        if choice is None or not choice.message.content:
            raise RewriteError("it answered without a text")
        if choice.finish_reason == "length":
            raise RewriteError("its answer was cut off")
        written = sum(len(one["content"]) for one in asked) + len(choice.message.content)
        told = reply.usage.total_tokens if reply.usage else 0
        return Answer(bare(choice.message.content, line), told if told > 0 else written // 2)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, body: bytes) -> bytes:
        try:
            async with self._opened().post(
                f"{self._spec.url.rstrip('/')}/chat/completions", data=body, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise _refusal(response.status)
                return await _read(response)
        except TimeoutError as error:
            raise RewriteError(f"no answer within {self._spec.timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise RewriteError(f"no whole answer: {type(error).__name__}") from None  # its own text holds the URL

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json", "User-Agent": AGENT}
            if self._spec.key:
                headers["Authorization"] = f"Bearer {self._spec.key}"
            timeout = aiohttp.ClientTimeout(total=self._spec.timeout_s)
            self._session = aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=False)
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(16 << 10):
        data += chunk
        if len(data) > ANSWER_MAX_BYTES:
            raise RewriteError(f"its answer is more than {ANSWER_MAX_BYTES >> 10} kB")
    return bytes(data)


def _refusal(status: int) -> RewriteError:
    if 300 <= status < 500 and status not in LATER:
        return RewriteRefused(f"HTTP {status}; look at script.rewrite: url, model and key")
    return RewriteError(f"HTTP {status}")


def _parsed(data: bytes) -> _Reply:
    try:
        return msgspec.json.decode(data, type=_Reply)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RewriteError("its answer is no chat completion") from None
