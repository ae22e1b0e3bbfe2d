"""Whether a sentence of a language model states only what the facts state: prices, numbers, stock, names, offers. Pure.

In: the facts that were found, the names of all products, what was asked; then one sentence after the other. Out: "" or
the reason why it is not said. What is doubtful is refused: the FAQ answers then.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence

from broadcaster.chat import claims
from broadcaster.chat.mentions import Names
from broadcaster.chat.proof import Fact, Proof, clause_of
from broadcaster.chat.quantities import quantities
from broadcaster.rewrite.facts import ADDRESS, QUOTED, WORD, is_common, names_in
from broadcaster.rewrite.openers import LITTLE
from broadcaster.rewrite.similarity import tongue
from tts.text import language_of

TOLD_CHARS = 40
SUBJECTS = frozenset({"shipping", "delivery", "postage", "payment", "price", "stock", "quality", "size", "everything"})
STATED = re.compile(r"\s+(?:is|are|was|costs?|has|have|comes?|holds?|will)\b")  # of what the word before it names
HARMLESS = ("ok", "app", "vip", "hi", "ai")  # Latin words that Chinese is full of


class Grounds:
    """For one answer. about: the product in question, "" for none. persona: its names may be said."""

    def __init__(
        self, facts: Sequence[Fact], names: Names, question: str, language: str, about: str = "", persona: str = ""
    ) -> None:
        self._facts = facts
        self._names = names
        self._language = language
        self._about = about
        self._proof = Proof(facts, names, question)
        self._offers = [offer for fact in facts for offer in self._offered(fact.text)]
        self._text = "\n".join(fact.text for fact in facts)
        self._known = f"{self._text}\n{persona}".casefold()

    def doubt(self, sentence: str) -> str:
        """Why it is not said, "" when it may be. What it is about, the next one is about too."""
        if any(unicodedata.category(char) in ("No", "Nl") for char in sentence):
            return "its figures are no plain ones"
        if not _is_in(self._language, sentence):
            return "it is in another language"
        if claims.out_of_role(sentence, self._text):
            return "a language model speaks of itself"
        named = self._names.mentions(sentence)
        for one in named:
            if one.is_distinct and not one.products & self._proof.products:
                return f"nothing was found about {one.name[:TOLD_CHARS]!r}"
        products = {product for one in named for product in one.products & self._proof.products}
        about = min(products) if len(products) == 1 else self._about
        if figure := self._proof.lacks(sentence, named, about):
            return f"the figure {figure[:TOLD_CHARS]!r} is not among the facts"
        if wrong := self._claims_more(sentence, products or {about}):
            return wrong
        if name := self._strange_name(sentence):
            return f"the name {name[:TOLD_CHARS]!r} is not among the facts"
        self._about = about
        return ""

    def _claims_more(self, sentence: str, products: Collection[str]) -> str:
        if claims.unknowing(sentence):
            return ""
        for offer, spoken_of in self._offered(sentence):
            if not any(offer == known and spoken_of & of for known, of in self._offers):
                return f"it claims what no fact does ({offer})"
        if (claimed := claims.stock(sentence)) and not all(self._is_stocked(product, claimed) for product in products):
            return "what it says of the stock is not among the facts"
        return ""

    def _offered(self, text: str) -> Iterator[tuple[str, set[str]]]:
        """Each claim, and of what it is made."""
        for offer, begin, end in claims.offers(text):
            masked = text[:begin] + "\0" * (end - begin) + text[end:]
            clause = self._proof.spoken_of(clause_of(masked, begin, end))
            yield offer, clause or self._proof.spoken_of(masked)

    def _is_stocked(self, product: str, claimed: str) -> bool:
        if pieces := self._proof.pieces(product):
            return all(pieces) if claimed == "some" else claimed == "none" and not any(pieces)
        return claimed in (claims.stock(fact.text) for fact in self._facts if fact.product == product)

    def _strange_name(self, sentence: str) -> str:
        if (address := ADDRESS.search(sentence)) and address[0].casefold().rstrip(".,") not in self._known:
            return address[0]
        for match in QUOTED.finditer(sentence):
            quoted = str(next(filter(None, match.groups())))
            if quoted.casefold().strip(" .,!?。，！？") not in self._known:
                return quoted
        words = sentence
        for one in quantities(sentence):
            words = words[: one.begin] + "\1" * (one.end - one.begin) + words[one.end :]
        for name in sorted(names_in(words)):
            if not self._knows(name):
                return name
        first = WORD.search(words)
        if first and first[0][0].isupper() and STATED.match(words, first.end()) and not self._opens(first[0]):
            return first[0]
        return ""

    def _opens(self, word: str) -> bool:
        """Whether a sentence may begin with it, as it does."""
        return is_common(word) or word.casefold() in SUBJECTS or self._knows(word)

    def _knows(self, word: str) -> bool:
        return word.casefold().removesuffix("s") in self._known or word.casefold() in HARMLESS


def _is_in(language: str, sentence: str) -> bool:
    if language_of(sentence, language) != language_of("", language):
        return False
    spoken = tongue(sentence)
    return not spoken or spoken == language or language not in LITTLE
