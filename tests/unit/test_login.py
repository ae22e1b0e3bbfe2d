from __future__ import annotations

import hashlib
import socket
import threading
import time
from base64 import b64encode

from pipeline.clock import RealClock
from pipeline.errors import OutputError
from pipeline.wire import Headers
from streams.destination import PusherSpec
from streams.rtmp.destination import RtmpDestination
from streams.rtmp.login import Login, answer
from tests.lab import amf, chunks

ANNA = Login("anna", "w0rd/9f")
FIRST = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : "
SECOND = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=anna&salt=S1&challenge=C1&opaque=O1"


def md5_64(text: str) -> str:
    return b64encode(hashlib.md5(text.encode()).digest()).decode()


def test_the_first_refusal_is_answered_with_the_name_and_the_second_with_a_digest() -> None:
    assert answer(FIRST, "live", ANNA, "00c0ffee") == "?authmod=adobe&user=anna"
    expected = md5_64(md5_64("annaS1w0rd/9f") + "O1" + "00c0ffee")
    proof = answer(SECOND, "live", ANNA, "00c0ffee")
    assert proof == f"?authmod=adobe&user=anna&challenge=00c0ffee&response={expected}&opaque=O1"
    assert "w0rd" not in proof


def test_limelight_is_answered_in_its_way() -> None:
    proof = answer("authmod=llnw : ?reason=needauth&nonce=N1", "live", ANNA, "00c0ffee")
    inner = hashlib.md5(b"anna:live:w0rd/9f").hexdigest()
    what = hashlib.md5(b"publish:/live/_definst_").hexdigest()
    response = hashlib.md5(f"{inner}:N1:00000001:00c0ffee:auth:{what}".encode()).hexdigest()
    assert proof == f"?authmod=llnw&user=anna&nonce=N1&cnonce=00c0ffee&nc=00000001&response={response}"


def test_a_refusal_that_asks_for_nothing_has_no_answer() -> None:
    for words in ("", "no such app", "authmod=adobe : ?reason=authfailed", "authmod=other need auth"):
        assert answer(words, "live", ANNA, "0") is None
    assert "w0rd" not in repr(ANNA)


class Doorkeeper(threading.Thread):
    """Asks three connections who they are, by Adobe's rules, and takes the third when the digest is right."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.apps: list[str] = []

    def run(self) -> None:
        for words in (FIRST, SECOND, ""):
            client, _ = self.listener.accept()
            hello = b""
            while len(hello) < 1537:
                hello += client.recv(1537 - len(hello))
            client.sendall(b"\x03" + bytes(1536) + hello[1:])
            left = 1536
            while left:
                left -= len(client.recv(left))
            reader = chunks.Reader()
            wish = next(m for m in self._messages(client, reader) if m.kind == chunks.COMMAND)
            self.apps.append(amf.decode(wish.data)[2]["app"])
            info = {"level": "error", "code": "NetConnection.Connect.Rejected", "description": words}
            name = "_error" if words else "_result"
            client.sendall(chunks.chunked(chunks.COMMAND, amf.encode(name, 1, None, info if words else {})))
            if not words:
                client.sendall(chunks.chunked(chunks.COMMAND, amf.encode("_result", 4, None, 1)))
                start = {"level": "status", "code": "NetStream.Publish.Start"}
                client.sendall(chunks.chunked(chunks.COMMAND, amf.encode("onStatus", 0, None, start), 1))
                self.standing = client

    def _messages(self, client: socket.socket, reader: chunks.Reader):
        while True:
            yield from reader.feed(client.recv(10_000))


def test_a_server_that_asks_who_we_are_is_told_and_takes_us() -> None:
    keeper = Doorkeeper()
    keeper.start()
    url = f"rtmp://anna:w0rd%2F9f@127.0.0.1:{keeper.listener.getsockname()[1]}/live/key"
    made = RtmpDestination(PusherSpec("main", url, "/nowhere"), lambda *_, **__: None, RealClock())
    tag = bytes([9]) + b"\0\0\x01" + bytes(7) + b"\x17" + bytes(4)
    made.open(Headers(bytes(13), tag, tag, tag))
    ends_s = time.monotonic() + 5
    while not made.is_ready():
        assert time.monotonic() < ends_s
    made.abort()
    assert keeper.apps[:2] == ["live", "live?authmod=adobe&user=anna"]
    nonce = keeper.apps[2].partition("challenge=")[2][:8]
    assert keeper.apps[2] == "live" + (answer(SECOND, "live", ANNA, nonce) or "")


def test_without_a_login_the_refusal_is_told() -> None:
    keeper = Doorkeeper()
    keeper.start()
    url = f"rtmp://127.0.0.1:{keeper.listener.getsockname()[1]}/live/key"
    made = RtmpDestination(PusherSpec("main", url, "/nowhere"), lambda *_, **__: None, RealClock())
    made.open(Headers(b"", b"", b"", b""))
    ends_s = time.monotonic() + 5
    try:
        while not made.is_ready():
            assert time.monotonic() < ends_s
    except OutputError as error:
        assert error.kind == "rejected"
        assert "need auth" in str(error)
    made.abort()
