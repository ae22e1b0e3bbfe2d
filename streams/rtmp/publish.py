"""The publisher's side of RTMP, from the first byte until media may flow. Pure: it sees no socket and no clock.

In: what the server said. Out: what to say to it, and `is_ready` once it took our publication; OutputError with a
kind when it says no (rejected) or speaks no RTMP (protocol). What it says later is answered as well: pings, and
how much came. No text of an error holds the key, also when the server repeats it. (Adobe RTMP 1.0; the commands
as ffmpeg and OBS say them.)

    C0 C1 ▶  ◀ S0 S1 S2  C2, connect ▶  ◀ _result  releaseStream, FCPublish, createStream ▶  ◀ _result
    publish ▶  ◀ onStatus
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple
from urllib.parse import unquote

from pipeline.errors import OutputError, WireError
from streams.rtmp import amf, chunks
from streams.rtmp.chunks import Message, chunked
from streams.rtmp.login import Login

VERSION = b"\x03"
HELLO_BYTES = 1536
FLASH = "FMLE/3.0 (compatible; FMSc/1.0)"  # what encoders say; some servers take nothing else
CONNECT, RELEASE, FC_PUBLISH, CREATE, PUBLISH = 1, 2, 3, 4, 5  # numbers of our commands
ACCEPTED = ("NetStream.Publish.Start",)
PING, PONG = 6, 7
WORDS_MAX = 120


class Target(NamedTuple):
    """Where an RTMP URL leads. `app` and `key` are as written, with what follows a `?`."""

    scheme: str
    host: str
    port: int
    app: str
    key: str
    tc_url: str
    login: Login | None = None

    def __repr__(self) -> str:
        return f"Target({self.scheme!r}, {self.host!r}, {self.port})"


PORTS = {"rtmp": 1935, "rtmps": 443}


def target(url: str) -> Target:
    """rtmp://HOST[:PORT]/APP/KEY[?QUERY]; of a longer path the first two parts are the application, as everywhere."""
    scheme, _, rest = url.partition("://")
    authority, _, where = rest.partition("/")
    path, mark, query = where.partition("?")
    app, _, key = path.partition("/")
    instance, slash, deeper = key.partition("/")
    if slash:
        app, key = f"{app}/{instance}", deeper
    if key:
        key += mark + query
    else:
        app += mark + query
    who, _, address = authority.rpartition("@")
    user, colon, password = who.partition(":")
    login = Login(unquote(user), unquote(password)) if colon else None
    host, port = address, ""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        port = port.removeprefix(":")
    elif ":" in address:
        host, _, port = address.rpartition(":")
    return Target(scheme, host, int(port or PORTS[scheme]), app, key, f"{scheme}://{address}/{app}", login)


