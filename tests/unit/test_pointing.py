"""The page on which a person places points, asked by HTTP: what it begins with, draws, refuses and saves."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from PIL import Image

from broadcaster.pointing import LOOK_SIZE, Pointing
from broadcaster.web.door import Door
from broadcaster.web.points import PointsServer, make_page
from pipeline.avatar import fitted, load_avatar, need_points, points_path, read_points
from pipeline.errors import AvatarError, ConfigError
from pipeline.shipped import PRESENTER
from tests.terminal import typed

SIZE = (448, 768)
TOKEN = "t" * 24


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The presenter, half as large, without its points."""
    with Image.open(PRESENTER) as opened:
        opened.convert("RGB").resize(SIZE).save(tmp_path / "host.png")
    return tmp_path / "host.png"


@pytest.fixture
def mascot(tmp_path: Path) -> Path:
    """Something with no face that a program would find."""
    rows, columns = np.mgrid[0:300, 0:200]
    Image.fromarray(np.stack([rows // 2, columns, 200 - rows // 2], 2).astype(np.uint8)).save(tmp_path / "mascot.png")
    return tmp_path / "mascot.png"


def opened(path: Path, told: list[str], given: Path | None = None) -> Pointing:
    made = Pointing(path, given, told.append)
    made.open()
    return made


@pytest.fixture
def pointing(host: Path, told: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pointing]:
    given = tmp_path_factory.mktemp("elsewhere") / "points.json"
    drawn = fitted(read_points(points_path(PRESENTER), (896, 1536), "host.png"), 0.5, 0, 0, SIZE)
    given.write_bytes(msgspec.json.encode(drawn))
    made = opened(host, told, given)
    yield made
    made.close()


@pytest.fixture
async def client(pointing: Pointing) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_page(pointing))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as made:
        yield made


def body(points: dict[str, Any]) -> bytes:
    return json.dumps(points).encode()


async def test_it_begins_with_the_face_as_known_and_draws_it_at_work(client: httpx.AsyncClient) -> None:
    about = (await client.get("/about")).json()
    assert about["found"] and (about["name"], about["file"], about["avatar"]) == (
        "host.png",
        "host.json",
        "host.avatar",
    )
    with Image.open(io.BytesIO((await client.get("/picture")).content)) as shown:
        assert shown.size == SIZE
    answer = await client.post("/look", content=body(about["points"]))
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.content)) as look:
        assert look.size == (3 * LOOK_SIZE[0], LOOK_SIZE[1])
        rest, wide, shut = np.split(np.asarray(look.convert("L")).astype(int), 3, axis=1)
    mouth, eyes = (slice(130, 185), slice(95, 161)), (slice(84, 124), slice(84, 172))
    assert np.abs(wide[mouth] - rest[mouth]).mean() > 2 and np.abs(shut[eyes] - rest[eyes]).mean() > 2


async def test_what_is_wrong_with_points_is_said_in_words_and_nothing_is_written(
    client: httpx.AsyncClient, host: Path
) -> None:
    points = (await client.get("/about")).json()["points"]
    beyond = {**points, "mouth": {**points["mouth"], "left": [-5, 300]}}
    crossed = {**points, "eyes": points["eyes"][::-1]}
    for wrong, words in (
        (body(beyond), "mouth.left (-5, 300) lies outside the picture (448x768)"),
        (body(crossed), "eyes: the picture's left one comes first"),
        (body({**points, "size": [10, 10]}), "made for a picture of 10x10"),
        (b"no points", "host.json"),
    ):
        for path in ("/look", "/save"):
            answer = await client.post(path, content=wrong)
            assert answer.status_code == 422 and words in answer.json()["error"]
    assert [path.name for path in host.parent.iterdir()] == ["host.png"]


async def test_points_are_saved_beside_the_picture_and_made_into_an_avatar(
    client: httpx.AsyncClient, host: Path, told: list[str]
) -> None:
    points = (await client.get("/about")).json()["points"]
    points["nose"][0] += 3.5
    answer = await client.post("/save", content=body(points))
    assert answer.json() == {"told": told[0]} and str(points_path(host)) in told[0]
    assert read_points(points_path(host), SIZE, host.name).nose == tuple(points["nose"])
    assert not host.with_suffix(".avatar").exists()
    assert (await client.post("/save?bake=true", content=body(points))).status_code == 200
    assert need_points(load_avatar(host.with_suffix(".avatar"), SIZE)).nose == pytest.approx(points["nose"])


