"""The control API and its door."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from broadcaster.web.app import make_app
from broadcaster.web.door import Door
from pipeline.errors import RedisDown


class FakeDesk:
    def __init__(self) -> None:
        self.said: list[dict[str, str]] = []
        self.reasons: list[str] = []
        self.down = False

    def status(self) -> dict[str, Any]:
        return {"room": "shop"}

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


def _client(desk: FakeDesk, listen: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Door(make_app(desk), listen))
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


async def test_half_a_character_in_json_is_refused_and_not_a_crash(client: httpx.AsyncClient) -> None:
    body = b'{"text": "half of one: \\ud800"}'
    answer = await client.post("/say", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "UTF-8" in answer.text
