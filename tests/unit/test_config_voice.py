"""The section `voice`: what cannot be used is told by its key, and no secret is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from broadcaster.children import plan
from broadcaster.config import Config, parse
from broadcaster.director_spec import DirectorSpec
from broadcaster.doctor.examination import BAD, OK, WARN
from broadcaster.doctor.room import voice as examined
from pipeline.errors import ConfigError
from tests.voices_server import KEY, SpeechServer

URL = "https://speech.example/v1?token=hidden"


def config(**voice: Any) -> Config:
    return parse({"room": "shop", "voice": voice}, "c.yaml")


@pytest.mark.parametrize(
    ("voice", "words"),
    [
        ({"chain": ["http", "espeak"]}, "'http' needs the section voice.http, with url at least"),
        ({"chain": ["sherpa"]}, "'sherpa' needs the section voice.sherpa, with model_dir at least"),
        ({"http": {"url": "ftp://h/v1"}}, "voice.http.url: write http://HOST:PORT/v1"),
        ({"http": {"url": "http://h:99999/v1"}}, "voice.http.url: write http://HOST:PORT/v1"),
        ({"http": {"url": "http://a:hidden@h/v1"}}, "not in the address"),
        ({"http": {"url": URL, "key": "hidden\n"}}, "voice.http.key"),
        ({"http": {"url": URL, "body": {"speed": 2}}}, "'speed' is not for here"),
        ({"http": {"url": URL, "modle": "a"}}, "did you mean 'model'"),
        ({"http": {"url": URL, "format": "aac"}}, "voice.http.format"),
        ({"sherpa": {"model_dir": "m", "languages": ["English"]}}, r"write languages as \[zh, en\]"),
        ({"sherpa": {"model_dir": "m", "thread": 2}}, "did you mean 'threads'"),
    ],
)
def test_what_cannot_be_used_is_told_and_no_secret(voice: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        config(**voice)
    assert "hidden" not in str(raised.value)


def test_a_key_by_reference_reaches_the_director_alone_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPEECH_KEY", KEY)
    made = config(chain=["http"], http={"url": URL, "key": "${SPEECH_KEY}", "voices": {"zh": "zf"}})
    assert KEY not in repr(made) and "hidden" not in repr(made)
    plans = plan(made, tmp_path, "owner")
    director = next(one for one in plans if one.name == "director")
    spec = msgspec.convert(director.spec, DirectorSpec)
    http = spec.voice_settings.http
    assert http is not None and (http.key, http.url, http.voices) == (KEY, URL, {"zh": "zf"})
    assert KEY not in repr(spec.voice_settings) and "hidden" not in repr(spec.voice_settings)
    assert not any(KEY in str(one.spec) for one in plans if one is not director)
    assert not any(KEY in word for one in plans for word in one.argv)


def test_the_doctor_has_a_server_say_a_word() -> None:
    server = SpeechServer()
    server.start()
    try:
        made = config(chain=["http", "espeak"], http={"url": server.url, "key": KEY})
        verdict, text, *_ = examined(made, "http")
        assert verdict in (OK, WARN) and "of speech" in text
        server.fail("401")
        verdict, text, remedy = examined(made, "http")
        assert verdict == WARN and "key is not accepted" in text and "voice.http.url" in remedy and KEY not in text
    finally:
        server.stop()


def test_the_doctor_names_the_file_that_a_model_lacks(tmp_path: Path) -> None:
    made = config(chain=["sherpa"], sherpa={"model_dir": str(tmp_path)})
    verdict, text, remedy = examined(made, "sherpa")
    assert verdict == BAD and f"{tmp_path}: no model (*.onnx) in it" in text and "broadcaster[sherpa]" in remedy
