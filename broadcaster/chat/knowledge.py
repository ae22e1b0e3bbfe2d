"""What a question asks for, of products and FAQ: which entry, which fact of it, how sure that is, and what to say.

In: a catalog, a FAQ, a question as it was typed, the product that is spoken of. Out: entries, the surest first, each
with a sentence in the viewer's language and the facts behind it. All of it is in memory and takes a few milliseconds;
texts come from the files alone, whatever the question says. Pure, but for its dice.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from broadcaster.chat.faq import Entry, Faq
from broadcaster.chat.found import Found
from broadcaster.chat.knowledge_asking import asking, asks_for_somebody, trailing
from broadcaster.chat.knowledge_goods import Asked, Goods, more_attributes
from broadcaster.chat.knowledge_meant import Meaning, Meant
from broadcaster.chat.knowledge_replies import CURRENCY, Replies, label_of, name_of
from broadcaster.chat.knowledge_spans import ELSEWHERE, Span
from broadcaster.chat.knowledge_speller import Speller, pairs_of
from broadcaster.chat.knowledge_sure import ProductEvidence, TopicEvidence, bounded, sure_of_product, sure_of_topic
from broadcaster.chat.knowledge_topics import Heard, Topic, Topics
from broadcaster.chat.knowledge_units import Unit, units
from broadcaster.chat.knowledge_words import field_language, words_with
from broadcaster.script.products import Catalog
from broadcaster.script.template import fill
from broadcaster.script.values import Values

FOUND_MAX = 5
SURE_LEAST = 0.02  # below that an entry is not worth a mention
HOLLOW = 0.6  # of how sure a product is of which something is said that the file does not: its price is a poor answer
UNTOLD = 0.3  # and of one of which something is asked that the file does not say: its price is none
WORDED = 0.97  # how sure an entry is at least that is asked in the words that it lists
TALK_LEAST = 0.5  # so likely words are to be talk that are not known to be
EVEN = 0.9  # of the best product's score: those that are even are told apart by what is on air
SOMEBODYS = frozenset({"brand", "age", "skin", "usage"})  # attributes that answer who
ATTRIBUTES_MAX = 3  # in one answer
FACTS_MAX = 30
CALLED_LEAST = 0.5  # share of a name: then its words say little of a topic
ALIKE_LEAST = 0.3  # an entry, to a question without the names in it
NOT_MEANT = Meant("", 0.0, 0.0, 0.0, frozenset(), frozenset())


class Considered(NamedTuple):
    products: list[tuple[ProductEvidence, Meant, Asked]]
    topics: list[tuple[TopicEvidence, Topic]]


class Knowledge:
    """products, faq: as they were when it was made; a changed file wants another one. replies: whose wordings do not
    repeat, over changes too. now: local time, for answers that tell it."""

    def __init__(
        self,
        products: Catalog,
        faq: Faq,
        *,
        replies: Replies | None = None,
        choose: Callable[[int], int] = random.randrange,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.products = products
        self.faq = faq
        self._replies = replies or Replies(choose)
        self._choose = choose
        self._now = now
        self._words = words_with(more_attributes(products))
        self._meaning = Meaning(products, self._words)
        self._goods = Goods(products, self._words)
        self._topics = Topics(faq.entries, self._words)
        texts = [*_texts(products, faq)]
        known = {unit.raw for text in texts for unit in units(text) if not unit.wide}
        pairs = pairs_of((*texts, *self._words.phrases))
        self._speller = Speller(self._words.known | known, pairs, self._words.short)
        self._entries: dict[str, list[Entry]] = {}
        self._told_in: defaultdict[str, set[str]] = defaultdict(set)  # language → ids
        for entry in faq.entries:
            self._entries.setdefault(entry.id, []).append(entry)
            self._told_in[_base(entry.language)].add(entry.id)
        self.considered("warm up, 热身", "en")  # reads the tables of common words here, not in the first question

    def ask(self, text: str, language: str, product: str = "") -> list[Found]:
        """Entries that may answer, the surest first. language: of the answer. product: on air, or talked of last.

        Where the FAQ speaks that language, what it says in another one alone is no answer.
        """
        told_in = self._told_in[_base(language)] or self._entries.keys()
        considered = self.considered(text, language, product)
        found: list[tuple[float, Callable[[], Found]]] = []
        for evidence, meant, asked in considered.products:
            sure = _sure_of_product(evidence, asked)
            found.append((sure, partial(self._product_found, sure, meant, asked, language)))
        for told, topic in considered.topics:
            if topic.id not in told_in:
                continue
            sure = _sure_of_topic(told, topic)
            found.append((sure, partial(self._topic_found, sure, topic, language)))
        found.sort(key=lambda one: -one[0])
        made = [make() for sure, make in found[:FOUND_MAX] if sure >= SURE_LEAST]
        return [one for one in made if one.text]

    def is_talk(self, text: str) -> bool:
        """Whether these words are no business of the shop: they ask nothing, or what viewers say to one another."""
        read = units(text)
        cut, _ = self._words.understood(read)
        if all(span.is_silent or span.means == {ELSEWHERE} for span in cut):
            return True
        return self._topics.find(read, cut, frozenset(), self._entries.keys()).talk >= TALK_LEAST

    def considered(self, text: str, language: str, product: str = "") -> Considered:
        """What speaks for each entry that may be meant."""
        read = self._speller.units(text)
        cut, things = self._words.understood(read)
        clauses = asking(text)
        meant = self._meaning.find(read, cut, things, trailing(clauses))
        asked_of = list(self._products(read, cut, meant, product))
        called = meant[0].named if meant and meant[0].said >= CALLED_LEAST else frozenset[int]()
        is_asking = any(clauses)
        find = partial(self._topics.find, read, cut, told_in=self._told_in[_base(language)], trailing=trailing(clauses))
        heard = find(called, is_asking=is_asking)
        if called and asked_of[0][1].is_hollow:  # its file does not say what was asked: an entry may that names it
            heard = _surer(heard, find(frozenset(), is_asking=is_asking), is_asking=is_asking)
        topical = _topical(heard, is_asking=is_asking)
        somebody = asks_for_somebody(text)
        products = []
        for one, asked, ahead in asked_of:
            asks = is_asking if asked.attributes and not asked.vague else _is_asked(one, read, clauses)
            evidence = _evidence(asked, one, ahead, topical, heard, is_asking=asks, in_talk=not one.told)
            if somebody and (evidence.hinted or not SOMEBODYS.intersection(part.name for part in asked.attributes)):
                evidence = evidence._replace(somebody=1.0)
            products.append((evidence, one, asked))
        best = max((evidence for evidence, _, _ in products), key=sure_of_product, default=None)
        topics = [(_topic_evidence(topic, heard, best, is_asking=is_asking), topic) for topic in heard.topics]
        return Considered(products, topics)

    # ── products ─────────────────────────────────────────────────────────────────────────────────

    def _products(
        self, read: Sequence[Unit], cut: Sequence[Span], meant: Sequence[Meant], product: str
    ) -> Iterator[tuple[Meant, Asked, float]]:
        """Each with what is asked of it, and how far it is ahead of the next."""
        even = [one.product for one in meant if one.score >= EVEN * meant[0].score]
        for one in meant:
            rival = max((other.score for other in meant if other.product != one.product), default=0.0)
            ahead = max(-1.0, 1.0 - rival / one.score)
            if product in even and len(even) > 1:
                ahead = 0.5 if one.product == product else -0.5
            yield one, self._goods.asked(one.product, read, cut, one.named, one.at), ahead
        if product in self.products and product not in even:
            asked = self._goods.asked(product, read, cut, frozenset(), frozenset())
            if asked.attributes and not asked.vague:
                yield replace(NOT_MEANT, product=product), asked, 0.0

    def _product_found(self, sure: float, meant: Meant, asked: Asked, language: str) -> Found:
        product, fields = meant.product, self.products[meant.product]
        attributes = asked.attributes[:ATTRIBUTES_MAX]
        entry = f"product:{product}" + (f".{attributes[0].name}" if attributes and not asked.vague else "")
        text = self._replies.say(product, fields, attributes, language)
        return Found(entry, text, sure, tuple(_facts(product, fields, language)), product)

    # ── FAQ ──────────────────────────────────────────────────────────────────────────────────────

    def _topic_found(self, sure: float, topic: Topic, language: str) -> Found:
        entries = self._entries[topic.id]
        entry = next((one for one in entries if _base(one.language) == _base(language)), entries[0])
        values = Values(self._now(), products=self.products, language=entry.language)

        def value(name: str) -> str | None:
            return values.of(name, language=entry.language)

        paragraphs = [fill(paragraph, value, self._choose).text for paragraph in entry.paragraphs]
        said = tuple(paragraph for paragraph in paragraphs if paragraph)
        return Found(f"faq:{entry.id}", "\n".join(said), sure, said)


def _is_asked(meant: Meant, read: Sequence[Unit], clauses: Sequence[bool]) -> bool:
    """Whether a clause that speaks of the product asks something, or one beside it."""
    own = {read[at].clause for at in meant.at}
    return any(is_asking for number, is_asking in enumerate(clauses) if {number - 1, number} & own)


def _sure_of_product(evidence: ProductEvidence, asked: Asked) -> float:
    """Of the answer that the product's file holds."""
    unsaid = asked.untold or (asked.is_hollow and bool(evidence.asking))
    return sure_of_product(evidence) * (UNTOLD if unsaid else HOLLOW if asked.is_hollow else 1.0)


