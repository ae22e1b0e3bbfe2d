"""Orders by HTTP, their documentation, and what a machine that tries everything finds wrong with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from broadcaster import pasted
from broadcaster.script.load import load
from broadcaster.script.surroundings import Surroundings
from broadcaster.takeover import Became, Outcome
from broadcaster.web.app import make_app
from broadcaster.web.chat import serve_chat
from broadcaster.web.door import Door
from broadcaster.web.hand import serve_hand
from pipeline.clock import FakeClock
from pipeline.errors import RedisDown, ScriptError

GOOD = "# One\n\nHello to everybody.\n"


class Office:
    """A director's desk and hand, without a director."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.orders: list[tuple[Any, ...]] = []
        self.silent = False
        self.has_chat = True
        self.comments: list[Mapping[str, str]] = []
        self.surroundings = Surroundings(FakeClock(), "", "en-US-AriaNeural")

    def status(self) -> dict[str, Any]:
        return {"room": "shop"}

    def overview(self) -> dict[str, Any]:
        return {"room": "shop", "now": None}

    def unready(self) -> list[str]:
        return []

    async def say(self, fields: Mapping[str, str]) -> str:
        if self.silent:
            raise RedisDown("refused")
        return "1-0"

    @property
    def answers(self) -> bool:
        return self.has_chat

    async def hear(self, messages: Sequence[Mapping[str, str]]) -> None:
        if self.silent:
            raise RedisDown("refused")
        self.comments += messages

    def pause(self, now: bool) -> Outcome:
        return self._did("pause", now)

    def resume(self) -> Outcome:
        return self._did("resume")

    def skip(self, now: bool) -> Outcome:
        return Outcome(Became.CONFLICT, "nothing is being said") if self.silent else self._did("skip", now)

    def goto(self, section: str, now: bool) -> Outcome:
        return self._did("goto", section, now) if section == "One" else Outcome(Became.UNKNOWN, "no such section")

    def person(self, name: str) -> Outcome:
        if self.silent:
            return Outcome(Became.CONFLICT, "the room has one person")
        return self._did("person", name) if name == "anna" else Outcome(Became.UNKNOWN, "no such person")

    def persons(self) -> tuple[str, list[str]]:
        return "host", ["host", "anna"]

    def sections(self) -> list[str]:
        return ["One"]

    async def paste(self, data: bytes, suffix: str) -> Outcome:
        pasted.keep(self.state_dir, data, suffix)
        return self._did("paste", suffix)

    async def unpaste(self) -> Outcome:
        return (
            self._did("unpaste") if pasted.forget(self.state_dir) else Outcome(Became.CONFLICT, "no script was pasted")
        )

    def variables(self) -> dict[str, str]:
        return self.surroundings.outside

    def tell(self, given: Mapping[str, str]) -> None:
        self.surroundings.tell(given)

    def _did(self, *order: Any) -> Outcome:
        self.orders.append(order)
        return Outcome(Became.DONE, str(order[0]))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def door(office: Office, token: str = "") -> Door:
    app = make_app(office, Path("/nowhere"), FakeClock())
    serve_hand(app, office)
    serve_chat(app, office)
    return Door(app, "127.0.0.1", token)


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(door(office))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8787") as made:
        yield made


async def test_orders_are_given_at_the_sentence_end_unless_they_say_now(
    office: Office, client: httpx.AsyncClient
) -> None:
    for path, body in (
        ("/pause", None),
        ("/pause", {"now": True}),
        ("/resume", None),
        ("/skip", {}),
        ("/skip", {"now": True}),
        ("/goto", {"section": "One"}),
        ("/goto", {"section": "One", "now": True}),
    ):
        answer = await client.post(path, json=body)
        assert answer.status_code == 200 and answer.json() == {"done": path[1:]}
    assert office.orders == [
        ("pause", False),
        ("pause", True),
        ("resume",),
        ("skip", False),
        ("skip", True),
        ("goto", "One", False),
        ("goto", "One", True),
    ]
    assert (await client.get("/sections")).json() == {"sections": ["One"]}


async def test_a_person_is_called_by_name_and_who_is_there_can_be_asked(
    office: Office, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/persons")).json() == {"on_air": "host", "persons": ["host", "anna"]}
    assert (await client.post("/person", json={"person": "anna"})).json() == {"done": "person"}
    assert office.orders == [("person", "anna")]
    assert (await client.post("/person", json={"person": "bert"})).status_code == 404
    assert (await client.post("/person", json={})).status_code == 422
    office.silent = True
    assert (await client.post("/person", json={"person": "anna"})).status_code == 409


async def test_an_order_that_makes_no_sense_says_so(office: Office, client: httpx.AsyncClient) -> None:
    office.silent = True
    answer = await client.post("/skip")
    assert answer.status_code == 409 and answer.json() == {"error": "nothing is being said"}
    answer = await client.post("/goto", json={"section": "Two"})
    assert answer.status_code == 404 and answer.json() == {"error": "no such section"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/pause", {"now": "yes"}),
        ("/pause", {"now": 1}),
        ("/pause", {"soon": True}),
        ("/skip", []),
        ("/goto", {}),
        ("/goto", {"section": ""}),
        ("/goto", {"section": 5}),
        ("/goto", {"section": "x" * 300}),
    ],
)
async def test_a_wrong_order_is_refused_with_its_field(
    office: Office, client: httpx.AsyncClient, path: str, body: object
) -> None:
    answer = await client.post(path, json=body)
    assert answer.status_code == 422 and answer.json()["error"] and office.orders == []


