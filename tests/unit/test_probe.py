"""What the probe makes of a stream: real tags of what stands still, goes black, falls silent or loses its label."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from broadcaster import children
from broadcaster.config import parse
from broadcaster.report import describe
from pipeline.arrays import Frame, Pcm
from pipeline.errors import ConfigError
from pipeline.media import AIR_SAMPLES, FPS
from pipeline.shipped import PRESENTER
from pipeline.wire import Headers, Tag
from streams.encoder import GOP_FRAMES, EncoderSettings
from streams.mux import Mux
from streams.notice import notice
from streams.overlay import Overlay
from streams.probe.labelmark import Burnt, LabelFinder
from streams.probe.labelprint import Request, burnt
from streams.probe.probe import NAME, Viewer, programme_cells
from streams.probe.vitals import BLIND_MS, Vitals
from streams.slate import slate

WIDTH, HEIGHT = 224, 384
SIZE = (WIDTH, HEIGHT)
TEXT, CORNER = "AI-generated", "top-left"
SILENCE = np.zeros(AIR_SAMPLES, np.int16)
TONE = (np.sin(2 * np.pi * 440 * np.arange(AIR_SAMPLES) / 48_000) * 8000).astype(np.int16)

Messages = list[Headers | Tag]
Scene = Callable[[int], Frame]


def plain(luma: int, width: int = WIDTH, height: int = HEIGHT) -> Frame:
    frame = np.full((height * 3 // 2, width), 128, np.uint8)
    frame[:height] = luma
    return frame


@functools.cache
def presenter() -> Frame:
    return slate(str(PRESENTER), WIDTH, HEIGHT)


def face(slot: int) -> Frame:
    """A presenter whose mouth alone moves, and not even all the time."""
    frame = presenter().copy()
    frame[180 : 184 + 4 * (slot // 7 % 6), 90:134] = 16
    return frame


def stage(slot: int) -> Frame:
    """A presenter who does nothing at all."""
    return face(0)


@pytest.fixture(scope="module")
def drawn() -> Burnt:
    return burnt(Request(WIDTH, HEIGHT, TEXT, CORNER))


@pytest.fixture(scope="module")
def speaking() -> Messages:
    """Six seconds of a face that speaks."""
    return list(stream(face, 6.0))


def stream(
    scene: Scene, seconds: float, sound: Pcm = TONE, lines: Sequence[str] = (), label: bool = True, kbps: int = 800
) -> Iterator[Headers | Tag]:
    """Tags as playout makes them. label: false leaves it out, which no configuration can."""
    mux, overlay = Mux(EncoderSettings(*SIZE, kbps, "ultrafast"), 0), Overlay(*SIZE, TEXT, CORNER)
    mux.open()
    told = False
    for slot in range(round(seconds * FPS)):
        frame = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
        if label:
            overlay.draw(scene(slot), tuple(lines[slot // FPS % len(lines) :][:1]) if lines else (), frame)
        else:
            np.copyto(frame, scene(slot))
        tags = mux.encode(frame, sound, slot)
        if mux.headers is not None and not told:
            told = True
            yield mux.headers
        yield from tags
    mux.close()


def seen(drawn: Burnt, *parts: Iterator[Headers | Tag]) -> Viewer:
    viewer = Viewer(*SIZE, drawn)
    for part in parts:
        for message in part:
            if isinstance(message, Headers):
                viewer.begin(message)
            else:
                viewer.take(message)
    return viewer


# ── what it says of whole streams ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kbps", [200, 3000])
def test_a_face_that_speaks_is_well(drawn: Burnt, kbps: int) -> None:
    facts = seen(drawn, stream(face, 4.5, kbps=kbps)).facts()
    assert facts["freeze_s"] <= 2.0 and facts["black_s"] == 0 and facts["silence_s"] == 0 and facts["label"] is True
    assert abs(facts["av_offset_ms"]) <= 15 and facts["age_s"] <= 1.5 and facts["undecodable"] == 0


@pytest.mark.parametrize("kbps", [200, 3000])
def test_a_picture_that_stands_still_is_told_however_it_is_encoded(drawn: Burnt, kbps: int) -> None:
    facts = seen(drawn, stream(stage, 7.5, kbps=kbps)).facts()
    assert 4.0 <= facts["freeze_s"] <= 7.0 and facts["black_s"] == 0


def test_what_swings_once_a_group_of_pictures_is_not_still(drawn: Burnt) -> None:
    def swinging(slot: int) -> Frame:
        frame = presenter().copy()
        frame[100:300, 20 + 3 * (slot % GOP_FRAMES) :][:, :8] = 235
        return frame

    assert seen(drawn, stream(swinging, 7.5)).facts()["freeze_s"] <= 2.0


def test_subtitles_that_turn_are_no_sign_of_life(drawn: Burnt) -> None:
    facts = seen(drawn, stream(stage, 7.0, lines=["Hello, you", "二十四小时", "are there?"])).facts()
    assert facts["freeze_s"] >= 5.0


def test_black_is_black_with_label_and_subtitles_on_it(drawn: Burnt) -> None:
    facts = seen(drawn, stream(lambda _: plain(16), 4.5, lines=["Hello", "you"])).facts()
    assert facts["black_s"] >= 3.5 and facts["label"] is True


@pytest.mark.parametrize("picture", ["", str(PRESENTER)])
def test_no_slate_is_black(drawn: Burnt, picture: str) -> None:
    still = slate(picture, *SIZE)
    assert seen(drawn, stream(lambda _: still, 0.8)).facts()["black_s"] == 0


def test_silence_lasts_from_its_first_sample(drawn: Burnt) -> None:
    facts = seen(drawn, stream(face, 3.0, sound=SILENCE)).facts()
    assert 2.5 <= facts["silence_s"] <= 3.0
    quiet = (TONE // 100).astype(np.int16)  # −55 dB of full scale
    assert seen(drawn, stream(face, 1.0, sound=quiet)).facts()["silence_s"] == 0, "a voice far away is a voice"


def test_the_bit_rate_is_that_of_sound_and_picture(drawn: Burnt) -> None:
    random = np.random.default_rng(1)
    noise = [np.concatenate([random.integers(40, 200, SIZE[::-1], np.uint8), plain(128)[HEIGHT:]]) for _ in range(7)]
    tags = list(stream(lambda slot: noise[slot % 7], 6.0, kbps=1000))
    facts = seen(drawn, iter(tags)).facts()
    assert 1000 <= facts["kbps"] <= 1250


def test_sound_that_lags_shows_as_an_offset(drawn: Burnt, speaking: Messages) -> None:
    late = [Tag(t.kind, t.ms - 120, t.key, t.data) if isinstance(t, Tag) and t.kind == 8 else t for t in speaking]
    assert seen(drawn, iter(late)).facts()["av_offset_ms"] == pytest.approx(-120, abs=15)


def test_a_new_stream_begins_with_a_clean_slate(drawn: Burnt, speaking: Messages) -> None:
    viewer = seen(drawn, stream(stage, 3.0))
    assert viewer.facts()["freeze_s"] >= 0.5
    viewer.end()
    assert set(viewer.facts()) == {"frames", "undecodable"}
    for message in speaking[:10]:
        viewer.begin(message) if isinstance(message, Headers) else viewer.take(message)
    assert viewer.facts()["freeze_s"] == 0


def test_nothing_is_decoded_after_the_last_look_at_a_group(drawn: Burnt, speaking: Messages) -> None:
    frames = seen(drawn, iter(speaking)).facts()["frames"]
    assert frames == pytest.approx(3 * 16, abs=16)


def test_what_cannot_be_decoded_is_counted_and_ends_nothing(drawn: Burnt, speaking: Messages) -> None:
    tags = speaking[:]
    random = np.random.default_rng(1)
    for index in range(20, len(tags), 9):
        tag = tags[index]
        assert isinstance(tag, Tag)
        tags[index] = Tag(tag.kind, tag.ms, tag.key, tag.data[:16] + random.bytes(len(tag.data) - 16))
    viewer = seen(drawn, iter(tags))
    assert viewer.facts()["undecodable"] > 0
    for message in speaking:
        viewer.begin(message) if isinstance(message, Headers) else viewer.take(message)
    assert viewer.facts()["label"] is True


def test_headers_that_are_none_are_counted(drawn: Burnt) -> None:
    viewer = Viewer(*SIZE, drawn)
    viewer.begin(Headers(b"", b"", b"\x09", b"\x08"))
    viewer.take(Tag(9, 0, True, b"\x09" + bytes(30)))
    assert viewer.facts()["frames"] == 0


# ── the label ────────────────────────────────────────────────────────────────────────────────────


def scenes() -> dict[str, Scene]:
    random = np.random.default_rng(2)
    noise = plain(128)
    noise[:HEIGHT] = random.integers(16, 235, (HEIGHT, WIDTH), np.uint8)
    stripes = plain(16)
    stripes[:HEIGHT, ::8] = stripes[:HEIGHT, 1::8] = stripes[:HEIGHT, 2::8] = 235
    still = presenter()
    told = notice(still, "We are back in a minute")
    return {
        "black": lambda _: plain(16),
        "white": lambda _: plain(235),
        "noise": lambda _: noise,
        "stripes": lambda _: stripes,
        "face": face,
        "slate": lambda _: still,
        "panic": lambda _: told,
    }


@pytest.mark.parametrize("name", scenes())
def test_the_label_is_found_on_whatever_is_shown(drawn: Burnt, name: str) -> None:
    assert seen(drawn, stream(scenes()[name], 0.8, kbps=200)).facts()["label"] is True


@pytest.mark.parametrize("name", scenes())
def test_a_label_that_is_missing_is_missed(drawn: Burnt, name: str) -> None:
    assert seen(drawn, stream(scenes()[name], 0.8, label=False)).facts()["label"] is False


@pytest.mark.parametrize(
    ("size", "corner", "text"),
    [
        ((448, 768), "top-left", "AI-generated"),
        ((448, 768), "bottom-left", "人工智能生成"),
        ((1080, 1920), "top-right", "人工智能生成"),
        ((1280, 720), "bottom-right", "AI-generated"),
        ((128, 128), "top-right", "AI-generated"),
    ],
)
def test_another_label_or_another_place_is_not_the_label(size: tuple[int, int], corner: str, text: str) -> None:
    found = burnt(Request(*size, text, corner))
    finder, mark = LabelFinder(found.label), found.label

    def shown(text: str, corner: str, luma: int) -> bytes:
        out = plain(luma, *size)
        Overlay(*size, text, corner).draw(plain(luma, *size), (), out)
        return b"".join(out[row, mark.x : mark.x + mark.width].tobytes() for row in mark.rows)

    assert all(finder.is_in(shown(text, corner, luma)) for luma in (16, 128, 235))
    assert not finder.is_in(shown("Advertising", corner, 128))
    across = {"top-left": "bottom-right", "bottom-right": "top-left"}.get(corner, "top-left")
    if min(size) > 200:  # else labels of two corners lie on one another
        assert not finder.is_in(shown(text, across, 128))


@pytest.mark.parametrize("corner", ["top-left", "bottom-right"])
def test_what_is_burnt_in_is_not_judged(corner: str) -> None:
    found = burnt(Request(448, 768, TEXT, corner))
    columns, rows = 56, 96
    judged = np.frombuffer(programme_cells(columns, rows, 448, 768, found), np.uint8).reshape(rows, columns)
    frames = [plain(16, 448, 768) for _ in range(2)]
    Overlay(448, 768, TEXT, corner).draw(plain(16, 448, 768), ("Wide as can be Ág", "and two lines of it"), frames[1])
    changed = (frames[0] != frames[1])[:768].reshape(rows, 8, columns, 8).any(axis=(1, 3))
    assert changed.any() and not (judged.astype(bool) & changed).any()
    assert judged.mean() > 0.75


# ── figures alone ────────────────────────────────────────────────────────────────────────────────


def test_a_picture_that_drifts_slowly_is_not_still() -> None:
    vitals = Vitals(bytes([1]) * 100)
    for second in range(30):
        vitals.come(second * 1000, 1000, sound=False)
        vitals.see(second * 1000, bytes([50 + second]) * 100)
    assert vitals.facts()["freeze_s"] < 7


def test_what_was_not_seen_is_not_judged() -> None:
    vitals = Vitals(bytes([1]) * 100)
    for ms in (0, 1000, 2000, 2000 + BLIND_MS + 1):
        vitals.come(ms, 1000, sound=False)
        vitals.see(ms, bytes([16]) * 100)
    facts = vitals.facts()
    assert facts["freeze_s"] == facts["black_s"] == 0


def test_nothing_is_told_of_what_never_came() -> None:
    assert Vitals(b"\x01").facts() == {}


# ── its place in a room ──────────────────────────────────────────────────────────────────────────


def test_a_room_has_a_probe_unless_it_is_told_not_to(tmp_path: object) -> None:
    plans = {p.name: p for p in children.plan(parse({"room": "shop"}, "c.yaml"), children.Path("/tmp"))}
    assert plans["probe"].kind == "probe" and NAME == children.PROBE and NAME in plans["playout"].spec["uncounted"]
    without = {p.name: p for p in children.plan(parse({"room": "a", "probe": False}, "c.yaml"), children.Path("/tmp"))}
    assert "probe" not in without and NAME not in without["playout"].spec["uncounted"]


def test_no_output_may_bear_its_name() -> None:
    with pytest.raises(ConfigError, match="own eye"):
        parse({"room": "shop", "outputs": [{"name": "probe", "url": "file:a/b.mp4"}]}, "c.yaml")


def test_the_status_says_what_is_seen() -> None:
    facts = {"kbps": 3050.0, "freeze_s": 12.0, "black_s": 0.0, "silence_s": 0.4, "av_offset_ms": -2.0, "label": False}
    child = {"kind": "probe", "phase": "live", "pid": 7, "starts": 1, "facts": {"frames": 9, **facts}}
    text = describe({"room": "shop", "ready": True, "children": {"probe": child}})
    assert "seen: 3050 kbit/s, picture still for 12 s, sound and picture 2 ms apart, NO LABEL" in text
