from __future__ import annotations

import random
import struct
import tracemalloc
from typing import Any

import pytest

from pipeline.errors import OutputError, WireError
from streams.rtmp import amf, chunks
from streams.rtmp.publish import HELLO_BYTES, Publisher, Target, secrets_of, target
from tests.lab import amf as their_amf
from tests.lab import chunks as their_chunks

KEY = "k3y-9f31?sign=s3cret"
TO = target(f"rtmp://ingest.example.com/live/{KEY}")
GREETING = b"\x03" + bytes(2 * HELLO_BYTES)


def say(name: str, *values: Any, stream: int = 0) -> bytes:
    return their_chunks.chunked(their_chunks.COMMAND, their_amf.encode(name, *values), stream)


def status(code: str, level: str = "status", description: str = "") -> bytes:
    return say("onStatus", 0, None, {"level": level, "code": code, "description": description})


def connected() -> Publisher:
    publisher = Publisher(TO)
    publisher.begin()
    publisher.feed(GREETING)
    publisher.feed(say("_result", 1, {}, {"code": "NetConnection.Connect.Success"}))
    publisher.feed(say("_result", 4, None, 1))
    return publisher


def ready() -> Publisher:
    publisher = connected()
    publisher.feed(status("NetStream.Publish.Start"))
    assert publisher.is_ready
    return publisher


# ── URLs ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("rtmp://h/live/key", ("h", 1935, "live", "key", "rtmp://h/live")),
        ("rtmps://h/live/key", ("h", 443, "live", "key", "rtmps://h/live")),
        ("rtmp://h:1936/live/key?a=b/c&d=e", ("h", 1936, "live", "key?a=b/c&d=e", "rtmp://h:1936/live")),
        ("rtmp://h/app/instance/key", ("h", 1935, "app/instance", "key", "rtmp://h/app/instance")),
        ("rtmp://[2001:db8::1]:80/live/k", ("2001:db8::1", 80, "live", "k", "rtmp://[2001:db8::1]:80/live")),
        ("rtmp://[::1]/live/k", ("::1", 1935, "live", "k", "rtmp://[::1]/live")),
        ("rtmp://user:word@h/live/k", ("h", 1935, "live", "k", "rtmp://h/live")),
        ("rtmp://h/live?sign=x", ("h", 1935, "live?sign=x", "", "rtmp://h/live?sign=x")),
    ],
)
def test_a_url_is_taken_apart_as_platforms_mean_it(url: str, found: tuple[object, ...]) -> None:
    to = target(url)
    assert (to.host, to.port, to.app, to.key, to.tc_url) == found


def test_a_target_shows_no_secret() -> None:
    assert "k3y" not in repr(TO)
    assert secrets_of(TO) == [KEY, "sign=s3cret", "k3y-9f31", "s3cret"]


# ── the way to a publication ─────────────────────────────────────────────────────────────────────


def test_the_commands_come_in_their_order_and_each_after_its_answer() -> None:
    publisher, server = Publisher(TO), their_chunks.Reader()
    hello = publisher.begin()
    assert (hello[0], len(hello)) == (3, 1 + HELLO_BYTES)
    answer = publisher.feed(GREETING)
    assert answer[:HELLO_BYTES] == GREETING[1 : 1 + HELLO_BYTES]
    heard = [m for m in server.feed(answer[HELLO_BYTES:]) if m.kind == their_chunks.COMMAND]
    (connect,) = [their_amf.decode(message.data) for message in heard]
    assert connect[:2] == ["connect", 1.0]
    assert connect[2]["app"] == "live"
    assert connect[2]["tcUrl"] == "rtmp://ingest.example.com/live"
    said = publisher.feed(say("_result", 1, {}, {}))
    names = [their_amf.decode(message.data)[0] for message in server.feed(said)]
    assert names == ["releaseStream", "FCPublish", "createStream"]
    (publish,) = [their_amf.decode(message.data) for message in server.feed(publisher.feed(say("_result", 4, None, 7)))]
    assert publish == ["publish", 5.0, None, KEY, "live"]
    assert not publisher.is_ready
    publisher.feed(status("NetStream.Publish.Start"))
    assert publisher.is_ready


