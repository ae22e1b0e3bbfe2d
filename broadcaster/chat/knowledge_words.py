"""What the words of a question mean to a shop. Pure, but for reading its tables.

In: data/words.yaml and data/goods.yaml, names of further attributes. Out: their phrases with what each of them may
mean, by which a text is cut (broadcaster.chat.knowledge_spans); the attributes that may be asked of a product.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from broadcaster.chat.knowledge_phrases import Phrases
from broadcaster.chat.knowledge_spans import (
    ASPECT,
    ATTRIBUTE,
    ELSEWHERE,
    FILLER,
    GOODS,
    LOOKS,
    PART,
    PERSON,
    POINTER,
    TOPIC,
    VALUE,
    Span,
    Understood,
    understood,
)
from broadcaster.chat.knowledge_units import Unit, units

DATA = Path(__file__).parent / "data"


class Attribute(NamedTuple):
    """fields: their names in a products file, without language. before: attributes that are not meant when it is asked
    for. units: what its numbers count. aspects: of it, that are told or not by themselves, with the words that tell
    them."""

    name: str
    fields: tuple[str, ...]
    before: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    aspects: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Words:
    """more: attributes that the table has not, with the ways to ask for them."""

    def __init__(self, more: Mapping[str, Sequence[str]] | None = None) -> None:
        table, things = _table("words.yaml"), _table("goods.yaml")
        self._phrases = Phrases()
        self.attributes = dict(attributes())
        self.known: set[str] = set()  #: all words of Latin letters
        self.phrases: list[str] = []
        self.little = self._phrases.little
        for kind, key in ((FILLER, "filler"), (POINTER, "pointers"), (PERSON, "people"), (ELSEWHERE, ELSEWHERE)):
            self._add(kind, _listed(table[key]))
        for name, held in table["attributes"].items():
            for one, of in held.get("aspects", {}).items():
                self._add(f"{ASPECT}:{one}", _listed(of["asks"]))
            self._add(f"{ATTRIBUTE}:{name}", _listed(held["asks"]))
            self._add(f"{VALUE}:{name}", _listed(held.get("values", {})))
        for name, asks in (more or {}).items():
            self.attributes[name] = Attribute(name, (name,))
            self._add(f"{ATTRIBUTE}:{name}", asks)
        for name, held in table["topics"].items():
            self._add(f"{TOPIC}:{name}", _listed(held))
        for kind in (GOODS, LOOKS):
            for number, held in enumerate(things[kind]):
                self._add(f"{kind}:{number}", _listed(held))
        for number, held in enumerate(things["parts"]):
            self._add(f"{PART}:{number}", _listed(held))
        self.generic = frozenset(f"{kind}:{name}" for name in table["generic"] for kind in (TOPIC, ATTRIBUTE))
        self.short = dict(one.strip().split(" ", 1) for one in table["short"].split(","))
        self._inherit()

    def _add(self, meaning: str, phrases: Iterable[str]) -> None:
        for phrase in phrases:
            read = units(phrase)
            self.known.update(unit.raw for unit in read if not unit.wide)
            self.phrases.append(phrase)
            if meaning == FILLER and len(read) == 1 and not read[0].wide:
                self.little.add(read[0].raw)
            elif read:
                self._phrases.add(meaning, read)

    def _inherit(self) -> None:
        """What is asked of a product is a topic, too, where a part of it is one: `years of warranty`."""
        for phrase, means in self._phrases.all():
            if len(phrase) > 1 and _any_of(means, ATTRIBUTE) and not _any_of(means, TOPIC):
                read = units(" ".join(phrase))
                for begin in range(len(read)):
                    for end, part, _ in self._phrases.find(read, begin):
                        if end - begin < len(read) and (end - begin > 1 or not read[begin].wide):
                            for topic in part - self.generic:
                                if topic.startswith(f"{TOPIC}:"):
                                    self._phrases.add(topic, read)

    def read(self, text: Sequence[Unit]) -> list[Span]:
        """Its best cut."""
        return self.understood(text).cut

    def understood(self, text: Sequence[Unit]) -> Understood:
        return understood(text, self._phrases)


@cache
def _table(name: str) -> Mapping[str, Any]:
    with (DATA / name).open(encoding="utf-8") as file:
        held: Mapping[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return held


def _any_of(means: Iterable[str], kind: str) -> bool:
    return any(one.startswith(f"{kind}:") for one in means)


def _listed(held: Mapping[str, str]) -> list[str]:
    return [phrase.strip() for text in held.values() for phrase in text.split(",") if phrase.strip()]


@cache
def attributes() -> Mapping[str, Attribute]:
    """Those of the table, by their names."""
    found = {}
    for name, held in _table("words.yaml")["attributes"].items():
        fields, before, counted = (tuple(held.get(key, ())) for key in ("fields", "before", "units"))
        aspects = tuple((one, tuple(_listed(of["told"]))) for one, of in held.get("aspects", {}).items())
        found[name] = Attribute(name, fields, before, counted, aspects)
    return found


@lru_cache(4)
def words_with(more: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> Words:
    """The words of these further attributes and their ways to be asked for; they do not change, and take a while."""
    return Words(dict(more))


def field_language(name: str) -> tuple[str, str]:
    """`size_zh` → size, zh."""
    base, _, language = name.rpartition("_")
    return (base, language) if base and len(language) == 2 else (name, "")
