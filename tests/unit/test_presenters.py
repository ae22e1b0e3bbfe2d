"""The presenters that ship: their pictures, and the points measured on them."""

import importlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

AVATARS = Path(__file__).parents[2] / "configs" / "avatars"
NAMES = sorted(path.stem for path in AVATARS.glob("*.json"))
MAX_PICTURE_BYTES = 1_800_000


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def points(name: str) -> dict:
    return json.loads((AVATARS / f"{name}.json").read_text())


def inside(polygon: list[list[float]], place: list[float]) -> bool:
    return cv2.pointPolygonTest(np.array(polygon, np.float32), tuple(place), False) > 0


def test_the_host_is_among_them_and_each_has_its_picture() -> None:
    assert "host" in NAMES
    assert sorted(path.stem for path in AVATARS.glob("*.png")) == NAMES


def test_the_points_file_says_what_the_program_draws(name: str, points: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(AVATARS))
    assert json.loads(json.dumps(importlib.import_module(f"draw_{name}").points())) == points


def test_the_picture_has_the_size_the_points_name(points: dict) -> None:
    path = AVATARS / points["picture"]
    height, width = cv2.imread(str(path)).shape[:2]
    assert [width, height] == points["size"]
    assert path.stat().st_size <= MAX_PICTURE_BYTES


def test_mouth_eyes_and_brows_lie_on_the_face_and_the_face_in_the_head(points: dict) -> None:
    places = [*points["mouth"].values(), points["nose"], *points["brows"][0], *points["brows"][1]]
    places += [eye[name] for eye in points["eyes"] for name in ("left", "right", "upper", "lower", "iris")]
    assert all(inside(points["face"], place) for place in places)
    assert len(points["face"]) >= 16
    assert all(inside(points["head"], place) for place in points["face"])


def test_the_mouth_is_closed_and_each_part_is_in_its_order(points: dict) -> None:
    mouth = points["mouth"]
    assert mouth["upper_in"] == mouth["lower_in"]
    assert mouth["upper_out"][1] < mouth["upper_in"][1] < mouth["lower_out"][1] < points["chin"][1]
    assert mouth["left"][0] < mouth["right"][0]
    for eye, brow in zip(points["eyes"], points["brows"], strict=True):
        assert eye["left"][0] < eye["iris"][0] < eye["right"][0]
        assert brow[1][1] < eye["upper"][1] < eye["iris"][1] < eye["lower"][1] < mouth["upper_out"][1]
        assert brow[0][0] < brow[1][0] < brow[2][0]
    assert points["eyes"][0]["iris"][0] < points["eyes"][1]["iris"][0]


def test_the_iris_is_dark_and_the_white_beside_it_light(points: dict) -> None:
    grey = cv2.imread(str(AVATARS / points["picture"]), cv2.IMREAD_GRAYSCALE)
    for eye in points["eyes"]:
        x, y = (round(v) for v in eye["iris"])
        step = round(eye["iris_radius"] * 1.35)
        assert grey[y + 5, x] + 60 < min(grey[y + 5, x - step], grey[y + 5, x + step])