def _sure_of_topic(evidence: TopicEvidence, topic: Topic) -> float:
    return max(sure_of_topic(evidence), WORDED if topic.is_worded else 0.0)


def _surer(aside: Heard, whole: Heard, *, is_asking: bool) -> Heard:
    """With all that the names say, where that makes an entry surer which speaks of the rest of the question as well."""
    likeliest = whole.topics[0].id if whole.topics else ""
    speaks = any(one.id == likeliest and one.alike >= ALIKE_LEAST for one in aside.topics)
    return whole if speaks and _topical(whole, is_asking=is_asking) > _topical(aside, is_asking=is_asking) else aside


def _topical(heard: Heard, *, is_asking: bool) -> float:
    """How sure the best entry is, whatever speaks for products."""
    alone = ((_topic_evidence(topic, heard, None, is_asking=is_asking), topic) for topic in heard.topics)
    return max((_sure_of_topic(*one) for one in alone), default=0.0)


def _topic_evidence(topic: Topic, heard: Heard, best: ProductEvidence | None, *, is_asking: bool) -> TopicEvidence:
    beside = sure_of_product(best) if best else 0.0
    rivals = (other for other in heard.topics if other.id != topic.id and (other.is_own or not topic.is_own))
    rival = max((other.score for other in rivals), default=0.0)
    return TopicEvidence(
        alike=topic.alike,
        whole=topic.whole,
        known=topic.known,
        told=bounded(topic.told),
        left=bounded(topic.told / topic.known * (1 - topic.known) if topic.known else 1.0),
        ahead=max(-1.0, 1.0 - rival / topic.score) if topic.score else 0.0,
        lean=topic.lean,
        nobodys=heard.nobodys,
        behind=max(0.0, heard.nobodys - topic.alike),
        goods=heard.goods,
        talk=heard.talk,
        beside=beside,
        known_beside=beside if best and (best.asked or best.hinted) else 0.0,
        asking=float(is_asking),
    )


