"""Any program that sends JSON over a WebSocket: what comes is read by a mapping.

In: an address and a mapping. Out: messages of the `chat` stream. It sends what the mapping says and nothing else, goes
through no proxy, and follows no redirect (the token would go along). A program that does not answer pings is hung up
on. What the library raises has the address in its text, and what the other side gives as its reason may have the key:
neither is passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import NoReturn

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import Close, CloseCode
from websockets.typing import Subprotocol

from broadcaster.connectors.field_map import TOKEN, FieldMap
from broadcaster.connectors.settings import ConnectorSpec, Ears
from pipeline.errors import ConnectorError, ConnectorRefused

AGENT = "broadcaster"
CONNECT_S = 10.0
PING_S = 20.0  # so often they are asked, and so long they may take to answer
CLOSE_S = 1.0
FRAME_MAX_BYTES = 1 << 20
FRAMES_WAITING = 16  # then the network waits
NEVER = (401, 403, 404, 410)  # of HTTP: not as we are set up


class JsonSocket:
    """ping_s: how often the other side is asked whether it is there."""

    def __init__(self, spec: ConnectorSpec, field_map: FieldMap, ping_s: float = PING_S) -> None:
        self._spec = spec
        self._map = field_map
        self._ping_s = ping_s

    async def listen(self, ears: Ears) -> NoReturn:
        if self._map.manners.needs_token and not self._spec.token:
            raise ConnectorRefused(f"its mapping sends a token, and there is none; set `token` of {self._spec.name}")
        socket = await self._connected()
        try:
            await self._talk(socket, ears)
        except ConnectionClosed as error:
            raise _lost(error.rcvd, error.sent) from None
        except OSError as error:
            raise ConnectorError("reset", error.strerror or type(error).__name__) from None
        finally:
            await socket.close()

    async def _talk(self, socket: ClientConnection, ears: Ears) -> NoReturn:
        for text in self._map.manners.hello:
            await socket.send(self._filled(text))
        ears.live()
        pinging = asyncio.create_task(self._ping(socket))
        try:
            while True:
                self._hear(await socket.recv(), ears)
                await asyncio.sleep(0)  # thousands may be there already: others have their turn between them
        finally:
            pinging.cancel()

    def _hear(self, frame: str | bytes, ears: Ears) -> None:
        try:
            found = self._map.read(frame)
        except ValueError:
            found = []
        for fields in found:
            ears.heard(fields)
        if not found:
            ears.passed()

    async def _ping(self, socket: ClientConnection) -> None:
        """What the program wants to hear every so often, beside the protocol's own pings."""
        manners = self._map.manners
        with contextlib.suppress(ConnectionClosed, OSError):
            while manners.ping:
                await asyncio.sleep(manners.ping_every_s)
                await socket.send(self._filled(manners.ping))

    # ── the connection ───────────────────────────────────────────────────────────────────────────

    async def _connected(self) -> ClientConnection:
        manners = self._map.manners
        headers: Mapping[str, str] = {name: self._filled(value) for name, value in manners.headers.items()}
        names = [Subprotocol(self._filled(name)) for name in manners.subprotocols]
        try:
            return await _Straight(
                self._spec.url,
                additional_headers=headers,
                subprotocols=names or None,
                user_agent_header=AGENT,
                proxy=None,
                open_timeout=CONNECT_S,
                close_timeout=CLOSE_S,
                ping_interval=self._ping_s,
                ping_timeout=self._ping_s,
                max_size=FRAME_MAX_BYTES,
                max_queue=FRAMES_WAITING,
            )
        except TimeoutError:
            raise ConnectorError("timeout", f"no answer within {CONNECT_S:g} s") from None
        except InvalidStatus as error:
            raise _refusal(error.response.status_code) from None
        except WebSocketException as error:
            raise ConnectorError("protocol", f"it speaks no WebSocket ({type(error).__name__})") from None
        except ssl.SSLCertVerificationError as error:
            raise ConnectorError("tls", f"its certificate is not trusted ({error.verify_message})") from None
        except ssl.SSLError as error:
            raise ConnectorError("tls", error.reason or "no handshake") from None
        except UnicodeError:
            raise ConnectorRefused("its url names no host that there could be") from None
        except (OSError, EOFError) as error:
            text = error.strerror if isinstance(error, OSError) else ""
            raise ConnectorError("connect", text or type(error).__name__) from None

    def _filled(self, text: str) -> str:
        return text.replace(TOKEN, self._spec.token)


class _Straight(connect):
    """A connection to where it was meant to go, or none."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _lost(rcvd: Close | None, sent: Close | None) -> ConnectorError:
    """Why it is over, by the last words of both sides."""
    if rcvd is not None:
        return ConnectorError("reset", f"it closed the connection ({rcvd.code})")
    if sent is None:
        return ConnectorError("reset", "it hung up")
    if sent.code == CloseCode.MESSAGE_TOO_BIG:
        return ConnectorError("protocol", f"a message of more than {FRAME_MAX_BYTES >> 20} MB")
    if sent.code == CloseCode.INTERNAL_ERROR:  # that of a ping without an answer
        return ConnectorError("timeout", "it does not answer any more")
    return ConnectorError("protocol", f"it does not keep to the protocol ({sent.code})")


def _refusal(status: int) -> ConnectorError:
    if status in NEVER or 300 <= status < 400:
        return ConnectorRefused(f"HTTP {status}; look at its url, token and mapping")
    return ConnectorError("rejected", f"HTTP {status}")
