"""Pushers against a real nginx-rtmp: what arrives, and what happens when either side dies."""

from __future__ import annotations

import signal
import time
from itertools import pairwise
from pathlib import Path

from streams.flv import AUDIO, VIDEO
from tests.nginx_rtmp import NginxRtmp, nginx  # noqa: F401
from tests.pusher_child import PusherChild, pusher, until
from tests.recording import inspect
from tests.tagsource import Source, media

SECRET = "k3y-9f31"


def live(child: PusherChild) -> bool:
    return child.phase == "live"


def test_frames_arrive_complete_beginning_with_a_key_frame(nginx: NginxRtmp, short_dir: Path) -> None:  # noqa: F811
    with Source(short_dir, ["main"]) as source, pusher(short_dir, nginx.url("whole")) as child:
        until(lambda: source.outputs.states()["main"].audio_ms > 3000)
        source.stop()
        assert child.drain() == 0
    sent = [ms for kind, ms, _ in source.published if kind == VIDEO]
    (path,) = nginx.recordings("whole")
    until(lambda: not nginx.publishes("whole"))
    found = inspect(path)
    assert found.codecs == ("h264", "aac")
    assert found.video_ms[0] <= 40
    assert found.key_ms[0] == found.video_ms[0]
    assert found.monotone
    assert found.max_video_gap_ms <= 41
    assert found.max_audio_gap_ms <= 2
    assert abs(found.start_offset_ms) <= 22
    assert found.decode_errors == 0
    assert 0 <= len(sent) - found.frames <= 25  # it began at the last key frame, and ended with the last
    assert source.longest_publish_s < 0.1


def test_a_signed_url_reaches_the_server_whole_and_never_our_words(nginx: NginxRtmp, short_dir: Path) -> None:  # noqa: F811
    url = nginx.url(f"{SECRET}?sign={SECRET}&b=c|d'e", "checked")
    with Source(short_dir, ["main"]), pusher(short_dir, url) as child:
        until(lambda: live(child))
        seen = nginx.callbacks()[0]
        assert f"name={SECRET}&" in seen
        assert seen.endswith(f"&sign={SECRET}&b=c|d'e")
        command = Path(f"/proc/{child.process.pid}/cmdline").read_text()
        environment = Path(f"/proc/{child.process.pid}/environ").read_text()
        nginx.kill()
        until(lambda: len(child.notes("output.backing_off")) >= 2)
    said = repr(child.heard) + child.output.decode()
    assert "output.lost" in said
    for words in (said, command, environment):
        assert SECRET not in words


def test_media_again_at_once_when_the_server_is_back(nginx: NginxRtmp, short_dir: Path) -> None:  # noqa: F811
    with Source(short_dir, ["main"]) as source, pusher(short_dir, nginx.url("again")) as child:
        until(lambda: live(child))
        nginx.kill()
        until(lambda: child.phase == "backing-off")
        assert child.notes("output.lost")[0]["kind"] == "reset"
        nginx.start()
        back_s = until(lambda: nginx.publishes("again"))
        assert back_s < 1.5
        began_ms = source.outputs.states()["main"].audio_ms
        until(lambda: source.outputs.states()["main"].audio_ms > began_ms + 1000)
        assert source.outputs.states()["main"].connects == 2
    until(lambda: not nginx.publishes("again"))
    found = inspect(nginx.recordings("again")[-1])
    assert found.video_ms[0] <= 40  # rebased: a new connection begins near 0
    assert found.key_ms[0] == found.video_ms[0]
    assert found.max_video_gap_ms <= 41
    assert found.decode_errors == 0


def test_a_refused_connection_is_tried_for_ever_but_not_in_a_hurry(nginx: NginxRtmp, short_dir: Path) -> None:  # noqa: F811
    nginx.kill()
    with Source(short_dir, ["main"]), pusher(short_dir, nginx.url("late")) as child:
        until(lambda: len(child.notes("output.backing_off")) >= 3)
        assert {note["kind"] for note in child.notes("output.backing_off")} == {"connect"}
        tries = child.note_times("output.connecting")
        assert all(b - a > 0.45 for a, b in pairwise(tries))
        nginx.start()
        until(lambda: live(child), 5)


def test_a_killed_pusher_that_is_started_again_has_media_at_the_server_at_once(
    nginx: NginxRtmp,  # noqa: F811
    short_dir: Path,
) -> None:
    with Source(short_dir, ["main", "other"]) as source:
        url = nginx.url("killed", "checked")
        first = PusherChild(short_dir, url)
        first.start()
        with pusher(short_dir, nginx.url("fine"), "other") as other:
            until(lambda: live(first) and live(other))
            before_ms = source.outputs.states()["main"].audio_ms
            first.kill()
            with pusher(short_dir, url):
                back_s = until(lambda: len(nginx.callbacks()) == 2 and nginx.streams()["killed"].bytes_in > 10_000)
                assert back_s < 1.5  # 0.5 on a quiet machine
                until(lambda: source.outputs.states()["main"].audio_ms > before_ms + 1000)
            assert live(other)
            assert len(other.notes("output.connecting")) == 1


