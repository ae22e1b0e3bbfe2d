"""The files that the presenter answers from, while they are edited."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from broadcaster.chat.shelf import STEADY_LOOKS, Shelf


class Room:
    def __init__(self, directory: Path) -> None:
        self.products, self.faq, self.rules = directory / "p.csv", directory / "faq.md", directory / "rules.txt"
        self.products.write_text("id,name,price\nmug,Ferry Mug,24\nwok,Iron Wok,54\n")
        self.faq.write_text("## Do you ship abroad?\n\nYes.\n")
        self.rules.write_text("hello | Hi!\n")
        self.shelf = Shelf(self.products, [self.faq], self.rules)
        self.shelf.open()

    async def settle(self) -> None:
        for _ in range(STEADY_LOOKS + 1):
            await self.shelf.look()

    def price(self) -> str:
        return self.shelf.knowledge.ask("how much is the ferry mug", "en")[0].text

    def rule(self) -> str:
        ruled = self.shelf.rules.match("hello")
        return ruled.reply if ruled else ""


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_what_the_files_say_is_known_at_once(room: Room) -> None:
    assert "24" in room.price() and room.rule() == "Hi!"


async def test_a_changed_price_is_told_from_then_on(room: Room) -> None:
    room.products.write_text("id,name,price\nmug,Ferry Mug,19\nwok,Iron Wok,54\n")
    with capture_logs() as logs:
        await room.settle()
    assert "19" in room.price() and [entry["event"] for entry in logs] == ["chat.read"]


async def test_a_new_product_is_found_and_a_gone_one_is_not(room: Room) -> None:
    room.products.write_text("id,name,price\nwok,Iron Wok,54\nlamp,Arc Lamp,160\n")
    await room.settle()
    assert room.shelf.knowledge.ask("arc lamp price", "en")[0].product == "lamp"
    assert all(found.product != "mug" for found in room.shelf.knowledge.ask("ferry mug price", "en"))


async def test_faq_and_rules_are_taken_up_without_a_new_index_of_products(room: Room) -> None:
    before = room.shelf.knowledge
    room.rules.write_text("hello | Good day!\n")
    await room.settle()
    assert room.rule() == "Good day!" and room.shelf.knowledge is before
    room.faq.write_text("## Do you ship abroad?\n\nNo.\n")
    await room.settle()
    assert room.shelf.knowledge is not before
    assert room.shelf.knowledge.ask("do you ship abroad", "en")[0].text == "No."


async def test_a_file_that_is_still_being_written_is_not_read(room: Room) -> None:
    room.products.write_text("id,name,price\nmug,Ferry Mug,19\n")
    await room.shelf.look()
    assert "24" in room.price()


async def test_broken_files_are_told_of_once_and_what_they_said_goes_on(room: Room) -> None:
    room.products.write_text("id,name,price\nmug,Ferry Mug,cheap\n")
    room.faq.write_text("## What?\n")
    room.rules.write_text("hello\n")
    with capture_logs() as logs:
        await room.settle()
        await room.settle()
    assert sorted(entry["event"] for entry in logs) == ["chat.unusable", "chat.unusable", "products.unusable"]
    assert "24" in room.price() and room.rule() == "Hi!"


async def test_without_a_change_nothing_is_read_again(room: Room) -> None:
    before = room.shelf.knowledge
    await room.settle()
    assert room.shelf.knowledge is before


def test_without_files_nobody_knows_anything() -> None:
    shelf = Shelf(None, [], None)
    shelf.open()
    assert shelf.knowledge.ask("how much is the mug", "en") == [] and shelf.rules.match("hello") is None
