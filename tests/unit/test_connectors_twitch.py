"""Twitch chat: what its lines mean, and a connection to a server that speaks the protocol and breaks it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from broadcaster.connectors.irc import LINE_MAX_BYTES, Line, LineCutter, parsed
from broadcaster.connectors.settings import ConnectorSpec, Fields
from broadcaster.connectors.twitch import TwitchChat
from broadcaster.connectors.twitch_message import message_of
from pipeline.errors import ConnectorError, ConnectorRefused
from tests.ear import SOON_S, Ear
from tests.irc_service import IrcService, certificate

TOKEN = "0123456789secrettoken"


# ── lines ────────────────────────────────────────────────────────────────────────────────────────


def test_a_line_is_taken_apart_with_its_tags() -> None:
    line = parsed(
        r"@display-name=Ann;empty=;bare;words=a\sb\:\\c\n :ann!ann@ann.tmi.twitch.tv PRIVMSG #shop :hi :there "
    )
    assert line is not None
    assert line.tags == {"display-name": "Ann", "empty": "", "bare": "", "words": "a b;\\c\n"}
    assert (line.command, line.params, line.nick) == ("PRIVMSG", ("#shop", "hi :there "), "ann")


@pytest.mark.parametrize(
    "text", ["", ":", "@", "@tags", ":prefix", "{]", "12", "1234", "größe", " ", "@a=b :c", "\x00"]
)
def test_what_is_no_line_of_irc_is_none(text: str) -> None:
    assert parsed(text) is None


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_are_whole_however_the_network_cuts_them(size: int) -> None:
    data = "PING :a\r\nPRIVMSG #x :你好 🎉\n\r\n:x 001 y".encode()
    cutter = LineCutter()
    lines = [line for start in range(0, len(data), size) for line in cutter.feed(data[start : start + size])]
    assert lines == ["PING :a", "PRIVMSG #x :你好 🎉"]
    assert list(cutter.feed(b" :z\r\n")) == [":x 001 y :z"]


@pytest.mark.parametrize("size", [1000, LINE_MAX_BYTES, 10 * LINE_MAX_BYTES])
def test_a_line_without_an_end_is_dropped_and_fills_no_memory(size: int) -> None:
    cutter = LineCutter()
    lines: list[str] = []
    for data in (b"x" * size, b"y" * size * 20, b"\r\nPING :a\r\n"):
        lines += cutter.feed(data)
        assert len(cutter._rest) <= LINE_MAX_BYTES
    assert lines == ["PING :a"] and cutter.dropped == 1


def test_bytes_that_are_no_text_spoil_their_own_characters_alone() -> None:
    assert list(LineCutter().feed(b"PRIVMSG #x :caf\xe9!\r\n")) == ["PRIVMSG #x :caf\ufffd!"]


# ── what they mean ───────────────────────────────────────────────────────────────────────────────


def heard(text: str, **tags: str) -> Fields | None:
    named = {name.replace("_", "-"): value for name, value in tags.items()}
    return message_of(Line("PRIVMSG", ("#shop", text), "ann!ann@ann", named), "shop")


def noticed(msg_id: str, text: str | None = None, **tags: str) -> Fields | None:
    named = {name.replace("_", "-"): value for name, value in tags.items()} | {"msg-id": msg_id}
    return message_of(Line("USERNOTICE", ("#shop",) if text is None else ("#shop", text), "tmi", named), "shop")


def test_a_comment_has_its_name_its_ids_and_its_time() -> None:
    tags = {"display_name": "Ann", "id": "b34c", "user_id": "12", "tmi_sent_ts": "1700000000123"}
    assert heard("how big is the mug?", **tags) == {
        "text": "how big is the mug?",
        "platform": "twitch",
        "user": "Ann",
        "id": "b34c",
        "user_id": "12",
        "sent": "1700000000.123",
    }


def test_without_tags_the_name_is_that_of_the_account() -> None:
    assert heard("hello") == {"text": "hello", "platform": "twitch", "user": "ann"}


@pytest.mark.parametrize(
    ("text", "emotes", "left"),
    [
        ("Kappa Keepo Kappa how much?", "25:0-4,12-16/1902:6-10", "how much?"),
        ("你好 Kappa 多少钱", "25:3-7", "你好 多少钱"),
        ("🎉🎉 Kappa price", "25:3-7", "🎉🎉 price"),  # counted in characters
        ("a Kappa b", "emotesv2_dc24652ada1e4c84:2-6", "a b"),
        ("what?", "25:90-99,x-y,/::--", "what?"),
        ("what?", "", "what?"),
    ],
)
def test_emotes_are_cut_out_by_their_places(text: str, emotes: str, left: str) -> None:
    message = heard(text, emotes=emotes)
    assert message is not None and message["text"] == left


def test_a_comment_of_emotes_alone_is_none() -> None:
    assert heard("Kappa Kappa", emotes="25:0-4,6-10") is None


def test_an_action_is_said_without_its_frame() -> None:
    message = heard("\x01ACTION Kappa waves\x01", emotes="25:0-4")
    assert message is not None and message["text"] == "waves"


def test_bits_are_a_gift_of_their_number_and_their_pictures_are_not_read() -> None:
    message = heard("Cheer100 great show uni50", bits="150")
    assert message is not None
    assert (message["kind"], message["value"], message["text"]) == ("gift", "150", "great show")


def test_a_word_that_only_looks_like_bits_stays() -> None:
    message = heard("is the S23 in stock? Cheer100", bits="100")
    assert message is not None and message["text"] == "is the S23 in stock? Cheer100"


def test_subscribers_are_buyers_and_others_are_not() -> None:
    for badges, buyer in (("subscriber/12,bits/1", "1"), ("founder/0", "1"), ("moderator/1", None), ("", None)):
        message = heard("hi", badges=badges)
        assert message is not None and message.get("buyer") == buyer


def test_who_speaks_to_the_channel_or_keeps_order_in_it_is_heard_first() -> None:
    for text, tags, mention in (
        ("@Shop how much?", {}, "1"),
        ("yes", {"reply_parent_user_login": "shop"}, "1"),
        ("@shopper how much?", {}, None),
        ("shop", {"reply_parent_user_login": "ben"}, None),
        ("pinned", {"badges": "moderator/1"}, "1"),
    ):
        message = heard(text, **tags)
        assert message is not None and message.get("mention") == mention, text


def test_subscriptions_are_gifts_and_those_given_together_are_one() -> None:
    sub = noticed("resub", "love the mugs", login="ann", display_name="Ann", id="1")
    assert sub is not None and (sub["kind"], sub["value"], sub["text"], sub["user"]) == (
        "gift",
        "1",
        "love the mugs",
        "Ann",
    )
    many = noticed("submysterygift", login="ben", msg_param_mass_gift_count="20")
    assert many is not None and (many["value"], "text" in many) == ("20", False)
    assert noticed("subgift", login="ben", msg_param_community_gift_id="9") is None
    assert noticed("subgift", login="ben") is not None
    assert noticed("raid", "x") is None
    said = noticed("announcement", "sale at nine", login="mod")
    assert said is not None and "kind" not in said


# ── the connection ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(pem: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    yield


@pytest.fixture
async def service(pem: Path, trusted: None) -> AsyncIterator[IrcService]:
    made = IrcService(pem, f"oauth:{TOKEN}")
    await made.start()
    yield made
    await made.stop()


def chat(service: IrcService, quiet_s: float = 60.0, join_s: float = SOON_S, **more: str) -> TwitchChat:
    return TwitchChat(ConnectorSpec("t", "twitch", channel="Shop", url=service.url, **more), quiet_s, join_s)


async def ended(source: TwitchChat, ear: Ear) -> ConnectorError:
    """What ended it."""
    async with asyncio.timeout(SOON_S):
        with pytest.raises(ConnectorError) as caught:
            await source.listen(ear)
    return caught.value


def line(text: str, number: int = 1, user: str = "ann") -> str:
    return f"@id={number};display-name=Ann :{user}!{user}@{user}.tmi.twitch.tv PRIVMSG #shop :{text}"


async def test_a_channel_is_read_without_an_account(service: IrcService) -> None:
    ear = Ear()
    listening = asyncio.create_task(chat(service).listen(ear))
    await service.joined()
    await ear.is_live.wait()
    service.say(line("how much?", 1), ":x!x@x PRIVMSG #other :not here", line("and the lamp?", 2))
    assert await ear.until(2) == ["how much?", "and the lamp?"]
    assert service.heard[0] == "CAP REQ :twitch.tv/tags twitch.tv/commands"
    assert service.heard[1].startswith("NICK justinfan") and service.heard[2] == "JOIN #shop"
    listening.cancel()


async def test_an_account_brings_its_token_and_nobody_sees_it(service: IrcService) -> None:
    ear = Ear()
    source = chat(service, user="Host", token=TOKEN)
    listening = asyncio.create_task(source.listen(ear))
    await service.joined()
    assert service.heard[1:] == [f"PASS oauth:{TOKEN}", "NICK host", "JOIN #shop"]
    assert TOKEN not in repr(source) and TOKEN not in repr(vars(source))
    listening.cancel()


async def test_a_wrong_token_is_a_refusal_that_does_not_show_it(service: IrcService) -> None:
    service.fault = "wrong_token"
    error = await ended(chat(service, user="host", token=f"oauth:{TOKEN}"), Ear())
    assert isinstance(error, ConnectorRefused) and "authentication failed" in str(error)
    assert TOKEN not in str(error)


async def test_a_suspended_channel_is_a_refusal(service: IrcService) -> None:
    service.fault = "suspended"
    error = await ended(chat(service), Ear())
    assert isinstance(error, ConnectorRefused) and "suspended" in str(error)


async def test_a_channel_that_nobody_has_is_told_by_its_silence(service: IrcService) -> None:
    service.fault = "no_join"
    error = await ended(chat(service, join_s=0.2), Ear())
    assert str(error) == "timeout: #shop was not opened within 0.2 s"


@pytest.mark.parametrize("fault", ["silent", "garbage"])
async def test_a_server_that_makes_no_sense_is_left(service: IrcService, fault: str) -> None:
    service.fault = fault
    ear = Ear()
    error = await ended(chat(service, join_s=0.5), ear)
    assert str(error) == "timeout: no welcome within 0.5 s"
    assert not ear.is_live.is_set() and (ear.overlooked > 0) == (fault == "garbage")


async def test_silence_is_asked_about_and_an_answer_is_enough(service: IrcService) -> None:
    ear = Ear()
    listening = asyncio.create_task(chat(service, quiet_s=0.1).listen(ear))
    await service.joined()
    async with asyncio.timeout(SOON_S):
        while service.heard.count("PING :broadcaster") < 3:
            await asyncio.sleep(0.01)
    service.say(line("still here"))
    assert await ear.until(1) == ["still here"] and not listening.done()
    listening.cancel()


async def test_a_server_that_does_not_answer_any_more_is_left(service: IrcService) -> None:
    service.fault = "no_pong"
    ear = Ear()
    error = await ended(chat(service, quiet_s=0.1), ear)
    assert ear.is_live.is_set() and str(error) == "timeout: it does not answer any more"


async def test_its_questions_are_answered(service: IrcService) -> None:
    listening = asyncio.create_task(chat(service).listen(Ear()))
    await service.joined()
    service.say("PING :tmi.twitch.tv")
    async with asyncio.timeout(SOON_S):
        while "PONG :tmi.twitch.tv" not in service.heard:
            await asyncio.sleep(0.01)
    listening.cancel()


async def test_a_server_that_asks_to_dial_again_is_obeyed(service: IrcService) -> None:
    dialling = asyncio.create_task(ended(chat(service), Ear()))
    await service.joined()
    service.say(":tmi.twitch.tv RECONNECT")
    error = await dialling
    assert error.kind == "planned" and error.retryable


async def test_a_line_cut_in_its_middle_is_no_comment(service: IrcService) -> None:
    ear = Ear()
    dialling = asyncio.create_task(ended(chat(service), ear))
    await service.joined()
    service.say(line("whole"))
    await ear.until(1)
    service.cut(line("never to be said")[:-6].encode())
    error = await dialling
    assert error.kind == "reset" and [message["text"] for message in ear.messages] == ["whole"]


async def test_a_server_of_single_bytes_is_heard(service: IrcService) -> None:
    service.fault = "slow"
    ear = Ear()
    listening = asyncio.create_task(chat(service).listen(ear))
    await service.joined()
    for byte in f"{line('slow 你好')}\r\n".encode():
        service.send(bytes([byte]))
        await asyncio.sleep(0)
    assert await ear.until(1) == ["slow 你好"]
    listening.cancel()


async def test_garbage_and_huge_lines_between_comments_are_passed_over(service: IrcService) -> None:
    ear = Ear()
    listening = asyncio.create_task(chat(service).listen(ear))
    await service.joined()
    service.say(line("first"))
    service.send(b"\xff\x00\xfe{}\r\n" + b"@a=b :x PRIVMSG #shop :" + b"z" * 300_000 + b"\r\n")
    service.say(line("second"))
    assert await ear.until(2) == ["first", "second"]
    assert ear.overlooked == 2
    listening.cancel()


async def test_a_server_that_refuses_tags_is_heard_all_the_same(service: IrcService) -> None:
    service.fault = "no_caps"
    ear = Ear()
    listening = asyncio.create_task(chat(service).listen(ear))
    await service.joined()
    service.say(":ben!ben@ben PRIVMSG #shop :no tags")
    await ear.until(1)
    assert ear.messages == [{"text": "no tags", "platform": "twitch", "user": "ben"}]
    listening.cancel()


async def test_who_asks_without_reading_the_answers_is_left(service: IrcService) -> None:
    service.fault = "asks"
    error = await ended(chat(service), Ear())
    assert error.kind == "stall"


async def test_being_put_out_of_the_channel_is_a_refusal(service: IrcService) -> None:
    dialling = asyncio.create_task(ended(chat(service, user="host", token=TOKEN), Ear()))
    await service.joined()
    service.say(":host!host@host PART #shop")
    assert isinstance(await dialling, ConnectorRefused)


async def test_a_certificate_that_nobody_vouches_for_is_not_talked_to(pem: Path) -> None:
    service = IrcService(pem)
    await service.start()
    error = await ended(chat(service), Ear())
    assert error.kind == "tls" and "not trusted" in str(error) and not service.heard
    await service.stop()


async def test_a_port_that_nobody_listens_on_is_told(service: IrcService) -> None:
    source = chat(service)
    await service.stop()
    error = await ended(source, Ear())
    assert error.kind == "connect"


async def test_a_server_that_speaks_no_tls_is_told(trusted: None) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b":tmi.twitch.tv 001 you :Welcome\r\n")
        await writer.drain()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    spec = ConnectorSpec("t", "twitch", channel="shop", url=f"ircs://localhost:{port}")
    error = await ended(TwitchChat(spec), Ear())
    assert error.kind == "tls"
    server.close()


def test_what_is_checked_is_the_system_s_trust() -> None:
    assert ssl.create_default_context().check_hostname


async def test_a_server_whose_name_cannot_be_one_crashed_the_connector_again_and_again() -> None:
    with pytest.raises(ConnectorRefused, match="no host"):
        await TwitchChat(ConnectorSpec("t", "twitch", channel="shop", url="ircs://a..b")).listen(Ear())
