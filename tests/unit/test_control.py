"""The control API and its door."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from broadcaster.children import plan
from broadcaster.config import parse
from broadcaster.web.app import make_app
from broadcaster.web.door import Door
from broadcaster.web.server import Address
from pipeline.clock import FakeClock
from pipeline.errors import RedisDown


class FakeDesk:
    def __init__(self) -> None:
        self.said: list[dict[str, str]] = []
        self.reasons: list[str] = []
        self.down = False

    def status(self) -> dict[str, Any]:
        return {"room": "shop"}

    def overview(self) -> dict[str, Any]:
        return {"room": "shop", "now": None}

    def unready(self) -> list[str]:
        return self.reasons

    async def say(self, fields: Mapping[str, str]) -> str:
        if self.down:
            raise RedisDown("refused")
        self.said.append(dict(fields))
        return "1-0"


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
async def client(desk: FakeDesk) -> AsyncIterator[httpx.AsyncClient]:
    async with _client(desk, "127.0.0.1") as made:
        yield made


def _client(desk: FakeDesk, listen: str, token: str = "") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Door(make_app(desk, Path("/nowhere"), FakeClock()), listen, token))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8787")


async def test_health_needs_nobody_and_readiness_gives_its_reasons(desk: FakeDesk, client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/readyz")).json() == {"ready": True, "reasons": []}
    desk.reasons = ["redis: down"]
    answer = await client.get("/readyz")
    assert answer.status_code == 503 and answer.json()["reasons"] == ["redis: down"]
    assert (await client.get("/status")).json() == {"room": "shop"}


async def test_words_are_pushed_as_anyone_would(desk: FakeDesk, client: httpx.AsyncClient) -> None:
    answer = await client.post("/say", json={"text": "hi", "mode": "now", "ttl_s": 5, "id": "a"})
    assert answer.status_code == 202 and answer.json() == {"id": "a"}
    assert desk.said == [{"text": "hi", "mode": "now", "ttl_s": "5.0", "id": "a"}]
    answer = await client.post("/say", json={"text": "hi"})
    assert answer.json()["id"] == desk.said[1]["id"]


async def test_words_are_refused_clearly_while_redis_is_away(desk: FakeDesk, client: httpx.AsyncClient) -> None:
    desk.down = True
    answer = await client.post("/say", json={"text": "hi"})
    assert answer.status_code == 503 and "message queue" in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b'{"text": ""}', "text"),
        (b'{"text": "  "}', "text"),
        (b"{}", "text"),
        (b'{"text": "a", "lane": "vip"}', "lane"),
        (b'{"text": "a", "ttl_s": -1}', "ttl_s"),
        (b'{"text": "a", "id": "script:1:1"}', "id"),
        (b'{"text": "a", "colour": "red"}', "colour"),
        (b"not json", "JSON"),
        (b'{"text": "' + b"x" * 20_001 + b'"}', "text"),
    ],
)
async def test_bad_words_are_refused_with_the_field(client: httpx.AsyncClient, body: bytes, word: str) -> None:
    answer = await client.post("/say", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422 and word in answer.json()["error"]


async def test_a_long_body_is_refused_whether_or_not_it_says_so(desk: FakeDesk, client: httpx.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65_536

    assert (await client.post("/say", content=b"x" * 300_000)).status_code == 413
    assert (await client.post("/say", content=parts())).status_code == 413
    assert desk.said == []


@pytest.mark.parametrize(
    ("listen", "headers", "status"),
    [
        ("127.0.0.1", {"host": "localhost:8787"}, 200),
        ("127.0.0.1", {"host": "[::1]:8787"}, 200),
        ("127.0.0.1", {"host": "evil.example:8787"}, 403),
        ("127.0.0.1", {"host": "192.168.1.7:8787"}, 403),
        ("127.0.0.1", {"host": ""}, 403),
        ("studio.lan", {"host": "studio.lan:8787"}, 200),
        ("0.0.0.0", {"host": "192.168.1.7:8787"}, 200),
        ("0.0.0.0", {"host": "evil.example"}, 403),
        ("127.0.0.1", {"origin": "http://127.0.0.1:8787"}, 200),
        ("127.0.0.1", {"origin": "http://127.0.0.1:9999"}, 403),
        ("127.0.0.1", {"origin": "https://evil.example"}, 403),
        ("127.0.0.1", {"origin": "null"}, 403),
    ],
)
async def test_only_this_machine_may_ask(desk: FakeDesk, listen: str, headers: dict[str, str], status: int) -> None:
    async with _client(desk, listen) as client:
        assert (await client.get("/healthz", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        ("same-origin", "cors", 200),
        ("none", "navigate", 200),
        ("cross-site", "navigate", 200),
        ("cross-site", "no-cors", 403),
        ("same-site", "no-cors", 403),
    ],
)
async def test_a_page_elsewhere_may_link_here_but_embed_nothing(
    client: httpx.AsyncClient, site: str, mode: str, status: int
) -> None:
    answer = await client.get("/healthz", headers={"sec-fetch-site": site, "sec-fetch-mode": mode})
    assert answer.status_code == status


async def test_half_a_character_in_json_is_refused_and_not_a_crash(client: httpx.AsyncClient) -> None:
    body = b'{"text": "half of one: \\ud800"}'
    answer = await client.post("/say", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "UTF-8" in answer.text


TOKEN = "0123456789abcdef"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/healthz", {}, 200),
        ("/", {}, 401),
        ("/events", {}, 401),
        ("/live.flv", {}, 401),
        ("/static/page.js", {}, 401),
        ("/status", {}, 401),
        ("/status", {"authorization": f"Bearer {TOKEN}"}, 200),
        ("/status", {"authorization": f"bearer  {TOKEN}"}, 200),
        ("/status", {"authorization": f"Bearer {TOKEN}0"}, 401),
        ("/status", {"authorization": TOKEN}, 401),
        ("/status", {"authorization": "Bearer é"}, 401),
        ("/status", {"cookie": f"broadcaster={TOKEN}; a=\x00[;"}, 401),
        ("/status?token=" + TOKEN, {}, 401),
        ("/?token=wrong", {}, 401),
    ],
)
async def test_with_a_token_nothing_but_healthz_is_free(
    desk: FakeDesk, path: str, headers: dict[str, str], status: int
) -> None:
    async with _client(desk, "127.0.0.1", TOKEN) as client:
        answer = await client.get(path, headers={name: value.encode() for name, value in headers.items()})
    assert answer.status_code == status and TOKEN not in answer.text
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_the_token_in_the_address_becomes_a_cookie_that_no_script_reads(desk: FakeDesk) -> None:
    async with _client(desk, "127.0.0.1", TOKEN) as client:
        answer = await client.get("/?token=" + TOKEN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
        odd = "theirs=[odd; " + cookie.partition(";")[0]
        assert (await client.get("/", headers={"cookie": odd})).status_code == 200
    async with _client(desk, "127.0.0.1", TOKEN + "x") as other:
        assert (await other.get("/", headers={"cookie": odd})).status_code == 401


async def test_a_token_does_not_let_a_foreign_name_or_page_in(desk: FakeDesk) -> None:
    known = {"authorization": f"Bearer {TOKEN}"}
    async with _client(desk, "127.0.0.1", TOKEN) as client:
        for foreign in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
            assert (await client.get("/status", headers=known | foreign)).status_code == 403


async def test_the_page_is_whole_and_may_run_no_script_but_its_own(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(files) == 5
    for file in files:
        answer = await client.get(file)
        assert answer.status_code == 200 and answer.headers["x-content-type-options"] == "nosniff"
    tags = " ".join(re.findall(r"<[^>]*>", page.text))
    assert not re.search(r"\s(style|on\w+)=", tags), "nothing inline"
    assert (await client.get("/static/../door.py")).status_code == 404


def test_the_token_reaches_the_director_and_nobody_else() -> None:
    plans = plan(parse({"room": "shop", "control": {"token": TOKEN}}, "shop.yaml"), Path("/run/shop"))
    assert [made.name for made in plans if TOKEN in repr(made)] == ["director"]
    assert TOKEN not in repr(Address("127.0.0.1", 1, TOKEN))
