"""The commands of a takeover, against a real server on the room's own socket."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from broadcaster.cli import takeover
from broadcaster.cli.app import app
from broadcaster.microphone import Microphone
from broadcaster.names import CONTROL_SOCKET
from broadcaster.web.server import _serve_local, make_office
from pipeline.clock import RealClock
from pipeline.errors import ConfigError
from tests.unit.test_hand import GOOD, Office
from tests.unit.test_voice_socket import Stage, Taker


class Room(Office):
    def __init__(self, state_dir: Path) -> None:
        super().__init__(state_dir)
        self.stage = Stage()
        self.microphone = Microphone(self.stage, Taker(), RealClock(), lambda: None)


@pytest.fixture
def room(tmp_path: Path, short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    made = Room(tmp_path)
    path = short_dir / CONTROL_SOCKET
    monkeypatch.setattr(takeover, "_socket", lambda _config: path)
    loop = asyncio.new_event_loop()
    serving = loop.create_task(_serve_local(make_office(made, short_dir, RealClock()), path))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.gather(serving, return_exceptions=True)))
    thread.start()
    while not path.exists():
        pass
    yield made
    loop.call_soon_threadsafe(serving.cancel)
    thread.join(10)


def told(*words: str, given: bytes = b"") -> str:
    result = CliRunner().invoke(app, list(words), input=given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def test_orders_reach_the_room(room: Room) -> None:
    assert told("pause", "--now") == "pause" and told("resume") == "resume" and told("skip") == "skip"
    assert told("sections") == "One" and told("goto", "One", "--now") == "goto"
    assert room.orders == [("pause", True), ("resume",), ("skip", False), ("goto", "One", True)]


def test_a_person_is_called_and_all_are_listed(room: Room) -> None:
    assert told("person", "anna") == "person" and room.orders == [("person", "anna")]
    assert told("person").splitlines() == ["host  (in the picture)", "anna"]
    with pytest.raises(ConfigError, match="no such person"):
        told("person", "nobody")


def test_a_refusal_is_told_in_the_rooms_own_words(room: Room) -> None:
    with pytest.raises(ConfigError, match="no such section"):
        told("goto", "Nowhere")


def test_a_script_is_pasted_and_taken_back(room: Room, tmp_path: Path) -> None:
    file = tmp_path / "new.md"
    file.write_text(GOOD)
    assert told("takeover", "script", str(file)) == "paste" and told("takeover", "script", "--back") == "unpaste"
    file.write_text("")
    with pytest.raises(ConfigError, match=r"script\.md"):
        told("takeover", "script", str(file))


def test_a_table_is_pasted_as_one_and_what_is_no_script_is_refused(room: Room, tmp_path: Path) -> None:
    file = tmp_path / "new.csv"
    file.write_text("section,text\nOne,Hello\n")
    assert told("takeover", "script", str(file)) == "paste" and room.orders[-1] == ("paste", ".csv")
    with pytest.raises(ConfigError, match="no kind of script"):
        told("takeover", "script", str(file.rename(tmp_path / "new.pdf")))


def test_variables_are_told_and_listed(room: Room) -> None:
    assert told("variables", "viewers=123", "offer=a=b") == "offer=a=b\nviewers=123"
    assert told("variables", "viewers=") == told("variables") == "offer=a=b"
    with pytest.raises(ConfigError, match="NAME=VALUE"):
        told("variables", "viewers")


def test_a_talk_that_the_room_does_not_take_is_told_of_in_one_line(
    room: Room, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(takeover, "sys", SimpleNamespace(stdin=SimpleNamespace(buffer=io.BytesIO(bytes(9_600)))))
    monkeypatch.setattr(room.stage, "talk", lambda _utterance: False)
    with pytest.raises(ConfigError, match="takes no words now"):
        told("takeover", "talk")
    assert "Traceback" not in capfd.readouterr().err


def test_standard_input_is_said_in_ones_own_voice(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = np.full(4_800, 3_000, np.int16).tobytes()
    monkeypatch.setattr(takeover, "sys", SimpleNamespace(stdin=SimpleNamespace(buffer=io.BytesIO(sound))))
    assert told("takeover", "talk", "--now").endswith("ended released")
    assert room.stage.talks == ["now"] and room.microphone.talking == ""


def test_a_room_that_is_off_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "_socket", lambda _config: tmp_path / CONTROL_SOCKET)
    with pytest.raises(ConfigError, match="does not answer"):
        told("pause")
