"""The laboratory's own receiver, link, engine and voice: they do what they are told, and tell what came."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.ingest import Ingest
from tests.lab.room import LabStation
from tests.lab.toxics import Toxics
from tests.pusher_child import pusher, until
from tests.recording import inspect
from tests.station import live
from tests.station import until as until_true
from tests.tagsource import Source


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    with Ingest(tmp_path / "ingest") as made:
        yield made


def test_it_keeps_what_came_and_when(ingest: Ingest, short_dir: Path) -> None:
    with Source(short_dir, ["main"]) as source, pusher(short_dir, ingest.url("a")) as child:
        until(lambda: child.phase == "live")
        since_s = time.monotonic()
        until(lambda: len(ingest.media(since_s)) > 150, what="media")
        published = len([ms for kind, ms, at in source.published if at >= since_s])
        assert abs(len(ingest.media(since_s)) - published) < 20
        assert ingest.longest_gap_s(since_s) < 1.0 and ingest.is_live()
        child.drain()
    publication = ingest.publications[0]
    until(lambda: publication.end == "fin", what="a FIN")
    kinds = [one.kind for one in publication.arrivals]
    assert kinds[:3] == ["meta", "avc", "aac"]
    first = publication.media()[0]
    assert first.key and first.ms <= 40
    found = inspect(publication.path)
    assert found.monotone and not found.decode_errors and found.frames == kinds.count("video")
    assert ingest.sessions_at_once() == 1 and len(ingest.attempts) == 1


@pytest.mark.long
def test_it_refuses_rejects_stays_silent_stalls_and_resets(ingest: Ingest, short_dir: Path) -> None:
    ingest.behave(listening=False)
    with Source(short_dir, ["main"]), pusher(short_dir, ingest.url("a")) as child:
        until(lambda: any(note["kind"] == "connect" for note in child.notes("output.backing_off")))
        assert not ingest.attempts
        ingest.behave(listening=True, reject="NetStream.Publish.BadName")
        until(lambda: any(note["kind"] == "rejected" for note in child.notes("output.backing_off")))
        assert not ingest.publications
        ingest.behave(reject="", silent=True)
        until(lambda: any(note["kind"] == "timeout" for note in child.notes("output.backing_off")), 20)
        ingest.behave(silent=False)
        until(ingest.is_live, 20, "live")
        ingest.reset()
        until(lambda: [one.end for one in ingest.publications] == ["reset", ""], 20, "again")
        ingest.behave(stalled=True)
        until(lambda: any(note["kind"] == "stall" for note in child.notes("output.lost")), 20)
        ingest.behave(stalled=False)
        until(lambda: len(ingest.publications) == 3 and ingest.is_live(), 20, "and again")
    assert all(inspect(one.path, pictures=False).monotone for one in ingest.publications)


def test_a_link_hangs_slows_cuts_and_delays(ingest: Ingest, short_dir: Path) -> None:
    with Toxics(ingest.port) as link, Source(short_dir, ["main"]):
        url = ingest.url("a").replace(str(ingest.port), str(link.port))
        with pusher(short_dir, url) as child:
            until(ingest.is_live, what="through the link")
            link.set(hang=True)
            until(lambda: child.notes("output.lost"), 20)
            link.set(hang=False)
            until(lambda: ingest.is_live() and child.phase == "live", 20, "again")
            link.set(cut_after_bytes=1)
            lost = len(child.notes("output.lost"))
            until(lambda: len(child.notes("output.lost")) > lost, 20)
            link.set(cut_after_bytes=None, refusing=True)
            link.reset()
            until(lambda: any(note["kind"] == "connect" for note in child.notes("output.backing_off")), 20)
            link.set(refusing=False, delay_s=0.3)
            until(lambda: ingest.is_live(0.2), 20, "live, late")


@pytest.mark.long
def test_engine_and_voice_fail_as_they_are_told(tmp_path: Path) -> None:
    outputs = [{"name": "rec", "url": f"file:{tmp_path}/rec.mp4"}]
    with live(LabStation(tmp_path, outputs=outputs)) as room:
        room.client.say("One.", id="one")
        until_true(lambda: room.aired() == ["one"], 30, "it speaks")
        room.order("voice", dead=True)
        room.client.say("Two.", id="two")
        until_true(lambda: any(line["event"] == "voice.failed" for line in room.log()), 30, "a dead voice")
        room.order("engine", **{"raise": "not today"})
        until_true(lambda: _failed(room), 30, "an engine that fails")
        room.order("engine")
        room.order("voice")
        until_true(lambda: room.aired() == ["one", "two"], 60, f"it speaks again; log:\n{room.tail()}")


def _failed(room: LabStation) -> bool:
    return any(line["event"] == "child.failed" and "not today" in line["reason"] for line in room.log())