def test_answers_may_come_in_any_pieces() -> None:
    publisher = Publisher(TO)
    publisher.begin()
    for data in (GREETING, say("_result", 1, {}, {}), say("_result", 4, None, 1), status("NetStream.Publish.Start")):
        for byte in data:
            publisher.feed(bytes([byte]))
    assert publisher.is_ready


@pytest.mark.parametrize(
    "refusal",
    [
        status("NetStream.Publish.BadName", "error", f"Stream {KEY} is busy; sign s3cret"),
        say("_error", 5, None, {"level": "error", "code": "NetStream.Publish.Denied"}),
        say("onStatus", 0, None, {"level": "error", "code": "NetStream.Publish.BadName\n", "description": "x" * 5000}),
    ],
)
def test_a_refusal_says_the_servers_words_without_the_key(refusal: bytes) -> None:
    with pytest.raises(OutputError) as caught:
        connected().feed(refusal)
    assert caught.value.kind == "rejected"
    assert "NetStream.Publish." in str(caught.value)
    assert "k3y" not in str(caught.value) and "s3cret" not in str(caught.value)
    assert len(str(caught.value)) < 200 and str(caught.value).isprintable()


def test_a_refusal_of_the_application_is_told_apart_from_a_torn_handshake() -> None:
    publisher = Publisher(TO)
    publisher.begin()
    publisher.feed(GREETING)
    with pytest.raises(OutputError, match=r"rejected: NetConnection\.Connect\.InvalidApp"):
        publisher.feed(say("_error", 1, None, {"code": "NetConnection.Connect.InvalidApp"}))
    other = Publisher(TO)
    other.begin()
    with pytest.raises(OutputError, match="protocol: the server greets like no RTMP server"):
        other.feed(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_command_with_nothing_but_a_name_is_borne_as_libavs_server_says_it() -> None:
    publisher = Publisher(TO)
    publisher.begin()
    publisher.feed(GREETING)
    publisher.feed(say("onBWDone", 8192) + say("onFCPublish"))
    publisher.feed(say("_result", 1, {}, {}))
    assert not publisher.is_ready


def test_who_only_asks_publishes_nothing() -> None:
    publisher = Publisher(TO, asks_only=True)
    publisher.begin()
    publisher.feed(GREETING)
    assert publisher.feed(say("_result", 1, {}, {})) == b""
    assert publisher.is_ready


def test_a_ping_is_answered_and_what_came_is_acknowledged() -> None:
    publisher, server = ready(), their_chunks.Reader()
    ping = their_chunks.chunked(their_chunks.USER_CONTROL, struct.pack(">HI", 6, 4711), number=2)
    (pong,) = server.feed(publisher.feed(ping))
    assert (pong.kind, pong.data) == (their_chunks.USER_CONTROL, struct.pack(">HI", 7, 4711))
    window = their_chunks.chunked(their_chunks.WINDOW_ACK, struct.pack(">I", 100), number=2)
    said = publisher.feed(window + their_chunks.chunked(77, b"x" * 200))
    (acknowledged,) = server.feed(said)
    assert acknowledged.kind == their_chunks.ACK


def test_a_window_of_one_byte_costs_one_answer_a_read() -> None:
    publisher = ready()
    publisher.feed(their_chunks.chunked(their_chunks.WINDOW_ACK, struct.pack(">I", 1), number=2))
    assert len(publisher.feed(their_chunks.chunked(77, b"x" * 100) * 500)) < 20


# ── chunks ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ms", [0, 1, 0xFFFFFE, 0xFFFFFF, 0x1000000, 2**31 - 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 4096, 100_000])
def test_a_message_of_any_size_and_time_is_read_back(ms: int, size: int) -> None:
    data = random.Random(size).randbytes(size)
    for reader in (their_chunks.Reader(), chunks.Reader()):
        (found,) = reader.feed(chunks.chunked(chunks.VIDEO, data, ms, 1))
        assert (found.kind, found.ms, found.stream, found.data) == (chunks.VIDEO, ms, 1, data)


def test_messages_of_two_chunk_streams_may_be_woven() -> None:
    one, two = chunks.chunked(chunks.AUDIO, b"a" * 300), chunks.chunked(chunks.VIDEO, b"v" * 300)
    cut = [(12 + 128), (12 + 128)]
    woven = one[: cut[0]] + two[: cut[1]] + one[cut[0] :] + two[cut[1] :]
    found = list(chunks.Reader().feed(woven))
    assert [message.data for message in found] == [b"a" * 300, b"v" * 300]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (chunks.chunked(chunks.SET_CHUNK_SIZE, bytes(4)), "chunk size of 0"),
        (bytes([0xC3]), "continues nothing"),
        (bytes([3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 20, 0, 0, 0, 0]), "message of 16777215"),
    ],
)
def test_what_is_no_rtmp_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        list(chunks.Reader().feed(data))


