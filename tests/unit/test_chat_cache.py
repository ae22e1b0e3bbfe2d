"""An answer is given again to whoever asks the same, and never once what it was made of has changed."""

from __future__ import annotations

import pytest

from broadcaster.chat.cache import AGE_S, Cache, subject_of
from pipeline.clock import FakeClock

CATALOG = {"mug": {"name": "Ferry Mug", "price": "24.00"}, "pot": {"name": "Little Teapot", "price": "46.00"}}
FAQ = ("the faq",)
SAID = ("It fits into most cup holders.",)
QUESTION = "Does the mug fit into a cup holder?"


class Shelf:
    def __init__(self, most: int = 100) -> None:
        self.clock = FakeClock()
        self.cache = Cache(self.clock, most)

    def put(self, text: str, entry: str = "product:mug", language: str = "en", talked_of: str = "") -> None:
        subject = subject_of(text, language, entry, talked_of)
        self.cache.put(subject, text, SAID, "mug", {"mug": CATALOG["mug"]}, FAQ)

    def get(
        self,
        text: str,
        entry: str = "product:mug",
        language: str = "en",
        talked_of: str = "",
        catalog: dict[str, dict[str, str]] = CATALOG,
        faq: object = FAQ,
    ) -> bool:
        subject = subject_of(text, language, entry, talked_of)
        return self.cache.get(subject, text, catalog, faq) is not None


@pytest.mark.parametrize(
    ("asked", "again"),
    [
        (QUESTION, QUESTION),
        (QUESTION, "hi, does the mug fit into a cup holder please"),
        (QUESTION, "can the mug fit a cup holder into"),
        (QUESTION, "Does the mug fit into a cup hodler?"),
        ("能放进杯架吗", "请问可以放进杯架吗？"),
    ],
)
def test_the_same_question_in_other_words_has_the_same_answer(asked: str, again: str) -> None:
    shelf = Shelf()
    language = "en" if asked.isascii() else "zh"
    shelf.put(asked, language=language)
    assert shelf.get(again, language=language)


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        (QUESTION, "Does the mug fit into a rucksack?"),
        (QUESTION, "Why does the mug fit into a cup holder?"),
        (QUESTION, "Does the mug not fit into a cup holder?"),
        ("Does it hold 300 ml of tea?", "Does it hold 500 ml of tea?"),
        ("When do you open?", "Where do you open?"),
        ("能放进杯架吗", "不能放进杯架吗"),
        ("什么时候开窑", "哪里开窑"),
    ],
)
def test_another_question_has_not(asked: str, other: str) -> None:
    shelf = Shelf()
    language = "en" if asked.isascii() else "zh"
    shelf.put(asked, language=language)
    assert not shelf.get(other, language=language)


def test_the_same_words_about_something_else_are_another_question() -> None:
    shelf = Shelf()
    shelf.put("Is it heavy?", talked_of="mug")
    assert not shelf.get("Is it heavy?", talked_of="pot")
    assert not shelf.get("Is it heavy?", entry="product:pot", talked_of="mug")
    assert not shelf.get("Is it heavy?", language="zh", talked_of="mug")
    assert shelf.get("Is it heavy?", talked_of="mug")


def test_an_answer_is_forgotten_when_its_product_changes_or_is_gone() -> None:
    for catalog in ({**CATALOG, "mug": {"name": "Ferry Mug", "price": "25.00"}}, {"pot": CATALOG["pot"]}):
        shelf = Shelf()
        shelf.put(QUESTION)
        assert not shelf.get(QUESTION, catalog=catalog)
        assert not shelf.get(QUESTION) and len(shelf.cache) == 0


def test_an_answer_stays_when_another_product_changes() -> None:
    shelf = Shelf()
    shelf.put(QUESTION)
    assert shelf.get(QUESTION, catalog={**CATALOG, "pot": {"name": "Little Teapot", "price": "1.00"}})


def test_a_record_that_is_changed_where_it_lies_is_a_change() -> None:
    catalog = {"mug": {"price": "24.00"}}
    cache = Cache(FakeClock(), 10)
    subject = subject_of(QUESTION, "en", "product:mug", "")
    cache.put(subject, QUESTION, SAID, "mug", catalog, FAQ)
    catalog["mug"]["price"] = "25.00"
    assert cache.get(subject, QUESTION, catalog, FAQ) is None


def test_an_answer_is_forgotten_when_the_faq_changes_and_when_it_is_old() -> None:
    shelf = Shelf()
    shelf.put(QUESTION)
    assert not shelf.get(QUESTION, faq=("another",))
    shelf.put(QUESTION)
    shelf.clock.advance(AGE_S + 1)
    assert not shelf.get(QUESTION)


def test_the_answer_used_longest_ago_makes_room() -> None:
    shelf = Shelf(most=3)
    words = ["kettle", "summer", "garden", "winter"]
    for word in words[:3]:
        shelf.put(f"is this for the {word}?")
    assert shelf.get("is this for the kettle?")
    shelf.put("is this for the winter?")
    assert len(shelf.cache) == 3
    assert [shelf.get(f"is this for the {word}?") for word in words] == [True, False, True, True]


def test_no_room_keeps_nothing() -> None:
    shelf = Shelf(most=0)
    shelf.put(QUESTION)
    assert not shelf.get(QUESTION) and len(shelf.cache) == 0
