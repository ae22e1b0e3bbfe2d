"""The process that answers, in this process: what it says of itself while Redis is away, and what it tells."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from broadcaster.chat.answer import Answer
from broadcaster.chat.host import TELLING_MAX, Host, serve
from broadcaster.chat.model import Question
from broadcaster.chat.spec import ChatSpec
from broadcaster.guard.guard import Verdict
from pipeline.clock import RealClock
from pipeline.lifeline import Lifeline
from pipeline.wire import Drain


class Silence:
    async def answer(self, question: Question) -> Answer:
        return Answer("silence")


def judge(text: str, *, product: str = "") -> Verdict:
    return Verdict(True)


def nowhere(tmp_path: Path) -> ChatSpec:
    return ChatSpec("t", str(tmp_path), f"unix://{tmp_path}/redis.sock")


async def test_a_queue_that_was_away_from_the_start_was_told_by_nobody(tmp_path: Path) -> None:
    ours, theirs = Lifeline.pair()
    with capture_logs() as logs, theirs:
        serving = asyncio.create_task(serve(nowhere(tmp_path), Lifeline(theirs), Silence(), RealClock(), judge))
        async with asyncio.timeout(10):
            while not any(line["event"] == "comments.paused" for line in logs):
                await asyncio.sleep(0.01)
            ours.send(Drain(0.0))
            await serving
    ours.close()


async def test_what_was_told_while_others_were_being_told_was_lost(tmp_path: Path) -> None:
    ours, theirs = Lifeline.pair()
    host = Host(nowhere(tmp_path), Lifeline(theirs), Silence(), RealClock(), judge, None)
    told: list[str] = []

    async def tell(events: Sequence[Mapping[str, Any]], turn: str = "") -> bool:
        told.extend(event["id"] for event in events)
        if len(told) == len(events):  # more comes meanwhile than is kept
            for number in range(10):
                host._tell({"id": f"late {number}"})
        return True

    host._lectern.tell = tell  # type: ignore[method-assign]
    for number in range(TELLING_MAX):
        host._tell({"id": f"early {number}"})
    telling = asyncio.create_task(host._tell_events())
    async with asyncio.timeout(10):
        while "late 9" not in told:
            await asyncio.sleep(0.01)
    telling.cancel()
    assert [one for one in told if one.startswith("late")] == [f"late {number}" for number in range(10)]
    await asyncio.gather(telling, return_exceptions=True)
    theirs.close()
    ours.close()
