"""Whoever understands a room's questions, made of what the configuration says: files, a language model, a memory."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from broadcaster.chat.answer import Answerer
from broadcaster.chat.cache import Cache
from broadcaster.chat.llm import Llm
from broadcaster.chat.memory import Memory
from broadcaster.chat.persona import persona
from broadcaster.chat.phrase import LANE
from broadcaster.chat.proactive import Proactive, caller
from broadcaster.chat.remarks import RemarkFiles
from broadcaster.chat.shelf import Shelf
from broadcaster.chat.spec import ChatSpec, ProactiveSpec
from broadcaster.chat.writing import Author, Judge
from broadcaster.guard.guard import Guard, Verdict
from broadcaster.rewrite.budget import Budget
from broadcaster.script.values import Values
from broadcaster.zone import zone_of
from pipeline.clock import Clock
from tts.text import language_of

BUDGET_FILE = "chat-budget.json"
MEMORY_TURNS = 6  # where no language model is told of them, "it" is still what was spoken of last


def make_shelf(spec: ChatSpec) -> Shelf:
    """What the presenter knows; `open` reads it."""
    zone = zone_of(spec.timezone)
    return Shelf(
        Path(spec.products) if spec.products else None,
        [Path(file) for file in spec.faq],
        Path(spec.rules) if spec.rules else None,
        now=lambda: datetime.now(zone),
    )


def make_answerer(spec: ChatSpec, shelf: Shelf, judge: Judge, clock: Clock) -> Answerer:
    """judge: the guard; what a language model writes is held against it before it is pushed."""
    author, turns = None, MEMORY_TURNS
    if spec.llm is not None:
        llm = spec.llm
        budget = Budget(Path(spec.state_dir) / BUDGET_FILE, llm.requests_per_day, llm.tokens_per_day, clock)
        speaks = persona(Path(llm.persona) if llm.persona else None)
        author, turns = Author(Llm(llm, budget, clock), judge, speaks, llm.max_chars), llm.remembered
    return Answerer(
        clock,
        spec.sure,
        lambda: shelf.rules,
        lambda: shelf.knowledge,
        author,
        Cache(clock, spec.cached),
        Memory(clock, turns),
    )


def make_proactive(spec: ChatSpec, given: ProactiveSpec, shelf: Shelf, clock: Clock) -> Proactive:
    """What is said when nobody asks."""
    language, zone = room_language(spec), zone_of(spec.timezone)
    files = RemarkFiles([Path(given.file)] if given.file else [])

    def values() -> Values:
        now = datetime.fromtimestamp(clock.wall_s(), zone)
        return Values(now=now, products=shelf.knowledge.products, language=language)

    return Proactive(
        files.current,
        caller(spec.names),
        clock,
        language,
        given.after_s,
        given.per_minute,
        values,
        seed=int(clock.wall_s()),
    )


def room_language(spec: ChatSpec) -> str:
    return language_of("", spec.voice or "en")


def judging(guard: Guard) -> Judge:
    """The guard, asked of what is to be said to viewers."""

    def judge(text: str, *, product: str = "") -> Verdict:
        return guard.judge(text, lane=LANE, product=product)

    return judge