class Publisher:
    """`begin`, then `feed` with whatever comes, for as long as the connection stands."""

    def __init__(self, to: Target, asks_only: bool = False, proof: str = "") -> None:
        """asks_only: it is told whether the server would have us, and publishes nothing. proof: of login.py."""
        self._to = to
        self._asks_only = asks_only
        self._proof = proof
        self._hello = bytearray()  # of the server
        self._reader = chunks.Reader()
        self._stream = 0
        self._window = 0
        self._heard = 0  # bytes after the handshake
        self._acked = 0
        self.is_ready = False
        self.refusal = ""  #: the server's own words of a `connect` that it refused; they may hold a secret
        self.has_answered = False  #: the server greeted us: it is there, and speaks RTMP

    def begin(self) -> bytes:
        """C0 and C1."""
        return VERSION + bytes(8) + os.urandom(HELLO_BYTES - 8)

    def feed(self, data: bytes) -> bytes:
        """What to answer."""
        try:
            if not self.has_answered:
                self._hello += data
                if self._hello[:1] not in (b"", VERSION):
                    raise WireError("the server greets like no RTMP server")
                if len(self._hello) < 1 + 2 * HELLO_BYTES:
                    return b""
                self.has_answered = True
                theirs, data = bytes(self._hello[1 : 1 + HELLO_BYTES]), bytes(self._hello[1 + 2 * HELLO_BYTES :])
                self._hello.clear()
                return theirs + self._connect() + self._heard_of(data)
            return self._heard_of(data)
        except WireError as error:
            raise OutputError("protocol", self._redacted(str(error))) from None

    def media(self, kind: int, payload: bytes, ms: int) -> bytes:
        """One message of the publication; `kind` as FLV numbers it, `ms` kept to 32 bits."""
        if kind == chunks.DATA:
            payload = amf.encode("@setDataFrame") + payload
        return chunked(kind, payload, ms, self._stream, chunks.CHUNK_BYTES)

    def goodbye(self) -> bytes:
        """Said before hanging up, so that the key is free at once."""
        if not self._stream:
            return b""
        return self._command("FCUnpublish", 6, None, self._to.key) + self._command(
            "deleteStream", 7, None, self._stream
        )

    # ── what the server says ─────────────────────────────────────────────────────────────────────

    def _heard_of(self, data: bytes) -> bytes:
        self._heard += len(data)
        answers = [self._answer(message) for message in self._reader.feed(data)]
        if self._window and self._heard - self._acked >= self._window:
            self._acked = self._heard
            answers.append(chunked(chunks.ACK, (self._heard & 0xFFFFFFFF).to_bytes(4, "big")))
        return b"".join(answers)

    def _answer(self, message: Message) -> bytes:
        value = int.from_bytes(message.data[:4], "big")
        if message.kind == chunks.COMMAND:
            return self._obey(message.data)
        if message.kind == chunks.WINDOW_ACK:
            self._window = max(value, 1)
        elif message.kind == chunks.PEER_BANDWIDTH:
            return chunked(chunks.WINDOW_ACK, message.data[:4])
        elif message.kind == chunks.USER_CONTROL and message.data[:2] == PING.to_bytes(2, "big"):
            return chunked(chunks.USER_CONTROL, PONG.to_bytes(2, "big") + message.data[2:6])
        return b""  # what it acknowledges, and what we do not know

    def _obey(self, data: bytes) -> bytes:
        values = amf.decode(data)
        if not values or not isinstance(values[0], str):
            raise WireError("a command without a name")
        name, number = values[0], values[1] if len(values) > 1 else None
        info = next((value for value in values[2:] if isinstance(value, dict) and "code" in value), {})
        if name == "_result" and number == CONNECT:
            self.is_ready = self._asks_only
            return b"" if self._asks_only else self._create()
        if name == "_result" and number == CREATE:
            return self._publish(values[-1])
        if name == "_error" and number in (CONNECT, CREATE, PUBLISH):
            self.refusal = str(info.get("description", "")) if number == CONNECT else ""
            raise self._refusal(info)
        if name == "onStatus" and info.get("code") in ACCEPTED:
            self.is_ready = True
        elif info.get("level") == "error" or info.get("code") == "NetConnection.Connect.Rejected":
            raise self._refusal(info)
        elif name == "close":
            raise OutputError("reset", "the server said close")
        return b""

    def _refusal(self, info: dict[str, Any]) -> OutputError:
        words = " ".join(str(info[key]) for key in ("code", "description") if info.get(key))
        return OutputError("rejected", self._redacted(words)[:WORDS_MAX] or "the server refuses, and says no reason")

    def _redacted(self, words: str) -> str:
        """Without what is secret in our URL: the key, and each value of its query."""
        for secret in secrets_of(self._to):
            words = words.replace(secret, "…")
        return "".join(letter if letter.isprintable() else " " for letter in words).strip()

    # ── what we say ──────────────────────────────────────────────────────────────────────────────

    def _connect(self) -> bytes:
        app, tc_url = self._to.app + self._proof, self._to.tc_url + self._proof
        wish = {"app": app, "type": "nonprivate", "flashVer": FLASH, "tcUrl": tc_url}
        size = chunks.CHUNK_BYTES.to_bytes(4, "big")
        return chunked(chunks.SET_CHUNK_SIZE, size) + self._command("connect", CONNECT, wish)

    def _create(self) -> bytes:
        return (
            self._command("releaseStream", RELEASE, None, self._to.key)
            + self._command("FCPublish", FC_PUBLISH, None, self._to.key)
            + self._command("createStream", CREATE, None)
        )

    def _publish(self, stream: Any) -> bytes:
        if not isinstance(stream, float) or not 1 <= stream < 1 << 32:
            raise WireError("a stream without a number")
        self._stream = int(stream)
        return self._command("publish", PUBLISH, None, self._to.key, "live", stream=self._stream)

    def _command(self, name: str, number: int, *values: Any, stream: int = 0) -> bytes:
        data = amf.encode(name, number, *values)
        return chunked(chunks.COMMAND, data, 0, stream, chunks.CHUNK_BYTES)


def secrets_of(to: Target) -> list[str]:
    """What of a URL must not be repeated, longest first."""
    path, _, query = to.key.partition("?")
    more = query or to.app.partition("?")[2]
    values = [pair.partition("=")[2] for pair in more.split("&")] + list(to.login or ())
    return sorted({text for text in (to.key, path, more, *values) if len(text) >= 3}, key=len, reverse=True)
