"""Who may open a WebSocket, where a browser can set no headers: the token comes as a subprotocol, or said first.

In: a WebSocket that names this machine. Out: the same for the application, or a refusal. A token in the subprotocols is
`bearer.` and its base64url without padding, beside SUBPROTOCOL, which is the one that is answered. Otherwise the first
message is `{"token": "…"}`; it is compared in constant time, never logged, and not passed on.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SUBPROTOCOL = "broadcaster.voice"
BEARER = "bearer."
FIRST_WAIT_S = 5.0
FIRST_MAX = 4_096  # characters
UNKNOWN = 4401
REFUSAL = 'this room asks for its token: as a subprotocol, or as the first message {"token": …}'


def brings(scope: Scope, token: bytes) -> bool:
    """Whether its subprotocols hold the token."""
    for name in scope.get("subprotocols", []):
        if name.startswith(BEARER):
            given = name.removeprefix(BEARER)
            try:
                decoded = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
            except (binascii.Error, ValueError):
                continue
            if hmac.compare_digest(decoded, token):
                return True
    return False


async def after_token(app: ASGIApp, token: bytes, scope: Scope, receive: Receive, send: Send) -> None:
    """Open the connection, and hand it to the application once the token was said."""
    connect = await receive()
    subprotocol = SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", []) else None
    await send({"type": "websocket.accept", "subprotocol": subprotocol})
    if not await _is_said(token, receive):
        with contextlib.suppress(RuntimeError, OSError):  # it is gone already
            await send({"type": "websocket.close", "code": UNKNOWN, "reason": REFUSAL})
        return
    begun = False

    async def replay() -> Message:
        nonlocal begun
        if begun:
            return await receive()
        begun = True
        return connect

    async def without_accept(message: Message) -> None:
        if message["type"] != "websocket.accept":
            await send(message)

    await app(scope, replay, without_accept)


async def refuse(receive: Receive, send: Send) -> None:
    """Before it is open: the browser sees 403 and no reason, which is told by HTTP alone."""
    await receive()
    await send({"type": "websocket.close", "code": 1008, "reason": ""})


async def _is_said(token: bytes, receive: Receive) -> bool:
    try:
        async with asyncio.timeout(FIRST_WAIT_S):
            message = await receive()
    except TimeoutError:
        return False
    text = message.get("text") or ""
    if message["type"] != "websocket.receive" or len(text) > FIRST_MAX:
        return False
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return False
    given = told.get("token") if isinstance(told, dict) else None
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), token)