async def test_orders_ask_for_the_token(office: Office) -> None:
    transport = httpx.ASGITransport(door(office, "correct-horse-battery"))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8787") as client:
        for path in ("/pause", "/resume", "/skip", "/goto", "/script"):
            assert (await client.post(path, json={})).status_code == 401
        assert (await client.get("/openapi.json")).status_code == 401
        assert (await client.put("/variables", json={"viewers": "1"})).status_code == 401
    assert office.orders == []


async def test_a_script_that_is_pasted_stands_until_it_is_taken_back(office: Office, client: httpx.AsyncClient) -> None:
    answer = await client.post("/script", content=GOOD, headers={"content-type": "text/markdown; charset=utf-8"})
    assert answer.status_code == 200 and pasted.path_in(office.state_dir) == office.state_dir / "script.md"
    answer = await client.post("/script", content="Hello.\n", headers={"content-type": "text/plain"})
    assert answer.status_code == 200 and pasted.path_in(office.state_dir) == office.state_dir / "script.txt"
    assert (await client.delete("/script")).status_code == 200 and pasted.path_in(office.state_dir) is None
    assert (await client.delete("/script")).status_code == 409
    assert list(office.state_dir.iterdir()) == []


async def test_a_script_with_mistakes_changes_nothing_and_names_them_all(
    office: Office, client: httpx.AsyncClient
) -> None:
    headers = {"content-type": "text/markdown"}
    await client.post("/script", content=GOOD, headers=headers)
    answer = await client.post("/script", content="# One\n\nIt costs {prize.\n\n[smle] Hello\n", headers=headers)
    told = answer.json()
    assert answer.status_code == 422 and len(told["mistakes"]) >= 2
    assert all(mistake.startswith("script.md:") for mistake in told["mistakes"])
    assert (office.state_dir / "script.md").read_text() == GOOD


async def test_a_table_that_is_pasted_is_not_read_out_with_its_commas(
    office: Office, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/script", content="section,text\nOne,Hello\n", headers={"content-type": "text/csv"})
    assert answer.status_code == 200
    path = pasted.path_in(office.state_dir)
    assert path is not None and [line.text for _, line in load(path).lines()] == ["Hello"]


async def test_variables_are_told_one_by_one_and_forgotten(office: Office, client: httpx.AsyncClient) -> None:
    await client.put("/variables", json={"viewers": "123", "mug.stock": "5"})
    answer = await client.put("/variables", json={"viewers": "", "offer": "two for one"})
    assert answer.json() == {"variables": {"mug.stock": "5", "offer": "two for one"}}
    assert (await client.get("/variables")).json() == answer.json()


@pytest.mark.parametrize(
    "given",
    [
        {"time": "20:00"},
        {"two words": "1"},
        {"viewers": 5},
        {"viewers": "a\nb"},
        {"viewers": "x" * 201},
        {"v" * 65: "1"},
        {f"v{number}": "1" for number in range(101)},
        ["viewers"],
    ],
)
async def test_a_variable_that_cannot_be_said_changes_none(
    office: Office, client: httpx.AsyncClient, given: object
) -> None:
    answer = await client.put("/variables", json=given)
    assert answer.status_code == 422 and answer.json()["error"] and office.variables() == {}


async def test_variables_do_not_grow_without_end(office: Office, client: httpx.AsyncClient) -> None:
    for begin in (0, 60):
        answer = await client.put("/variables", json={f"v{number}": "1" for number in range(begin, begin + 60)})
    assert answer.status_code == 422 and len(office.variables()) == 60


async def test_a_long_script_is_taken_and_one_without_end_is_not(office: Office, client: httpx.AsyncClient) -> None:
    headers = {"content-type": "text/plain"}
    assert (await client.post("/script", content="A line of words.\n\n" * 20_000, headers=headers)).status_code == 200
    assert (await client.post("/script", content="x" * 3_000_000, headers=headers)).status_code == 413
    assert (await client.post("/say", content="x" * 300_000, headers=headers)).status_code == 413


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\x00\x01", b"# only a heading\n"])
async def test_what_is_no_script_is_refused(office: Office, client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post("/script", content=content, headers={"content-type": "text/markdown"})
    assert answer.status_code == 422 and answer.json()["mistakes"]
    answer = await client.post("/script", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 415 and pasted.path_in(office.state_dir) is None


async def test_errors_of_the_server_itself_are_json_as_well(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nothing")).json() == {"error": "Not Found"}
    answer = await client.get("/pause")
    assert answer.status_code == 405 and "error" in answer.json() and answer.headers["allow"] == "POST"


async def test_all_orders_are_documented(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    known = {"/pause", "/resume", "/skip", "/goto", "/sections", "/person", "/persons", "/script", "/say", "/status"}
    assert known | {"/readyz"} <= paths.keys()


def test_a_mistake_on_the_disk_is_told_of_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"script\.md:"):
        pasted.keep(tmp_path, b"", ".md")
    assert list(tmp_path.iterdir()) == []
