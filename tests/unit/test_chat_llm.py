"""A language model's words become sentences as they come; half a sentence is never said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from broadcaster.chat import llm as module
from broadcaster.chat.cut import Cutter
from broadcaster.chat.llm import Llm, LlmSpec
from broadcaster.rewrite.budget import Budget
from pipeline.clock import FakeClock
from pipeline.errors import CompletionError
from tests.completions_service import FAULTS, KEY, CompletionsService, completions_open

ASKED = [{"role": "user", "content": "<viewer>Is it heavy?</viewer>"}]
THREE = "It is not heavy. One hand is enough. You could carry two."


@pytest.fixture
async def service() -> AsyncIterator[CompletionsService]:
    async with completions_open() as made:
        yield made


@pytest.fixture
async def make(service: CompletionsService, tmp_path: Path) -> AsyncIterator[Callable[..., Llm]]:
    made: list[Llm] = []

    def one(clock: FakeClock | None = None, requests: int = 100, **more: Any) -> Llm:
        clock = clock or FakeClock()
        spec = LlmSpec(service.url, "test", KEY, **{"first_token_s": 0.5, "timeout_s": 1.5, **more})
        made.append(Llm(spec, Budget(tmp_path / "b.json", requests, 1_000_000, clock), clock))
        return made[-1]

    yield one
    for llm in made:
        await llm.close()


async def said(llm: Llm) -> list[str]:
    return [sentence async for sentence in llm.sentences(ASKED)]


# ── cutting ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("written", "whole"),
    [
        (THREE, ["It is not heavy.", "One hand is enough.", "You could carry two."]),
        ("It costs $24.50. Mr. Tom made it!", ["It costs $24.50.", "Mr. Tom made it!"]),
        ("它128元。很好看！您要吗？", ["它128元。", "很好看！", "您要吗？"]),
        ("He said “Yes.” Then he left", ["He said “Yes.”", "Then he left"]),
        ("<think>He is rude.\nStay calm.</think>\n\nGladly. It fits.", ["Gladly.", "It fits."]),
        ("<think>He is rude. And this", []),
        ("**Yes**, it costs **$24**. [smile] It is *blue*.", ["Yes, it costs $24.", "smile It is blue."]),
        ("- It is blue.\n- It is round.", ["It is blue.", "It is round."]),
        ("Sure 😊! It is 3~5 days, 2*3 in a box.", ["Sure!", "It is 3-5 days, 2 3 in a box."]),
        ("**渡口马克杯**很好。`", ["渡口马克杯很好。"]),
        (" \n ", []),
    ],
)
def test_sentences_are_the_same_however_they_come(written: str, whole: list[str], size: int) -> None:
    cutter = Cutter()
    found = [one for at in range(0, len(written), size) for one in cutter.feed(written[at : at + size])]
    assert found + cutter.end() == whole


def test_a_sentence_comes_when_the_next_one_has_begun() -> None:
    cutter = Cutter()
    assert cutter.feed("It costs 24.") == []
    assert cutter.feed("50. ") == []
    assert cutter.feed("A") == ["It costs 24.50."]
    assert cutter.feed("nd") == [] and cutter.end() == ["And"]


def test_a_long_sentence_is_one_and_not_cut_for_subtitles() -> None:
    long = "It is " + "very, very " * 20 + "large."
    assert len(long) > 200
    assert Cutter().feed(f"{long} A") == [long]


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_sentence_is_said_while_the_next_is_written(
    service: CompletionsService, make: Callable[..., Llm]
) -> None:
    service.answer, service.held = (lambda _: THREE), asyncio.Event()
    sentences = make().sentences(ASKED)
    assert await anext(sentences) == "It is not heavy."
    service.held.set()
    assert [one async for one in sentences] == ["One hand is enough.", "You could carry two."]


async def test_an_answer_ends_with_the_sentence_that_passes_its_bound(
    service: CompletionsService, make: Callable[..., Llm]
) -> None:
    service.answer = lambda _: THREE
    assert await said(make(max_chars=20)) == ["It is not heavy.", "One hand is enough."]


async def test_a_model_that_never_ends_is_left_after_its_bound(
    service: CompletionsService, make: Callable[..., Llm]
) -> None:
    service.answer, service.fault = (lambda _: "And so on. "), "never ends"
    assert await said(make(max_chars=50)) == ["And so on."] * 5
    await asyncio.wait_for(service.left.wait(), 5)


async def test_a_sentence_without_an_end_is_no_sentence(service: CompletionsService, make: Callable[..., Llm]) -> None:
    service.answer, service.fault = (lambda _: "and on and on "), "never ends"
    with pytest.raises(CompletionError, match="without an end"):
        await said(make())


async def test_a_cut_answer_is_said_up_to_its_last_whole_sentence(
    service: CompletionsService, make: Callable[..., Llm]
) -> None:
    service.answer, service.fault = (lambda _: "It is blue. It is als"), "cut off"
    assert await said(make()) == ["It is blue."]


@pytest.mark.parametrize("fault", ["half and closes", "half and hangs up", "stalls within", "error within"])
async def test_half_a_sentence_is_never_said(service: CompletionsService, make: Callable[..., Llm], fault: str) -> None:
    service.answer, service.fault = (lambda _: THREE), fault
    found: list[str] = []
    with pytest.raises(CompletionError):
        async for sentence in make().sentences(ASKED):
            found.append(sentence)
    assert found in ([], ["It is not heavy."])


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_fault_of_the_server_is_one_error(
    service: CompletionsService, make: Callable[..., Llm], fault: str
) -> None:
    service.fault = fault
    with structlog.testing.capture_logs() as logs, pytest.raises(CompletionError):
        await said(make())
    assert [one["event"] for one in logs] == ["llm.failed"] and KEY not in str(logs) and "127.0.0.1" not in str(logs)


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────


async def test_an_endpoint_that_fails_again_and_again_is_left_alone_and_found_again(
    service: CompletionsService, make: Callable[..., Llm]
) -> None:
    clock = FakeClock()
    llm = make(clock)
    service.fault = "error"
    with structlog.testing.capture_logs() as logs:
        for _ in range(10):
            with pytest.raises(CompletionError):
                await said(llm)
        assert len(service.asked) == 2
        with pytest.raises(CompletionError, match="rests"):
            await said(llm)
        clock.advance(module.RESTS_S[1] + 0.1)
        service.fault = ""
        assert await said(llm) == ["Yes, gladly."]
    assert [one["event"] for one in logs] == ["llm.failed", "llm.recovered"]


async def test_a_busy_endpoint_is_left_alone_for_as_long_as_it_says(
    service: CompletionsService, make: Callable[..., Llm]
) -> None:
    clock = FakeClock()
    llm = make(clock)
    service.fault = "too many"
    with pytest.raises(CompletionError):
        await said(llm)
    service.fault = ""
    clock.advance(6.9)
    with pytest.raises(CompletionError, match="rests"):
        await said(llm)
    clock.advance(0.2)
    assert await said(llm)


async def test_a_wrong_key_is_told_with_its_remedy(service: CompletionsService, make: Callable[..., Llm]) -> None:
    service.fault = "unauthorized"
    with structlog.testing.capture_logs() as logs, pytest.raises(CompletionError):
        await said(make())
    assert "chat.llm" in logs[0]["remedy"]


async def test_a_day_has_so_many_requests(service: CompletionsService, make: Callable[..., Llm]) -> None:
    llm = make(requests=2)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            await said(llm)
        for _ in range(2):
            with pytest.raises(CompletionError, match="budget"):
                await said(llm)
    assert len(service.asked) == 2 and [one["event"] for one in logs] == ["llm.spent"]


def test_the_specification_does_not_show_its_key() -> None:
    assert KEY not in repr(LlmSpec("http://x/v1", "m", KEY))
