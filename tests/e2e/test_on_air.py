"""The whole broadcaster, started as a user would, watched through nginx-rtmp and by its recordings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.avsync import av_offset_ms
from tests.nginx_rtmp import NginxRtmp, nginx  # noqa: F401  a fixture
from tests.recording import inspect
from tests.station import ROOT, Station, on_air, until


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
    assert ("last", 0) in made.heard("last"), "the sentence on air was finished"


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
