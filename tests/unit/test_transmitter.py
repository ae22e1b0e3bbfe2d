"""The encoder's thread: it goes on whatever the encoder does."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.clock import FakeClock
from pipeline.media import AIR_SAMPLES
from pipeline.wire import Headers, Tag
from streams.encoder import EncoderFailed, EncoderSettings
from streams.flv import AUDIO, VIDEO
from streams.transmitter import BARREN_SLOTS, QUEUE_SLOTS, REBUILDS_MAX, FramePool, Slot, Transmitter, TransmitterFailed

HEADERS = Headers(b"f", b"m", b"v", b"a")


class FakeMux:
    """Gives a tag of video and one of audio a slot, or what the test wants."""

    built = 0
    raises_at: tuple[int, ...] = ()
    gives_nothing = False
    refuses = False

    def __init__(self, settings: EncoderSettings, first_slot: int) -> None:
        type(self).built += 1
        self.headers: Headers | None = None
        self.closed = False

    def open(self) -> None:
        if self.refuses:
            raise EncoderFailed("no")

    def encode(self, frame: np.ndarray, pcm: np.ndarray, slot: int) -> list[Tag]:
        if slot in self.raises_at:
            raise EncoderFailed("broken")
        self.headers = HEADERS
        audio = Tag(AUDIO, slot * 40, False, b"")
        return [audio] if self.gives_nothing else [audio, Tag(VIDEO, slot * 40, False, b"")]

    def flush(self) -> list[Tag]:
        return []

    def close(self) -> None:
        self.closed = True


class Sink:
    def __init__(self) -> None:
        self.headers: list[Headers] = []
        self.tags: list[Tag] = []

    def set_headers(self, headers: Headers) -> None:
        self.headers.append(headers)

    def publish(self, tag: Tag) -> None:
        self.tags.append(tag)


@pytest.fixture
def mux() -> type[FakeMux]:
    class Fresh(FakeMux):
        pass

    return Fresh


def transmitter(mux: type[FakeMux], sink: Sink, beats: list[int] | None = None) -> Transmitter:
    settings = EncoderSettings(16, 8, 300, "veryfast")
    counted = [] if beats is None else beats
    return Transmitter(settings, sink, FramePool(16, 8), FakeClock(), 5, lambda: counted.append(1), make=mux)  # type: ignore[arg-type]


def slot(number: int) -> Slot:
    return Slot(number, np.zeros((12, 16), np.uint8), np.zeros(AIR_SAMPLES, np.int16))


def run_over(one: Transmitter, first: int, last: int) -> None:
    for number in range(first, last):
        one._transmit(slot(number))


def test_tags_go_out_and_progress_is_counted(mux: type[FakeMux]) -> None:
    sink, beats = Sink(), []
    one = transmitter(mux, sink, beats)
    run_over(one, 5, 8)
    assert (one.encoded, one.encoded_sample, len(sink.tags)) == (3, 8 * AIR_SAMPLES, 6)
    assert sink.headers == [HEADERS] and beats


def test_an_encoder_that_raises_is_built_anew_and_nobody_reconnects(mux: type[FakeMux]) -> None:
    mux.raises_at = (7,)
    sink = Sink()
    one = transmitter(mux, sink)
    run_over(one, 5, 12)
    assert (one.rebuilt, mux.built, one.encoded) == (1, 2, 6)
    assert sink.headers == [HEADERS]


def test_an_encoder_that_gives_nothing_is_built_anew_within_half_a_second(mux: type[FakeMux]) -> None:
    mux.gives_nothing = True
    one = transmitter(mux, Sink())
    run_over(one, 0, BARREN_SLOTS - 1)
    assert one.rebuilt == 0
    run_over(one, BARREN_SLOTS - 1, BARREN_SLOTS)
    assert one.rebuilt == 1 and BARREN_SLOTS * 40 <= 400


def test_when_no_encoder_works_the_process_gives_up_and_does_not_beat(mux: type[FakeMux]) -> None:
    mux.refuses = True
    beats: list[int] = []
    one = transmitter(mux, Sink(), beats)
    with pytest.raises(TransmitterFailed):
        run_over(one, 0, REBUILDS_MAX + 1)
    assert not beats


def test_a_full_queue_leaves_the_slot_out_at_once(mux: type[FakeMux]) -> None:
    one = transmitter(mux, Sink())  # not started: nobody takes anything
    assert [one.offer(slot(number)) for number in range(QUEUE_SLOTS + 2)] == [True] * QUEUE_SLOTS + [False] * 2


def test_finish_encodes_what_waits(mux: type[FakeMux]) -> None:
    sink = Sink()
    one = transmitter(mux, sink)
    for number in range(5, 15):
        one.offer(slot(number))
    one.start()
    one.finish(5.0)
    assert one.encoded == 10 and not one.thread.is_alive()


def test_frames_are_used_again() -> None:
    pool = FramePool(16, 8)
    first = pool.take()
    pool.give(first)
    assert pool.take() is first and pool.take() is not first
