"""A chat endpoint, whole or as it is written: never late, never too much, and never a word of its key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from broadcaster.completions import Completion, Completions, Patience
from broadcaster.eventstream import EVENT_MAX_BYTES, EventStream
from pipeline.errors import CompletionError, CompletionRefused
from tests.completions_service import ENDED, FAULTS, KEY, REASONS, CompletionsService, completions_open

ASKED: Mapping[str, Any] = {"model": "test", "messages": [{"role": "user", "content": "<viewer>hello</viewer>"}]}
PATIENCE = Patience(first_s=0.5, between_s=0.4, whole_s=1.5)
LONG = "The mug is made of stoneware. It keeps tea warm for a while, and it is glazed in blue. 它很好看。"


@pytest.fixture
async def service() -> AsyncIterator[CompletionsService]:
    async with completions_open() as made:
        yield made


@pytest.fixture
async def client(service: CompletionsService) -> AsyncIterator[Completions]:
    made = Completions(service.url, KEY)
    yield made
    await made.close()


async def read(client: Completions, patience: Patience = PATIENCE) -> tuple[str, list[Completion]]:
    pieces = [piece async for piece in client.streamed(ASKED, patience)]
    return "".join(piece.text for piece in pieces), pieces


# ── events ───────────────────────────────────────────────────────────────────────────────────────

WRITTEN = (
    '\ufeff: hi\nevent: message\ndata: {"a": "渡口"}\r\nid: 4\r\n\r\ndata: two\rdata:lines\r\r\n\ndata: last'.encode()
)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_events_are_the_same_wherever_they_are_cut(size: int) -> None:
    stream = EventStream()
    found = [event for at in range(0, len(WRITTEN), size) for event in stream.feed(WRITTEN[at : at + size])]
    assert [*found, *stream.end()] == ['{"a": "渡口"}', "two\nlines", "last"]


def test_an_event_without_an_end_is_given_up() -> None:
    stream = EventStream()
    with pytest.raises(ValueError, match="more than"):
        for _ in range(EVENT_MAX_BYTES // 1000 + 2):
            list(stream.feed(b"data: " + b"y" * 1000))


def test_many_lines_of_one_event_are_bounded_too() -> None:
    stream = EventStream()
    with pytest.raises(ValueError, match="more than"):
        for _ in range(EVENT_MAX_BYTES // 1000 + 2):
            list(stream.feed(b"data: " + b"y" * 1000 + b"\n"))


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [0, 1, 3, 11])
async def test_the_text_comes_whole_however_the_network_cuts_it(
    service: CompletionsService, client: Completions, size: int
) -> None:
    service.answer, service.bytes_at_once = (lambda _: LONG), size
    text, pieces = await read(client)
    assert text == LONG and len(pieces) > 10
    assert service.asked[0][1]["stream"] is True


async def test_words_are_handed_on_before_the_answer_ends(service: CompletionsService, client: Completions) -> None:
    service.answer, service.held = (lambda _: LONG), asyncio.Event()
    text = ""
    async for piece in client.streamed(ASKED, PATIENCE):
        text += piece.text
        if "stoneware." in text:
            service.held.set()
    assert text == LONG


async def test_a_server_that_knows_no_streams_is_understood(service: CompletionsService, client: Completions) -> None:
    service.plain = True
    text, pieces = await read(client)
    assert text == "Yes, gladly." and pieces[-1].is_last


async def test_what_a_model_thinks_aloud_is_no_answer(service: CompletionsService, client: Completions) -> None:
    service.thoughts = "The viewer is rude. Be careful."
    assert (await read(client))[0] == "Yes, gladly."


async def test_the_endpoints_own_count_of_tokens_is_told(service: CompletionsService, client: Completions) -> None:
    service.tokens = 321
    assert max(piece.tokens for piece in (await read(client))[1]) == 321


async def test_a_connection_serves_again(service: CompletionsService, client: Completions) -> None:
    for _ in range(3):
        await read(client)
    assert len(service.connections) == 1


async def test_a_cut_answer_says_so(service: CompletionsService, client: Completions) -> None:
    service.fault = "cut off"
    _, pieces = await read(client)
    assert pieces[-1].is_last and pieces[-1].is_cut


# ── faults ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in ENDED])
async def test_every_fault_of_a_stream_is_one_error_without_key_and_address(
    service: CompletionsService, client: Completions, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    service.fault, service.answer = fault, lambda _: LONG
    began = asyncio.get_running_loop().time()
    with caplog.at_level(logging.DEBUG), pytest.raises(CompletionError) as caught:
        await read(client)
    assert asyncio.get_running_loop().time() - began < 4.5
    text = f"{caught.value!r} {caught.value.__cause__ or ''} {caplog.text}"
    assert KEY not in text and "sk-" not in text and service.url not in str(caught.value)
    assert isinstance(caught.value, CompletionRefused) == (fault in ("unauthorized", "redirect"))


@pytest.mark.parametrize("fault", ENDED)
async def test_a_stream_that_ends_without_a_whole_text_tells_how(
    service: CompletionsService, client: Completions, fault: str
) -> None:
    service.fault, service.answer = fault, lambda _: LONG
    text, pieces = await read(client)
    how = (LONG, True, True) if fault in REASONS else ("", True, False)
    assert (text, pieces[-1].is_last, pieces[-1].is_cut) == how


@pytest.mark.parametrize("fault", ["stalls within", "error within", "half and closes", "half and hangs up"])
async def test_what_came_before_a_fault_is_there(service: CompletionsService, client: Completions, fault: str) -> None:
    service.fault, service.answer = fault, lambda _: LONG
    text = ""
    with pytest.raises(CompletionError):
        async for piece in client.streamed(ASKED, PATIENCE):
            text += piece.text
    assert text and LONG.startswith(text) and text != LONG


async def test_a_stream_that_never_ends_is_left(service: CompletionsService, client: Completions) -> None:
    service.fault = "never ends"
    with pytest.raises(CompletionError, match="end did not come in time"):
        await read(client, Patience(1.0, 1.0, 0.5))
    await asyncio.wait_for(service.left.wait(), 5)


@pytest.mark.parametrize("fault", ["thinks for ever", "keeps alive only"])
async def test_only_words_count_as_words(service: CompletionsService, client: Completions, fault: str) -> None:
    service.fault = fault
    with pytest.raises(CompletionError, match="first word"):
        await read(client)


async def test_a_server_that_is_busy_says_until_when(service: CompletionsService, client: Completions) -> None:
    service.fault = "too many"
    with pytest.raises(CompletionError) as caught:
        await read(client)
    assert caught.value.after_s == 7.0 and caught.value.retryable


async def test_nobody_there_is_one_error() -> None:
    client = Completions("http://127.0.0.1:9/v1", KEY)
    with pytest.raises(CompletionError) as caught:
        await read(client)
    await client.close()
    assert "127.0.0.1" not in str(caught.value)


async def test_a_redirection_is_not_followed_with_the_key(service: CompletionsService, client: Completions) -> None:
    service.fault = "redirect"
    with pytest.raises(CompletionRefused):
        await read(client)
    assert [headers["Authorization"] for headers, _ in service.asked] == [f"Bearer {KEY}"]


async def test_no_proxy_of_the_environment_hears_of_it(
    service: CompletionsService, client: Completions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await read(client))[0] == "Yes, gladly."


async def test_a_whole_answer_is_waited_for_no_longer_than_told(
    service: CompletionsService, client: Completions
) -> None:
    assert (await client.whole(ASKED, 1.0)).text == "Yes, gladly."
    assert service.asked[0][1]["stream"] is False
    service.fault = "stalls before"
    with pytest.raises(CompletionError, match=r"within 0\.2 s"):
        await client.whole(ASKED, 0.2)


async def test_whoever_stops_listening_ends_the_request(service: CompletionsService, client: Completions) -> None:
    service.answer, service.held = (lambda _: LONG), asyncio.Event()
    pieces = client.streamed(ASKED, Patience(5, 5, 30))
    assert (await anext(pieces)).text
    await pieces.aclose()
    service.held.set()
    assert len(service.asked) == 1
