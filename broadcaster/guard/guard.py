"""The guard: whether a text may be said, and if not, why and what instead. The last look before words are speech.

In: the final text of any lane, and the product that it is about. Out: a verdict. It looks for words of lists, forbidden
claims, what the products file does not say, personal data, ways off the platform, insults, fraud, and a presenter who
obeys a viewer, in whatever writing. It fails closed: what it cannot judge, through a list that nobody can read or a
fault of its own, is stopped. It does no I/O but for reading its lists and products again when they have changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import structlog

from broadcaster.guard import abuse, claims, diversion, emoji, illegal, injection, personal
from broadcaster.guard.facts import Facts
from broadcaster.guard.fold import Folded, fold
from broadcaster.guard.frames import is_spoken_of
from broadcaster.guard.goods import Goods
from broadcaster.guard.heard import Heard
from broadcaster.guard.lists import Entry, Lists, files_of, tight
from broadcaster.guard.patterns import joined
from broadcaster.guard.safe import Safe
from broadcaster.guard.settings import RULES, GuardSpec
from broadcaster.guard.verdict import PASSED, Verdict
from broadcaster.guard.view import Finding, Undoing, View
from broadcaster.guard.words import Signs, Words
from broadcaster.script.products import Catalog, Products
from tts.markup import plain

REPLY = "reply"  # the lane in which something is said instead
WRITTEN = ("script", "scheduled")  # lanes of what the room's own people wrote
PIECE_CHARS = 1_500  # a longer text is judged in pieces that overlap
OVERLAP_CHARS = 80
SHOWN_CHARS = 60
BOOKS = {
    "claims": claims.BOOK,
    "diversion": diversion.BOOK,
    "injection": injection.BOOK,
    "abuse": abuse.BOOK,
    "illegal": illegal.BOOK,
    "personal": personal.BOOK,
}

__all__ = ["Guard", "Verdict"]

log = structlog.get_logger()


class Guard:
    """language: of the room, for what is said instead. `refresh` takes up lists that were edited."""

    def __init__(self, spec: GuardSpec, language: str) -> None:
        self._rules = [name for name in RULES if name not in spec.without]
        self._lists = Lists(files_of(spec.platform, spec.lists))
        self._products = Products(Path(spec.products)) if spec.products else None
        self._allowed = [tight(one) for one in spec.allow]
        self._safe = Safe(spec.safe, language)
        self._book = joined(BOOKS[name] for name in self._rules if name in BOOKS)
        self._book.open()
        self._undoing = Undoing(self._book.words)
        self._catalog: Catalog = {}
        self._facts = Facts(Goods({}))
        self._goods = Goods({})
        self._version = 0
        self._take(self._lists.current())

    @property
    def version(self) -> int:
        """Another one when lists or products have changed: what was passed before is to be judged again."""
        self._look_at_products()
        return self._version

    def refresh(self) -> None:
        """Read the lists again if they have changed. It takes its time, and may be called from another thread."""
        try:
            if self._lists.changed():
                self._take(self._lists.current())
        except Exception:  # whatever it is, the lists count as they were
            log.exception("guard.failed")

    def judge(self, text: str, *, lane: str, product: str = "", before: str = "") -> Verdict:
        """Never raises. product: an id of the products file. before: what was said right before it by the same speaker,
        so that nothing is said in two halves.
        """
        try:
            verdict = self._judged(text, lane, product, before)
            if verdict.passed or lane != REPLY:
                return verdict
            return Verdict(False, verdict.reason, verdict.rule, verdict.found, self._instead())
        except Exception as error:  # whatever it is, the text was not judged
            log.exception("guard.failed")
            return Verdict(False, f"it could not be judged: {type(error).__name__}", "guard")

    # ── what it finds ────────────────────────────────────────────────────────────────────────────

    def findings(self, text: str, product: str = "", *, lane: str = "") -> Iterator[tuple[Finding, str]]:
        """All of them, each with what was found as it stands in the text."""
        self._look_at_products()
        view = self._undoing.view(text)
        if "words" in self._rules:
            yield from self._listed(view)
        if "facts" in self._rules:
            said = self._facts.find(view, product, lane in WRITTEN)
            yield from ((one, view.undone.source(one.begin, one.end)) for one in said)
        if "personal" in self._rules:
            yield from ((one, personal.hidden(shown)) for one, shown in self._unspared(view, personal.find(view)))
        yield from self._unspared(view, self._book.find(view.undone))
        if "injection" in self._rules:
            yield from self._unspared(view, injection.code(view))

    def _listed(self, view: View) -> Iterator[tuple[Finding, str]]:
        spared: list[tuple[int, int]] | None = None
        for hit in self._words.find(view.folded):
            if spared is None:
                spared = self._spared(view.folded)
            framed = is_spoken_of(view.folded.text, hit.begin, hit.end, "words")
            if not framed and not _lies_in(hit.begin, hit.end, spared):
                why = f"{hit.entry.word} is on the list ({hit.entry.where})"
                yield Finding(hit.begin, hit.end, "words", why), view.folded.source(hit.begin, hit.end)

    def _unspared(self, view: View, found: Iterable[Finding]) -> Iterator[tuple[Finding, str]]:
        spared: list[tuple[int, int]] | None = None
        for one in found:
            if spared is None:
                spared = self._spared(view.undone)
            framed = is_spoken_of(view.undone.text, one.begin, one.end, one.rule)
            if not framed and not _lies_in(one.begin, one.end, spared):
                yield one, view.undone.source(one.begin, one.end)

    def _spared(self, folded: Folded) -> list[tuple[int, int]]:
        """Where phrases that are allowed stand, and names of products."""
        names = [(one.begin, one.end) for one in self._goods.mentions(folded) if one.whole]
        return [*names, *Signs(folded).spans(self._allowed)]

    def _judged(self, text: str, lane: str, product: str, before: str) -> Verdict:
        if self._lists.broken:
            return Verdict(False, f"{self._lists.broken[0]} cannot be read", "guard")
        said = plain(text)
        joined = f"{plain(before)} " if before else ""
        for piece in _pieces(joined + said):
            for reading in self._readings(piece):
                for found, shown in self.findings(reading, product, lane=lane):
                    if not joined or shown not in joined:
                        return Verdict(False, found.why, found.rule, shown[:SHOWN_CHARS])
        return PASSED

    def _readings(self, text: str) -> Iterator[str]:
        """As it stands, with its emoji as words, and as it sounds, where that is something else."""
        yield text
        if said := emoji.spoken(text):
            yield said
        if heard := self._heard.spoken(fold(said or text).text):
            yield heard

    def _instead(self) -> str:
        return next((one for one in self._safe.sentences() if self._judged(one, REPLY, "", "").passed), "")

    # ── what it goes by ──────────────────────────────────────────────────────────────────────────

    def _take(self, entries: Sequence[Entry]) -> None:
        words = Words(entries)
        allowed = chain.from_iterable(entry.allow for entry in entries if not entry.word)
        self._words = words
        self._heard = Heard([*self._book.words, *(entry.word for entry in entries)])
        self._allowed = list(dict.fromkeys([*self._allowed, *allowed]))
        self._version += 1

    def _look_at_products(self) -> None:
        catalog = self._products.current() if self._products else {}
        if catalog is not self._catalog:
            self._catalog = catalog
            self._goods = Goods(catalog)
            self._facts = Facts(self._goods)
            self._version += 1


def _lies_in(begin: int, end: int, spans: Sequence[tuple[int, int]]) -> bool:
    """In a phrase that is allowed, or in a name; or across the edge of one, of which it is no part."""
    return any(
        (first <= begin and end <= last) or (begin < first < end < last) or (first < begin < last < end)
        for first, last in spans
    )


def _pieces(text: str) -> Iterator[str]:
    if len(text) <= PIECE_CHARS:
        yield text
        return
    for begin in range(0, len(text), PIECE_CHARS - OVERLAP_CHARS):
        yield text[begin : begin + PIECE_CHARS]
