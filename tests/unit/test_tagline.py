from __future__ import annotations

import pytest

from pipeline import link
from pipeline.errors import WireError
from pipeline.wire import Sent, decode
from streams import tagline
from streams.tagline import Unframer, framed


def test_the_name_is_the_one_that_playout_binds() -> None:
    assert tagline.SOCKET_NAME == link.TAGS


def test_messages_are_whole_however_the_bytes_come() -> None:
    data = framed(Sent(1, "live", 1)) + framed(Sent(2, "live", 1))
    for size in (1, 3, 7, len(data)):
        unframer = Unframer()
        got = [m for at in range(0, len(data), size) for m in unframer.feed(data[at : at + size])]
        assert [decode(m, Sent).audio_ms for m in got] == [1, 2]


def test_a_length_that_cannot_be_is_refused() -> None:
    with pytest.raises(WireError):
        Unframer().feed(b"\xff\xff\xff\xffx")
