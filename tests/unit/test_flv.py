from __future__ import annotations

import pytest

from pipeline.errors import WireError
from streams import flv


def tag(kind: int = flv.VIDEO, body: bytes = b"\x27\x01\x00\x00\x28data", ms: int = 0) -> bytes:
    stamp = (ms & 0xFFFFFF).to_bytes(3, "big") + bytes([ms >> 24])
    head = bytes([kind]) + len(body).to_bytes(3, "big") + stamp + b"\0\0\0"
    return head + body + (len(head) + len(body)).to_bytes(4, "big")


@pytest.mark.parametrize("ms", [0, 40, 2**24 - 1, 2**24, 2**31 - 1, 2**32 - 1])
def test_a_tag_moves_in_time_and_nothing_else_changes(ms: int) -> None:
    moved = flv.retimed(tag(ms=7), ms)
    assert moved == tag(ms=ms)
    assert flv.time_ms(moved) == ms


def test_a_missing_trailer_is_added_and_what_follows_is_cut_off() -> None:
    assert flv.whole(tag()[:-4]) == tag()
    assert flv.whole(tag() + b"next") == tag()


def test_a_torn_tag_is_refused() -> None:
    with pytest.raises(WireError, match="has 12"):
        flv.whole(tag()[:12])


def test_kinds_of_tags_are_told_apart() -> None:
    assert flv.is_key(tag(body=b"\x17\x01\x00\x00\x00x"))
    assert not flv.is_key(tag(body=b"\x27\x01\x00\x00\x00x"))
    assert not flv.is_key(tag(body=b"\x17\x00\x00\x00\x00x"))
    assert flv.is_sequence_header(tag(body=b"\x17\x00\x00\x00\x00x"))
    assert flv.is_sequence_header(tag(flv.AUDIO, b"\xaf\x00\x11\x90"))
    assert not flv.is_sequence_header(tag(flv.AUDIO, b"\xaf\x01data"))
    assert not flv.is_sequence_header(tag(flv.SCRIPT, b"\x02\x00\x0aonMetaData"))


def test_payload_and_composition_time_are_read() -> None:
    assert flv.payload(tag()) == b"\x27\x01\x00\x00\x28data"
    assert flv.composition_ms(tag()) == 40
    assert flv.composition_ms(tag(body=b"\x27\x01\xff\xff\xd8x")) == -40
