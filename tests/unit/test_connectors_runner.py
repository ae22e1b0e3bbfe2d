"""All sources of a room at once: each is dialled for ever, none hurts another, what they hear reaches the stream."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from broadcaster.connectors.caller import Caller, source_of
from broadcaster.connectors.outbox import WAITING_MAX, Outbox
from broadcaster.connectors.runner import Connectors
from broadcaster.connectors.settings import ConnectorSpec, Ears, Fields
from pipeline.clock import FakeClock, RealClock
from pipeline.errors import ConfigError, ConnectorError, ConnectorRefused
from tests.irc_service import IrcService, certificate
from tests.process.director_floor import RedisServer
from tests.ws_service import WsService

SOON_S = 20.0
TOKEN = "0123456789secrettoken"
CHAT = "broadcaster:shop:chat"
MAP = "kinds: [{kind: comment, fields: {text: text, id: id}}]"


class Notebook:
    """What was noted, and a way to wait."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def note(self, level: str, event: str, **facts: Any) -> None:
        self.lines.append((level, event, facts))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [facts for _, noted, facts in self.lines if noted == event]


async def until(found: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not found():
            await asyncio.sleep(0.01)


@pytest.fixture
def notes() -> Notebook:
    return Notebook()


@contextlib.asynccontextmanager
async def running(work: Any) -> AsyncIterator[asyncio.Task[Any]]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


# ── one source ───────────────────────────────────────────────────────────────────────────────────


class Script:
    """A source that does what a list says, try by try; then it waits for ever."""

    def __init__(self, *tries: Callable[[Ears], None]) -> None:
        self.tries = list(tries)
        self.made = 0

    def make(self, _spec: ConnectorSpec) -> Script:
        self.made += 1
        return self

    async def listen(self, ears: Ears) -> None:
        if not self.tries:
            await asyncio.Event().wait()
        self.tries.pop(0)(ears)


def fails(error: Exception, *, live: bool = False, clock: FakeClock | None = None) -> Callable[[Ears], None]:
    def act(ears: Ears) -> None:
        if live:
            ears.live()
        if clock is not None:
            clock.advance(10)
        raise error

    return act


def speaks(*messages: Fields) -> Callable[[Ears], None]:
    def act(ears: Ears) -> None:
        ears.live()
        for message in messages:
            ears.heard(message)
        raise ConnectorError("reset", "enough")

    return act


SPEC = ConnectorSpec("one", "websocket", url=f"ws://127.0.0.1/?key={TOKEN}", token=TOKEN)
RESET = ConnectorError("reset", "it hung up")


async def test_what_is_lost_is_dialled_again_for_ever_and_told_once(
    notes: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.retry.DELAYS_S", (0.0, 0.01))
    monkeypatch.setattr("streams.retry.APART_NS", 0)
    source = Script(*[fails(RESET)] * 30)
    caller = Caller(SPEC, lambda _: True, RealClock(), notes.note, source.make)
    async with running(caller.run()):
        await until(lambda: source.made == 31)
    assert [facts["reason"] for facts in notes.of("connector.lost")] == ["reset: it hung up"]
    assert caller.facts()["reconnects"] == 30 and not caller.facts()["connected"]
    assert caller.facts()["error"] == "reset: it hung up"


async def test_delays_grow_and_a_healthy_while_begins_them_anew(
    notes: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def asleep(seconds: float) -> None:
        waits.append(seconds)

    clock = FakeClock()
    source = Script(
        *[fails(RESET)] * 8, fails(RESET, live=True), fails(RESET, live=True, clock=clock), *[fails(RESET)] * 2
    )
    caller = Caller(SPEC, lambda _: True, clock, notes.note, source.make)
    monkeypatch.setattr("broadcaster.connectors.caller.asyncio.sleep", asleep)
    task = asyncio.create_task(caller.run())
    while len(waits) < 12:
        await asyncio.wait([task], timeout=0)
    task.cancel()
    assert waits[0] < 0.6 and 3.5 < waits[7] < 5.5 and 3.5 < waits[8] < 5.5  # a short while changes nothing
    assert waits[9] < 0.6 and waits[10] > waits[9]
    assert len(set(waits[6:9])) == 3  # many at once do not come back in step


async def test_a_mapping_that_was_read_held_up_all_who_answer(notes: Notebook) -> None:
    readers: list[threading.Thread] = []
    source = Script()

    def make(spec: ConnectorSpec) -> Script:
        readers.append(threading.current_thread())
        return source.make(spec)

    async with running(Caller(SPEC, lambda _: True, RealClock(), notes.note, make).run()):
        await until(lambda: source.made == 1)
    assert readers[0] is not threading.main_thread()


@pytest.mark.parametrize("error", [ConnectorRefused("no such key"), ConfigError("map.yaml: not YAML")])
async def test_who_will_not_have_us_is_asked_rarely(
    notes: Notebook, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    waits: list[float] = []

    async def asleep(seconds: float) -> None:
        waits.append(seconds)

    source = Script(*[fails(error)] * 3)
    caller = Caller(SPEC, lambda _: True, FakeClock(), notes.note, source.make)
    monkeypatch.setattr("broadcaster.connectors.caller.asyncio.sleep", asleep)
    task = asyncio.create_task(caller.run())
    while len(waits) < 3:
        await asyncio.wait([task], timeout=0)
    task.cancel()
    assert min(waits) >= 30 and len(notes.of("connector.lost")) == 1


async def test_its_facts_count_what_came(notes: Notebook) -> None:
    seen: set[str] = set()

    def put(fields: Fields) -> bool:
        new = fields["id"] not in seen
        seen.add(fields["id"])
        return new

    messages = [{"text": "a", "id": "1"}, {"text": "b", "id": "2"}, {"text": "a", "id": "1"}, {"text": "", "id": "3"}]
    source = Script(speaks(*messages))
    caller = Caller(SPEC, put, FakeClock(wall_s=1_700_000_000.0), notes.note, source.make)
    async with running(caller.run()):
        await until(lambda: source.made == 2)
    facts = caller.facts()
    assert (facts["messages"], facts["again"], facts["refused"]) == (2, 1, 1)
    assert facts["last_s"] == 1_700_000_000.0
    assert [facts["reason"] for facts in notes.of("connector.refusing")] == ["text: it is empty"]


async def test_ids_that_the_reader_cannot_take_become_short_ones_that_stay_the_same(notes: Notebook) -> None:
    taken: list[Fields] = []
    long = {"text": "half a \ud83d character", "id": "LCC." + "x" * 200, "user_id": "u\x00"}
    source = Script(speaks(long, long))
    caller = Caller(SPEC, lambda fields: bool(taken.append(fields) or True), RealClock(), notes.note, source.make)
    async with running(caller.run()):
        await until(lambda: len(taken) == 2)
    assert taken[0] == taken[1] and len(taken[0]["id"]) == 32 and taken[0]["text"] == "half a ? character"
    assert not notes.of("connector.refusing")


async def test_no_secret_is_in_what_is_told(notes: Notebook, tmp_path: Path) -> None:
    spec = ConnectorSpec("one", "websocket", url=f"ws://127.0.0.1:1/?key={TOKEN}", token=TOKEN, map=str(tmp_path / "m"))
    Path(spec.map).write_text(MAP, encoding="utf-8")
    caller = Caller(spec, lambda _: True, RealClock(), notes.note, source_of)
    async with running(caller.run()):
        await until(lambda: bool(notes.of("connector.lost")))
    assert TOKEN not in repr(notes.lines) + repr(caller.facts()) + repr(spec)


# ── the way to the stream ────────────────────────────────────────────────────────────────────────


def texts(queue: redis.Redis) -> list[str]:
    entries: Any = queue.xrange(CHAT)
    return [fields[b"text"].decode() for _, fields in entries]


def outbox(server: RedisServer, notes: Notebook, clock: FakeClock | RealClock, kept: int = 20_000) -> Outbox:
    return Outbox("shop", server.url, clock, notes.note, kept)


async def test_messages_reach_the_stream_in_their_order_and_the_same_only_once(
    server: RedisServer, queue: redis.Redis, notes: Notebook
) -> None:
    box = outbox(server, notes, RealClock())
    async with running(box.run()):
        for number in range(1000):
            assert box.put({"text": f"{number}", "id": f"{number}"})
            assert not box.put({"text": f"{number}", "id": f"{number}"})
        box.put({"text": "without an id"})
        box.put({"text": "without an id"})
        await until(lambda: box.waiting == 0)
    assert texts(queue) == [str(number) for number in range(1000)] + ["without an id"] * 2
    entries: Any = queue.xrange(CHAT)
    assert len({fields[b"id"] for _, fields in entries}) == 1002
    assert not notes.lines


async def test_the_stream_is_held_to_its_bound(server: RedisServer, queue: redis.Redis, notes: Notebook) -> None:
    box = outbox(server, notes, RealClock(), kept=500)
    async with running(box.run()):
        for number in range(1500):
            box.put({"text": f"{number}", "id": f"{number}"})
            await asyncio.sleep(0)
        await until(lambda: box.waiting == 0)
    assert 500 <= queue.xlen(CHAT) <= 700 and texts(queue)[-1] == "1499"


async def test_while_redis_is_away_the_newest_wait_and_it_is_told_once(
    server: RedisServer, queue: redis.Redis, notes: Notebook
) -> None:
    box = outbox(server, notes, RealClock())
    async with running(box.run()):
        box.put({"text": "before", "id": "before"})
        await until(lambda: box.waiting == 0)
        server.kill()
        for number in range(WAITING_MAX + 300):
            box.put({"text": f"{number}", "id": f"n{number}"})
        await until(lambda: bool(notes.of("outbox.paused")))
        await asyncio.sleep(1.2)  # two more tries
        assert box.waiting == WAITING_MAX
        again = server.start()
        await until(lambda: box.waiting == 0)
    assert texts(again) == ["before"] + [str(number) for number in range(300, WAITING_MAX + 300)]
    assert len(notes.of("outbox.paused")) == 1 and notes.of("outbox.flowing") == [{"dropped": 300}]
    again.close()


async def test_a_key_that_is_no_stream_is_waited_for(server: RedisServer, queue: redis.Redis, notes: Notebook) -> None:
    queue.set(CHAT, "mine")
    box = outbox(server, notes, RealClock())
    async with running(box.run()):
        box.put({"text": "a", "id": "a"})
        await until(lambda: bool(notes.of("outbox.paused")))
        queue.delete(CHAT)
        await until(lambda: box.waiting == 0)
    assert texts(queue) == ["a"]


def test_what_was_here_is_forgotten_in_time_and_in_bounds(notes: Notebook) -> None:
    clock = FakeClock()
    box = Outbox("shop", "unix:///nowhere", clock, notes.note)
    assert box.put({"id": "1"}) and not box.put({"id": "1"})
    clock.advance(1300)
    assert box.put({"id": "1"})
    for number in range(50_000):
        box.put({"id": f"n{number}"})
    assert len(box._seen) <= 20_000 and box.waiting == WAITING_MAX


# ── all of them ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def twitch(pem: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[IrcService]:
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    service = IrcService(pem)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def grabber() -> AsyncIterator[WsService]:
    service = WsService()
    await service.start()
    yield service
    await service.stop()


def line(text: str, number: int) -> str:
    return f"@id={number};display-name=Ann :ann!ann@ann.tmi.twitch.tv PRIVMSG #shop :{text}"


async def test_sources_are_cut_and_restored_and_none_hurts_another(
    server: RedisServer, queue: redis.Redis, notes: Notebook, twitch: IrcService, grabber: WsService, tmp_path: Path
) -> None:
    good = tmp_path / "map.yaml"
    good.write_text(MAP, encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text("kinds: 5", encoding="utf-8")
    specs = [
        ConnectorSpec("twitch", "twitch", channel="shop", url=twitch.url),
        ConnectorSpec("grabber", "websocket", url=grabber.url, map=str(good)),
        ConnectorSpec("broken", "websocket", url=grabber.url, map=str(broken)),
        ConnectorSpec("nowhere", "websocket", url="ws://127.0.0.1:1/", map=str(good)),
    ]
    connectors = Connectors(specs, "shop", server.url, RealClock(), notes.note)

    def source(name: str) -> dict[str, Any]:
        facts: dict[str, Any] = connectors.facts()["sources"][name]
        return facts

    async with running(connectors.run()):
        await until(lambda: source("twitch")["connected"] and source("grabber")["connected"])
        twitch.say(line("one", 1))
        await grabber.send({"text": "two", "id": "2"})
        await until(lambda: len(texts(queue)) == 2)

        await grabber.stop()
        await until(lambda: not source("grabber")["connected"])
        twitch.say(line("three", 3))
        await until(lambda: "three" in texts(queue))
        await grabber.start()
        await until(lambda: source("grabber")["connected"])
        await grabber.send({"text": "two", "id": "2"}, {"text": "four", "id": "4"})  # the last ones once more
        await until(lambda: "four" in texts(queue))

        await twitch.stop()
        await until(lambda: not source("twitch")["connected"])
        await twitch.start()
        await until(lambda: source("twitch")["connected"])
        twitch.say(line("five", 5))
        await until(lambda: "five" in texts(queue))

    assert sorted(texts(queue)) == ["five", "four", "one", "three", "two"]
    assert source("grabber")["again"] == 1 and source("grabber")["reconnects"] >= 1
    assert source("nowhere")["error"].startswith("connect: ") and not source("nowhere")["connected"]
    assert "kinds: write a list" in source("broken")["error"]
    assert {facts["name"] for facts in notes.of("connector.lost")} == {"twitch", "grabber", "broken", "nowhere"}


async def test_a_source_that_ends_by_what_nobody_foresaw_is_begun_anew(
    server: RedisServer, notes: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = Script(fails(ZeroDivisionError("a bug")), speaks({"text": "well again", "id": "1"}))
    monkeypatch.setattr("broadcaster.connectors.runner.CRASHED_S", 0.05)
    connectors = Connectors([SPEC], "shop", server.url, RealClock(), notes.note, make=tries.make)
    async with running(connectors.run()):
        await until(lambda: connectors.facts()["sources"]["one"]["messages"] == 1)
    crashed = notes.of("connector.crashed")
    assert len(crashed) == 1 and "ZeroDivisionError: a bug" in crashed[0]["reason"]


async def test_no_source_at_all_is_no_trouble(server: RedisServer, notes: Notebook) -> None:
    connectors = Connectors([], "shop", server.url, RealClock(), notes.note)
    async with running(connectors.run()) as task:
        await asyncio.sleep(0.05)
        assert not task.done() and connectors.facts() == {"waiting": 0, "dropped": 0, "sources": {}}
