"""The answer to a question: a ready-made reply, a rule, what was answered before, what is known, a language model.

In: questions. Out: answers with their source, how sure it is, how long each stage took, and why others did not answer.
Each stage may be missing. It never raises: silence is the worst that comes of it. A rule that merely greets gives way
to whoever answers what the comment asks besides. What a language model says is held to the facts that knowledge found
(broadcaster.chat.writing); where it fails, the nearest entry answers, or nobody.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial

import structlog

from broadcaster.chat.cache import Cache, Subject, subject_of
from broadcaster.chat.found import Found, Knowledge, Rules
from broadcaster.chat.knowledge_asking import asking
from broadcaster.chat.memory import Memory
from broadcaster.chat.mentions import Names
from broadcaster.chat.model import Question
from broadcaster.chat.ruling import replied
from broadcaster.chat.told import facts_of
from broadcaster.chat.writing import PASSED, Author, Task
from broadcaster.rewrite.similarity import content, shared
from broadcaster.script.products import Catalog
from pipeline.clock import Clock
from tts.text import language_of

__all__ = ["Answer", "Answerer", "Found", "Trace"]

INTRODUCED = 0.9  # so sure must it be that a product's name and price are the answer, where somebody could say more
NEARLY = 0.7  # of `sure`: so sure must an entry be to answer where a language model failed
TOLD_ALREADY = 0.7  # of what an entry speaks of: then it need not be said after what was
POINTING = re.compile(r"\b(?:it|its|this|that|these|those|they|them|one)\b|[这那它该]", re.IGNORECASE)
REPLY, RULE, FAQ, LLM, CACHE, SILENCE = "reply", "rule", "faq", "llm", "cache", "silence"
OWN_ERROR = "an error of its own"

log = structlog.get_logger()


@dataclass(slots=True)
class Trace:
    """How an answer came about; it grows until its last sentence is there.

    stages_ms: how long each stage took, in their order; llm_first until its first sentence. why: of each stage that did
    not answer, or broke off, why.
    """

    stages_ms: dict[str, float] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """source: reply | rule | faq | llm | cache | silence. entry: what answered, "" for none. sentences: as they may be
    said, whole ones; of a language model, as they come.
    """

    source: str
    sentences: AsyncIterator[str] | tuple[str, ...] = ()
    entry: str = ""
    sure: float = 0.0
    product: str = ""
    trace: Trace = field(default_factory=Trace)

    @property
    def why(self) -> str:
        """Silence, or a lesser source: in words."""
        return "; ".join(f"{stage}: {reason}" for stage, reason in self.trace.why.items())


NOTHING = Found("", "", 0.0)


class Answerer:
    """On the loop of its process. sure: of an entry, to be the answer."""

    def __init__(
        self,
        clock: Clock,
        sure: float,
        rules: Callable[[], Rules | None] = lambda: None,
        knowledge: Callable[[], Knowledge | None] = lambda: None,
        author: Author | None = None,
        cache: Cache | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._clock = clock
        self._sure = sure
        self._rules = rules
        self._knowledge = knowledge
        self._author = author
        self._cache = Cache(clock, 0) if cache is None else cache
        self._memory = Memory(clock, 0) if memory is None else memory
        self._names: tuple[Catalog, Names] = ({}, Names({}))

    async def answer(self, question: Question) -> Answer:
        trace = Trace()
        try:
            answer = await self._answered(question, trace)
        except Exception:
            log.exception("answer.failed", stage=next(reversed(trace.stages_ms), ""))
            trace.why["answer"] = OWN_ERROR
            return Answer(SILENCE, trace=trace)
        if isinstance(answer.sentences, tuple) and answer.sentences:
            self._remember(question, answer.sentences, answer.product)
        return answer

    async def close(self) -> None:
        if self._author:
            await self._author.close()

    # ── the stages ───────────────────────────────────────────────────────────────────────────────

    async def _answered(self, question: Question, trace: Trace) -> Answer:
        if reply := next((comment.reply for comment in question.comments if comment.reply), ""):
            return Answer(REPLY, (reply,), sure=1.0, trace=trace)
        knowledge = self._knowledge()
        talked_of = self._memory.product(_who(question))

        @cache
        def find(text: str) -> list[Found]:
            with self._timed(trace, "knowledge"):
                return knowledge.ask(text, question.language, talked_of) if knowledge else []

        def product_of(text: str) -> str:
            return next((one.product for one in find(text)), "") or talked_of

        with self._timed(trace, RULE):
            rules = self._rules()
            rule = replied(rules, question.text, question.language, knowledge, product_of) if rules else None
        ruled = Answer(RULE, (rule.reply,), f"rule:{rule.line}", 1.0, rule.product, trace) if rule else None
        text = rule.left if rule else question.text
        if ruled and not text:
            return ruled
        found, asks = find(text), any(asking(text))
        best = found[0] if found else NOTHING
        with self._timed(trace, CACHE):
            subject = self._subject(question, best, talked_of, knowledge)
            kept = self._cache.get(subject, question.text, knowledge.products, knowledge.faq) if knowledge else None
        if kept:
            return Answer(CACHE, kept.sentences, best.entry, best.sure, kept.product, trace)
        if self._is_sure(best) and (asks or not ruled or not _introduces(best)):
            return _of(best, trace)
        if ruled and (self._author is None or not asks or knowledge is None or knowledge.is_talk(text)):
            return ruled
        trace.why["knowledge"] = f"{best.entry} is only {best.sure:.2f} sure" if best.text else "nothing was found"
        if self._author is None:
            return Answer(SILENCE, entry=best.entry, sure=best.sure, trace=trace)
        written = await self._written(question, knowledge, found, subject, self._author, trace)
        return ruled if ruled and written.source == SILENCE else written

    async def _written(
        self,
        question: Question,
        knowledge: Knowledge | None,
        found: Sequence[Found],
        subject: Subject,
        author: Author,
        trace: Trace,
    ) -> Answer:
        """The language model's, else that of the entry which is nearly sure."""
        catalog = knowledge.products if knowledge else {}
        names, best = self._names_of(catalog), found[0] if found else NOTHING
        named = [min(one.products) for one in names.mentions(question.text)]
        named += [subject.talked_of] if subject.talked_of in catalog else []
        facts = facts_of(found, catalog, question.language, named)
        earlier = self._memory.of(_who(question))
        about = best.product or (named[0] if named else "")
        task = Task(question.text, question.language, facts, names, about, earlier)
        sentences = author.sentences(task, partial(trace.why.__setitem__, LLM))
        began_ns = self._clock.now_ns()
        first = await anext(sentences, None)
        trace.stages_ms["llm_first"] = self._since_ms(began_ns)
        nearly = next((one for one in found if self._is_near(one, question)), None)
        if first is None:
            if nearly is None or trace.why.get(LLM) == PASSED:
                return Answer(SILENCE, entry=best.entry, sure=best.sure, trace=trace)
            return _of(nearly, trace)

        async def spoken() -> AsyncGenerator[str, None]:
            said = [first]
            try:
                yield first
                async with aclosing(sentences):
                    async for sentence in sentences:
                        said.append(sentence)
                        yield sentence
                why = trace.why.get(LLM, "")
                if why and why != PASSED and nearly and shared(nearly.text, " ".join(said)) < TOLD_ALREADY:
                    said.append(nearly.text)
                    yield nearly.text
                elif not why and not earlier and knowledge:
                    records = {fact.product: catalog[fact.product] for fact in facts if fact.product in catalog}
                    self._cache.put(subject, question.text, tuple(said), about, records, knowledge.faq)
            except Exception:
                log.exception("answer.failed", stage=LLM)
                trace.why[LLM] = OWN_ERROR
            finally:
                trace.stages_ms[LLM] = self._since_ms(began_ns)
                self._remember(question, said, about)

        return Answer(LLM, spoken(), best.entry, best.sure, about, trace)

    # ── around them ──────────────────────────────────────────────────────────────────────────────

    def _subject(self, question: Question, best: Found, talked_of: str, knowledge: Knowledge | None) -> Subject:
        """What an answer is kept under: "it" is another thing in another talk."""
        own = self._names_of(knowledge.products).of(best.product) if knowledge else []
        is_named = bool(content(question.text) & content(" ".join(own)))
        is_pointed = not is_named and (best.product == talked_of or POINTING.search(question.text))
        return subject_of(question.text, question.language, best.entry, talked_of if is_pointed else "")

    def _is_sure(self, found: Found) -> bool:
        """Whether it is the answer."""
        least = max(self._sure, INTRODUCED) if _introduces(found) and self._author else self._sure
        return bool(found.text) and found.sure >= least

    def _is_near(self, found: Found, question: Question) -> bool:
        """Whether it may be said where the language model failed."""
        language = language_of(found.text, question.language)
        return bool(found.text) and found.sure >= NEARLY * self._sure and language == language_of("", question.language)

    def _remember(self, question: Question, said: Sequence[str], product: str) -> None:
        self._memory.keep(_who(question), question.text, " ".join(said), product)

    def _names_of(self, catalog: Catalog) -> Names:
        if self._names[0] is not catalog:
            self._names = (catalog, Names(catalog))
        return self._names[1]

    @contextmanager
    def _timed(self, trace: Trace, stage: str) -> Iterator[None]:
        began_ns = self._clock.now_ns()
        try:
            yield
        finally:
            trace.stages_ms[stage] = self._since_ms(began_ns)

    def _since_ms(self, began_ns: int) -> float:
        return round((self._clock.now_ns() - began_ns) / 1e6, 3)


def _who(question: Question) -> str:
    """Whose memory counts: that of the one who asks, nobody's where several do."""
    viewers = {comment.who for comment in question.comments}
    return viewers.pop() if len(viewers) == 1 else ""


def _introduces(found: Found) -> bool:
    """Whether nothing in particular was asked of the product."""
    return bool(found.product) and "." not in found.entry


def _of(found: Found, trace: Trace) -> Answer:
    paragraphs = tuple(filter(None, map(str.strip, found.text.split("\n"))))
    return Answer(FAQ, paragraphs, found.entry, found.sure, found.product, trace)