def test_a_key_that_is_taken_is_tried_again_until_it_is_free(nginx: NginxRtmp, short_dir: Path) -> None:  # noqa: F811
    url = nginx.url("taken")
    with Source(short_dir, ["main", "other"]), pusher(short_dir, url, "other") as other:
        until(lambda: live(other))
        with pusher(short_dir, url) as child:
            until(lambda: len(child.notes("output.backing_off")) >= 2)
            assert {note["kind"] for note in child.notes("output.backing_off")} == {"rejected"}
            other.kill()
            until(lambda: live(child), 8)


def test_a_server_that_refuses_the_publisher_is_told_apart(nginx: NginxRtmp, short_dir: Path) -> None:  # noqa: F811
    with Source(short_dir, ["main"]), pusher(short_dir, nginx.url("x", "refused")) as child:
        until(lambda: child.notes("output.backing_off"))
        assert child.notes("output.backing_off")[0]["kind"] == "rejected"


def test_an_orphan_continues_in_its_connection_with_a_new_playout(nginx: NginxRtmp, short_dir: Path) -> None:  # noqa: F811
    with pusher(short_dir, nginx.url("orphan")) as child:
        with Source(short_dir, ["main"]) as source:
            until(lambda: source.outputs.states()["main"].audio_ms > 1000)
        until(lambda: child.phase == "orphaned")
        time.sleep(1.0)
        with Source(short_dir, ["main"]) as source:
            until(lambda: source.outputs.states()["main"].audio_ms > 1500)
            assert child.notes("output.continued")
            assert len(child.notes("output.connecting")) == 1
            source.stop()
            child.drain()
    (path,) = nginx.recordings("orphan")
    found = inspect(path)
    assert found.monotone
    assert 900 <= found.max_video_gap_ms <= 2500  # the time that passed, no more
    assert abs(found.video_ms[-1] - found.audio_ms[-1]) < 100
    assert found.decode_errors == 0


def test_a_playout_with_other_headers_gets_a_new_connection(nginx: NginxRtmp, short_dir: Path) -> None:  # noqa: F811
    with pusher(short_dir, nginx.url("other")) as child:
        with Source(short_dir, ["main"]) as source:
            until(lambda: source.outputs.states()["main"].audio_ms > 1200)  # nginx names recordings by the second
        until(lambda: child.phase == "orphaned")
        with Source(short_dir, ["main"], media(1_000_000, noise=True)) as source:
            until(lambda: source.outputs.states()["main"].audio_ms > 500)
            assert [note["why"] for note in child.notes("output.closed")] == ["headers"]
            assert not child.notes("output.continued")
            source.stop()
            child.drain()
    paths = nginx.recordings("other")
    assert len(paths) == 2
    for path in paths:
        found = inspect(path)
        assert found.monotone and found.decode_errors == 0 and found.video_ms[0] < 100


def test_an_orphan_whose_playout_stays_away_says_goodbye(nginx: NginxRtmp, short_dir: Path) -> None:  # noqa: F811
    with pusher(short_dir, nginx.url("alone")) as child:
        with Source(short_dir, ["main"]):
            until(lambda: live(child))
        gone = time.monotonic()
        until(lambda: not nginx.publishes("alone"))
        assert 3.5 < time.monotonic() - gone < 12  # three times the bar
        until(lambda: child.phase == "idle")
        beats = [at for at, _ in child.beats() if at > gone]
        assert max(b - a for a, b in pairwise(beats)) < 1.0


def test_a_pusher_ends_at_once_when_the_supervisor_is_gone(nginx: NginxRtmp, short_dir: Path) -> None:  # noqa: F811
    with Source(short_dir, ["main"]), pusher(short_dir, nginx.url("left")) as child:
        until(lambda: live(child))
        child._line.close()
        child.process.wait(2)
        until(lambda: not nginx.publishes("left"))


def test_a_pusher_is_small_and_beats(nginx: NginxRtmp, short_dir: Path) -> None:  # noqa: F811
    with Source(short_dir, ["main"]) as source, pusher(short_dir, nginx.url("small")) as child:
        until(lambda: source.outputs.states()["main"].audio_ms > 2000)
        rollup = Path(f"/proc/{child.process.pid}/smaps_rollup").read_text()
        pss_kb = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        maps = Path(f"/proc/{child.process.pid}/maps").read_text()
        assert pss_kb < 45_000
        for library in ("numpy", "zmq", "_ssl", "structlog"):
            assert library not in maps
        times = [at for at, _ in child.beats()]
        assert max(b - a for a, b in pairwise(times[2:])) < 0.5


def test_the_sound_of_every_moment_is_reported_once_it_was_sent(nginx: NginxRtmp, short_dir: Path) -> None:  # noqa: F811
    with Source(short_dir, ["main"]) as source, pusher(short_dir, nginx.url("told")) as child:
        until(lambda: live(child))
        worst = 0.0
        for _ in range(50):
            time.sleep(0.02)
            encoded_ms = max(ms for kind, ms, _ in source.published if kind == AUDIO)
            worst = max(worst, encoded_ms - source.outputs.states()["main"].audio_ms)
        assert worst < 300  # 40 on a quiet machine
        child.process.send_signal(signal.SIGKILL)
