"""The chat of a Twitch channel: IRC over TLS, with the tags that names, badges and message ids come in.

In: a channel, and an account with its token, or nobody's: a channel can be read without one. Out: messages of the
`chat` stream. It never writes into the channel. Twitch asks about every five minutes whether we are there; we ask
likewise when nothing has come for a while, and hang up when nothing comes back.
(dev.twitch.tv/docs/chat/irc; its capabilities tags and commands.)
"""

from __future__ import annotations

import asyncio
import random
import ssl
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import urlsplit

from broadcaster.connectors.irc import Line, LineCutter, parsed
from broadcaster.connectors.settings import ConnectorSpec, Ears
from broadcaster.connectors.twitch_message import message_of
from broadcaster.log import redacted
from pipeline.errors import ConnectorError, ConnectorRefused

SERVER = "ircs://irc.chat.twitch.tv:6697"
PORT = 6697
CAPABILITIES = "twitch.tv/tags twitch.tv/commands"
NOBODY = "justinfan"  # with a number behind it: a reader without an account
CONNECT_S = 10.0
JOIN_S = 15.0  # a channel that does not exist is never answered
QUIET_S = 60.0  # then we ask
ANSWER_S = 10.0
READ_BYTES = 64 << 10
UNSENT_MAX_BYTES = 64 << 10  # the other side asks and does not read
SAID_MAX_CHARS = 200
GONE = ("msg_channel_suspended", "msg_banned", "msg_room_not_found", "tos_ban", "msg_channel_blocked")
JOINED = ("ROOMSTATE", "353", "366")  # the numbers have our own name before that of the channel
SPEECH = ("PRIVMSG", "USERNOTICE")


@dataclass(frozen=True, slots=True)
class _Wish:
    """Which channel, as whom, and how long silence is borne."""

    channel: str
    nick: str
    token: str = field(repr=False)
    quiet_s: float
    join_s: float


class TwitchChat:
    """quiet_s: seconds without a word until the server is asked for one. join_s: until the channel must be open."""

    def __init__(self, spec: ConnectorSpec, quiet_s: float = QUIET_S, join_s: float = JOIN_S) -> None:
        where = urlsplit(spec.url or SERVER)
        self._host, self._port = where.hostname or "", where.port or PORT
        token = spec.token.removeprefix("oauth:")
        nick = spec.user.lower() if token else f"{NOBODY}{random.randrange(10_000, 99_999)}"
        self._wish = _Wish(spec.channel.lower().removeprefix("#"), nick, token, quiet_s, join_s)

    async def listen(self, ears: Ears) -> NoReturn:
        reader, writer = await self._connected()
        try:
            await _Dialogue(self._wish, reader, writer, ears).talk()
        except ssl.SSLError as error:
            raise ConnectorError("tls", error.reason or "broken") from None
        except OSError as error:
            raise ConnectorError("reset", error.strerror or type(error).__name__) from None
        finally:
            writer.transport.abort()  # a polite end may be waited for without an end
        raise ConnectorError("reset", "it hung up")

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(CONNECT_S):
                return await asyncio.open_connection(self._host, self._port, ssl=ssl.create_default_context())
        except TimeoutError:
            raise ConnectorError("timeout", f"no answer within {CONNECT_S:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise ConnectorError("tls", f"its certificate is not trusted ({error.verify_message})") from None
        except ssl.SSLError as error:
            raise ConnectorError("tls", error.reason or "no handshake") from None
        except UnicodeError:
            raise ConnectorRefused("its url names no host that there could be") from None
        except OSError as error:
            raise ConnectorError("connect", error.strerror or type(error).__name__) from None


class _Dialogue:
    """One connection, from its first word to its last."""

    def __init__(
        self,
        wish: _Wish,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ears: Ears,
    ) -> None:
        self._wish = wish
        self._reader = reader
        self._writer = writer
        self._ears = ears
        self._welcomed = self._joined = False

    async def talk(self) -> None:
        """Until the other side hangs up."""
        cutter = LineCutter()
        self._send(f"CAP REQ :{CAPABILITIES}")
        if self._wish.token:
            self._send(f"PASS oauth:{self._wish.token}")
        self._send(f"NICK {self._wish.nick}")
        loop = asyncio.get_running_loop()
        due_s = loop.time() + self._wish.join_s
        while data := await (self._next() if self._joined else self._soon(due_s - loop.time())):
            dropped = cutter.dropped
            for text in cutter.feed(data):
                self._take(text)
            if cutter.dropped > dropped:
                self._ears.passed(cutter.dropped - dropped)

    async def _soon(self, wait_s: float) -> bytes:
        try:
            async with asyncio.timeout(wait_s):
                return await self._reader.read(READ_BYTES)
        except TimeoutError:
            pass
        where = f"#{self._wish.channel} was not opened" if self._welcomed else "no welcome"
        raise ConnectorError("timeout", f"{where} within {self._wish.join_s:g} s")

    async def _next(self) -> bytes:
        """What comes next. Silence is asked about once, then it is the end."""
        for wait_s, ask in ((self._wish.quiet_s, True), (min(ANSWER_S, self._wish.quiet_s), False)):
            try:
                async with asyncio.timeout(wait_s):
                    return await self._reader.read(READ_BYTES)
            except TimeoutError:
                if ask:
                    self._send("PING :broadcaster")
        raise ConnectorError("timeout", "it does not answer any more")

    def _take(self, text: str) -> None:
        line = parsed(text)
        if line is None:
            self._ears.passed()
        elif line.command == "PING":
            self._send(f"PONG :{line.text}")
        elif line.command == "RECONNECT":
            raise ConnectorError("planned", "it asks us to dial again")
        elif line.command == "NOTICE":
            self._notice(line)
        elif line.command == "001":
            self._welcomed = True
            self._send(f"JOIN #{self._wish.channel}")
        elif line.command in JOINED or line.target.lower() == f"#{self._wish.channel}":
            self._channel(line)

    def _channel(self, line: Line) -> None:
        own = line.nick == self._wish.nick
        if not self._joined and self._welcomed and (line.command in JOINED or (own and line.command == "JOIN")):
            self._joined = True
            self._ears.live()
        elif own and line.command == "PART":
            raise ConnectorRefused(f"it has put us out of #{self._wish.channel}")
        elif self._joined and line.command in SPEECH:
            message = message_of(line, self._wish.channel)
            if message is None:
                self._ears.passed()
            else:
                self._ears.heard(message)

    def _notice(self, line: Line) -> None:
        """What it says for people: a refusal before we are in, and news about the channel afterwards."""
        if not self._joined or line.tags.get("msg-id") in GONE:
            raise ConnectorRefused(self._shown(line.text) or "it gives no reason")

    def _shown(self, text: str) -> str:
        clean = "".join(char for char in text if char.isprintable())
        clean = clean.replace(self._wish.token, "…") if self._wish.token else clean
        return redacted(clean)[:SAID_MAX_CHARS]

    def _send(self, text: str) -> None:
        if self._writer.transport.get_write_buffer_size() > UNSENT_MAX_BYTES:
            raise ConnectorError("stall", "it asks without reading the answers")
        self._writer.write(f"{text}\r\n".encode())