# ── AMF ──────────────────────────────────────────────────────────────────────────────────────────


def test_values_are_read_back_by_both_sides() -> None:
    values = ["connect", 1.0, True, None, {"app": "live", "n": 2.0, "o": {"x": False}}, "", "ü" * 40_000]
    assert amf.decode(amf.encode(*values)) == values
    assert their_amf.decode(amf.encode(*values)) == values


@pytest.mark.parametrize("data", [b"\x02\xff\xffx", b"\x00\x01", b"\x63", b"\x03\x00\x01a", b"\x03" * 40 + b"\x00"])
def test_torn_values_are_an_error_of_the_wire(data: bytes) -> None:
    with pytest.raises(WireError):
        amf.decode(data)


def test_objects_in_objects_without_end_are_refused() -> None:
    with pytest.raises(WireError, match="deeper"):
        amf.decode(b"\x03\x00\x01a" * 1000)


# ── whatever a server says ───────────────────────────────────────────────────────────────────────

ROUNDS = 800
SEED = 5


def test_whatever_a_server_answers_is_an_output_error_or_nothing_and_memory_stays_flat() -> None:
    """STREAMING B4. Random bytes, and good answers with random changes; a million rounds run the same way."""
    fuzz(100, SEED)
    tracemalloc.start()
    fuzz(ROUNDS, SEED + 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16_000_000


def fuzz(rounds: int, seed: int) -> dict[str, int]:
    """What became of so many connections, by the kind of their end."""
    dice = random.Random(seed)
    good = [
        say("_result", 1, {"fmsVer": "x"}, {"code": "NetConnection.Connect.Success"}),
        say("_result", 4, None, 1),
        status("NetStream.Publish.Start"),
        their_chunks.chunked(their_chunks.USER_CONTROL, struct.pack(">HI", 6, 1), number=2),
        their_chunks.chunked(their_chunks.WINDOW_ACK, struct.pack(">I", 1000), number=2),
        status("NetStream.Publish.BadName", "error"),
        *(data for data in their_malformed().values()),
    ]
    ends = {"": 0, "rejected": 0, "protocol": 0, "reset": 0}
    for _ in range(rounds):
        publisher = Publisher(TO) if dice.random() < 0.5 else ready()
        if not publisher.is_ready:
            publisher.begin()
            if dice.random() < 0.9:
                publisher.feed(GREETING)
        kind = ""
        try:
            for _ in range(dice.randint(1, 6)):
                publisher.feed(spoilt(dice, dice.choice(good)) if dice.random() < 0.8 else dice.randbytes(500))
        except OutputError as error:
            kind = error.kind
        ends[kind] += 1
    assert ends["protocol"] > rounds // 20
    return ends


def their_malformed() -> dict[str, bytes]:
    from tests.lab.ingest import MALFORMED

    return MALFORMED


def spoilt(dice: random.Random, data: bytes) -> bytes:
    """The same with a few bytes changed, cut out or put in."""
    made = bytearray(data)
    for _ in range(dice.randint(0, 4)):
        at = dice.randrange(len(made)) if made else 0
        choice = dice.random()
        if choice < 0.5 and made:
            made[at] = dice.randrange(256)
        elif choice < 0.75:
            made[at:at] = dice.randbytes(dice.randint(1, 8))
        else:
            del made[at : at + dice.randint(1, 8)]
    return bytes(made)


def test_a_target_names_its_secrets_longest_first() -> None:
    to = Target("rtmp", "h", 1, "app", "abc?x=abcdef", "")
    assert secrets_of(to) == ["abc?x=abcdef", "x=abcdef", "abcdef", "abc"]
