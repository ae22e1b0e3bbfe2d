"""Pictures and points of any make are read, or refused in words that say what is wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.avatar import load_avatar, need_points, points_path
from pipeline.engine import load_engine
from pipeline.errors import AvatarError
from pipeline.shipped import PRESENTER

SIZE = (448, 768)
WHOLE = (896, 1536)


@pytest.fixture
def points() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(points_path(PRESENTER).read_text())
    return loaded


def picture(folder: Path, mode: str = "RGB", size: tuple[int, int] = WHOLE, name: str = "face.png") -> Path:
    path = folder / name
    Image.new(mode, size).save(path)
    return path


def test_the_shipped_presenter_loads_with_points() -> None:
    avatar = load_avatar(None, SIZE)
    assert avatar.picture.shape == (768, 448, 3)
    assert avatar.picture.dtype == np.uint8
    mouth = need_points(avatar).mouth
    assert 0 < mouth.left[0] < mouth.right[0] < 448
    assert load_avatar(None, SIZE).digest == avatar.digest != load_avatar(None, (256, 384)).digest


def test_points_follow_the_picture_when_it_is_cropped() -> None:
    whole, square = load_avatar(None, WHOLE), load_avatar(None, (448, 448))
    for avatar in (whole, square):
        nose = need_points(avatar).nose
        assert nose[0] == pytest.approx(avatar.size[0] / 2, abs=1)
    top = min(point[1] for point in need_points(square).head)
    assert 0 <= top < 224  # the head stays inside
    one, other = (need_points(avatar).eyes[0].iris for avatar in (whole, square))
    pair = [avatar.picture[round(y), round(x)].astype(int) for avatar, (x, y) in ((whole, one), (square, other))]
    assert np.abs(pair[0] - pair[1]).max() < 60  # the same dark iris in both


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "a.png"), ("CMYK", "a.jpg"), ("RGBA", "a.png"), ("P", "a.png"), ("I;16", "a.png")]
)
def test_pictures_of_any_mode_become_rgb(tmp_path: Path, mode: str, name: str) -> None:
    avatar = load_avatar(picture(tmp_path, mode, name=name), (64, 64))
    assert avatar.picture.shape == (64, 64, 3)
    assert avatar.points is None


def test_transparency_is_laid_over_light_grey(tmp_path: Path) -> None:
    Image.new("RGBA", (100, 100), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (load_avatar(tmp_path / "clear.png", (64, 64)).picture == 224).all()


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    sideways = Image.new("RGB", (200, 100), (255, 255, 255))
    sideways.paste((0, 0, 0), (0, 0, 100, 100))  # left half black
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise: left becomes top
    sideways.save(tmp_path / "turned.jpg", exif=exif)
    shown = load_avatar(tmp_path / "turned.jpg", (100, 200)).picture
    assert shown[:90].mean() < 10 < 240 < shown[110:].mean()


def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (64, 64), (255, 0, 0)), Image.new("RGB", (64, 64), (0, 0, 255))
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[second])
    assert load_avatar(tmp_path / "moving.gif", (64, 64)).picture[..., 0].min() > 250


def test_16_bit_grey_keeps_its_brightness(tmp_path: Path) -> None:
    Image.fromarray(np.full((64, 64), 0x8000, np.uint16)).save(tmp_path / "grey.png")
    assert load_avatar(tmp_path / "grey.png", (64, 64)).picture.mean() == pytest.approx(127, abs=1)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(AvatarError, match=r"broken\.png: not a picture"):
        load_avatar(path, SIZE)


def test_missing_tiny_and_odd_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match="no such picture"):
        load_avatar(tmp_path / "none.png", SIZE)
    with pytest.raises(AvatarError, match="too small"):
        load_avatar(picture(tmp_path, size=(40, 400)), SIZE)
    with pytest.raises(AvatarError, match="even"):
        load_avatar(None, (447, 768))
    with pytest.raises(AvatarError, match=r"truncated|not a picture"):
        whole = PRESENTER.read_bytes()
        (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
        load_avatar(tmp_path / "half.png", SIZE)


def test_an_engine_that_needs_points_says_how_to_get_them(tmp_path: Path) -> None:
    avatar = load_avatar(picture(tmp_path), SIZE)
    with pytest.raises(AvatarError, match=r"face\.json beside the picture; .*avatar bake.*avatar points"):
        load_engine("portrait").format(avatar)
    assert load_engine("pattern").format(avatar).width == 448


def _set(points: dict[str, Any], place: str, value: Any) -> None:
    *way, last = place.split(".")
    at: Any = points
    for key in way:
        at = at[int(key)] if isinstance(at, list) else at[key]
    at[last] = value


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("schema", 2, "schema 2"),
        ("size", [100, 100], "made for a picture of 100x100, but face.png has 896x1536"),
        ("mouth.left", [-5, 700], r"mouth\.left \(-5, 700\) lies outside"),
        ("mouth.left", "here", r"mouth\.left"),
        ("mouth.upper_out", [448, 900], "follow each other downwards"),
        ("mouth.left", [504.0, 711.5], "pixels wide"),
        ("eyes", [], "eyes"),
        ("eyes.0.iris_radius", 0, "iris_radius"),
        ("eyes.0.iris", [800, 547], "left one comes first"),
        ("chin", [448, 700], "nose must lie above"),
        ("brows", [[[1, 1]], [[2, 2]]], "brows: two points"),
        ("head", [], "three points"),
        ("surprise", 1, "surprise"),
    ],
)
def test_wrong_points_are_named(tmp_path: Path, points: dict[str, Any], place: str, value: Any, says: str) -> None:
    path = picture(tmp_path)
    _set(points, place, value)
    points_path(path).write_text(json.dumps(points))
    with pytest.raises(AvatarError, match=says):
        load_avatar(path, SIZE)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe"])
def test_a_points_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = picture(tmp_path)
    points_path(path).write_bytes(content)
    with pytest.raises(AvatarError, match=r"face\.json"):
        load_avatar(path, SIZE)


def test_a_mouth_too_small_on_air_is_refused() -> None:
    with pytest.raises(AvatarError, match="mouth is 9 pixels wide"):
        load_avatar(None, (64, 110))


@pytest.mark.parametrize("drawn", [(336, 576), (224, 384), (416, 736), (448, 704)], ids=str)
def test_a_face_is_in_the_same_place_on_air_whatever_size_draws_it(drawn: tuple[int, int]) -> None:
    """Also where the drawn picture has not quite the shape of the one on air."""
    room = load_avatar(None, SIZE)
    avatar = load_avatar(None, drawn, on_air=SIZE)
    assert avatar.picture.shape == (drawn[1], drawn[0], 3) and avatar.source == room.source
    back = [(x * SIZE[0] / drawn[0], y * SIZE[1] / drawn[1]) for x, y in need_points(avatar).face]
    assert back == [pytest.approx(point) for point in need_points(room).face]
    shown = np.asarray(Image.fromarray(avatar.picture).resize(SIZE, Image.Resampling.LANCZOS)).astype(int)
    moved = np.roll(shown, 3, axis=0)
    apart = [float(np.abs(one - room.picture)[10:-10].mean()) for one in (shown, moved)]
    assert apart[0] < apart[1] / 2, "three pixels would be seen"
