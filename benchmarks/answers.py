"""From a viewer's comment to the first packet of the answer's voice at a viewer: rules, FAQ, a language model."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import redis
from aiohttp import web

from benchmarks.figures import Figure, percentile
from benchmarks.on_air import first_voice, is_quiet, watched
from broadcaster.config import load
from broadcaster.room import redis_of
from pipeline.journal import JournalReader
from pipeline.media import AIR_HZ
from pipeline.wire import Report
from tests.station import Station, until

TRIES = 20
FAQ = Path("configs/faq/shop-en.md")
RULES = Path("configs/chat/rules-en.txt")
PRODUCTS = Path("configs/products/shop.csv")
FIRST_TOKEN_S = 0.3
TOKENS_PER_S = 50
APART_S = 2.3  # between comments while the script runs: not always at the same place of a sentence
FOR_NOBODY = (  # what neither rules nor FAQ know
    "which song would you hum while the kettle boils",
    "do penguins dream of flying",
    "what did the lighthouse keeper have for supper",
    "tell us about the first snow you ever saw",
    "is it raining on your side of the river",
    "what would you name a boat",
    "who taught you how to whistle",
    "do you believe in lucky numbers",
    "what is the funniest word you know",
    "which book is on your night table",
    "how would you cross a desert",
    "what does the moon look like tonight",
    "have you ever seen a comet",
    "why do cats like boxes",
    "what would you ask a whale",
    "is there music in your street",
    "which smell reminds you of school",
    "can you walk on your hands",
    "what was the last thing that made you laugh",
    "do you believe in ghosts",
)
Push: TypeAlias = Callable[[str, int], object]

SCRIPT = "This is one sentence of the script, and it is about as long as sentences are. " * 40


def run() -> list[Figure]:
    lines = [line for line in RULES.read_text().splitlines() if "|" in line and not line.startswith("#")]
    rules = [line.partition(",")[0].strip() for line in lines]
    questions = [line.removeprefix("## ") for line in FAQ.read_text().splitlines() if line.startswith("## ")]
    known = {"rules": str(RULES), "faq": [str(FAQ)], "products": str(PRODUCTS)}
    took = _idle([question for pair in zip(questions, rules * 4, strict=False) for question in pair], **known)
    figures = _figures("rule or FAQ, idle room", took, p50=1.0, p95=1.5)
    figures += _figures("rule or FAQ, after the script's sentence", _talking(questions, **known), p50=1.0, p95=1.5)
    with _model() as url:
        llm = {"url": url, "model": "bench"}
        figures += _figures("language model, idle room", _idle(FOR_NOBODY, llm=llm), p95=2.5)
    return figures


def _idle(comments: Sequence[str], **chat: Any) -> list[float]:
    """Seconds from XADD to the viewer's first packet with a voice in it; nobody talks before."""
    took_s: list[float] = []
    with watched(chat=_section(chat)) as (station, _, viewer), _queue(station) as push:
        until(lambda: station.facts("chat"), 30, "somebody answers")
        for index, text in enumerate(comments[:TRIES]):
            until(lambda: is_quiet(viewer), 60, "the room is quiet")
            time.sleep(0.037 * index % 0.2)
            pushed_s = time.monotonic()
            push(text, index)
            took_s.append(first_voice(viewer, pushed_s) - pushed_s)
    return took_s


def _talking(comments: Sequence[str], **chat: Any) -> list[float]:
    """Seconds of air from the end of the script's sentence to the answer's first sample."""
    with (
        _script() as script,
        watched(chat=_section(chat), script=script) as (station, _, _viewer),
        _queue(station) as push,
    ):
        return _said(station, push, comments)


def _said(station: Station, push: Push, comments: Sequence[str]) -> list[float]:
    until(lambda: station.facts("chat"), 30, "somebody answers")
    for index, text in enumerate(comments[:TRIES]):
        push(text, index)
        until(partial(_has_begun, station, index + 1), 60, "it is answered")
        time.sleep(APART_S * (1 + index % 3) / 3)
    return [_after_sentence_s(station, identity) for identity in _answers(station)]


@contextmanager
def _script() -> Iterator[dict[str, str]]:
    """A script that never pauses."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "script.md"
        path.write_text(SCRIPT)
        yield {"file": str(path)}


def _section(chat: dict[str, Any]) -> dict[str, Any]:
    """Nobody is kept waiting by a limit."""
    return {"read_question": False, "per_minute": 120, "user_per_minute": 600, **chat}


@contextmanager
def _queue(station: Station) -> Iterator[Push]:
    config = load(station.config_path)
    with redis.Redis.from_url(redis_of(config), protocol=2) as client:
        key = f"broadcaster:{config.room}:chat"
        yield lambda text, index: client.xadd(key, {"text": text, "user": f"viewer{index}", "user_id": str(index)})


def _answers(station: Station) -> list[str]:
    """Ids of answers that began, in their order."""
    told = (event["id"] for event in station.events() if event["event"] == "utterance.started")
    return [identity for identity in told if re.match(r"answer:.*:0$", identity)]


def _has_begun(station: Station, count: int) -> bool:
    return len(_answers(station)) >= count


def _after_sentence_s(station: Station, identity: str) -> float:
    reports = _reports(station)
    began = next(one for one in reports if one.what == "started" and one.utterance == identity)
    before = [one for one in reports if one.what == "sentence_aired" and one.sample <= began.sample]
    return (began.sample - max(one.sample for one in before)) / AIR_HZ


def _reports(station: Station) -> list[Report]:
    return JournalReader(load(station.config_path).state_dir / "journal", 0).read()


def _figures(what: str, took_s: Sequence[float], *, p95: float, p50: float | None = None) -> list[Figure]:
    found = percentile(took_s, 0.95)
    figures = [Figure(f"{what}: p95", f"{found:.2f} s of {len(took_s)}", f"≤ {p95} s", found <= p95)]
    middle = percentile(took_s, 0.5)
    met = None if p50 is None else middle <= p50
    return [Figure(f"{what}: p50", f"{middle:.2f} s", "" if p50 is None else f"≤ {p50} s", met), *figures]


# ── a language model that is as fast as a good one ───────────────────────────────────────────────

ANSWER = "That is a lovely question for a rainy day. I would have to think about it over a cup of tea."


@contextmanager
def _model() -> Iterator[str]:
    """An OpenAI-compatible server on a thread of its own; its address, up to /v1."""
    loop = asyncio.new_event_loop()
    bound: list[int] = []
    ready = threading.Event()

    async def serve() -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", _chat)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        bound.append(runner.addresses[0][1])
        return runner

    def work() -> None:
        runner = loop.run_until_complete(serve())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=work, name="model")
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{bound[0]}/v1"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


async def _chat(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await asyncio.sleep(FIRST_TOKEN_S)
    for token in re.findall(r"\s?\S+", ANSWER):
        await _send(response, body["model"], {"content": token}, None)
        await asyncio.sleep(1 / TOKENS_PER_S)
    await _send(response, body["model"], {}, "stop")
    await response.write(b"data: [DONE]\n\n")
    return response


async def _send(response: web.StreamResponse, model: str, delta: dict[str, str], finish: str | None) -> None:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "model": model, "choices": [choice]}
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
