from __future__ import annotations

import pytest

from pipeline.clock import FakeClock
from pipeline.wire import Headers, Tag
from streams.destination import Watched
from streams.flv import AUDIO, SCRIPT, VIDEO
from streams.session import LEAD_MS, SESSION_MAX_MS, Fate, Session

HEADERS = Headers(b"flv", b"meta", b"avc", b"aac")


class Paper:
    """A destination that writes down what it is given."""

    def __init__(self) -> None:
        self.got: list[tuple[int, int]] = []
        self.has_room = True

    def open(self, headers: Headers) -> None:
        self.got.append((0, -1))

    def is_ready(self) -> bool:
        return True

    def write(self, tag: Tag, ms: int) -> bool:
        if self.has_room:
            self.got.append((tag.kind, ms))
        return self.has_room

    def watched(self) -> Watched:
        return Watched()

    def check(self) -> None: ...

    def facts(self) -> dict[str, int]:
        return {}

    def close(self) -> None: ...

    def abort(self) -> None: ...


def audio(ms: int) -> Tag:
    return Tag(AUDIO, ms, False, bytes([AUDIO]) + b"\0" * 10 + b"\xaf\x01x")


def video(ms: int, key: bool = False) -> Tag:
    return Tag(VIDEO, ms, key, bytes([VIDEO]) + b"\0" * 10 + (b"\x17" if key else b"\x27") + b"\x01\0\0\0x")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def paper() -> Paper:
    return Paper()


@pytest.fixture
def session(paper: Paper, clock: FakeClock) -> Session:
    session = Session(paper, clock)
    session.open(HEADERS)
    return session


def test_media_begins_with_a_key_frame_near_zero(session: Session, paper: Paper) -> None:
    for tag in (audio(500_000), video(500_010), video(500_050, key=True), audio(500_035), video(500_090)):
        session.write(tag)
    assert paper.got[1:] == [(VIDEO, LEAD_MS), (AUDIO, LEAD_MS - 15), (VIDEO, LEAD_MS + 40)]


def test_headers_inside_the_stream_are_left_out(session: Session, paper: Paper) -> None:
    session.write(video(0, key=True))
    configuration = Tag(VIDEO, 0, True, bytes([VIDEO]) + b"\0" * 10 + b"\x17\x00\0\0\0x")
    assert session.write(configuration) is Fate.LEFT_OUT
    assert session.write(Tag(SCRIPT, 0, False, bytes([SCRIPT]) + b"\0" * 10 + b"\x02")) is Fate.LEFT_OUT
    assert len(paper.got) == 2


def test_a_new_playout_goes_on_with_one_offset_for_sound_and_picture(
    session: Session, paper: Paper, clock: FakeClock
) -> None:
    session.write(video(10_000, key=True))
    session.write(audio(10_020))
    session.pause()
    clock.advance(1.5)
    for tag in (audio(0), video(40), video(80, key=True), audio(70), audio(91), video(120)):
        session.write(tag)
    resumed = LEAD_MS + 20 + 1500
    assert paper.got[3:] == [(VIDEO, resumed), (AUDIO, resumed - 10), (AUDIO, resumed + 11), (VIDEO, resumed + 40)]


def test_time_never_steps_back_when_playout_is_back_at_once(session: Session, paper: Paper) -> None:
    session.write(video(10_000, key=True))
    session.write(audio(10_020))
    session.pause()
    session.write(video(0, key=True))
    session.write(audio(-20))
    times = [ms for _, ms in paper.got]
    assert times == sorted(times)


def test_only_the_same_decoder_configuration_continues(session: Session) -> None:
    assert session.continues_with(Headers(b"flv", b"another", b"avc", b"aac"))
    assert not session.continues_with(Headers(b"flv", b"meta", b"avc2", b"aac"))
    assert not session.continues_with(Headers(b"flv", b"meta", b"avc", b"aac2"))
    session.close()
    assert not session.continues_with(HEADERS)


def test_a_new_connection_begins_near_zero_again(session: Session, paper: Paper) -> None:
    session.write(video(9_000, key=True))
    session.abort()
    session.open(HEADERS)
    session.write(video(90_000, key=True))
    assert paper.got[-1] == (VIDEO, LEAD_MS)


def test_a_connection_ends_before_its_time_stamps_wrap(session: Session) -> None:
    session.write(video(0, key=True))
    assert not session.too_long
    session.write(video(SESSION_MAX_MS))
    assert session.too_long
    assert SESSION_MAX_MS < 2**31


def test_a_tag_without_room_is_not_sent_and_keeps_its_time(session: Session, paper: Paper, clock: FakeClock) -> None:
    paper.has_room = False
    assert session.write(video(1000, key=True)) is Fate.NO_ROOM
    clock.advance(0.7)
    paper.has_room = True
    assert session.write(video(1000, key=True)) is Fate.SENT
    assert session.write(video(1040)) is Fate.SENT
    assert paper.got[1:] == [(VIDEO, LEAD_MS), (VIDEO, LEAD_MS + 40)]


def test_a_planned_end_comes_after_the_hours_that_were_asked_for(paper: Paper, clock: FakeClock) -> None:
    session = Session(paper, clock, longest_ms=3_600_000)
    session.open(HEADERS)
    session.write(video(0, key=True))
    session.write(video(3_599_000))
    assert not session.too_long
    session.write(video(3_600_000))
    assert session.too_long


def test_time_goes_on_over_the_borders_of_24_and_31_bits(session: Session, paper: Paper) -> None:
    session.write(video(0, key=True))
    times = (2**24 - 40, 2**24, 2**24 + 40, 2**31 - 40, 2**31, 2**31 + 40)
    for ms in times:
        session.write(video(ms))
    assert [ms for _, ms in paper.got[2:]] == [LEAD_MS + ms for ms in times]
