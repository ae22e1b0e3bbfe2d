"""A language model's answer, sentence by sentence, each as soon as it is complete.

In: messages. Out: whole sentences; or CompletionError, whatever was said before. It asks no endpoint that failed a
moment ago, or whose day's budget is spent; and never says half a sentence.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import msgspec
import structlog

from broadcaster.chat.cut import Cutter
from broadcaster.completions import Completions, Patience
from broadcaster.rewrite.budget import Budget
from pipeline.clock import NS, Clock
from pipeline.errors import CompletionError, CompletionRefused

OPEN_MAX_CHARS = 400  # of a sentence without an end
RESTS_S = (0.0, 5.0, 15.0, 60.0)  # after a failure, the next in a row, …; the last again and again
REFUSED_REST_S = 120.0  # after an answer that will be the same next time
ROOM_TOKENS = 100  # beside those of the longest answer: a sentence is finished

log = structlog.get_logger()


class LlmSpec(msgspec.Struct, frozen=True):
    """chat.llm as it crosses to the process. url: up to /v1. key: a secret, "" = none. persona: a file, "" = our own.

    max_chars: the answer ends with the sentence that passes them. remembered: turns of a viewer that it is told of.
    """

    url: str
    model: str
    key: str = ""
    temperature: float = 0.3
    persona: str = ""
    first_token_s: float = 2.0
    timeout_s: float = 10.0
    max_chars: int = 200
    remembered: int = 6
    requests_per_day: int = 5000
    tokens_per_day: int = 5_000_000

    def __repr__(self) -> str:
        return f"LlmSpec({self.model!r})"


class Llm:
    """On the loop of its process."""

    def __init__(self, spec: LlmSpec, budget: Budget, clock: Clock) -> None:
        self._spec = spec
        self._budget = budget
        self._clock = clock
        self._completions = Completions(spec.url, spec.key)
        self._patience = Patience(spec.first_token_s, spec.first_token_s, spec.timeout_s)
        self._failures = 0
        self._rests_until_ns = 0
        self._is_spent = False

    async def sentences(self, messages: Sequence[Mapping[str, str]]) -> AsyncGenerator[str, None]:
        """Whoever stops before the end closes it, and the request with it."""
        self._may_ask()
        self._budget.ask()
        spec = self._spec
        request = {
            "model": spec.model,
            "messages": list(messages),
            "temperature": spec.temperature,
            "max_tokens": spec.max_chars + ROOM_TOKENS,
        }
        tokens = written = said = 0
        has_failed = False
        try:
            async with aclosing(self._completions.streamed(request, self._patience)) as pieces:
                cutter = Cutter()
                async for piece in pieces:
                    tokens, written = max(tokens, piece.tokens), written + len(piece.text)
                    whole = cutter.feed(piece.text)
                    if piece.is_last and not piece.is_cut:
                        whole += cutter.end()
                    for sentence in whole:
                        yield sentence
                        said += len(sentence)
                        if said >= spec.max_chars:
                            return
                    if cutter.waiting > max(spec.max_chars, OPEN_MAX_CHARS):
                        raise CompletionError("it writes a sentence without an end")
                if not said:
                    raise CompletionError("it answered without a sentence")
        except CompletionError as error:
            has_failed = True
            self._failed(error)
            raise
        finally:
            asked = sum(len(one["content"]) for one in messages)
            self._budget.cost(tokens or (asked + written) // 2)
            if said and not has_failed:
                self._recovered()

    async def close(self) -> None:
        await self._completions.close()

    # ── bounds ───────────────────────────────────────────────────────────────────────────────────

    def _may_ask(self) -> None:
        left = self._budget.left
        if not left and not self._is_spent:
            log.warning("llm.spent")
        self._is_spent = not left
        if not left:
            raise CompletionError("the day's budget is spent")
        if self._rests():
            raise CompletionError("it rests after failures")

    def _rests(self) -> bool:
        return self._clock.now_ns() < self._rests_until_ns

    def _failed(self, error: CompletionError) -> None:
        refused = isinstance(error, CompletionRefused)
        rest_s = REFUSED_REST_S if refused else RESTS_S[min(self._failures, len(RESTS_S) - 1)]
        if not self._failures:
            remedy = {"remedy": "look at chat.llm: url, model and key"} if refused else {}
            log.warning("llm.failed", reason=str(error), **remedy)
        self._failures += 1
        self._rests_until_ns = self._clock.now_ns() + int(max(rest_s, error.after_s) * NS)

    def _recovered(self) -> None:
        if self._failures:
            log.info("llm.recovered", failures=self._failures)
            self._failures = 0
