"""A crop to the face: where it lies, the same for every tier, and never beyond the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from broadcaster.children import plan
from broadcaster.config import parse
from pipeline.avatar import Points, load_avatar, need_points, points_path, read_points
from pipeline.crop import Box, face_between, face_of, shown
from pipeline.errors import AvatarError
from pipeline.facefinder import find_irises
from pipeline.shipped import PRESENTER
from tests.terminal import typed

WHOLE = (896, 1536)


@pytest.fixture(scope="module")
def points() -> Points:
    return read_points(points_path(PRESENTER), WHOLE, "host.png")


def part(size: tuple[int, int], face: Box, points: Points | None = None) -> Box:
    return shown(WHOLE, size, points, face).part(size)


@pytest.mark.parametrize("size", [(512, 512), (448, 768), (768, 448)])
def test_the_face_takes_half_of_the_height_or_of_the_width_and_its_hair_has_room(size: tuple[int, int]) -> None:
    face, hair_px = (1800.0, 1200.0, 2118.0, 1681.0), 125
    x0, y0, x1, y1 = shown((4000, 3000), size, None, face).part(size)
    assert (x1 - x0) / (y1 - y0) == pytest.approx(size[0] / size[1])
    assert max((face[2] - face[0]) / (x1 - x0), (face[3] - face[1]) / (y1 - y0)) == pytest.approx(0.5)
    assert (x0 + x1) / 2 == pytest.approx((face[0] + face[2]) / 2)
    assert y0 < face[1] - hair_px and face[3] < y1 - hair_px


def test_all_tiers_of_a_room_show_the_same_part(points: Points) -> None:
    face = face_of(points)
    for size in ((336, 576), (224, 384)):
        assert part(size, face) == pytest.approx(part((448, 768), face))
    one, other = (need_points(load_avatar(None, size, "face")).nose for size in ((448, 768), (224, 384)))
    assert one == pytest.approx((2 * other[0], 2 * other[1]))


@pytest.mark.parametrize(
    "face", [(0, 0, 700, 1000), (-50, -80, 200, 260), (700, 1300, 1000, 1700), (448, 700, 448, 700)]
)
def test_nothing_is_made_up_beyond_the_edges_of_the_picture(face: Box) -> None:
    for size in ((512, 512), (448, 768), (768, 448)):
        x0, y0, x1, y1 = part(size, face)
        assert x0 >= -1e-6 and y0 >= -1e-6 and x1 <= WHOLE[0] + 1e-6 and y1 <= WHOLE[1] + 1e-6
        assert (x1 - x0) / (y1 - y0) == pytest.approx(size[0] / size[1])


def test_a_face_that_was_only_found_is_cropped_to_as_one_with_points(points: Points, tmp_path: Path) -> None:
    with Image.open(PRESENTER) as opened:
        irises = find_irises(np.asarray(opened.convert("RGB")), "host.png")
        opened.save(tmp_path / "bare.png")
    found, known = (part((512, 512), face) for face in (face_between(irises.left, irises.right), face_of(points)))
    assert np.abs(np.subtract(found, known)).max() < 0.1 * (known[2] - known[0])
    bare = load_avatar(tmp_path / "bare.png", (512, 512), "face")
    whole = load_avatar(tmp_path / "bare.png", (512, 512))
    assert bare.points is None and bare.picture.shape == whole.picture.shape
    assert np.abs(bare.picture.astype(int) - whole.picture).mean() > 5


def test_a_crop_does_not_show_the_hold_loop_of_the_whole_picture() -> None:
    whole, cropped = load_avatar(None, (128, 224)), load_avatar(None, (128, 224), "face")
    assert whole.source != cropped.source and whole.digest != cropped.digest


def test_a_room_whose_picture_has_no_face_to_crop_to_is_told_so_before_it_goes_on_air(tmp_path: Path) -> None:
    Image.new("RGB", (300, 400), (90, 120, 90)).save(tmp_path / "wall.png")
    with pytest.raises(AvatarError, match=r"wall\.png: no face .*avatar points"):
        load_avatar(tmp_path / "wall.png", (128, 224), "face")
    room = tmp_path / "shop.yaml"
    room.write_text(
        f"room: shop\nstate_dir: {tmp_path}/var\n"
        f"avatar: {{image: {tmp_path}/wall.png, crop: face, engine: pattern, size: [128, 224]}}\n"
    )
    checked = typed("config", "check", str(room))
    assert checked.returncode == 2 and "avatar.image: " in checked.stderr and "no face" in checked.stderr


def test_every_tier_is_told_the_crop() -> None:
    room = parse({"room": "shop", "avatar": {"crop": "face", "tiers": [{"size": [224, 384]}]}}, "shop.yaml")
    engine = next(made for made in plan(room, Path("/run/shop")) if made.kind == "engine")
    assert [tier.spec["crop"] for tier in (engine, *engine.below)] == ["face", "face"]
