"""Every fault of a destination, done to a real connection; what counts is what the ingests got, the other one's too.

Times are asserted at three times their bars (the comment beside each); `python -m tests.lab chaos` judges the bars.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.clock import RealClock
from pipeline.wire import Tag
from streams import flv
from streams.destination import PusherSpec
from streams.rtmp.destination import RtmpDestination
from streams.session import Fate, Session
from tests.conftest import lack
from tests.lab import netns
from tests.lab.ingest import MALFORMED, Ingest, Publication
from tests.lab.pushing import (
    Pushing,
    begins_well,
    gaps_end_at_keys,
    is_monotone,
    longest_sound_gap_ms,
)
from tests.pusher_child import pusher, until
from tests.recording import inspect
from tests.tagsource import Source, media

OTHERS_GAP_S = 3 * 0.25
TRIES_APART_S = 0.35  # half a second; the first of two may reach the server late


@pytest.fixture
def pushing() -> object:
    with Pushing() as made:
        made.until_flowing()
        yield made


def tries_apart_s(times: list[float]) -> float:
    return min((after - before for before, after in pairwise(times)), default=9.0)


def told(fault: str, **figures: object) -> None:
    """Shown by `pytest -s`."""
    sys.stdout.write(f"\n{fault}: {figures}\n")


# ── what the network and the server do ───────────────────────────────────────────────────────────


def test_a_reset_a_hung_peer_a_silent_one_and_a_closed_port_are_seen_and_overcome(pushing: Pushing) -> None:
    ingest, child = pushing.ingest, pushing.child
    began_s = since_s = time.monotonic()
    ingest.reset()
    back_s = pushing.back_s(since_s)
    told("reset", back_s=back_s)
    assert back_s < 3 * 1.5
    assert begins_well(ingest.publications[-1])

    pushing.until_flowing()
    since_s = time.monotonic()
    ingest.behave(stalled=True)
    dead_s = pushing.noted_s("output.lost", since_s)
    assert child.notes("output.lost")[-1]["kind"] == "stall"
    since_s = time.monotonic()
    ingest.behave(stalled=False)
    told("hung", dead_s=dead_s, back_s=pushing.back_s(since_s))
    assert dead_s < 3 * 4
    assert pushing.back_s(since_s) < 3 * 2

    pushing.until_flowing()
    ingest.behave(silent=True)
    ingest.reset()
    until(lambda: child.phase == "connecting")
    silent_s = until(lambda: child.phase == "backing-off")
    since_s = time.monotonic()
    ingest.behave(silent=False)
    told("silent", dead_s=silent_s, back_s=pushing.back_s(since_s))
    assert silent_s < 3 * 5
    assert pushing.back_s(since_s) < 3 * 2

    pushing.until_flowing()
    ingest.behave(listening=False)
    ingest.reset()
    since_s = time.monotonic()
    until(lambda: time.monotonic() - since_s > 1.5)
    since_s = time.monotonic()
    ingest.behave(listening=True)
    told("refused", back_s=pushing.back_s(since_s))
    assert pushing.back_s(since_s) < 3 * 6

    told("all", others_gap_s=pushing.others_gap_s(began_s), beat_s=pushing.longest_without_a_beat_s())
    assert pushing.others_gap_s(began_s) < OTHERS_GAP_S
    assert pushing.longest_without_a_beat_s() < 1.5  # a quarter of a second, whatever the destination does
    assert len(pushing.other.notes("output.lost")) == 0
    assert ingest.sessions_at_once() == 1


def test_a_key_that_is_taken_is_tried_without_hurry_and_found_when_it_is_free(pushing: Pushing) -> None:
    ingest = pushing.ingest
    ingest.behave(reject="NetStream.Publish.BadName")
    began_s = time.monotonic()
    ingest.reset()
    until(lambda: len([at for at in ingest.attempts if at > began_s]) >= 3)
    note = pushing.child.notes("output.backing_off")[-1]
    assert note["kind"] == "rejected" and "NetStream.Publish.BadName" in note["error"]
    since_s = time.monotonic()
    ingest.behave(reject="")
    told("BadName", back_s=pushing.back_s(since_s), tries_apart_s=tries_apart_s(ingest.attempts))
    assert pushing.back_s(since_s) < 3 * 6
    assert tries_apart_s(ingest.attempts) > TRIES_APART_S
    assert pushing.others_gap_s(began_s) < OTHERS_GAP_S


def test_after_three_refusals_the_backup_is_used(tmp_path: Path) -> None:
    with Ingest(tmp_path) as backup, Pushing(what=media(), backup=backup.url("main", "spare")) as pushing:
        pushing.until_flowing()
        pushing.ingest.behave(reject="NetStream.Publish.BadName")
        began_s = time.monotonic()
        pushing.ingest.reset()
        until(lambda: backup.is_live(0.5), 15, "the backup is live")
        told("backup", after_s=backup.media()[0].at_s - began_s)
        assert len([at for at in pushing.ingest.attempts if at > began_s]) == 3
        assert begins_well(backup.publications[0])
        until(lambda: any(said.facts.get("on_backup") for _, said in pushing.child.heard if hasattr(said, "facts")))
        assert pushing.child.notes("output.backup_used")
        pushing.ingest.behave(reject="")
        backup.behave(listening=False)
        backup.reset()  # and when it fails as often, the first has its turn again
        since_s = time.monotonic()
        assert pushing.back_s(since_s) < 3 * 6
        assert pushing.child.notes("output.backup_left")
        assert backup.url("main", "spare") not in repr(pushing.child.heard)


def test_a_line_slower_than_the_stream_loses_pictures_by_whole_groups_and_no_sound(pushing: Pushing) -> None:
    ingest = pushing.ingest
    since_s = time.monotonic()
    ingest.behave(bytes_per_s=125_000)
    until(lambda: time.monotonic() - since_s > 4)
    ingest.behave(bytes_per_s=None)
    until(lambda: pushing.child.beats() and len(ingest.media(time.monotonic() - 0.5)) > 30)
    (publication,) = ingest.publications
    told("slow", queue_ms=pushing.queue_ms(since_s), others_gap_s=pushing.others_gap_s(since_s))
    assert 300 < pushing.queue_ms(since_s) < 3 * 1000
    assert is_monotone(publication)
    assert longest_sound_gap_ms(publication) <= 25
    assert gaps_end_at_keys(publication)
    assert not inspect(publication.path).decode_errors
    assert pushing.source.outputs.states()["main"].dropped > 20
    assert pushing.others_gap_s(since_s) < OTHERS_GAP_S
    assert not pushing.child.notes("output.lost")


def test_a_server_that_hangs_up_right_after_publish_is_not_hammered(pushing: Pushing) -> None:
    ingest = pushing.ingest
    ingest.behave(close_after_s=0.0)
    since_s = time.monotonic()
    ingest.hang_up()
    until(lambda: len([at for at in ingest.attempts if at > since_s]) >= 4, 15)
    assert tries_apart_s(ingest.attempts) > TRIES_APART_S
    ingest.behave(close_after_s=None)
    until(lambda: ingest.is_live(0.3) and not ingest.publications[-1].end, 15)


@pytest.mark.parametrize("bearable", [True, False])
def test_a_server_that_talks_nonsense_is_left_or_borne(bearable: bool, tmp_path: Path, short_dir: Path) -> None:
    borne = {"unknown_type", "ack_window_one"}  # nothing that we could not live with
    with Ingest(tmp_path) as ingest, Source(short_dir, ["main"]):
        for name in sorted(borne if bearable else set(MALFORMED) - borne):
            ingest.behave(malformed=name)
            with pusher(short_dir, ingest.url(name)) as child:
                if bearable:
                    until(lambda name=name: len(publications(ingest, name)[0].media()) > 40, 10, name)
                    assert not child.notes("output.lost")
                    assert child.process.poll() is None
                    continue
                until(lambda child=child: len(child.notes("output.lost")) >= 2, 10, name)
                assert {note["kind"] for note in child.notes("output.lost")} == {"protocol"}, name
                assert int(Path(f"/proc/{child.process.pid}/statm").read_text().split()[1]) * 4096 < 40_000_000
                ingest.behave(malformed="")
                until(lambda name=name: not publications(ingest, name)[-1].end and ingest.is_live(0.5), 10, name)
                until(lambda child=child: child.phase == "live", 10, name)
                assert child.process.poll() is None


def publications(ingest: Ingest, key: str) -> list[Publication]:
    return [one for one in ingest.publications if one.key == key] or [Publication("", 0.0, Path(), end="none")]


# ── planned ends ─────────────────────────────────────────────────────────────────────────────────


def test_a_session_ends_in_good_order_after_its_hours_and_the_next_begins_at_once() -> None:
    with Pushing(session_s=2.0) as pushing:
        ingest = pushing.ingest
        until(lambda: len(ingest.publications) == 2 and len(ingest.publications[1].media()) > 100, 15)
        first, second = ingest.publications
        assert first.end == "fin" and first.ended_s is not None
        assert first.ended_s <= second.began_s
        assert ingest.sessions_at_once() == 1
        assert begins_well(second)
        gap_s = second.media()[0].at_s - first.media()[-1].at_s
        told("planned", gap_s=gap_s)
        assert gap_s < 3 * 1.5
        assert [note["why"] for note in pushing.child.notes("output.closed")] == ["session length"]
        until(lambda: second.media()[-1].ms > 3000)  # the next one is due, and has to wait for its turn
        assert len(ingest.publications) == 2


def test_time_goes_on_over_2_to_the_24_and_2_to_the_31_inside_one_session(tmp_path: Path) -> None:
    found = media()
    key = next(tag for tag in found.tags if tag.key)
    with Ingest(tmp_path) as ingest:
        spec = PusherSpec("main", ingest.url("key"), str(tmp_path))
        session = Session(RtmpDestination(spec, lambda *_, **__: None), RealClock())
        session.open(found.headers)
        until(session.is_ready)
        times = [0, *range(2**24 - 200, 2**24 + 200, 40), *range(2**31 - 200, 2**31 + 200, 40)]
        for ms in times:
            sound = next(tag for tag in found.tags if tag.kind == flv.AUDIO)
            for tag in (Tag(key.kind, ms, ms == 0, key.data), Tag(sound.kind, ms + 5, False, sound.data)):
                until(lambda tag=tag: session.write(tag) is Fate.SENT)
        session.close()
        until(lambda: ingest.publications[0].end)
        (publication,) = ingest.publications
        assert publication.end == "fin"
        video = [one.ms for one in publication.media() if one.kind == "video"]
        audio = [one.ms for one in publication.media() if one.kind == "audio"]
        assert video == [ms + 30 for ms in times]
        assert audio == [ms + 35 for ms in times]
        assert is_monotone(publication)


# ── below TCP ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def namespaces() -> None:
    if why := netns.refused():
        lack(why)


@pytest.mark.usefixtures("namespaces")
def test_a_black_hole_is_seen_and_left_as_soon_as_it_ends() -> None:
    figures = netns.run("tests.lab.blackhole:black_hole", dark_s=[3.5])
    told("black hole", **figures)
    assert max(figures["dead_s"]) < 3 * 3
    assert max(figures["back_s"]) < 3 * 2
    assert figures["begins_well"]
    assert figures["kinds"] == ["stall"]
    assert figures["others_gap_s"] < OTHERS_GAP_S
    assert figures["tries_in_a_second"] <= 3


@pytest.mark.usefixtures("namespaces")
def test_a_dead_name_server_is_not_noticed_by_who_was_connected_once() -> None:
    figures = netns.run("tests.lab.blackhole:names_dead")
    told("names", **figures)
    assert figures["gap_s"] < OTHERS_GAP_S
    assert max(figures["back_0_s"], figures["back_1_s"]) < 3 * 1.5
    assert figures["told_s"] < 3 * 2
    assert figures["kind"] == "timeout"
    assert figures["found_s"] < 3 * 2