def test_a_picture_without_a_face_begins_with_a_typical_one_that_can_be_saved(mascot: Path, told: list[str]) -> None:
    pointing = opened(mascot, told)
    about = pointing.about
    assert not about["found"] and "no face is seen" in about["why"] and "Drag" in about["why"]
    x, y = about["points"]["nose"]
    assert 80 < x < 120 and 100 < y < 200
    pointing.look(body(about["points"]))
    pointing.save(body(about["points"]), baked=True)
    assert need_points(load_avatar(mascot.with_suffix(".avatar"), (200, 300))).nose == pytest.approx((x, y))
    pointing.close()


def test_points_that_are_there_are_gone_on_with_and_spoilt_ones_told_of(host: Path, told: list[str]) -> None:
    first = opened(host, told)
    points = first.about["points"]
    points["nose"][0] += 7
    first.save(body(points), baked=False)
    again = opened(host, told).about
    assert again["points"]["nose"] == points["nose"] and "host.json" in again["why"]
    elsewhere = points_path(host).rename(host.parent / "elsewhere.json")
    assert opened(host, told, elsewhere).about["points"]["nose"] == points["nose"]
    points_path(host).write_text("{")
    spoilt = opened(host, told).about
    assert spoilt["found"] and "Saving replaces it" in spoilt["why"]
    elsewhere.write_text("{")
    with pytest.raises(AvatarError, match="elsewhere"):
        opened(host, told, elsewhere)


def test_what_is_no_single_picture_is_refused(tmp_path: Path, host: Path, told: list[str]) -> None:
    with Image.open(host) as one:
        one.save(tmp_path / "moving.gif", save_all=True, append_images=[one.rotate(3)])
    for name, words in (("moving.gif", "several pictures"), ("a.avatar", "an avatar already"), ("none.png", "no such")):
        with pytest.raises(AvatarError, match=words):
            opened(tmp_path / name, told)


async def test_nobody_without_the_address_gets_in(pointing: Pointing) -> None:
    transport = httpx.ASGITransport(Door(make_page(pointing), "127.0.0.1", TOKEN))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
        assert [(await client.get(path)).status_code for path in ("/", "/about", "/picture")] == [401] * 3
        assert (await client.post("/save", content=b"{}")).status_code == 401
        assert (await client.get(f"/?token={TOKEN}")).status_code == 303
        assert (await client.get("/about")).status_code == 200
        foreign = {"origin": "https://evil.example"}
        assert (await client.post("/save", content=b"{}", headers=foreign)).status_code == 403


async def test_the_page_is_whole_and_has_nothing_inline(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    scripts = {file for file in files if file.endswith(".js")}
    for script in list(scripts):
        scripts |= {f"/static/{name}" for name in re.findall(r'from "\./([^"]+)"', (await client.get(script)).text)}
    scripts |= {
        f"/static/{name}"
        for script in list(scripts)
        for name in re.findall(r'from "\./([^"]+)"', (await client.get(script)).text)
    }
    assert len(files | scripts) == 6
    assert [(await client.get(file)).status_code for file in files | scripts] == [200] * 6
    assert not re.search(r"\s(style|on\w+)=", " ".join(re.findall(r"<[^>]*>", page)))


def test_it_serves_until_it_is_closed_and_a_port_that_is_taken_is_said(host: Path, told: list[str]) -> None:
    first, second = (Pointing(host, None, told.append) for _ in range(2))
    server = PointsServer(first, 0)
    url = server.open()
    port = int(re.findall(r":(\d+)/\?token=[\w-]{20,}$", url)[0])
    with pytest.raises(ConfigError, match=f"--port {port}: "):
        PointsServer(second, port).open()
    thread = threading.Thread(target=server.run)
    thread.start()
    assert httpx.get(url).status_code == 303
    server.close()
    thread.join(10)
    assert not thread.is_alive()


def test_the_command_says_what_is_wrong_before_it_serves(tmp_path: Path) -> None:
    refused = typed("avatar", "points", str(tmp_path / "none.png"))
    assert refused.returncode == 2 and "none.png: no such picture" in refused.stderr and refused.stdout == ""
