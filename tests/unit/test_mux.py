"""Encoder and muxer: what comes out, decoded again."""

from __future__ import annotations

import io
from itertools import pairwise

import av
import numpy as np
import pytest

from pipeline.arrays import Frame
from pipeline.media import AIR_SAMPLES
from pipeline.wire import Headers, Tag
from streams import flv
from streams.encoder import EncoderFailed, EncoderSettings
from streams.mux import STAMP_WRAP, Mux, TagCutter, unrolled
from streams.overlay import Overlay

W, H = 256, 448
SETTINGS = EncoderSettings(W, H, 800, "veryfast")
SILENT = np.zeros(AIR_SAMPLES, np.int16)


def picture(y: int = 100) -> Frame:
    frame = np.full((H * 3 // 2, W), 128, np.uint8)
    frame[:H] = y
    return frame


def made(
    slots: list[int], settings: EncoderSettings = SETTINGS, sound: np.ndarray = SILENT
) -> tuple[Headers, list[Tag]]:
    mux = Mux(settings, slots[0])
    mux.open()
    noise = np.random.default_rng(0)
    tags = []
    for slot in slots:
        frame = picture()
        frame[: H // 2] = noise.integers(16, 235, (H // 2, W), np.uint8)
        tags += mux.encode(frame, sound, slot)
    tags += mux.flush()
    headers = mux.headers
    mux.close()
    assert headers is not None
    return headers, tags


def file_of(headers: Headers, tags: list[Tag]) -> io.BytesIO:
    parts = [headers.flv, headers.metadata, headers.video, headers.audio, *[tag.data for tag in tags]]
    return io.BytesIO(b"".join(parts))


@pytest.fixture(scope="module")
def show() -> tuple[Headers, list[Tag]]:
    return made(list(range(1, 161)), sound=np.full(AIR_SAMPLES, 1000, np.int16))


def of_kind(tags: list[Tag], kind: int) -> list[Tag]:
    return [tag for tag in tags if tag.kind == kind]


def test_each_slot_has_its_picture_at_its_time(show: tuple[Headers, list[Tag]]) -> None:
    assert [tag.ms for tag in of_kind(show[1], flv.VIDEO)] == [slot * 40 for slot in range(1, 161)]


def test_time_never_goes_back_and_sound_has_no_hole(show: tuple[Headers, list[Tag]]) -> None:
    assert all(one.ms <= two.ms for one, two in pairwise(show[1]))
    steps = {two.ms - one.ms for one, two in pairwise(of_kind(show[1], flv.AUDIO))}
    assert steps <= {21, 22}
    audio = of_kind(show[1], flv.AUDIO)
    assert audio[-1].ms - audio[0].ms == pytest.approx((len(audio) - 1) * 1024 / 48, abs=1)


def test_groups_are_closed_and_two_seconds_long(show: tuple[Headers, list[Tag]]) -> None:
    keys = [tag.ms for tag in show[1] if tag.key]
    assert keys == [40, 2040, 4040, 6040]
    assert all(flv.composition_ms(tag.data) == 0 for tag in of_kind(show[1], flv.VIDEO))  # no B-pictures
    headers, tags = show
    second = [tag for tag in tags if tag.ms >= 2040]
    with av.open(file_of(headers, second)) as container:  # a group stands by itself
        assert sum(1 for _ in container.decode(video=0)) == 110


def test_the_bit_rate_is_constant(show: tuple[Headers, list[Tag]]) -> None:
    video = of_kind(show[1], flv.VIDEO)
    for start in (2040, 4040):
        bits = 8 * sum(len(tag.data) for tag in video if start <= tag.ms < start + 2000)
        assert bits / 2 == pytest.approx(800_000, rel=0.1)


def test_the_streams_say_what_they_are(show: tuple[Headers, list[Tag]]) -> None:
    headers, tags = show
    with av.open(file_of(headers, tags)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.pix_fmt, float(video.average_rate or 0)) == (W, H, "yuv420p", 25.0)
        assert video.codec_context.profile == "High" and audio.codec_context.profile == "LC"
        assert (audio.rate, audio.layout.name) == (48_000, "stereo")
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (1, 1)
    for key in (b"width", b"height", b"framerate", b"videodatarate", b"audiosamplerate", b"stereo", b"AIGC"):
        assert key in headers.metadata
    assert b"duration" not in headers.metadata


def test_equal_settings_give_equal_headers_wherever_they_begin(show: tuple[Headers, list[Tag]]) -> None:
    assert made(list(range(900, 905)))[0] == show[0]
    assert made(list(range(1, 5)), EncoderSettings(W, H, 900, "veryfast"))[0] != show[0]


def test_slots_left_out_are_left_out_of_picture_and_sound_alike() -> None:
    beep = (np.sin(np.arange(AIR_SAMPLES) * 0.2) * 9000).astype(np.int16)
    mux = Mux(SETTINGS, 1)
    mux.open()
    tags = []
    for slot in [*range(1, 31), *range(100, 131)]:
        lit = slot in (10, 110)
        tags += mux.encode(picture(220 if lit else 60), beep if lit else SILENT, slot)
    headers = mux.headers
    assert headers is not None
    video = [tag.ms // 40 for tag in of_kind(tags, flv.VIDEO)]
    assert video == sorted([*range(1, 31), *range(100, 131)])[: len(video)]
    flashes, beeps = [], []
    with av.open(file_of(headers, tags)) as container:
        for frame in container.decode(video=0, audio=0):
            at = float(frame.pts * frame.time_base)
            if isinstance(frame, av.VideoFrame):
                if np.frombuffer(frame.planes[0], np.uint8).mean() > 150:
                    flashes.append(at)
            elif (loud := np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.1)).size:
                beeps.append(at + int(loud[0]) / 48_000)
    onsets = [one for index, one in enumerate(beeps) if not index or one - beeps[index - 1] > 0.5]
    assert flashes == pytest.approx([0.4, 4.4])
    assert onsets == pytest.approx(flashes, abs=0.04)


def test_time_goes_on_where_31_bits_end() -> None:
    first = STAMP_WRAP // 40 - 10
    _, tags = made(list(range(first, first + 30)))
    assert [tag.ms for tag in of_kind(tags, flv.VIDEO)] == [slot * 40 for slot in range(first, first + 30)]
    audio = of_kind(tags, flv.AUDIO)
    assert {two.ms - one.ms for one, two in pairwise(audio)} <= {21, 22}


@pytest.mark.parametrize("ms", [0, 1, 2**24 - 1, 2**24, 2**31 - 1, 2**31, 2**31 + 5, 5 * 2**31 + 7, 10**12])
@pytest.mark.parametrize("near", [-5000, -21, 0, 40, 5000])
def test_stamps_are_unrolled_to_64_bits(ms: int, near: int) -> None:
    assert unrolled(ms % STAMP_WRAP, ms + near) == ms


def test_tags_are_cut_out_of_any_pieces(show: tuple[Headers, list[Tag]]) -> None:
    data = file_of(show[0], show[1][:20]).getvalue()
    cutter = TagCutter(0)
    tags: list[Tag] = []
    for at in range(0, len(data), 7):
        cutter.write(data[at : at + 7])
        tags += cutter.tags()
    assert tags == show[1][:20] and cutter.headers == show[0]


def test_a_codec_that_refuses_is_one_of_our_errors() -> None:
    with pytest.raises(EncoderFailed):
        mux = Mux(EncoderSettings(W, H, 800, "no-such-preset"), 1)
        mux.open()
        mux.encode(picture(), SILENT, 1)
    mux = Mux(SETTINGS, 1)
    mux.open()
    with pytest.raises(EncoderFailed):
        mux.encode(np.zeros((7, 5), np.uint8), SILENT, 1)


@pytest.mark.parametrize("y", [16, 60, 128, 235])
def test_the_label_is_found_in_every_decoded_picture(y: int) -> None:
    overlay = Overlay(W, H, "AI-generated", "top-left")
    mux = Mux(SETTINGS, 1)
    mux.open()
    tags = []
    for slot in range(1, 30):
        out = np.empty_like(picture())
        background = picture(y)
        background[:H] += np.random.default_rng(slot).integers(0, 12, (H, W), np.uint8)
        overlay.draw(background, (), out)
        tags += mux.encode(out, SILENT, slot)
    tags += mux.flush()
    assert mux.headers is not None
    template = np.empty_like(picture())
    overlay.draw(picture(y), (), template)
    area = (slice(0, 44), slice(0, 160))
    with av.open(file_of(mux.headers, tags)) as container:
        found = [
            float(
                np.corrcoef(
                    np.frombuffer(frame.planes[0], np.uint8).reshape(H, -1)[area].ravel(), template[area].ravel()
                )[0, 1]
            )
            for frame in container.decode(video=0)
        ]
    assert len(found) == 29 and min(found) > 0.9
