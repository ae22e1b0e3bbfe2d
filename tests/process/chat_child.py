"""Whoever answers, with an understanding that needs no files: what a question says it is, it is."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import msgspec

from broadcaster.chat.answer import Answer
from broadcaster.chat.host import serve
from broadcaster.chat.model import Question
from broadcaster.chat.spec import ChatSpec
from broadcaster.guard.guard import Verdict
from broadcaster.log import configure
from pipeline.clock import RealClock
from pipeline.lifeline import Lifeline, LineClosed

TOKEN_S = 0.03


class Parrot:
    """broadcaster.chat.desk.Answering."""

    async def answer(self, question: Question) -> Answer:
        word = question.text.split()[0].lower()
        if reply := next((comment.reply for comment in question.comments if comment.reply), ""):
            return Answer("reply", (reply,))
        if word == "nobody":
            return Answer("silence")
        if word == "crash":
            raise RuntimeError("a question that nobody foresaw")
        if word == "model":
            return Answer("llm", self._written(question.text))
        entry = "faq:postage" if "postage" in question.text else f"faq:{question.text}"
        return Answer("faq", (f"About {question.text}.", "That is all."), entry, 0.9)

    async def _written(self, text: str) -> AsyncIterator[str]:
        for number in range(4):
            await asyncio.sleep(TOKEN_S)
            yield f"Sentence {number} about {text}."
        if "endless" in text:
            await asyncio.sleep(60)


def judge(text: str, *, product: str = "") -> Verdict:
    return Verdict("forbidden" not in text)


def main() -> int:
    lifeline = Lifeline.of_child()
    spec = msgspec.convert(lifeline.spec().spec, ChatSpec)
    configure("chat")
    try:
        asyncio.run(serve(spec, lifeline, Parrot(), RealClock(), judge))
    except LineClosed:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
