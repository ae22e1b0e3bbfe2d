"""Answers without end: the live picture by proxy, and the news."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from broadcaster.web import app as web_app
from broadcaster.web import stream
from broadcaster.web.app import make_app
from broadcaster.web.door import Door
from broadcaster.web.picture import SOCKET_NAME
from pipeline.clock import RealClock

FOUND = b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\n\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Desk:
    def __init__(self) -> None:
        self.view: dict[str, Any] = {"room": "shop", "on_air_s": 1.0, "now": None}
        self.looks = 0

    def status(self) -> dict[str, Any]:
        return {}

    def overview(self) -> dict[str, Any]:
        self.looks += 1
        return dict(self.view)

    def unready(self) -> list[str]:
        return []

    async def say(self, fields: Any) -> str:
        return ""


class Browser:
    """One request to an ASGI application; `reading` may be cleared, `leave` closes it."""

    def __init__(self, application: Any, path: str) -> None:
        self.status = 0
        self.body = b""
        self.reading = asyncio.Event()
        self.reading.set()
        self._came = asyncio.Event()
        self._left = asyncio.Event()
        self._asked = False
        headers = [(b"host", b"127.0.0.1")]
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http",
            "query_string": b"", "headers": headers, "server": ("127.0.0.1", 80), "http_version": "1.1",
        }  # fmt: skip
        self.task = asyncio.ensure_future(application(scope, self._receive, self._send))

    async def until(self, condition: Callable[[Browser], object]) -> None:
        async with asyncio.timeout(5):
            while not condition(self):
                self._came.clear()
                await self._came.wait()

    async def leave(self) -> None:
        self._left.set()
        async with asyncio.timeout(5):
            await self.task

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.reading.wait()
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")
        self._came.set()

    def news(self) -> list[dict[str, Any]]:
        lines = self.body.decode().splitlines()
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@asynccontextmanager
async def pusher(directory: Path, serve: Serve) -> AsyncIterator[None]:
    """A preview pusher that answers each viewer with `serve`."""
    server = await asyncio.start_unix_server(serve, directory / SOCKET_NAME)
    try:
        yield
    finally:
        server.close()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def page(desk: Desk, short_dir: Path) -> Door:
    return Door(make_app(desk, short_dir, RealClock()), "127.0.0.1")


async def test_the_picture_goes_through_as_it_comes(page: Door, short_dir: Path) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(FOUND + b"FLV")
        await browser.until(lambda it: it.body == b"FLV")
        writer.write(b"tag")
        writer.close()

    async with pusher(short_dir, serve):
        browser = Browser(page, "/live.flv")
        await browser.until(lambda it: it.body == b"FLVtag")
        async with asyncio.timeout(5):
            await browser.task
    assert browser.status == 200 and asked[0].startswith(b"GET ")


async def test_a_browser_that_leaves_leaves_nothing_open(page: Door, short_dir: Path) -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(FOUND + b"FLV")
        await reader.readuntil(b"\r\n\r\n")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1)
        writer.close()
        ended.set()

    async with pusher(short_dir, serve):
        browser = Browser(page, "/live.flv")
        await browser.until(lambda it: it.body)
        await browser.leave()
        async with asyncio.timeout(5):
            await ended.wait()


async def test_a_browser_that_reads_nothing_is_not_read_for_and_let_go_in_the_end(
    page: Door, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STUCK_S", 0.3)
    sent, ended = 0, asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(FOUND)
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
                sent += 65_536
        except ConnectionError:
            ended.set()

    async with pusher(short_dir, serve):
        browser = Browser(page, "/live.flv")
        browser.reading.clear()
        async with asyncio.timeout(5):
            await ended.wait()
            await browser.task
    assert sent < 2_000_000, "what the kernel and two buffers hold, and no more"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 Service Unavailable\r\n\r\n", b"", b"x" * 100_000, b"junk\r\n\r\n"])
async def test_a_pusher_that_gives_no_picture_is_told_as_such(page: Door, short_dir: Path, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with pusher(short_dir, serve):
        browser = Browser(page, "/live.flv")
        await browser.task
    assert browser.status == 503 and "no live picture" in json.loads(browser.body)["error"]


async def test_without_a_pusher_there_is_no_picture(page: Door) -> None:
    browser = Browser(page, "/live.flv")
    await browser.task
    assert browser.status == 503


async def test_viewers_are_bounded_and_a_seat_that_is_left_is_free_again(
    desk: Desk, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_app, "VIEWERS_MAX", 2)
    page = Door(make_app(desk, short_dir, RealClock()), "127.0.0.1")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(FOUND + b"FLV")
        await reader.read()
        writer.close()

    async with pusher(short_dir, serve):
        first, second = Browser(page, "/live.flv"), Browser(page, "/live.flv")
        for browser in (first, second):
            await browser.until(lambda it: it.body)
        third = Browser(page, "/live.flv")
        await third.task
        assert third.status == 503 and "watching" in third.body.decode()
        await first.leave()
        fourth = Browser(page, "/live.flv")
        await fourth.until(lambda it: it.body)
        assert fourth.status == 200
        await second.leave()
        await fourth.leave()


async def test_news_begin_with_how_it_stands_and_come_when_something_changes(page: Door, desk: Desk) -> None:
    browser = Browser(page, "/events")
    await browser.until(lambda it: len(it.news()) == 1)
    desk.view["on_air_s"] = 2.0
    looks = desk.looks
    while desk.looks < looks + 2:
        await asyncio.sleep(0.01)
    assert len(browser.news()) == 1, "time that passes is no news"
    desk.view["queue"] = "up"
    await browser.until(lambda it: len(it.news()) == 2)
    assert browser.news()[1]["queue"] == "up" and browser.news()[1]["on_air_s"] == 2.0
    late = Browser(page, "/events")
    await late.until(lambda it: len(it.news()) == 1)
    assert late.news()[0]["queue"] == "up"
    await browser.leave()
    await late.leave()
    looks = desk.looks
    await asyncio.sleep(0)
    assert desk.looks == looks


async def test_many_listeners_cost_one_look(page: Door, desk: Desk) -> None:
    listeners = [Browser(page, "/events") for _ in range(10)]
    for browser in listeners:
        await browser.until(lambda it: it.news())
    assert desk.looks <= 2
    for browser in listeners:
        await browser.leave()
