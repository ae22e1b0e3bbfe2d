"""Words pushed in every way there is, into one room in which nothing is broken."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest
import redis

from broadcaster.config import load
from broadcaster.room import redis_of
from tests.conftest import need
from tests.nginx_rtmp import nginx_rtmp
from tests.station import Station, on_air, until
from tests.terminal import typed


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    directory = tmp_path_factory.mktemp("calm")
    with nginx_rtmp() as server, on_air(directory, outputs=[{"name": "main", "url": server.url("calm")}]) as made:
        yield made


def test_words_pushed_by_redis_cli_are_spoken_acknowledged_and_told(calm: Station) -> None:
    socket = redis_of(load(calm.config_path)).removeprefix("unix://")
    push = [need("redis-cli"), "-s", socket, "XADD", "broadcaster:test:say", "*", "text", "hello", "id", "a"]
    subprocess.run(push, check=True, capture_output=True, timeout=10)
    until(lambda: "aired" in calm.story("a"), 15, "aired")
    assert calm.story("a") == ["accepted", "synthesised", "started", "aired"]
    until(lambda: calm.pending() == 0, 5, "acknowledged")
    assert calm.queue().exists("broadcaster:test:done:a") or calm.queue().zscore("broadcaster:test:done", "a")
    calm.client.say("hello", id="a")
    until(lambda: "duplicate" in calm.story("a"), 10, "the same id is not said twice")


def test_the_command_line_says_waits_and_tells(calm: Station) -> None:
    target = ["--config", str(calm.config_path)]
    said = typed("say", "Hello.", *target, "--wait")
    assert said.returncode == 0 and said.stdout.split()[-1] == "aired", said.stderr
    told = typed("status", *target)
    assert "on air" in told.stdout and "output main: live" in told.stdout
    told = typed("status", *target, "--json")
    assert json.loads(told.stdout)["children"]["playout"]["facts"]["skipped"] == 0


def test_the_http_interface_says_and_tells(calm: Station) -> None:
    listening = next(line for line in calm.log() if line["event"] == "control.listening")
    base = f"http://127.0.0.1:{listening['port']}"
    for path in ("/healthz", "/readyz", "/status"):
        with urllib.request.urlopen(base + path, timeout=5) as answer:
            assert answer.status == 200
    body = json.dumps({"text": "Hello over HTTP.", "id": "web"}).encode()
    request = urllib.request.Request(base + "/say", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 202
    until(lambda: "aired" in calm.story("web"), 15, "aired")


def test_bad_messages_go_to_the_dead_letters_and_the_show_goes_on(calm: Station) -> None:
    say = "broadcaster:test:say"
    raw = redis.Redis.from_url(redis_of(load(calm.config_path)))
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
    assert calm.client.wait(calm.client.say("Still here.", id="after"), "0", 15)
    assert calm.facts("playout")["skipped"] == 0
