"""Programs that send JSON over a WebSocket: connections to one that breaks off, lies and stays silent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from broadcaster.connectors.field_map import FieldMap, Getter, Manners, Rule
from broadcaster.connectors.settings import ConnectorSpec
from broadcaster.connectors.wsjson import FRAME_MAX_BYTES, JsonSocket
from pipeline.errors import ConnectorError, ConnectorRefused
from tests.ear import SOON_S, Ear
from tests.ws_service import WsService

TOKEN = "0123456789secrettoken"
TEXT = FieldMap((Rule("comment", (), {"text": Getter((("text",),))}),))


@pytest.fixture
async def service() -> AsyncIterator[WsService]:
    made = WsService()
    await made.start()
    yield made
    await made.stop()


def talker(url: str, manners: Manners | None = None, ping_s: float = 20.0, token: str = "") -> JsonSocket:
    field_map = FieldMap(TEXT.rules, manners=manners or Manners())
    return JsonSocket(ConnectorSpec("w", "websocket", url=url, token=token), field_map, ping_s)


async def ended(source: JsonSocket, ear: Ear | None = None) -> ConnectorError:
    async with asyncio.timeout(SOON_S):
        with pytest.raises(ConnectorError) as caught:
            await source.listen(ear or Ear())
    return caught.value


async def test_messages_are_heard_one_by_one_and_in_lists(service: WsService) -> None:
    ear = Ear()
    listening = asyncio.create_task(talker(service.url).listen(ear))
    await service.visited()
    await service.send({"text": "one"}, [{"text": "two"}, {"text": "three"}], json.dumps({"text": "four"}).encode())
    assert await ear.until(4) == ["one", "two", "three", "four"]
    assert ear.is_live.is_set() and service.asked[0][1]["User-Agent"] == "broadcaster"
    listening.cancel()


async def test_what_makes_no_sense_is_passed_over(service: WsService) -> None:
    ear = Ear()
    listening = asyncio.create_task(talker(service.url).listen(ear))
    await service.visited()
    junk: list[str | bytes] = ["", "{", "nope", "[1, null]", b"\xff\xfe", '"text"', "NaN", "[" * 100_000, "9" * 5_000]
    await service.send(*junk, {"text": "here"})
    assert await ear.until(1, len(junk)) == ["here"]
    assert ear.overlooked == len(junk)
    listening.cancel()


async def test_a_message_in_many_small_pieces_is_one(service: WsService) -> None:
    ear = Ear()
    listening = asyncio.create_task(talker(service.url).listen(ear))
    await service.visited()
    await service.send_slowly(json.dumps({"text": "how much is 杯子?"}))
    assert await ear.until(1) == ["how much is 杯子?"]
    listening.cancel()


async def test_a_huge_message_ends_the_connection_and_is_not_kept(service: WsService) -> None:
    dialling = asyncio.create_task(ended(talker(service.url)))
    await service.visited()
    with contextlib.suppress(ConnectionClosed):
        await service.send_raw(json.dumps({"text": "z" * FRAME_MAX_BYTES}))
    assert str(await dialling) == "protocol: a message of more than 1 MB"


async def test_a_connection_cut_in_the_middle_of_a_message_loses_that_one_alone(service: WsService) -> None:
    ear = Ear()
    dialling = asyncio.create_task(ended(talker(service.url), ear))
    await service.visited()
    await service.send({"text": "whole"})
    await ear.until(1)
    service.cut(b'\x81\x7e\x01\x00{"text": "ha')
    assert (await dialling).kind == "reset" and ear.texts == ["whole"]


async def test_bytes_that_are_no_frames_end_the_connection(service: WsService) -> None:
    dialling = asyncio.create_task(ended(talker(service.url)))
    await service.visited()
    service.cut(b"\xff\xff\xff\xff garbage \x00" * 10)
    assert (await dialling).kind in ("protocol", "reset")


async def test_a_program_that_does_not_answer_pings_is_left(service: WsService) -> None:
    service.fault = "no_pong"
    error = await ended(talker(service.url, ping_s=0.2))
    assert str(error) == "timeout: it does not answer any more"


async def test_a_program_that_answers_pings_may_stay_silent(service: WsService) -> None:
    ear = Ear()
    listening = asyncio.create_task(talker(service.url, ping_s=0.05).listen(ear))
    await service.visited()
    await asyncio.sleep(1.0)  # twenty pings
    await service.send({"text": "still here"})
    assert await ear.until(1) == ["still here"] and not listening.done()
    listening.cancel()


async def test_a_port_that_accepts_and_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broadcaster.connectors.wsjson.CONNECT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        error = await ended(talker(f"ws://127.0.0.1:{deaf.getsockname()[1]}/"))
    assert str(error) == "timeout: no answer within 0.3 s"


@pytest.mark.parametrize(
    ("hello", "kind"), [(b"SSH-2.0-OpenSSH_9.6\r\n", "protocol"), (b"HTTP/1.1 200 OK\r\n\r\n", "rejected"), (b"", "")]
)
async def test_what_is_no_websocket_is_told(hello: bytes, kind: str) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hello)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/?key={TOKEN}"
    error = await ended(talker(url))
    assert error.kind == kind or not kind
    assert TOKEN not in str(error)
    server.close()


async def test_a_port_that_nobody_listens_on_is_told(service: WsService) -> None:
    source = talker(f"{service.url}?key={TOKEN}")
    await service.stop()
    error = await ended(source)
    assert error.kind == "connect" and TOKEN not in str(error)


@pytest.mark.parametrize(("status", "refused"), [("401", True), ("503", False), ("302", True)])
async def test_a_refusal_is_told_without_the_address_and_no_redirect_is_followed(
    service: WsService, status: str, refused: bool
) -> None:
    elsewhere = WsService()
    await elsewhere.start()
    service.fault, service.elsewhere = status, elsewhere.url
    error = await ended(talker(f"{service.url}?key={TOKEN}"))
    assert f"HTTP {status}" in str(error) and TOKEN not in str(error)
    assert isinstance(error, ConnectorRefused) == refused
    assert not elsewhere.asked
    await elsewhere.stop()


async def test_of_a_program_that_closes_the_code_is_told_and_not_its_words(service: WsService) -> None:
    dialling = asyncio.create_task(ended(talker(f"{service.url}?key={TOKEN}", token=TOKEN)))
    await service.visited()
    await service.close(4003, f"no such key: {TOKEN}")
    assert str(await dialling) == "reset: it closed the connection (4003)"


async def test_a_program_is_greeted_as_its_mapping_says(service: WsService) -> None:
    manners = Manners(
        hello=("hi", '{"auth": "{token}"}'),
        headers={"Authorization": "Bearer {token}"},
        ping="ping",
        ping_every_s=0.05,
    )
    listening = asyncio.create_task(talker(service.url, manners, token=TOKEN).listen(Ear()))
    async with asyncio.timeout(SOON_S):
        while service.heard.count("ping") < 3:
            await asyncio.sleep(0.01)
    assert service.heard[:2] == ["hi", f'{{"auth": "{TOKEN}"}}']
    assert service.asked[0][1]["Authorization"] == f"Bearer {TOKEN}"
    listening.cancel()


async def test_a_token_can_be_a_subprotocol() -> None:
    service = WsService(subprotocols=["bridge-client", TOKEN])
    await service.start()
    ear = Ear()
    manners = Manners(subprotocols=("bridge-client", "{token}"))
    listening = asyncio.create_task(talker(service.url, manners, token=TOKEN).listen(ear))
    await service.visited()
    assert service.asked[0][1]["Sec-WebSocket-Protocol"] == f"bridge-client, {TOKEN}"
    await service.send({"text": "in"})
    assert await ear.until(1) == ["in"]
    listening.cancel()
    await service.stop()


async def test_a_mapping_that_sends_a_token_needs_one(service: WsService) -> None:
    error = await ended(talker(service.url, Manners(hello=("{token}",))))
    assert isinstance(error, ConnectorRefused) and "set `token` of w" in str(error)


async def test_no_proxy_of_the_environment_is_used(service: WsService, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    ear = Ear()
    listening = asyncio.create_task(talker(service.url).listen(ear))
    await service.visited()
    await service.send({"text": "straight"})
    assert await ear.until(1) == ["straight"]
    listening.cancel()


async def test_a_flood_does_not_keep_others_from_their_turn(service: WsService) -> None:
    ear = Ear()
    listening = asyncio.create_task(talker(service.url).listen(ear))
    await service.visited()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside: asyncio.Task[Any] = asyncio.create_task(others())
    for _ in range(20):
        await service.send(*({"text": "x"} for _ in range(100)))
    await ear.until(2000)
    assert turns > 1000
    beside.cancel()
    listening.cancel()


async def test_an_address_that_cannot_be_one_crashed_the_connector_again_and_again() -> None:
    error = await ended(talker("ws://a..b/?key=secret"))
    assert isinstance(error, ConnectorRefused) and "secret" not in str(error)
