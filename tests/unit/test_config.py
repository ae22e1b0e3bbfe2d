from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broadcaster.config import Config, load, parse
from pipeline.errors import ConfigError

KEY = "sk_live_9f8e7d"


def config(**changes: Any) -> Config:
    return parse({"room": "shop", **changes}, "shop.yaml")


def refused(**changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        config(**changes)
    return str(caught.value)


def test_a_room_name_is_enough() -> None:
    made = config()
    assert made.avatar.size == (448, 768) and made.voice.chain == ("espeak",) and made.ack == "any"


def test_the_documented_example_is_accepted() -> None:
    made = config(
        state_dir="var",
        redis="redis://127.0.0.1:6379/0",
        avatar={"image": "configs/avatars/host.png", "engine": "portrait", "size": [448, 768]},
        voice={"chain": ["edge", "espeak"], "name": "zh-CN-XiaoxiaoNeural", "rate": 1.0},
        script={"file": "configs/scripts/shop-en.md", "loop": True},
        label={"text": "AI-generated", "corner": "top-left"},
        outputs=[
            {"name": "main", "url": "rtmp://127.0.0.1:1935/live/key?sign=a"},
            {"name": "archive", "url": "file:var/shop.mp4", "segment_s": 3600, "keep_days": 7, "min_free_gb": 5},
        ],
        ack="main",
        when_no_output="go_on",
        encoder={"bitrate_kbps": 3000, "preset": "veryfast"},
        control={"listen": "127.0.0.1:8787"},
    )
    assert [output.scheme for output in made.outputs] == ["rtmp", "file"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lable": {}}, "lable: unknown key; did you mean 'label'?"),
        ({"outputs": [{"name": "a", "url": "file:a.mp4", "keep_day": 1}]}, "did you mean 'keep_days'?"),
        ({"avatar": {"engine": "portait"}}, "choose from portrait"),
        ({"avatar": {"size": [447, 768]}}, "must be even"),
        ({"voice": {"chain": ["azure"]}}, "choose from edge, espeak"),
        ({"voice": {"chain": []}}, "at least one"),
        ({"label": {"text": "  "}}, "visible"),
        ({"label": {"enabled": False}}, "unknown key"),
        ({"ack": "backup"}, "neither any, all nor an output"),
        ({"outputs": [{"name": "a", "url": "srt://h/live/k"}]}, "use one of rtmp, rtmps, file"),
        ({"outputs": [{"name": "a", "url": "rtmp:///live/k"}]}, "host is missing"),
        ({"outputs": [{"name": "a", "url": "rtmp://h/live"}]}, "stream key is missing"),
        ({"outputs": [{"name": "a", "url": "rtmp://h:port/live/k"}]}, "not a URL"),
        ({"outputs": [{"name": "a", "url": "rtmp://h/live/k k"}]}, "without spaces"),
        ({"outputs": [{"name": "a", "url": "rtmp://h/l/k", "backup": "rtmp://h/l"}]}, "backup: application or"),
        ({"outputs": [{"name": "a", "url": "rtmp://h/l/k", "backup": "file:a.mp4"}]}, "a second URL of the platform"),
        ({"outputs": [{"name": "a", "url": "file:a.mp4", "backup": "rtmp://h/l/k"}]}, "backup: only for rtmp"),
        ({"outputs": [{"name": "a", "url": "hls:d", "session_hours": 8}]}, "session_hours: only for rtmp"),
        ({"outputs": [{"name": "a", "url": "rtmp://h/l/k", "session_hours": 600}]}, "session_hours: at most 480"),
        ({"outputs": [{"name": "a", "url": "file:x.mkv"}]}, "is an MP4"),
        ({"outputs": [{"name": "a", "url": "file:a.mp4"}] * 2}, "used twice"),
        ({"outputs": [{"name": "preview", "url": "file:a.mp4"}]}, "the page's own picture"),
        ({"outputs": [{"name": "a", "url": "hls:"}]}, "hls:DIRECTORY"),
        ({"outputs": [{"name": "a", "url": "hls:web", "hls_segments": 2}]}, "hls_segments"),
        ({"room": "a/b"}, "letters, digits"),
        ({"redis": "localhost"}, "redis://HOST:PORT"),
        ({"control": {"listen": "8787"}}, "HOST:PORT"),
        ({"control": {"listen": "0.0.0.0:8787"}}, "a token is needed"),
        ({"control": {"listen": "studio.lan:8787"}}, "a token is needed"),
        ({"control": {"token": "short"}}, "at least 16"),
        ({"encoder": {"preset": "placebo"}}, "encoder.preset"),
        ({"encoder": {"bitrate_kbps": "fast"}}, "encoder.bitrate_kbps: write a whole number, as 3000"),
        ({"encoder": {"bitrate_kbps": 100}}, "encoder.bitrate_kbps: at least 200"),
        ({"encoder": "fast"}, "encoder: write keys and values below it"),
        ({"avatar": {"size": 448}}, "avatar.size: write a list"),
        ({"avatar": {"size": [448]}}, "avatar.size.1: it is required and missing"),
        ({"voice": {"rate": "slow"}}, "voice.rate: write a number"),
        ({"script": {}}, "script.file: it is required and missing"),
        ({"script": {"file": "a.md", "loop": "always"}}, "script.loop: write true or false"),
        ({"when_no_output": "wait"}, "when_no_output: choose from 'go_on', 'pause'"),
        ({"outputs": {"name": "a"}}, "outputs: write a list"),
        ({"outputs": [{"name": "a b", "url": "file:a.mp4"}]}, "outputs.0.name: letters, digits"),
        ({"room": 7}, "room: write text"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], words: str) -> None:
    text = refused(**changes)
    assert words in text and text.startswith("shop.yaml: ")


def test_a_stream_key_is_in_no_error_and_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"rtmp://h/live/{KEY}?sign={KEY}"
    assert KEY not in repr(config(outputs=[{"name": "a", "url": url}]))
    for bad in (f"rtmps://h/{KEY}", f"rtmp://h/live/{KEY} x", f"http://{KEY}", f"rtmp://[{KEY}/x"):
        assert KEY not in refused(outputs=[{"name": "a", "url": bad}])
    assert KEY not in refused(outputs=[{"name": "a", "url": url}], ack="b")


def test_other_machines_may_ask_with_a_token_that_is_in_no_repr_and_no_error() -> None:
    for listen in ("127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1"):
        assert config(control={"listen": listen}).control.token is None
    made = config(control={"listen": "0.0.0.0:8787", "token": KEY * 2})
    assert made.control.token is not None and made.control.token.get_secret_value() == KEY * 2
    assert KEY not in repr(made)
    assert KEY not in refused(control={"token": KEY + "é" * 16})


def test_secrets_come_from_credentials_environment_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stream_key").write_text("from-credential\n")
    (tmp_path / "other").write_text("from-file\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("MY_KEY", "from-environment")
    urls = [
        config(outputs=[{"name": "a", "url": f"rtmp://h/live/{key}"}]).outputs[0].url.get_secret_value()
        for key in ("${stream_key}", "${MY_KEY}", f"${{file:{tmp_path}/other}}")
    ]
    assert [url.rpartition("/")[2] for url in urls] == ["from-credential", "from-environment", "from-file"]
    assert "${NO_SUCH}" in refused(outputs=[{"name": "a", "url": "rtmp://h/live/${NO_SUCH}"}])


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"room: [", "not YAML"), (b"- a\n", "keys and values"), (b"\xff\xfe\x00", "not UTF-8"), (b"", "keys and values")],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load(path)
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.yaml")


