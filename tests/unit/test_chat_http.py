"""Comments by HTTP: what is taken, and what is refused in the words of who reads the stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from broadcaster.chat.message import check, parse
from broadcaster.fields import encoded
from pipeline.errors import MessageError
from tests.unit.test_hand import Office, door

TOKEN = "0123456789abcdef"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(door(office))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8787") as made:
        yield made


async def test_one_comment_and_a_list_of_them_are_taken(office: Office, client: httpx.AsyncClient) -> None:
    answer = await client.post("/chat", json={"text": "how big is it?", "id": "81", "user": "Ann"})
    assert answer.status_code == 202 and answer.json() == {"ids": ["81"]}
    answer = await client.post("/chat", json=[{"text": "a"}, {"kind": "gift", "value": 5, "id": "g"}])
    assert answer.status_code == 202 and answer.json()["ids"][1] == "g"
    assert office.comments[0] == {"id": "81", "text": "how big is it?", "user": "Ann"}
    assert len(office.comments[1]["id"]) == 16 and office.comments[2] == {"id": "g", "kind": "gift", "value": "5.0"}


async def test_every_field_arrives_as_the_stream_has_it(office: Office, client: httpx.AsyncClient) -> None:
    body: dict[str, Any] = {
        "text": "多少钱？",
        "id": "1",
        "user": "小铭",
        "user_id": "7",
        "platform": "douyin",
        "kind": "order",
        "buyer": True,
        "mention": False,
        "value": 12.5,
        "reply": "Thank you!",
        "sent": 1_700_000_000.25,
    }
    assert (await client.post("/chat", json=body)).status_code == 202
    comment = parse("0-0", encoded(office.comments[0]))
    assert (comment.text, comment.user, comment.kind, comment.buyer, comment.mention) == (
        "多少钱？",
        "小铭",
        "order",
        True,
        False,
    )
    assert (comment.value, comment.reply, comment.sent_s) == (12.5, "Thank you!", 1_700_000_000.25)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"text": " "},
        {"text": "x" * 3000},
        {"text": "a", "kind": "rant"},
        {"text": "a", "id": "x" * 200},
        {"text": "a", "sent": "yesterday"},
        {"text": "a", "sent": "1700000000000"},
        {"kind": "gift", "value": "-1"},
    ],
)
async def test_what_a_comment_cannot_be_is_refused_in_the_reader_s_words(
    office: Office, client: httpx.AsyncClient, fields: dict[str, str]
) -> None:
    with pytest.raises(MessageError) as caught:
        check({"id": "1", **fields})
    answer = await client.post("/chat", json=fields)
    assert answer.status_code == 422
    assert answer.json()["error"] == str(caught.value).replace("'-1'", "'-1.0'")
    answer = await client.post("/chat", json=[{"text": "good"}, fields])
    assert answer.status_code == 422 and answer.json()["error"].startswith("list.1: ")
    assert office.comments == []


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"text": "a", "colour": "red"}, "comment.colour"),
        ([{"text": "a"}, {"text": 5}], "list.1.text"),
        ([], "list"),
        ([{"text": "a"}] * 501, "list"),
        ("text", "comment"),
        (5, "comment"),
        (None, ""),
    ],
)
async def test_a_body_of_another_shape_is_refused_with_its_place(
    office: Office, client: httpx.AsyncClient, body: Any, where: str
) -> None:
    answer = await client.post("/chat", json=body)
    assert answer.status_code == 422 and answer.json()["error"].startswith(where)
    assert office.comments == []


async def test_half_a_character_is_refused(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    answer = await client.post("/chat", content=rb'{"text": "\ud83d"}', headers=headers)
    assert answer.status_code == 422 and "not UTF-8" in answer.json()["error"]


async def test_without_a_queue_it_says_to_try_again(office: Office, client: httpx.AsyncClient) -> None:
    office.silent = True
    answer = await client.post("/chat", json={"text": "a"})
    assert answer.status_code == 503 and "try again" in answer.json()["error"]


async def test_a_room_that_answers_nobody_says_so(office: Office, client: httpx.AsyncClient) -> None:
    office.has_chat = False
    answer = await client.post("/chat", json={"text": "a"})
    assert answer.status_code == 409 and "has no `chat`" in answer.json()["error"]
    assert office.comments == []


async def test_it_asks_for_the_token_as_everything_does(office: Office) -> None:
    transport = httpx.ASGITransport(door(office, TOKEN))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8787") as client:
        assert (await client.post("/chat", json={"text": "a"})).status_code == 401
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert (await client.post("/chat", json={"text": "a"}, headers=headers)).status_code == 202
        foreign = {**headers, "origin": "http://evil.example"}
        assert (await client.post("/chat", json={"text": "a"}, headers=foreign)).status_code == 403
    assert len(office.comments) == 1
