"""Who may ask: requests that name this machine, from pages of ours, of a modest size, with the token if there is one.

In: every request, HTTP and WebSocket, before anything reads it. Out: the same, or a refusal in JSON; every answer says
what a browser may do with it. A foreign Host is a name that was pointed at us (DNS rebinding), a foreign Origin a page
elsewhere in the operator's browser. The token comes as `Authorization: Bearer …`, or once as `/?token=…`, which becomes
a cookie that no script can read; both are compared in constant time, neither is logged. WebSockets have two more ways:
broadcaster.web.wicket.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
from urllib.parse import parse_qs, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broadcaster.web import wicket

BODY_MAX_BYTES = 256 * 1024  # 20,000 characters of any script, escaped
BODY_WAIT_S = 5.0
SCRIPT = "/script"  # where a whole script is pasted
SCRIPT_MAX_BYTES = 2 * 1024 * 1024  # forty hours of talk
TOO_LONG = f"the body is longer than {BODY_MAX_BYTES} bytes, or a script than {SCRIPT_MAX_BYTES}"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
ANYWHERE = ("0.0.0.0", "::")
FREE = "/healthz"  # a probe needs no token
OURS = ("same-origin", "none")  # Sec-Fetch-Site: our page, or typed by a person
ANSWER_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Unread(Exception):
    """The body cannot be read: `status` says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Door:
    """ASGI middleware. `listen_host`: what the operator configured. `token`: "" = none is asked for."""

    def __init__(self, app: ASGIApp, listen_host: str, token: str = "") -> None:
        self._app = app
        self._listen_host = listen_host
        self._token = token.encode()
        # derived, so that the browser does not store the token itself; the name keeps rooms of one host apart
        self._cookie = hmac.new(self._token, b"cookie", hashlib.sha256).hexdigest()
        self._cookie_name = "broadcaster-" + hmac.new(self._token, b"name", hashlib.sha256).hexdigest()[:8]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["type"] == "websocket":
            await self._open(scope, headers, receive, send)
            return
        send = _with_headers(send)
        if refusal := self._refusal(scope, headers):
            await _refuse(send, *refusal)
            return
        if self._brings_token(scope):
            await self._welcome(send)
            return
        if not self._is_known(scope, headers):
            await _refuse(send, 401, "this room asks for its token: Authorization: Bearer …, or open /?token=… once")
            return
        try:
            body = await _whole(receive, _most(scope))
        except Unread as error:
            await _refuse(send, error.status, str(error))
            return
        await self._app(scope, _again(body, receive), send)

    async def _open(self, scope: Scope, headers: dict[bytes, str], receive: Receive, send: Send) -> None:
        if self._refusal(scope, headers):
            await wicket.refuse(receive, send)
        elif self._is_known(scope, headers) or wicket.brings(scope, self._token):
            await self._app(scope, receive, send)
        else:
            await wicket.after_token(self._app, self._token, scope, receive, send)

    # ── where it comes from ──────────────────────────────────────────────────────────────────────

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> tuple[int, str] | None:
        host = headers.get(b"host", "")
        if not self._is_ours(_host_name(f"//{host}")):
            return 403, "this Host is not served here"
        origin = headers.get(b"origin")
        if origin is not None and _netloc(origin) != host:
            return 403, "pages of another origin may not ask"
        foreign = headers.get(b"sec-fetch-site", "none") not in OURS
        if foreign and headers.get(b"sec-fetch-mode") != "navigate":  # a picture or a script in a page elsewhere
            return 403, "pages of another origin may not embed this"
        length = headers.get(b"content-length", "0")
        if not length.isdigit() or int(length) > _most(scope):
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

    # ── who it is ────────────────────────────────────────────────────────────────────────────────

    def _brings_token(self, scope: Scope) -> bool:
        """The first visit: `/?token=…`, and it is the right one."""
        if not self._token or scope["path"] != "/":
            return False
        given = parse_qs(scope["query_string"]).get(b"token", [b""])[0]
        return hmac.compare_digest(given, self._token)

    async def _welcome(self, send: Send) -> None:
        cookie = f"{self._cookie_name}={self._cookie}; Path=/; HttpOnly; SameSite=Strict"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 303, "headers": [*headers, (b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _is_known(self, scope: Scope, headers: dict[bytes, str]) -> bool:
        if not self._token or scope["path"] == FREE:
            return True
        scheme, _, bearer = headers.get(b"authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(bearer.strip().encode(), self._token):
            return True
        return hmac.compare_digest(_cookie(headers, self._cookie_name).encode(), self._cookie.encode())


def _host_name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _cookie(headers: dict[bytes, str], name: str) -> str:
    """By hand: the standard library's parser gives up at another program's odd cookie, and localhost is shared."""
    for part in headers.get(b"cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _with_headers(send: Send) -> Send:
    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *ANSWER_HEADERS]}
        await send(message)

    return named


def _most(scope: Scope) -> int:
    """Bytes that a body may have."""
    return SCRIPT_MAX_BYTES if scope["path"] == SCRIPT else BODY_MAX_BYTES


async def _whole(receive: Receive, most: int) -> bytes:
    """The body, which may come in parts without its length declared."""
    body, more = b"", True
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > most:
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
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
