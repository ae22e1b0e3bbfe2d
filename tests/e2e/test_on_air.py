"""The whole broadcaster, started as a user would, watched through nginx-rtmp, and broken on purpose."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.avsync import av_offset_ms
from tests.listener import Listener, longest_gap_s
from tests.nginx_rtmp import NginxRtmp, nginx  # noqa: F401  a fixture
from tests.recording import inspect
from tests.station import ROOT, Station, on_air, until

SENTENCES = [f"This is sentence number {n} of a longer text." for n in range(1, 7)]
LONG = " ".join(SENTENCES)


@pytest.fixture
def station(tmp_path: Path, nginx: NginxRtmp) -> Iterator[Station]:  # noqa: F811
    with on_air(tmp_path, outputs=[{"name": "main", "url": nginx.url("key?sign=a&b=c")}]) as made:
        yield made


@pytest.fixture
def viewer(station: Station, nginx: NginxRtmp, tmp_path: Path) -> Iterator[Listener]:  # noqa: F811
    listener = Listener(nginx.url("key"), tmp_path / "heard")
    until(listener.is_playing, 30, "the viewer sees something")
    yield listener
    listener.stop()


def heard_sentences(station: Station) -> list[tuple[str, int]]:
    """Sentences that were sent to their end, in order, from the journal."""
    lines = [
        json.loads(line)
        for path in sorted((station.directory / "var" / "journal").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return [(line["utterance"], line.get("sentence", 0)) for line in lines if line["what"] == "sentence_aired"]


def say_and_wait_for_voice(station: Station, viewer: Listener, identity: str) -> None:
    pushed_s = time.monotonic()
    station.client.say(LONG, id=identity, mode="now")
    until(lambda: viewer.voiced_after(pushed_s), 15, "a voice")


def test_an_engine_killed_while_it_speaks_is_not_seen_by_the_platform(
    station: Station,
    viewer: Listener,
    nginx: NginxRtmp,  # noqa: F811
) -> None:
    say_and_wait_for_voice(station, viewer, "a")
    before = station.pids()
    station.kill("engine-portrait")
    killed_s = time.monotonic()
    until(lambda: "aired" in station.story("a"), 60, "aired in the end")
    after = station.pids()
    assert {k: v for k, v in after.items() if k != "engine-portrait"} == {
        k: v for k, v in before.items() if k != "engine-portrait"
    }
    assert heard_sentences(station) == [("a", n) for n in range(len(SENTENCES))], "each once, in order"
    assert "interrupted" in station.story("a")
    facts = station.facts("playout")
    assert facts["skipped"] == 0 and facts["outputs"]["main"]["connects"] == 1
    assert longest_gap_s(viewer.video(), killed_s - 1) < 0.5
    found = inspect(nginx.recordings("key")[-1])
    assert found.monotone and found.max_video_gap_ms <= 41 and found.black_frames == 0 and not found.decode_errors
    assert found.longest_freeze_frames(after_slate=True) < 25, "the hold loop moves"


def test_a_director_killed_while_it_speaks_repeats_nothing_and_loses_nothing(
    station: Station, viewer: Listener
) -> None:
    say_and_wait_for_voice(station, viewer, "a")
    station.client.say("And this comes after it.", id="b")
    before = station.pids()
    until(lambda: len(heard_sentences(station)) >= 1, 20, "one sentence was heard")
    station.kill("director")
    until(lambda: {"aired"} <= set(station.story("b")), 60, "the next utterance was aired")
    assert heard_sentences(station) == [*[("a", n) for n in range(len(SENTENCES))], ("b", 0)]
    after = station.pids()
    assert {k: v for k, v in after.items() if k != "director"} == {k: v for k, v in before.items() if k != "director"}
    assert station.facts("playout")["skipped"] == 0
    assert longest_gap_s(viewer.video()) < 0.5


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
    station.client.say(LONG, id="a")
    until(lambda: "started" in station.story("a"), 20)
    before = station.pids()
    station.kill("playout")
    until(lambda: station.pids().get("playout") not in (None, before["playout"]), 10)
    station.wait_live(15)
    until(lambda: "aired" in station.story("a"), 60, "what was cut is said in the end")
    after = station.pids()
    assert {k: v for k, v in after.items() if k != "playout"} == {k: v for k, v in before.items() if k != "playout"}


def test_the_embedded_queue_killed_loses_no_word(station: Station) -> None:
    station.client.say(LONG, id="a")
    station.client.say("And the next one.", id="b")
    until(lambda: "started" in station.story("a"), 20)
    station.kill("redis")
    until(lambda: "aired" in station.story("b"), 60, "aired after the queue came back")
    assert heard_sentences(station) == [*[("a", n) for n in range(len(SENTENCES))], ("b", 0)]
    until(lambda: station.pending() == 0, 10, "acknowledged")
    assert station.facts("playout")["skipped"] == 0


def test_pattern_pictures_flash_with_their_sound_at_the_receiver(tmp_path: Path, nginx: NginxRtmp) -> None:  # noqa: F811
    script = tmp_path / "script.md"
    script.write_text("One. Two. Three. Four. Five. Six.\n")
    config: dict[str, Any] = {
        "avatar": {"engine": "pattern"},
        "script": {"file": str(script)},
        "outputs": [{"name": "main", "url": nginx.url("key")}, {"name": "file", "url": f"file:{tmp_path}/a.mp4"}],
    }
    with on_air(tmp_path, **config) as made:
        until(lambda: made.facts("playout")["encoded"] > 300, 30, "12 s of air")
        assert made.facts("playout")["skipped"] == 0
    for path in (nginx.recordings("key")[-1], next(tmp_path.glob("a-*.mp4"))):
        found = inspect(path, pictures=False, sound=False)
        assert found.monotone and found.max_key_gap_ms <= 2000 and found.max_video_gap_ms <= 41
        assert found.max_audio_gap_ms < 2 and {"h264", "aac"} <= set(found.codecs)
        assert abs(av_offset_ms(path)) <= 40


def test_a_room_ends_in_good_order_and_its_recording_plays(tmp_path: Path) -> None:
    with on_air(tmp_path, outputs=[{"name": "file", "url": f"file:{tmp_path}/a.mp4"}]) as made:
        made.client.say("These are my last words.", id="last")
        until(lambda: "started" in made.story("last"), 15)
        assert made.stop() == 0
    found = inspect(next(tmp_path.glob("a-*.mp4")))
    assert found.monotone and not found.decode_errors and found.frames > 25
    assert ("last", 0) in heard_sentences(made), "the sentence on air was finished"


def test_no_key_is_in_any_log_or_argument(tmp_path: Path) -> None:
    key = "sk_live_5d41402a"
    made = Station(tmp_path, outputs=[{"name": "main", "url": f"rtmp://127.0.0.1:9/live/{key}?sign={key}"}])
    made.start()
    try:
        until(lambda: any(line["event"] == "output.backing_off" for line in made.log()), 30, "a refused connection")
        until(lambda: made.pids().get("pusher-main"), 10)
        for pid in [*made.pids().values(), made.process.pid if made.process else 0]:
            assert key not in Path(f"/proc/{pid}/cmdline").read_text()
        assert key not in json.dumps(made.status())
    finally:
        made.stop()
    assert key not in made.log_path.read_text()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"script": {"file": "none.md"}}, "none.md: No such file"),
        ({"avatar": {"image": "LICENSE"}}, "LICENSE: not a picture"),
        ({"voice": {"name": "klingon"}}, "voice.name"),
        ({"outputs": [{"name": "a", "url": "rtmp://h"}]}, "outputs.0.url"),
        ({"scripts": {}}, "did you mean 'script'"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    made = Station(tmp_path, **change)
    command = [sys.executable, "-m", "broadcaster.cli", "run", str(made.config_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr


def test_the_demo_goes_on_air_answers_and_leaves_a_recording(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "broadcaster.cli", "demo", "--seconds", "18", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 answers" in done.stdout
    found = inspect(tmp_path / "demo.mp4")
    assert found.monotone and found.seconds > 17 and found.black_frames == 0
    assert found.longest_freeze_frames(after_slate=True) < 25
    assert (
        shutil.which("ffprobe") is None
        or b"h264"
        in subprocess.run(
            ["ffprobe", "-v", "error", "-show_streams", str(tmp_path / "demo.mp4")], capture_output=True, timeout=30
        ).stdout
    )
