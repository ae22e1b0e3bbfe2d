from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path

import pytest
import structlog

from broadcaster import children, log, redis_server, room
from broadcaster.config import Config, parse
from broadcaster.notify import Notifier
from pipeline.errors import ConfigError

KEY = "sk_live_77aa"


@pytest.fixture
def config(tmp_path: Path, short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(short_dir / "run"))
    return parse(
        {
            "room": "shop",
            "state_dir": str(tmp_path / "var"),
            "outputs": [{"name": "main", "url": f"rtmp://h/live/{KEY}"}, {"name": "a", "url": "file:x/a.mp4"}],
        },
        "c.yaml",
    )


def test_a_room_keeps_its_name_as_an_owner_over_restarts(config: Config, tmp_path: Path) -> None:
    with room.held(config):
        first = room.owner(config)
    with room.held(config):
        assert room.owner(config) == first
    other = config.model_copy(update={"state_dir": tmp_path / "other"})
    with room.held(other):
        assert room.owner(other) != first


def test_a_held_room_is_private_and_can_be_found(config: Config) -> None:
    with room.held(config) as runtime_dir:
        assert stat.S_IMODE(runtime_dir.stat().st_mode) == 0o700
        record = config.state_dir / room.RECORD
        assert json.loads(record.read_text())["pid"] == os.getpid()
        assert room.redis_of(config) == redis_server.url(runtime_dir)
    assert not record.exists()


def test_a_clean_end_leaves_no_runtime_directory_and_any_other_leaves_it(
    tmp_path: Path, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(short_dir))
    config = parse({"room": "shop", "state_dir": str(tmp_path / "var")}, "c.yaml")
    with room.held(config) as runtime_dir:
        (runtime_dir / "pose").touch()
    assert not runtime_dir.exists()
    with pytest.raises(RuntimeError), room.held(config):
        raise RuntimeError
    assert runtime_dir.exists()


def test_a_running_room_is_found_by_its_file_without_its_secrets(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"room: shop\nstate_dir: {config.state_dir}\noutputs: [{{name: a, url: '${{NOT_SET}}'}}]\n")
    with pytest.raises(ConfigError, match="shop is not on air"):
        room.runtime_dir_of(path)
    with room.held(config) as runtime_dir:
        assert room.runtime_dir_of(path) == runtime_dir


def test_a_room_is_held_once(config: Config) -> None:
    with room.held(config), pytest.raises(ConfigError, match="another broadcaster"), room.held(config):
        pass


def test_a_runtime_directory_that_is_too_long_is_refused(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/tmp/" + "x" * 100)
    with pytest.raises(ConfigError, match="too long"), room.held(config):
        pass


def test_the_plan_has_a_child_for_each_part_and_no_key_in_argv(config: Config, short_dir: Path) -> None:
    plans = children.plan(config, short_dir)
    assert [p.name for p in plans] == [
        "director",
        "monitor",
        "engine-portrait",
        "playout",
        "pusher-main",
        "pusher-a",
        "pusher-preview",
        "probe",
        "redis",
    ]
    assert not any(KEY in argument for p in plans for argument in p.command)
    assert plans[4].spec["url"].endswith(KEY)
    assert [p.stage for p in plans] == sorted(p.stage for p in plans)


def test_outputs_to_the_network_are_gated_where_another_machine_may_have_the_room(short_dir: Path) -> None:
    outputs = [{"name": "a", "url": "rtmp://h/live/k"}, {"name": "b", "url": "file:x/b.mp4"}]
    for redis, gated in (({"redis": "redis://127.0.0.1:1/0"}, {"pusher-a"}), ({}, set())):
        config = parse({"room": "shop", "outputs": outputs, **redis}, "c.yaml")
        assert {p.name for p in children.plan(config, short_dir) if p.gated} == gated


def test_a_crash_loop_is_followed_by_what_asks_less_of_the_machine(short_dir: Path) -> None:
    config = parse({"room": "shop", "avatar": {"engine": "pattern"}}, "c.yaml")
    plans = {p.name: p for p in children.plan(config, short_dir)}
    understudy = plans["engine-pattern"].understudy
    assert understudy is not None and understudy.name == "engine-portrait" and understudy.understudy is None
    assert plans["playout"].spec["engines"] == ["pattern", "portrait"]
    lesser = plans["playout"].understudy
    assert lesser is not None and (lesser.name, lesser.spec["preset"]) == ("playout", "ultrafast")


def test_a_configured_redis_is_not_embedded(short_dir: Path) -> None:
    config = parse({"room": "shop", "redis": "redis://127.0.0.1:1/0"}, "c.yaml")
    plans = children.plan(config, short_dir)
    assert "redis" not in {p.kind for p in plans} and plans[0].spec["redis_url"] == "redis://127.0.0.1:1/0"


@pytest.mark.parametrize(
    "text",
    [
        f"cannot open rtmp://live.example.com/app/{KEY}?sign={KEY}",
        f"[f=data:rw_timeout=2]rtmps://live.example.com:443/app/{KEY}: Broken pipe",
        f"redis://:{KEY}@cache.example.com:6379/0 refused",
    ],
)
def test_a_url_in_a_log_line_loses_its_secret(text: str) -> None:
    event = log.redact(None, "info", {"reason": text, "event": "output.lost"})
    assert KEY not in event["reason"] and "example.com" in event["reason"]


def test_log_lines_are_json_with_an_owner(capfd: pytest.CaptureFixture[str]) -> None:
    log.configure("playout")
    structlog.get_logger().info("programme.live", engine="portrait")
    line = json.loads(capfd.readouterr().err.splitlines()[-1])
    assert line["owner"] == "playout" and line["event"] == "programme.live" and line["level"] == "info"
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()


def test_without_systemd_nobody_is_told() -> None:
    assert Notifier("").send(READY=1) is False
    assert Notifier("/nowhere/notify").send(READY=1) is False
