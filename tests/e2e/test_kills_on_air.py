"""A room loses its processes one after the other while it speaks, and viewers notice next to nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.listener import Listener, longest_gap_s
from tests.nginx_rtmp import NginxRtmp, nginx_rtmp
from tests.recording import inspect
from tests.station import Station, on_air, until

SENTENCES = [f"This is sentence number {n} of a longer text." for n in range(1, 5)]
LONG = " ".join(SENTENCES)
HASTY = {"chain": ["espeak"], "name": "en", "rate": 1.5}


@pytest.fixture(scope="module")
def nginx() -> Iterator[NginxRtmp]:
    with nginx_rtmp() as server:
        yield server


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory, nginx: NginxRtmp) -> Iterator[Station]:
    directory = tmp_path_factory.mktemp("room")
    outputs = [{"name": "main", "url": nginx.url("key?sign=a&b=c")}]
    with on_air(directory, outputs=outputs, voice=HASTY, standby=True) as made:
        yield made


@pytest.fixture(scope="module")
def viewer(station: Station, nginx: NginxRtmp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    listener = Listener(nginx.url("key"), tmp_path_factory.mktemp("viewer") / "heard")
    until(listener.is_playing, 30, "the viewer sees something")
    yield listener
    listener.stop()


def whole(identity: str) -> list[tuple[str, int]]:
    """What must have been heard of LONG, in order."""
    return [(identity, number) for number in range(len(SENTENCES))]


def say_and_wait_for_voice(station: Station, viewer: Listener, identity: str) -> None:
    pushed_s = time.monotonic()
    station.client.say(LONG, id=identity, mode="now")
    until(lambda: viewer.voiced_after(pushed_s), 15, "a voice")


def test_an_engine_killed_while_it_speaks_is_not_seen_by_the_platform(
    station: Station,
    viewer: Listener,
    nginx: NginxRtmp,
) -> None:
    say_and_wait_for_voice(station, viewer, "over-engine")
    before = station.pids()
    station.kill("engine-portrait")
    killed_s = time.monotonic()
    until(lambda: "aired" in station.story("over-engine"), 60, "aired in the end")
    after = station.pids()
    assert {k: v for k, v in after.items() if k != "engine-portrait"} == {
        k: v for k, v in before.items() if k != "engine-portrait"
    }
    assert station.heard("over-engine") == whole("over-engine"), "each once, in order"
    assert "interrupted" in station.story("over-engine")
    facts = station.facts("playout")
    assert facts["skipped"] == 0 and facts["outputs"]["main"]["connects"] == 1
    assert longest_gap_s(viewer.video(), killed_s - 1) < 0.5
    found = inspect(nginx.recordings("key")[-1])
    assert found.monotone and found.max_video_gap_ms <= 41 and found.black_frames == 0 and not found.decode_errors
    assert found.longest_freeze_frames(after_slate=True) < 25, "the hold loop moves"


def test_a_director_killed_while_it_speaks_repeats_nothing_and_loses_nothing(
    station: Station, viewer: Listener
) -> None:
    began_s = time.monotonic()
    say_and_wait_for_voice(station, viewer, "over-director")
    station.client.say("And this comes after it.", id="after-director")
    before = station.pids()
    until(lambda: len(station.heard("over-director", "after-director")) >= 1, 20, "one sentence was heard")
    station.kill("director")
    until(lambda: {"aired"} <= set(station.story("after-director")), 60, "the next utterance was aired")
    assert station.heard("over-director", "after-director") == [
        *[("over-director", n) for n in range(len(SENTENCES))],
        ("after-director", 0),
    ]
    after = station.pids()
    assert {k: v for k, v in after.items() if k != "director"} == {k: v for k, v in before.items() if k != "director"}
    assert station.facts("playout")["skipped"] == 0
    assert longest_gap_s(viewer.video(), began_s) < 0.5


def test_the_embedded_queue_killed_loses_no_word(station: Station) -> None:
    station.client.say(LONG, id="over-queue")
    station.client.say("And the next one.", id="after-queue")
    until(lambda: "started" in station.story("over-queue"), 20)
    station.kill("redis")
    until(lambda: "aired" in station.story("after-queue"), 60, "aired after the queue came back")
    assert station.heard("over-queue", "after-queue") == [
        *[("over-queue", n) for n in range(len(SENTENCES))],
        ("after-queue", 0),
    ]
    until(lambda: station.pending() == 0, 10, "acknowledged")
    assert station.facts("playout")["skipped"] == 0


def test_a_pusher_killed_is_back_in_a_moment_and_nobody_else_notices(station: Station, viewer: Listener) -> None:
    before = station.pids()
    killed_s = time.monotonic()
    station.kill("pusher-main")
    until(lambda: sum(packet.at_s > killed_s + 0.3 for packet in viewer.video()) > 25, 20, "pictures again")
    assert longest_gap_s(viewer.video(), killed_s) < 1.5
    until(lambda: station.pids().get("pusher-main") not in (None, before["pusher-main"]), 5)
    after = station.pids()
    assert {k: v for k, v in after.items() if k != "pusher-main"} == {
        k: v for k, v in before.items() if k != "pusher-main"
    }


def test_a_playout_killed_comes_back_on_air_with_the_same_engine(station: Station) -> None:
    until(lambda: station.standby("playout"), 20, "another process stands by")
    ready = station.standby("playout")
    station.client.say(LONG, id="over-playout")
    until(lambda: "started" in station.story("over-playout"), 20)
    before = station.pids()
    station.kill("playout")
    until(lambda: station.pids().get("playout") not in (None, before["playout"]), 10)
    assert station.pids()["playout"] == ready, "and is the one that follows"
    station.wait_live(15)
    until(lambda: "aired" in station.story("over-playout"), 60, "what was cut is said in the end")
    after = station.pids()
    assert {k: v for k, v in after.items() if k != "playout"} == {k: v for k, v in before.items() if k != "playout"}