def test_the_runtime_directory_is_short_and_the_same_for_the_same_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    long = tmp_path / ("x" * 90)
    made = config(state_dir=str(long), room="r" * 64)
    assert made.runtime_dir == config(state_dir=str(long), room="r" * 64).runtime_dir
    assert len(str(made.runtime_dir)) < 80
    assert made.runtime_dir != config(state_dir=str(tmp_path), room="r" * 64).runtime_dir


@pytest.mark.parametrize(
    ("alarms", "words"),
    [
        ({"webhook": f"ftp://h/{KEY}"}, "alarms.webhook: scheme 'ftp': use one of http, https"),
        ({"webhook": f"https:///{KEY}"}, "the host is missing: https://HOST/…"),
        ({"webhook": f"https://h:99999/{KEY}"}, "not a URL"),
        ({"webhook": f"https://h/{KEY} x"}, "percent-encode"),
        (
            {"playback": {"main": f"file:///{KEY}"}},
            "alarms.playback: main: scheme 'file': use one of rtmp, rtmps, http",
        ),
        ({"playback": [f"https://h/{KEY}"]}, "alarms.playback"),
        ({"every_s": 60}, "alarms.every_s"),
        ({"settle_s": -1}, "alarms.settle_s"),
        ({"act": "perhaps"}, "alarms.act"),
        ({"disk_gb": -1}, "alarms.disk_gb"),
        ({"webhok": f"https://h/{KEY}"}, "alarms.webhok: unknown key; did you mean 'webhook'?"),
    ],
)
def test_alarms_that_cannot_be_told_or_looked_at_are_refused_without_their_secrets(
    alarms: dict[str, Any], words: str
) -> None:
    said = refused(alarms=alarms)
    assert words in said and KEY not in said


def test_alarms_are_told_where_the_configuration_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALARM_WEBHOOK", f"https://chat.example/hooks/{KEY}?a=b")
    made = config(alarms={"webhook": "${ALARM_WEBHOOK}", "playback": {"main": "rtmp://h/live/x"}})
    assert made.alarms.webhook is not None and made.alarms.webhook.get_secret_value().endswith(f"{KEY}?a=b")
    assert KEY not in repr(made)