def _evidence(
    asked: Asked, meant: Meant, ahead: float, topical: float, heard: Heard, *, is_asking: bool, in_talk: bool
) -> ProductEvidence:
    is_known = bool(asked.attributes) and not asked.vague
    return ProductEvidence(
        explained=asked.share,
        left=bounded(asked.left),
        idle=0.0 if asked.attributes else bounded(asked.left),
        said=meant.said,
        told=bounded(meant.told),
        head=meant.head,
        ahead=ahead,
        asked=float(is_known and not asked.hinted),
        hinted=float(is_known and asked.hinted),
        vague=float(asked.vague),
        guessed=bounded(asked.left) if asked.vague else 0.0,
        missing=float(asked.missing),
        somebody=0.0,
        in_talk=float(in_talk),
        pointed=float(asked.pointed),
        topical=topical,
        elsewhere=0.0 if is_known else topical,
        goods=heard.goods,
        talked=heard.talked,
        talk=heard.talk,
        asking=float(is_asking),
        remark=float(not is_asking and (asked.hinted or not is_known)),
    )


def _facts(product: str, fields: Mapping[str, str], language: str) -> Iterator[str]:
    """All that the file says of it, a field each."""
    name = name_of(product, fields, language)
    for field, text in list(fields.items())[:FACTS_MAX]:
        base, _ = field_language(field)
        if field != "id" and base not in ("name", CURRENCY, "aliases"):
            money = f" {fields[CURRENCY]}" if base == "price" and CURRENCY in fields else ""
            yield f"{name}: {label_of(base, 'en')} {text}{money}"


def _texts(catalog: Catalog, faq: Faq) -> Iterator[str]:
    for fields in catalog.values():
        yield from fields.values()
    for entry in faq.entries:
        yield from (*entry.questions, *entry.paragraphs)


def _base(language: str) -> str:
    return language.replace("_", "-").split("-")[0].lower()
