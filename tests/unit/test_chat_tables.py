"""The tables that questions are understood by: whole, well-formed, and of the shape that a person edits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from broadcaster.chat.knowledge_common import common_questions
from broadcaster.chat.knowledge_replies import LANGUAGES, REPLIES, Replies
from broadcaster.chat.knowledge_units import units
from broadcaster.chat.knowledge_words import DATA, Attribute, Words
from broadcaster.script import template

VARIABLES = {"name", "money", "value", "what", "stock"}
KINDS = {
    "intro",
    "intro_without_price",
    "intro_sold_out",
    "price",
    "stock",
    "stock_none",
    "stock_words",
    "fact",
    "is_so",
    "is_not",
}


def table(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reply_is_a_good_template_with_known_variables(language: str) -> None:
    held = table(REPLIES)[language]
    assert held.keys() >= KINDS
    for kind, wordings in held.items():
        assert len(wordings) > 1, f"{kind}: the presenter would repeat themselves"
        for wording in wordings:
            parsed = template.parse(wording)
            assert not parsed.faults and {one.name for one in parsed.variables()} <= VARIABLES, wording


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_attribute_can_be_told(language: str) -> None:
    labels = table(REPLIES)["labels"]
    for name, attribute in Words().attributes.items():
        fields = {"name": "Mug", "name_zh": "杯子", attribute.fields[0]: "12"}
        said = Replies(lambda count: 0).say("mug", fields, (attribute,), language)
        assert "12" in said, name
        assert labels.get(name, {}).get(language) or name == "about", f"{name} has no label in {language}"


def test_yes_and_no_are_told_as_such() -> None:
    attribute = Attribute("waterproof", ("waterproof",))
    replies = Replies(lambda count: 0)
    assert replies.say("mug", {"name": "Mug", "waterproof": "yes"}, (attribute,), "en").startswith("Yes")
    assert replies.say("mug", {"name": "Mug", "waterproof": "no"}, (attribute,), "en").startswith("No")


def test_every_group_has_words_in_both_languages() -> None:
    goods, words = table(DATA / "goods.yaml"), table(DATA / "words.yaml")
    for group in (*goods["goods"], *goods["looks"], *words["topics"].values()):
        assert all(group.get(language, "").strip(" ,") for language in LANGUAGES), group
    for name, texts in table(DATA / "asked.yaml").items():
        assert all(len(texts[language].splitlines()) >= 3 for language in LANGUAGES), name


def test_what_every_shop_is_asked_is_listed_once() -> None:
    lines = [line for ways in common_questions().values() for line in ways]
    assert all(units(line) for line in lines)
    assert len(lines) == len(set(lines)), sorted({line for line in lines if lines.count(line) > 1})


def test_generic_topics_and_short_forms_are_known_ones() -> None:
    words = table(DATA / "words.yaml")
    assert set(words["generic"]) <= words["topics"].keys() | words["attributes"].keys()
    assert all(" " in one.strip() for one in words["short"].split(","))
