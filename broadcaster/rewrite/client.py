"""An OpenAI-compatible chat endpoint: messages in, one answer out, or RewriteError."""

from __future__ import annotations

from collections.abc import Sequence

from broadcaster.completions import Completions
from broadcaster.rewrite.prompt import Answer, answer_tokens, bare, messages
from broadcaster.rewrite.settings import RewriteSpec
from pipeline.errors import CompletionError, CompletionRefused, RewriteError, RewriteRefused


class ChatClient:
    """On the director's loop; one request at a time is its owner's to see to."""

    def __init__(self, spec: RewriteSpec) -> None:
        self._spec = spec
        self._completions = Completions(spec.url, spec.key)

    async def reword(self, line: str, lately: Sequence[str]) -> Answer:
        """Another wording of the line. RewriteRefused when this endpoint will never give one as it is set."""
        spec = self._spec
        asked = messages(line, spec.style, lately)
        body = {"model": spec.model, "messages": asked, "temperature": spec.temperature}
        try:
            answer = await self._completions.whole({**body, "max_tokens": answer_tokens(line)}, spec.timeout_s)
        except CompletionRefused as error:
            raise RewriteRefused(f"{error}; look at script.rewrite: url, model and key") from None
        except CompletionError as error:
            raise RewriteError(str(error)) from None
        written = sum(len(one["content"]) for one in asked) + len(answer.text)
        return Answer(bare(answer.text, line), answer.tokens or written // 2)

    async def close(self) -> None:
        await self._completions.close()
