"""Comments on a real Redis: read at once, settled once, and taken up again by whoever comes after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import redis

from broadcaster.chat.intake import make_reader
from broadcaster.chat.model import Comment, Question
from broadcaster.chat.spec import ChatSpec
from broadcaster.chat.stream import ChatStream
from pipeline.clock import RealClock
from tests.conftest import need
from tests.process.director_floor import RedisServer

CHAT = "broadcaster:t:chat"
ANSWERS = "broadcaster:t:answers"
LEASE = "broadcaster:t:lease"
WITHIN_S = 20.0

Ways: TypeAlias = list[tuple[str, Comment]]


@pytest.fixture
def server(short_dir: Path) -> Iterator[RedisServer]:
    made = RedisServer(need("redis-server"), short_dir)
    made.start().close()
    yield made
    made.kill()


@pytest.fixture
def queue(server: RedisServer) -> Iterator[Any]:
    client = redis.Redis.from_url(server.url, protocol=2, decode_responses=True)
    yield client
    client.close()


@asynccontextmanager
async def reading(server: RedisServer, owner: str = "", **spec: Any) -> Any:
    """A reader at work, and the answers that it found on their way."""
    ways: Ways = []
    given = ChatSpec(room="t", state_dir="", redis_url=server.url, **{"per_minute": 120.0, **spec})
    reader = make_reader(given, owner, RealClock(), lambda answer, comment: ways.append((answer, comment)))
    task = asyncio.create_task(reader.run())
    try:
        yield reader, ways
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await reader.close()


async def until(condition: Callable[[], Any]) -> Any:
    async with asyncio.timeout(WITHIN_S):
        while not (found := condition()):
            await asyncio.sleep(0.01)
    return found


def run(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 60))


def text_of(question: Question) -> str:
    return question.comments[0].text


def test_an_answer_of_redis_that_is_lost_tells_the_end_of_a_question_no_second_time(
    server: RedisServer, queue: Any
) -> None:
    async def scene() -> None:
        stream = ChatStream("t", server.url, "", 100)
        await stream.open()
        entries = [queue.xadd(CHAT, {"user": "ann", "text": text}) for text in ("one?", "two?")]
        await stream.read()
        event = {"event": "chat.dropped", "id": "a"}
        for _ in range(2):  # as after an answer that never came
            assert await stream.settle(entries, {entries[0]: event})
        assert [fields for _, fields in queue.xrange("broadcaster:t:events")] == [event]
        assert queue.xlen(CHAT) == 0
        await stream.close()

    run(scene)


def test_a_comment_is_a_question_and_is_settled_when_it_was_answered(server: RedisServer, queue: Any) -> None:
    async def scene() -> None:
        async with reading(server) as (reader, _):
            await until(lambda: reader.up)
            queue.xadd(CHAT, {"text": "is it red?", "user": "Ann"})
            question = await until(reader.take)
            assert text_of(question) == "is it red?" and queue.xlen(CHAT) == 1
            queue.hset(ANSWERS, question.comments[0].stream_id, "answer:1")
            reader.settle(question.comments)
            await until(lambda: queue.xlen(CHAT) == 0)
            assert queue.xpending(CHAT, "chat")["pending"] == 0 and not queue.exists(ANSWERS)

    run(scene)


def test_what_is_dropped_leaves_the_stream_and_is_counted(server: RedisServer, queue: Any) -> None:
    for text in ("😍😍", "see http://spam.x", "is it red?", "red is it?"):
        queue.xadd(CHAT, {"text": text})
    queue.xadd(CHAT, {"txt": "no field of ours"})
    queue.xadd(CHAT, {"text": "yesterday?", "sent": "1600000000"})

    async def scene() -> None:
        async with reading(server) as (reader, _):
            await until(lambda: queue.xlen(CHAT) == 2)  # the question and who asks the same
            counts = reader.facts()["comments"]
            assert {name: counts[name] for name in ("noise", "link", "refused", "stale")} == dict.fromkeys(
                ("noise", "link", "refused", "stale"), 1
            )

    run(scene)


def test_what_an_earlier_process_left_is_taken_up_and_what_it_answered_is_not(server: RedisServer, queue: Any) -> None:
    async def scene() -> None:
        queue.xadd(CHAT, {"text": "is it red?", "id": "a"})
        queue.xadd(CHAT, {"text": "do you ship to France?", "id": "b"})
        async with reading(server) as (reader, _):
            question = await until(reader.take)
            queue.hset(ANSWERS, question.comments[0].stream_id, "answer:first")
            await until(lambda: queue.xpending(CHAT, "chat")["pending"] == 2)
        async with reading(server) as (reader, ways):
            other = await until(reader.take)
            assert {text_of(question), text_of(other)} == {"is it red?", "do you ship to France?"}
            assert [(answer, comment.id) for answer, comment in ways] == [("answer:first", question.comments[0].id)]
            queue.xadd(CHAT, {"text": text_of(question)})  # somebody asks the same meanwhile
            await until(lambda: reader.facts()["comments"].get("merged"))
            reader.settle([comment for _, comment in ways])
            reader.settle(other.comments)
            await until(lambda: queue.xlen(CHAT) == 0)

    run(scene)


def test_redis_may_go_and_come_back_and_nothing_is_asked_twice(server: RedisServer, queue: Any) -> None:
    async def scene() -> None:
        async with reading(server) as (reader, _):
            queue.xadd(CHAT, {"text": "is it red?"})
            question = await until(reader.take)
            queue.xadd(CHAT, {"text": "do you ship to France?"})
            await until(lambda: reader.facts()["held"] == 2)
            await asyncio.to_thread(server.kill)
            await until(lambda: not reader.up)
            assert reader.take() is None
            reader.settle(question.comments)
            (await asyncio.to_thread(server.start)).close()
            await until(lambda: reader.up)
            other = await until(reader.take)
            assert text_of(other) == "do you ship to France?"
            queue.xadd(CHAT, {"text": "is it blue?"})
            assert text_of(await until(reader.take)) == "is it blue?"
            await until(lambda: queue.xlen(CHAT) == 2)

    run(scene)


def test_nothing_is_read_while_another_broadcaster_holds_the_room(server: RedisServer, queue: Any) -> None:
    async def scene() -> None:
        queue.set(LEASE, "7 theirs#0a1b")
        queue.xadd(CHAT, {"text": "is it red?"})
        async with reading(server, owner="ours") as (reader, _):
            await asyncio.sleep(0.3)
            assert not reader.up and queue.xpending(CHAT, "chat")["pending"] == 0
            queue.set(LEASE, "8 ours#0a1b")
            question = await until(reader.take)
            queue.xadd(CHAT, {"text": "do you ship to France?"})
            await until(lambda: reader.facts()["waiting"] == 1)
            queue.set(LEASE, "9 theirs#0a1b")
            queue.xadd(CHAT, {"text": "is it blue?"})
            await until(lambda: not reader.up)
            assert reader.facts()["waiting"] == reader.facts()["held"] == 0
            reader.settle(question.comments)
        assert queue.xlen(CHAT) == 3
        async with reading(server, owner="theirs") as (reader, _):
            texts = {text_of(await until(reader.take)) for _ in range(3)}
            assert texts == {"is it red?", "do you ship to France?", "is it blue?"}

    run(scene)


def test_a_key_of_another_kind_is_told_and_waited_for(server: RedisServer, queue: Any) -> None:
    async def scene() -> None:
        queue.set(CHAT, "a word")
        async with reading(server) as (reader, _):
            await asyncio.sleep(0.2)
            assert not reader.up

    run(scene)


def test_a_stream_that_grew_while_nobody_read_is_trimmed_to_its_bound(server: RedisServer, queue: Any) -> None:
    with queue.pipeline(transaction=False) as pipe:
        for number in range(5_000):
            pipe.xadd(CHAT, {"text": f"is number {number} red?"})
        pipe.execute()

    async def scene() -> None:
        async with reading(server, stream=1_000, waiting=100, again_s=0.0) as (reader, _):
            await until(lambda: reader.facts()["comments"].get("comments", 0) >= 1_000 and queue.xlen(CHAT) <= 100)
            assert reader.trimmed >= 3_900
            assert text_of(await until(reader.take)) == "is number 4999 red?"

    run(scene)


def test_a_message_of_megabytes_is_refused_and_not_kept(server: RedisServer, queue: Any) -> None:
    queue.xadd(CHAT, {"text": "x" * 5_000_000})
    queue.xadd(CHAT, {f"field{number}": "x" for number in range(500)})

    async def scene() -> None:
        async with reading(server) as (reader, _):
            await until(lambda: queue.xlen(CHAT) == 0)
            assert reader.facts()["comments"] == {"refused": 2}

    run(scene)


def test_the_lists_of_a_running_room_may_be_edited(server: RedisServer, queue: Any, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("spam\n", encoding="utf-8")

    async def scene() -> None:
        async with reading(server, blocked_words=str(path)) as (reader, _):
            await until(lambda: reader.up)
            queue.xadd(CHAT, {"text": "spam here"})
            await until(lambda: reader.facts()["comments"].get("blocked word"))
            path.write_text("another word\n", encoding="utf-8")

            def asked() -> Any:
                queue.xadd(CHAT, {"text": "spam there"})
                return reader.take()

            assert text_of(await until(asked)) == "spam there"

    run(scene)
