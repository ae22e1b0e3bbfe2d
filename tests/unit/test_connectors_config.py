"""Connectors in the configuration: what is taken, what is refused, and that no secret is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from broadcaster.checks import _connectors
from broadcaster.config import Config, parse
from broadcaster.connectors.settings import ConnectorSpec
from pipeline.errors import ConfigError
from pipeline.shipped import CONFIGS

TOKEN = "0123456789secrettoken"
PLAIN = str(CONFIGS / "connectors" / "plain.yaml")
SOCKET = {"name": "grabber", "kind": "websocket", "url": "ws://127.0.0.1:8888", "map": PLAIN}
TWITCH = {"name": "twitch", "kind": "twitch", "channel": "My_Shop"}


def configured(*connectors: dict[str, Any]) -> Config:
    return parse({"room": "shop", "chat": {"connectors": list(connectors)}}, "shop.yaml")


def test_connectors_cross_to_their_process_with_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_TOKEN", TOKEN)
    config = configured({**TWITCH, "user": "host", "token": "${CHAT_TOKEN}"}, {**SOCKET, "token": "${CHAT_TOKEN}"})
    assert TOKEN not in repr(config)
    assert config.chat is not None
    twitch, grabber = (msgspec.convert(one.spec(), ConnectorSpec) for one in config.chat.connectors)
    assert twitch == ConnectorSpec("twitch", "twitch", "My_Shop", "host", TOKEN)
    assert grabber == ConnectorSpec("grabber", "websocket", token=TOKEN, url="ws://127.0.0.1:8888", map=PLAIN)


@pytest.mark.parametrize(
    ("connector", "mistake"),
    [
        ({"name": "a"}, "chat.connectors.0.kind: it is required and missing"),
        ({"name": "a b", "kind": "twitch", "channel": "x"}, "chat.connectors.0.name: letters, digits"),
        ({**TWITCH, "kind": "irc"}, "chat.connectors.0.kind: choose from 'twitch', 'websocket'"),
        ({**TWITCH, "channel": "my shop"}, "channel: the name of the Twitch channel"),
        ({**TWITCH, "token": TOKEN}, "user and token: an account's name and its token, or neither"),
        ({**TWITCH, "user": "host"}, "user and token: an account's name and its token, or neither"),
        ({**TWITCH, "map": "x.yaml"}, "map: for the kind websocket alone"),
        ({**TWITCH, "url": "wss://irc.example"}, "url: write ircs://HOST[:PORT]"),
        ({**SOCKET, "channel": "x"}, "channel and user: for the kind twitch alone"),
        ({"name": "a", "kind": "websocket", "url": "ws://a"}, "url and map: where the comments come from"),
        ({**SOCKET, "url": "http://a/"}, "url: write ws or wss://HOST[:PORT]/PATH"),
        ({**SOCKET, "url": "ws://a:99999/"}, "url: not a URL"),
        ({**SOCKET, "url": f"ws://u:{TOKEN}@a/"}, "url: no user and no # in it"),
        ({**SOCKET, "token": f"{TOKEN} "}, "token: printable ASCII characters without spaces"),
        ({**SOCKET, "token": f'{TOKEN}"'}, "token: printable ASCII characters without spaces"),
        ({**SOCKET, "tokn": TOKEN}, "chat.connectors.0.tokn: unknown key; did you mean 'token'?"),
    ],
)
def test_what_cannot_be_used_is_told_without_the_secret(connector: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(connector)
    assert mistake in str(caught.value) and TOKEN not in str(caught.value)


def test_two_connectors_have_two_names() -> None:
    with pytest.raises(ConfigError, match="'twitch' is used twice"):
        configured(TWITCH, TWITCH)


def test_the_check_tells_every_mistake_of_every_mapping(tmp_path: Path) -> None:
    bad, asks = tmp_path / "bad.yaml", tmp_path / "asks.yaml"
    bad.write_text("kinds: 5\nfield: {}", encoding="utf-8")
    asks.write_text("connect: {hello: '{token}'}\nkinds: [{kind: like}]", encoding="utf-8")
    connectors = [{**SOCKET, "name": path.stem, "map": str(path)} for path in (bad, asks)]
    with pytest.raises(ConfigError) as caught:
        _connectors(configured(TWITCH, SOCKET, *connectors))
    told = str(caught.value).splitlines()
    assert len(told) == 3 and all(line.startswith("chat.connectors: ") for line in told)
    assert "bad: " in told[0] and "field: unknown key; did you mean 'fields'?" in str(caught.value)
    assert told[2].endswith("asks.yaml sends a token; set `token` of the connector")
    assert _connectors(configured(TWITCH, SOCKET)) == [
        "comments from twitch: Twitch, My_Shop",
        f"comments from grabber: {PLAIN}",
    ]
    assert _connectors(parse({"room": "shop"}, "shop.yaml")) == []
