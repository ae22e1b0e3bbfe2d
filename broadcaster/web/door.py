"""Who may ask the control API: requests that name this machine, from pages of this machine, of a modest size.

In: every HTTP request, before anything reads it. Out: the same, or a refusal in JSON. A foreign Host is a name that was
pointed at us (DNS rebinding), a foreign Origin a page elsewhere in the operator's browser.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_MAX_BYTES = 256 * 1024  # 20,000 characters of any script, escaped
BODY_WAIT_S = 5.0
TOO_LONG = f"the body is longer than {BODY_MAX_BYTES} bytes"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
ANYWHERE = ("0.0.0.0", "::")


class Unread(Exception):
    """The body cannot be read: `status` says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Door:
    """ASGI middleware. `listen_host`: what the operator configured."""

    def __init__(self, app: ASGIApp, listen_host: str) -> None:
        self._app = app
        self._listen_host = listen_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if refusal := self._refusal(scope, headers):
            await _refuse(send, *refusal)
            return
        try:
            body = await _whole(receive)
        except Unread as error:
            await _refuse(send, error.status, str(error))
            return
        await self._app(scope, _again(body, receive), send)

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> tuple[int, str] | None:
        if scope["type"] != "http":
            return 403, "only HTTP is served here"
        host = headers.get(b"host", "")
        if not self._is_ours(_host_name(f"//{host}")):
            return 403, "this Host is not served here"
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return 403, "pages of another origin may not ask"
        length = headers.get(b"content-length", "0")
        if not length.isdigit() or int(length) > BODY_MAX_BYTES:
            return 413, TOO_LONG
        return None

    def _is_ours(self, name: str) -> bool:
        """A loopback name or the configured one; where we listen everywhere, any address, but no other name."""
        if name in LOOPBACK or name == self._listen_host:
            return True
        if self._listen_host not in ANYWHERE:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _host_name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


async def _whole(receive: Receive) -> bytes:
    """The body, which may come in parts without its length declared."""
    body, more = b"", True
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > BODY_MAX_BYTES:
                    raise Unread(413, TOO_LONG)
    except TimeoutError as error:
        raise Unread(408, f"the body did not come within {BODY_WAIT_S:g} s") from error
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Give the body once, then what the connection says."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(send: Send, status: int, text: str) -> None:
    body = json.dumps({"error": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
