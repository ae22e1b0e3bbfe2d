"""The whole broadcaster, started as a user would, watched through nginx-rtmp and by its recordings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.avsync import av_offset_ms
from tests.nginx_rtmp import NginxRtmp, nginx_rtmp
from tests.recording import inspect
from tests.station import ROOT, Station, until
from tests.terminal import typed

KEY = "sk_live_5d41402a"


@pytest.fixture(scope="module")
def nginx() -> Iterator[NginxRtmp]:
    with nginx_rtmp() as server:
        yield server


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, nginx: NginxRtmp) -> Iterator[Station]:
    """A room that records and is pushed, pictures that can be measured, and whose third output nobody takes."""
    directory = tmp_path_factory.mktemp("room")
    script = directory / "script.md"
    script.write_text("One. Two. Three. Four. Five. Six.\n")
    config: dict[str, Any] = {
        "avatar": {"engine": "pattern", "size": [224, 384]},
        "script": {"file": str(script)},
        "outputs": [
            {"name": "file", "url": f"file:{directory}/a.mp4"},
            {"name": "push", "url": nginx.url("key")},
            {"name": "main", "url": f"rtmp://127.0.0.1:9/live/{KEY}?sign={KEY}"},
        ],
    }
    made = Station(directory, **config)
    made.start()
    yield made
    made.stop()


def states(station: Station) -> dict[str, str]:
    return {name: output["state"] for name, output in station.facts("playout").get("outputs", {}).items()}


def test_no_key_is_in_any_log_or_argument(room: Station) -> None:
    until(lambda: any(line["event"] == "output.backing_off" for line in room.log()), 30, "a refused connection")
    until(lambda: room.pids().get("pusher-main"), 10)
    for pid in [*room.pids().values(), room.process.pid if room.process else 0]:
        assert KEY not in Path(f"/proc/{pid}/cmdline").read_text()
    assert KEY not in json.dumps(room.status())


@pytest.fixture(scope="module")
def ended(room: Station) -> Station:
    """The room after 8 s of air, told to stop while its last words were on air."""
    until(lambda: room.facts("playout").get("source") == "live", 40, f"live; log:\n{room.tail()}")
    until(lambda: {"file": "live", "push": "live"}.items() <= states(room).items(), 40, "it records and is pushed")
    until(lambda: room.facts("playout")["encoded"] > 200, 30, "8 s of air")
    assert room.facts("playout")["skipped"] == 0
    room.client.say("These are my last words.", id="last")
    until(lambda: "started" in room.story("last"), 15)
    assert room.stop() == 0
    return room


def test_a_room_ends_in_good_order_and_its_recording_plays(ended: Station) -> None:
    found = inspect(next(ended.directory.glob("a-*.mp4")))
    assert found.monotone and not found.decode_errors and found.frames > 25
    assert ("last", 0) in ended.heard("last"), "the sentence on air was finished"
    assert KEY not in ended.log_path.read_text(), "nor of all that it said to its end"


def test_pattern_pictures_flash_with_their_sound_at_the_receiver(ended: Station, nginx: NginxRtmp) -> None:
    for path in (nginx.recordings("key")[-1], next(ended.directory.glob("a-*.mp4"))):
        found = inspect(path, pictures=False, sound=False)
        assert found.monotone and found.max_key_gap_ms <= 2000 and found.max_video_gap_ms <= 41
        assert found.max_audio_gap_ms < 2 and {"h264", "aac"} <= set(found.codecs)
        assert abs(av_offset_ms(path)) <= 40


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"avatar": {"image": "LICENSE"}}, "LICENSE: not a picture"),
        ({"voice": {"name": "klingon"}}, "voice.name"),
        ({"outputs": [{"name": "a", "url": "rtmp://h"}]}, "outputs.0.url"),
        ({"scripts": {}}, "did you mean 'script'"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    done = typed("config", "check", str(Station(tmp_path, **change).config_path))
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr


def test_a_room_is_not_begun_with_a_configuration_that_cannot_work(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = typed("run", str(Station(tmp_path, script={"file": "none.md"}).config_path))
    told = done.stderr + capfd.readouterr().err  # the latter of the process that tries it first
    assert done.returncode == 2 and "none.md: No such file" in told and "Traceback" not in told


def test_the_demo_goes_on_air_answers_and_leaves_a_recording(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "broadcaster.cli", "demo", "--seconds", "8", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 answers" in done.stdout
    found = inspect(tmp_path / "demo.mp4", sound=False)
    assert found.monotone and found.seconds > 17 and found.black_frames == 0
    assert found.longest_freeze_frames(after_slate=True) < 25
    assert (
        shutil.which("ffprobe") is None
        or b"h264"
        in subprocess.run(
            ["ffprobe", "-v", "error", "-show_streams", str(tmp_path / "demo.mp4")], capture_output=True, timeout=30
        ).stdout
    )
