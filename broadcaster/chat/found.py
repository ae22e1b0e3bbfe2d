"""What is found for a question, and by whom: the shapes that knowledge and rules have. Values and protocols alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from broadcaster.script.products import Catalog


@dataclass(frozen=True, slots=True)
class Found:
    """What is known about a question. entry: where it stands, "product:mug.price" or "faq:delivery". text: the answer
    as it may be said. sure: 0 to 1. facts: what a language model is told of it. product: its id, "" when it is of none.
    """

    entry: str
    text: str
    sure: float
    facts: tuple[str, ...] = ()
    product: str = ""


class Ruled(NamedTuple):
    """A rule that fits. reply: as it may be said. line: of the file, from 1. keywords: those that were found. left: of
    the comment, without them.
    """

    reply: str
    line: int
    keywords: tuple[str, ...]
    left: str


class Rules(Protocol):
    def match(self, text: str, value_of: Callable[[str], str | None]) -> Ruled | None:
        """The first rule that fits. value_of: of a variable, None where it has none."""


class Knowledge(Protocol):
    @property
    def products(self) -> Catalog: ...

    @property
    def faq(self) -> object: ...

    def ask(self, text: str, language: str, product: str = "") -> list[Found]:
        """Entries that may answer, the surest first. product: talked of, "" = none."""

    def is_talk(self, text: str) -> bool:
        """Whether these words are no business of the shop, as a greeting is none."""
