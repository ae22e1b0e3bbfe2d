"""What of a product a question asks for, and how much of the question that accounts for. Pure.

In: a catalog; a question's units and spans, and which of them speak of the product. Out: the attributes that were asked
for and are in the file, whether others were, and the weight of the words that are explained and of those that are left.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from broadcaster.chat.knowledge_names import NAMED
from broadcaster.chat.knowledge_replies import CURRENCY, figures_of, money_of, priced_in, value_of
from broadcaster.chat.knowledge_spans import ASPECT, ATTRIBUTE, PART, POINTER, VALUE, Span
from broadcaster.chat.knowledge_units import Unit, units
from broadcaster.chat.knowledge_words import Attribute, Words, attributes, field_language
from broadcaster.script.products import Catalog

PRICE, STOCK, ALWAYS = "price", "stock", "about"  # the last may be asked of any product: name and price are an answer
#: fields that nobody asks for, without language
ASIDE = frozenset({"id", CURRENCY, *NAMED, "image", "picture", "photo", "url", "card", "video"})
#: fields whose words may be said, but are no answer
KINDS = frozenset({"category", "categories", "kind", "type", "tags", "keywords", "类别", "分类", "品类", "标签"})
COUNTED = r"[\d一二两三四五六七八九十百半]\s?(?:{units})(?![a-z])"
BESIDE = 0.25  # of the weight of what is left, in a clause that asks nothing: the rest of the sentence is talk
TELLING = 0.4  # weight of a word that asks for the value which speaks of it: commoner ones stand in any text
VAGUE = 0.3  # left of a question whose product is clear: something was asked that nobody knows by name


@dataclass(frozen=True, slots=True)
class Asked:
    """attributes: what is to be told. hinted: by a value alone. vague: nothing known was asked for, and the description
    may say it. missing: asked for, and not in the file. pointed: with a word for it, as "this one". explained, left:
    weight of the words that are accounted for, and of the others. untold: it is asked of a part that the file does not
    speak of, as the length of its cord, or whether it may do what the file says nothing about."""

    attributes: tuple[Attribute, ...]
    hinted: bool
    vague: bool
    missing: bool
    pointed: bool
    explained: float
    left: float
    untold: bool

    @property
    def is_hollow(self) -> bool:
        """Whether something was asked that the file does not say, and has no description that might."""
        return not self.attributes and (self.missing or self.left >= VAGUE)

    @property
    def share(self) -> float:
        whole = self.explained + self.left
        return self.explained / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class _Product:
    """has: attributes by name, with the fields that tell them. told: what the values say, and mean → the attribute.
    untold: aspects that no value tells."""

    has: Mapping[str, Attribute]
    told: Mapping[str, str]
    untold: frozenset[str]

    def lacks(self, span: Span) -> bool:
        """Whether it speaks of a part that no value speaks of."""
        parts = [one for one in span.means if one.startswith(PART)]
        return bool(parts) and not any(one in self.told for one in parts)

    def is_untold(self, span: Span) -> bool:
        """Whether it asks for aspects alone that are not told."""
        aspects = span.of(ASPECT)
        return bool(aspects) and self.untold.issuperset(aspects)


class Goods:
    def __init__(self, catalog: Catalog, words: Words) -> None:
        self._words = words
        self._counted = {
            one.name: re.compile(COUNTED.format(units="|".join(map(re.escape, one.units))), re.IGNORECASE)
            for one in words.attributes.values()
            if one.units
        }
        self._products = {product: self._read(fields) for product, fields in catalog.items()}

    def asked(
        self, product: str, text: Sequence[Unit], cut: Sequence[Span], named: frozenset[int], meant: frozenset[int]
    ) -> Asked:
        """named: units that call the product by name. meant: all that speak of it."""
        its = self._products[product]
        wanted: dict[str, set[int]] = {}  # attribute → clauses
        hinted: dict[str, set[int]] = {}
        missing = is_untold = lacks = False
        explained: defaultdict[int, float] = defaultdict(float)  # clause → weight
        left: defaultdict[int, float] = defaultdict(float)
        silent = 0.0
        for span in cut:
            clause, here = text[span.begin].clause, range(span.begin, span.end)
            is_name = not named.isdisjoint(here)
            asks = [] if is_name else [name for name in span.of(ATTRIBUTE) if name in its.has]
            values = [name for name in span.of(VALUE) if name in its.has] if not named.issuperset(here) else []
            if its.is_untold(span):
                asks, values = [name for name in asks if not its.has[name].aspects], []
                is_untold, missing = is_untold or not asks, missing or not asks
            elif not asks and not values and not is_name and not span.is_silent:
                if span.mass >= TELLING or text[span.begin].raw[0].isdigit():
                    values = list(_told(text[span.begin : span.end], span, its.told))
                    if not meant:  # a figure alone may count anything
                        values = [name for name in values if name != PRICE]
                missing = missing or (not values and bool(span.of(ATTRIBUTE) or span.of(VALUE)))
            for name in asks:
                wanted.setdefault(name, set()).add(clause)
            for name in filter(None, values):
                hinted.setdefault(name, set()).add(clause)
            if span.is_silent:
                silent += span.mass
                continue
            is_explained = bool(asks or values or is_name or not meant.isdisjoint(here))
            (explained if is_explained else left)[clause] += span.mass
            lacks = lacks or (not is_explained and its.lacks(span))
        unsaid = sum(weight * (1.0 if explained[clause] else BESIDE) for clause, weight in left.items())
        if missing:
            hinted.pop(PRICE, None)  # "how much" of something else
        attributes = self._chosen(its, wanted, hinted)
        vague = not attributes and unsaid >= VAGUE and bool(its.has[ALWAYS].fields) and not is_untold
        if vague:
            attributes = (its.has[ALWAYS],)
        pointed = any(POINTER in span.means for span in cut)
        whole = sum(explained.values()) + silent
        untold = lacks or (is_untold and not wanted)
        return Asked(attributes, bool(hinted) and not wanted, vague, missing, pointed, whole, unsaid, untold)

    def _chosen(
        self, its: _Product, wanted: Mapping[str, set[int]], hinted: Mapping[str, set[int]]
    ) -> tuple[Attribute, ...]:
        """What is told, first what is most to the point: a value that was named beside "available" is the question.
        What gives way to another is told all the same where a clause of its own asks for it."""
        is_stock = list(wanted) == [STOCK]
        values = [name for name in hinted if name == ALWAYS or is_stock or not wanted]
        names = [*values, *wanted] if is_stock else [*wanted, *values]
        clauses = {**hinted, **wanted}
        aside = {
            other
            for name in names
            for other in its.has[name].before
            if clauses.get(other, clauses[name]) <= clauses[name]
        }
        names = [name for name in dict.fromkeys(names) if name not in aside]
        if len(names) > 1 or not its.has[ALWAYS].fields:
            names = [name for name in names if name != ALWAYS or (name in values and its.has[ALWAYS].fields)]
        return tuple(its.has[name] for name in names)

    # ── what the file says ───────────────────────────────────────────────────────────────────────

    def _read(self, fields: Mapping[str, str]) -> _Product:
        has = {one.name: one for one in self._words.attributes.values() if self._holds(fields, one)}
        for name, pattern in self._counted.items():
            told = {field_language(field)[0]: text for field, text in fields.items()}
            bases = [base for base, text in told.items() if _is_told(base) and pattern.search(text)]
            if name not in has and bases:
                has[name] = self._words.attributes[name]._replace(fields=tuple(dict.fromkeys(bases)))
        if ALWAYS not in has:
            has[ALWAYS] = self._words.attributes[ALWAYS]._replace(fields=())
        return _Product(has, self._told_by(fields, has), self._untold_by(fields))

    def _holds(self, fields: Mapping[str, str], attribute: Attribute) -> bool:
        if attribute.name == PRICE:
            return bool(money_of(fields, attribute.fields, "en") or money_of(fields, attribute.fields, "zh"))
        return bool(value_of(fields, attribute.fields, "en"))

    def _untold_by(self, fields: Mapping[str, str]) -> frozenset[str]:
        told = [text for field, text in fields.items() if _is_told(field_language(field)[0])]
        everything = " ".join([*told, *fields]).casefold()
        aspects = [one for attribute in self._words.attributes.values() for one in attribute.aspects]
        return frozenset(name for name, words in aspects if not any(word in everything for word in words))

    def _told_by(self, fields: Mapping[str, str], has: Mapping[str, Attribute]) -> dict[str, str]:
        """What the values of the fields say and mean → the attribute, "" for what is no answer."""
        found: dict[str, str] = {}
        owners = {field: name for name, one in self._words.attributes.items() if name in has for field in one.fields}
        for field, text in fields.items():
            base, _ = field_language(field)
            if not _is_told(base) and base not in KINDS and base not in NAMED:
                continue
            owner = "" if base in KINDS else owners.get(base, "")
            read = units(text)
            cut, things = self._words.understood(read)
            for span in (*cut, *things):
                if not span.is_silent:
                    keys = span.of(PART) if base in NAMED else _keys(read[span.begin : span.end], span)
                    for key in keys:
                        found.setdefault(f"{PART}:{key}" if base in NAMED else key, owner)
        for field, text in fields.items() if PRICE in has else ():
            if field_language(field)[0] in {*has[PRICE].fields, *priced_in()}:
                for figure in figures_of(text.strip()):
                    found.setdefault(figure, PRICE)
        return found


def more_attributes(catalog: Catalog) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Fields of the file that the table does not know, and how they are asked for: by their names."""
    known = {field for one in attributes().values() for field in one.fields} | ASIDE | KINDS | priced_in()
    named = {field_language(field)[0] for fields in catalog.values() for field in fields}
    return tuple((base, (base.replace("_", " "),)) for base in sorted(named - known))


def _is_told(base: str) -> bool:
    return base not in ASIDE and base not in KINDS and base not in (PRICE, STOCK) and base not in priced_in()


def _told(part: Sequence[Unit], span: Span, told: Mapping[str, str]) -> Iterator[str]:
    """The attribute whose value speaks of this, once."""
    for key in _keys(part, span):
        if key in told:
            yield told[key]
            return


def _keys(part: Sequence[Unit], span: Span) -> Iterator[str]:
    yield ("" if part[0].wide else " ").join(unit.key for unit in part)
    yield from span.of(ATTRIBUTE)
    yield from span.things()
    yield from (f"{PART}:{one}" for one in span.of(PART))
