"""One room on air, and what is done to it from outside: words in every way, a probe that dies, panic, a reload."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest
import redis
import yaml

from broadcaster.config import load
from broadcaster.room import redis_of
from tests.conftest import need
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


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def test_words_pushed_by_redis_cli_are_spoken_acknowledged_and_told(station: Station) -> None:
    socket = redis_of(load(station.config_path)).removeprefix("unix://")
    push = [need("redis-cli"), "-s", socket, "XADD", "broadcaster:test:say", "*", "text", "hello", "id", "a"]
    subprocess.run(push, check=True, capture_output=True, timeout=10)
    until(lambda: "aired" in station.story("a"), 15, "aired")
    assert station.story("a") == ["accepted", "synthesised", "started", "aired"]
    until(lambda: station.pending() == 0, 5, "acknowledged")
    assert station.queue().exists("broadcaster:test:done:a") or station.queue().zscore("broadcaster:test:done", "a")
    station.client.say("hello", id="a")
    until(lambda: "duplicate" in station.story("a"), 10, "the same id is not said twice")


def test_the_command_line_says_waits_and_tells(station: Station) -> None:
    target = ["--config", str(station.config_path)]
    said = typed("say", "Hello.", *target, "--wait")
    assert said.returncode == 0 and said.stdout.split()[-1] == "aired", said.stderr
    told = typed("status", *target)
    assert "on air" in told.stdout and "output main: live" in told.stdout
    told = typed("status", *target, "--json")
    assert json.loads(told.stdout)["children"]["playout"]["facts"]["skipped"] == 0


def test_the_http_interface_says_and_tells(station: Station) -> None:
    listening = next(line for line in station.log() if line["event"] == "control.listening")
    base = f"http://127.0.0.1:{listening['port']}"
    for path in ("/healthz", "/readyz", "/status"):
        with urllib.request.urlopen(base + path, timeout=5) as answer:
            assert answer.status == 200
    body = json.dumps({"text": "Hello over HTTP.", "id": "web"}).encode()
    request = urllib.request.Request(base + "/say", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 202
    until(lambda: "aired" in station.story("web"), 15, "aired")


def test_bad_messages_go_to_the_dead_letters_and_the_show_goes_on(station: Station) -> None:
    say = "broadcaster:test:say"
    raw = redis.Redis.from_url(redis_of(load(station.config_path)))
    for fields in (
        {"txt": "no text"},
        {"text": ""},
        {"text": "x" * 1_000_000},
        {"text": b"\xff\xfe"},
        {"text": "hello", "lane": "fast"},
        {"text": "hello", "mode": "soon"},
        {"text": "hello", "ttl_s": "tomorrow"},
    ):
        raw.xadd(say, fields)
    until(lambda: raw.xlen("broadcaster:test:dead") == 7, 15, "seven dead letters")
    reasons = [fields[b"reason"].decode() for _, fields in raw.xrange("broadcaster:test:dead")]
    assert all(reasons) and len(set(reasons)) >= 6, reasons
    assert station.client.wait(station.client.say("Still here.", id="after"), "0", 15)
    assert station.facts("playout")["skipped"] == 0


# ── what it looks like ───────────────────────────────────────────────────────────────────────────


def test_a_room_is_seen_as_it_is_and_outlives_its_probe(station: Station) -> None:
    until(lambda: "label" in station.facts("probe"), 30)
    facts = station.facts("probe")
    assert facts["label"] is True and facts["freeze_s"] <= 2.0 and facts["black_s"] == 0
    assert station.child("probe")["phase"] == "live"
    pids = dict(station.pids())
    station.kill("probe")
    until(lambda: station.pids().get("probe") not in (None, pids["probe"]), 20)
    until(lambda: station.facts("probe").get("label") is True, 20)
    assert {**station.pids(), "probe": 0} == {**pids, "probe": 0}


# ── an operator's hands ──────────────────────────────────────────────────────────────────────────


def lettered(station: Station) -> bool:
    """Playout shows the panic's words."""
    return any(line.get("event") == "panic.switched" and line.get("on") and line.get("text") for line in station.log())


def still(station: Station) -> bool:
    """The probe sees a labelled picture that has stood still for two seconds."""
    facts = station.facts("probe")
    return facts.get("freeze_s", 0) >= 2 and facts.get("label") is True


def test_panic_mutes_at_once_survives_a_playout_and_the_cut_sentence_is_said_again(
    station: Station, onlooker: Onlooker
) -> None:
    pushed_s = time.monotonic()
    station.client.say(LONG, id="cut", mode="now")
    until(lambda: any(one.peak > 1000 for one in onlooker.sounds(pushed_s)), 20, "a voice")
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
    until(lambda: still(station), 20, "a panic stands still, with its label")
    assert station.facts("probe")["black_s"] == 0

    assert command(station, "panic", "--off").stdout.startswith("panic is off; on air: the avatar")
    until(lambda: "cut" in station.aired(), 30, f"the sentence is said again; log:\n{station.tail()}")
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
