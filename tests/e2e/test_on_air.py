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
from tests.nginx_rtmp import NginxRtmp, nginx  # noqa: F401  a fixture
from tests.recording import inspect
from tests.station import ROOT, Station, on_air, until
from tests.terminal import typed

KEY = "sk_live_5d41402a"


def test_pattern_pictures_flash_with_their_sound_at_the_receiver(tmp_path: Path, nginx: NginxRtmp) -> None:  # noqa: F811
    script = tmp_path / "script.md"
    script.write_text("One. Two. Three. Four. Five. Six.\n")
    config: dict[str, Any] = {
        "avatar": {"engine": "pattern", "size": [224, 384]},
        "script": {"file": str(script)},
        "outputs": [{"name": "main", "url": nginx.url("key")}, {"name": "file", "url": f"file:{tmp_path}/a.mp4"}],
    }
    with on_air(tmp_path, **config) as made:
        until(lambda: made.facts("playout")["encoded"] > 200, 30, "8 s of air")
        assert made.facts("playout")["skipped"] == 0
    for path in (nginx.recordings("key")[-1], next(tmp_path.glob("a-*.mp4"))):
        found = inspect(path, pictures=False, sound=False)
        assert found.monotone and found.max_key_gap_ms <= 2000 and found.max_video_gap_ms <= 41
        assert found.max_audio_gap_ms < 2 and {"h264", "aac"} <= set(found.codecs)
        assert abs(av_offset_ms(path)) <= 40


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A room that records, and whose other output nobody takes."""
    directory = tmp_path_factory.mktemp("room")
    outputs = [
        {"name": "file", "url": f"file:{directory}/a.mp4"},
        {"name": "main", "url": f"rtmp://127.0.0.1:9/live/{KEY}?sign={KEY}"},
    ]
    made = Station(directory, outputs=outputs)
    made.start()
    yield made
    made.stop()


def test_no_key_is_in_any_log_or_argument(room: Station) -> None:
    until(lambda: any(line["event"] == "output.backing_off" for line in room.log()), 30, "a refused connection")
    until(lambda: room.pids().get("pusher-main"), 10)
    for pid in [*room.pids().values(), room.process.pid if room.process else 0]:
        assert KEY not in Path(f"/proc/{pid}/cmdline").read_text()
    assert KEY not in json.dumps(room.status())


def test_a_room_ends_in_good_order_and_its_recording_plays(room: Station) -> None:
    until(lambda: room.facts("playout").get("source") == "live", 40, f"live; log:\n{room.tail()}")
    until(lambda: room.facts("playout")["outputs"]["file"]["state"] == "live", 40, "it records")
    room.client.say("These are my last words.", id="last")
    until(lambda: "started" in room.story("last"), 15)
    assert room.stop() == 0
    found = inspect(next(room.directory.glob("a-*.mp4")))
    assert found.monotone and not found.decode_errors and found.frames > 25
    assert ("last", 0) in room.heard("last"), "the sentence on air was finished"
    assert KEY not in room.log_path.read_text(), "nor of all that it said to its end"


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
    tmp_path: Path, capfd: pytest.CaptureFixture[str], change: dict[str, Any], words: str
) -> None:
    made = Station(tmp_path, **change)
    done = typed("run", str(made.config_path))
    told = done.stderr + capfd.readouterr().err  # the latter of the process that tries it first
    assert done.returncode == 2 and words in told and "Traceback" not in told


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
