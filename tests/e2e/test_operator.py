"""An operator's hands on a room that is on air: panic, and the configuration read again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import yaml

from broadcaster.config import load
from tests.onlooker import Onlooker, is_like, silent_since_s
from tests.station import ROOT, Station, on_air, until
from tests.terminal import Done, typed

LONG = "This is a long sentence, which goes on for a good while, so that it can be broken."


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    directory = tmp_path_factory.mktemp("room")
    with on_air(directory, outputs=[{"name": "main", "url": f"file:{directory}/main.mp4"}]) as made:
        yield made


@pytest.fixture
def onlooker(station: Station) -> Iterator[Onlooker]:
    made = Onlooker(load(station.config_path).runtime_dir)
    yield made
    made.close()


def command(station: Station, *arguments: str) -> Done:
    return typed(*arguments, "--config", str(station.config_path))


def lettered(station: Station) -> bool:
    """Playout shows the panic's words."""
    return any(line.get("event") == "panic.switched" and line.get("on") and line.get("text") for line in station.log())


def test_panic_mutes_at_once_survives_a_playout_and_the_cut_sentence_is_said_again(
    station: Station, onlooker: Onlooker
) -> None:
    station.client.say(LONG, id="a", mode="now")
    until(lambda: any(one.peak > 1000 for one in onlooker.sounds(0)), 20, "a voice")
    os.kill(station.pids()["director"], signal.SIGKILL)  # nobody is needed for it but the supervisor and playout
    order = [sys.executable, "-m", "broadcaster.cli", "panic", "Back in a minute", "--config", str(station.config_path)]
    done = subprocess.run(order, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stdout == "panic is on; on air: the slate and silence\n"
    ordered_s = time.monotonic()
    until(lambda: lettered(station), 10, "the words are drawn")  # after the slate, which waits for no font
    lettered_s = time.monotonic()
    until(lambda: onlooker.pictures(lettered_s + 0.5), 10, "pictures go on")
    slate = onlooker.pictures(lettered_s + 0.5)[0].luma
    assert slate is not None
    until(lambda: station.status().get("panic") and station.facts("director").get("paused"), 10, "the show pauses")
    killed_s = time.monotonic()
    station.kill("playout")
    until(lambda: station.child("playout").get("starts") == 2 and len(onlooker.pictures(killed_s + 0.5)) > 25, 20)
    unlike = [one.at_s - killed_s for one in onlooker.pictures(killed_s) if not is_like(one, slate)]
    assert not unlike, f"seconds after the kill; log:\n{station.tail()}"
    assert silent_since_s(onlooker.sounds(ordered_s)) == onlooker.sounds(ordered_s)[0].at_s
    assert "panic: on" in command(station, "status").stdout

    assert command(station, "panic", "--off").stdout.startswith("panic is off; on air: the avatar")
    until(lambda: "a" in station.aired(), 30, f"the sentence is said again; log:\n{station.tail()}")
    assert not station.status()["panic"]


def test_a_reload_adds_an_output_and_another_script_and_leaves_the_first_output_alone(station: Station) -> None:
    before = station.pids()
    tree = yaml.safe_load(station.config_path.read_text())
    script = station.directory / "script.md"
    script.write_text("Hello there.\n")
    tree["script"] = {"file": str(script)}
    tree["outputs"].append({"name": "second", "url": f"file:{station.directory}/second.mp4"})
    tree["label"] = {"text": "AI"}
    station.config_path.write_text(yaml.safe_dump(tree))
    done = command(station, "reload")
    assert done.stdout == "taken up: outputs.second, script\nneeds a restart: label.text\n", done.stderr
    until(lambda: any(name.startswith("script:") for name in station.aired()), 30, "the new script is spoken")
    until(lambda: station.facts("playout").get("outputs", {}).get("second", {}).get("state") == "live", 20)
    after = station.pids()
    assert {name: after[name] for name in before if name != "director"} == {
        name: before[name] for name in before if name != "director"
    }
    assert station.facts("playout")["outputs"]["main"]["connects"] == 1

    tree["outputs"] = tree["outputs"][1:]
    tree["voice"]["rat"] = 2
    station.config_path.write_text(yaml.safe_dump(tree))
    done = command(station, "reload")
    assert done.returncode == 2 and done.stderr.startswith("error: ") and "did you mean 'rate'?" in done.stderr
    assert station.pids() == after
    del tree["voice"]["rat"]
    station.config_path.write_text(yaml.safe_dump(tree))
    assert station.process is not None
    station.process.send_signal(signal.SIGHUP)
    until(lambda: "pusher-main" not in station.status().get("children", {"pusher-main": 0}), 20, "the output goes")
    until(lambda: list(station.facts("playout").get("outputs", {})) == ["second"], 10, "playout knows")
