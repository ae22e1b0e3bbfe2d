"""Points placed by hand in a real Chromium: with a mouse, with keys, and on a telephone."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from broadcaster.pointing import Pointing
from broadcaster.web.points import PointsServer
from pipeline.avatar import points_path, read_points
from tests.browser import chromium
from tests.station import until

SIZE = (200, 300)
WAIT_S = 10


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture
def mascot(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    Image.fromarray(np.stack([rows // 2, columns, 200 - rows // 2], 2).astype(np.uint8)).save(tmp_path / "mascot.png")
    return tmp_path / "mascot.png"


@pytest.fixture
def url(mascot: Path) -> Iterator[str]:
    pointing = Pointing(mascot, None, lambda _: None)
    server = PointsServer(pointing, 0)
    address = server.open()
    thread = threading.Thread(target=server.run)
    thread.start()
    yield address
    server.close()
    thread.join(WAIT_S)
    pointing.close()


@pytest.fixture
def errors() -> Iterator[list[str]]:
    found: list[str] = []
    yield found
    assert found == []


def opened(browser: Browser, url: str, errors: list[str], **context: Any) -> Page:
    page = browser.new_context(**context).new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    page.wait_for_selector(".handle", state="attached")
    until(lambda: is_drawn(page), WAIT_S, "the face at work")
    return page


def is_drawn(page: Page) -> bool:
    return bool(page.evaluate("look.getContext('2d').getImageData(384, 128, 1, 1).data[3]"))


def handle(page: Page, name: str) -> Any:
    return page.locator(f'.handle[data-id="{name}"]')


def place(page: Page, name: str) -> tuple[float, float]:
    """In pixels of the picture."""
    moved = handle(page, name).get_attribute("transform")
    x, y = moved.partition("(")[2].partition(")")[0].split()
    return float(x), float(y)


def drag(page: Page, name: str, right: float, down: float) -> None:
    """By so many pixels of the screen."""
    box = handle(page, name).locator(".dot").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right / 2, y + down / 2)
    page.mouse.move(x + right, y + down)
    page.mouse.up()


def test_a_face_is_dragged_onto_a_mascot_mended_by_keys_and_saved(
    browser: Browser, url: str, mascot: Path, errors: list[str]
) -> None:
    page = opened(browser, url, errors, viewport={"width": 1200, "height": 800})
    assert "no face is seen" in page.inner_text("#why")
    eye, other, chin = (place(page, name) for name in ("eyes[0].iris", "eyes[1].iris", "chin"))

    drag(page, "eyes[0].iris", -60, 0)  # the whole face is sized about the other eye
    wider = (other[0] - place(page, "eyes[0].iris")[0]) / (other[0] - eye[0])
    assert wider > 1.1 and place(page, "eyes[1].iris") == other
    assert place(page, "chin")[1] - other[1] == pytest.approx(wider * (chin[1] - other[1]), abs=0.3)

    page.check("input[value=point]", force=True)
    corner = place(page, "mouth.left")
    handle(page, "mouth.left").focus()
    for key in ("ArrowRight", "Shift+ArrowUp", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    assert place(page, "mouth.left") == pytest.approx((corner[0] - 1, corner[1] - 10), abs=0.11)
    until(lambda: page.inner_text("#said").startswith("mouth, left corner: "), WAIT_S, "it is said to who cannot see")
    page.keyboard.press("Control+z")
    assert place(page, "mouth.left") == pytest.approx((corner[0], corner[1] - 10), abs=0.11)

    page.click("#whole")
    top = [place(page, f"head[{index}]") for index in (0, 4, 16)]
    drag(page, "head[0]", 0, -20)
    now = [place(page, f"head[{index}]") for index in (0, 4, 16)]
    assert now[0][1] < top[0][1] - 1 and now[1:] == top[1:]

    page.click("#save")
    until(lambda: "mascot.json is saved" in page.inner_text("#told"), WAIT_S, "saved")
    assert page.is_hidden("#state")
    kept = read_points(points_path(mascot), SIZE, mascot.name)
    assert kept.mouth.left == pytest.approx(place(page, "mouth.left"), abs=0.06)
    middle, half = kept.head[8][1], kept.head[16][1] - kept.head[8][1]
    assert kept.head[1][1] < middle - half * math.cos(math.tau / 32) - 1  # between two handles: it came along
    page.context.close()


@pytest.mark.long
def test_on_a_telephone_a_finger_moves_a_point_and_a_wrong_one_is_said_and_not_saved(
    browser: Browser, url: str, mascot: Path, errors: list[str]
) -> None:
    telephone = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    page = opened(browser, url, errors, **telephone)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.check("input[value=point]", force=True)
    box = handle(page, "chin").locator(".dot").bounding_box()
    spot = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    before = place(page, "chin")
    fingers = page.context.new_cdp_session(page)
    for kind, up in (("touchStart", 0), ("touchMove", 60), ("touchMove", 120)):
        finger = {"x": spot["x"], "y": spot["y"] - up}
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [finger]})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert place(page, "chin")[1] < before[1] - 10
    until(lambda: "the mouth above the chin" in page.inner_text("#trouble"), WAIT_S, "it is said")
    page.click("#save")
    until(lambda: page.is_enabled("#save"), WAIT_S, "an answer")
    assert page.is_visible("#state") and not points_path(mascot).exists()
    page.click("#undo")
    until(lambda: page.is_hidden("#trouble"), WAIT_S, "it is right again")
    page.context.close()
