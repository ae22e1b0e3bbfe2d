"""The microphone's WebSocket: who may talk, and what becomes of those who send rubbish, too much, or nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from broadcaster.microphone import Microphone
from broadcaster.utterance import Key, Utterance
from broadcaster.web import voice
from broadcaster.web.door import Door
from broadcaster.web.voice import serve_voice
from pipeline.clock import FakeClock

TOKEN = "correct-horse-battery"


class Stage:
    def __init__(self) -> None:
        self.talks: list[str] = []
        self.ended: list[tuple[str, str]] = []

    def talk(self, utterance: Utterance) -> bool:
        self.talks.append(utterance.mode)
        return True

    def end_talk(self, identity: str, reason: str) -> None:
        self.ended.append((identity, reason))


class Taker:
    number, hop_samples = 0, 9_600

    def read_of(self, key: Key) -> int:
        return 0


class House:
    def __init__(self, token: str = "") -> None:
        self.stage = Stage()
        self.microphone = Microphone(self.stage, Taker(), FakeClock(), lambda: None)
        app = FastAPI()
        serve_voice(app, self.microphone)
        self.client = TestClient(Door(app, "127.0.0.1", token), base_url="http://127.0.0.1:8787")

    @contextmanager
    def connected(self, mode: str = "now", **more: Any) -> Iterator[WebSocketTestSession]:
        with self.client.websocket_connect(f"ws://127.0.0.1:8787/voice?mode={mode}", **more) as line:
            yield line

    @contextmanager
    def greeted(self, mode: str = "now", **more: Any) -> Iterator[WebSocketTestSession]:
        with self.connected(mode, **more) as line:
            line.send_json({"format": "pcm48000"})
            assert line.receive_json() == {"type": "ready"}
            yield line


def closed(line: WebSocketTestSession) -> tuple[int, str]:
    """What the close frame says; messages before it are passed over."""
    with pytest.raises(WebSocketDisconnect) as gone:
        while True:
            line.receive_json()
    return gone.value.code, gone.value.reason


def settled(line: WebSocketTestSession) -> None:
    """All that was sent before is taken: a wrong message is answered after it."""
    line.send_json({"type": "?"})
    closed(line)


def test_a_person_presses_talks_and_lets_go() -> None:
    house = House()
    with house.greeted("insert") as line:
        line.send_json({"type": "talk"})
        line.send_bytes(b"\x01\x00" * 960)
        line.send_json({"type": "release"})
        assert line.receive_json() == {"type": "ended", "reason": "released"}
        settled(line)
    assert house.stage.talks == ["insert"] and house.microphone.talking == ""


def test_a_connection_that_dies_ends_its_talk() -> None:
    house = House()
    with house.greeted() as line:
        line.send_json({"type": "talk"})
        line.send_bytes(b"\x01\x00" * 960)
    assert house.stage.talks == ["now"] and house.microphone.talking == ""


def test_a_second_person_is_told_that_another_is_talking() -> None:
    house = House()
    with house.greeted() as first:
        first.send_json({"type": "talk"})
        first.send_json({"type": "talk"})  # a button that bounces
        with house.greeted() as second:
            while not house.microphone.talking:
                pass
            second.send_json({"type": "talk"})
            assert closed(second) == (4409, "another person is talking")
        assert house.microphone.talking


def test_so_many_microphones_and_no_more() -> None:
    house = House()
    lines = [house.greeted() for _ in range(voice.SOCKETS_MAX)]
    for line in lines:
        line.__enter__()
    with house.connected() as one_more:
        assert closed(one_more)[0] == 4429
    for line in reversed(lines):
        line.__exit__(None, None, None)
    with house.greeted():
        pass


@pytest.mark.parametrize(
    "message",
    ["no json", "[]", '{"format": "mp3"}', '{"format": ["pcm48000"]}', "[" * 4_000, b"\x00\x00", "x" * 5_000],
)
def test_a_bad_greeting_is_refused_with_what_is_right(message: str | bytes) -> None:
    with House().connected() as line:
        line.send_bytes(message) if isinstance(message, bytes) else line.send_text(message)
        code, reason = closed(line)
        assert code == 4400 and reason


@pytest.mark.parametrize("message", ["no json", '{"type": "sing"}', "{}", b"\x01", b"\x00" * 200_000, "x" * 5_000])
def test_rubbish_ends_the_talk_and_the_connection(message: str | bytes) -> None:
    house = House()
    with house.greeted() as line:
        line.send_json({"type": "talk"})
        line.send_bytes(message) if isinstance(message, bytes) else line.send_text(message)
        assert closed(line)[0] == 4400
    assert house.stage.talks == ["now"] and house.microphone.talking == ""


def test_an_unknown_mode_is_refused() -> None:
    with House().connected("loud") as line:
        assert closed(line)[0] == 4400


def test_whoever_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "HELLO_WAIT_S", 0.05)
    with House().connected() as line:
        assert closed(line) == (4408, "nothing came for 0.05 s")


def test_sound_outside_a_talk_is_passed_over() -> None:
    house = House()
    with house.greeted() as line:
        line.send_bytes(b"\x01\x00" * 960)
        line.send_json({"type": "talk"})
        line.send_json({"type": "release"})
        assert line.receive_json()["type"] == "ended"
    assert house.stage.ended[0][1] == "nothing was said"


# ── the token ────────────────────────────────────────────────────────────────────────────────────


def bearer(token: str) -> str:
    return "bearer." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def test_the_token_comes_as_a_header() -> None:
    with House(TOKEN).greeted(headers={"authorization": f"Bearer {TOKEN}"}):
        pass


def test_the_token_comes_as_a_subprotocol_and_is_not_answered() -> None:
    with House(TOKEN).greeted(subprotocols=["broadcaster.voice", bearer(TOKEN)]) as line:
        assert line.accepted_subprotocol == "broadcaster.voice"


def test_the_token_comes_as_the_first_message() -> None:
    house = House(TOKEN)
    with house.connected() as line:
        line.send_json({"token": TOKEN})
        line.send_json({"format": "pcm48000"})
        assert line.receive_json() == {"type": "ready"}


@pytest.mark.parametrize(
    "message",
    [json.dumps({"token": "wrong-horse-battery"}), '{"token": 5}', "[]", "no", '{"format": "pcm48000"}', "x" * 5_000],
)
def test_a_wrong_token_opens_nothing(message: str) -> None:
    house = House(TOKEN)
    with house.connected(subprotocols=["broadcaster.voice", bearer("wrong-horse-battery"), "bearer.!"]) as line:
        line.send_text(message)
        code, reason = closed(line)
        assert code == 4401 and TOKEN not in reason


def test_a_token_in_the_address_is_no_token() -> None:
    house = House(TOKEN)
    with house.client.websocket_connect(f"ws://127.0.0.1:8787/voice?token={TOKEN}") as line:
        line.send_json({"format": "pcm48000"})
        assert closed(line)[0] == 4401


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"host": "evil.example"}])
def test_a_page_elsewhere_gets_no_microphone(headers: dict[str, str]) -> None:
    with pytest.raises(WebSocketDisconnect) as gone, House().connected(headers=headers):
        pass
    assert gone.value.code == 1008
