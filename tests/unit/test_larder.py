"""The larder: what will be wanted is spoken ahead, one at a time, only while nothing else is to be made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
from structlog.testing import capture_logs

from broadcaster.larder import AGAIN_NS, Larder
from pipeline.clock import NS, FakeClock
from pipeline.errors import SpeechError
from tts.synthesizer import Piece, Voice


class FakeVoices:
    """Keeps all that it speaks whole; `room` of it may be pinned."""

    remote = True

    def __init__(self, room: int = 99) -> None:
        self.works = True
        self.room = room
        self.bad: set[str] = set()
        self.unkept: set[str] = set()
        self.spoken: list[str] = []
        self.kept: set[str] = set()
        self.pinned: list[str] = []

    async def speak(self, sentence: str, voice: Voice) -> AsyncIterator[Piece]:
        self.spoken.append(sentence)
        if sentence in self.bad:
            raise SpeechError("refused")
        yield Piece(np.ones(3, np.int16), np.ones(1, np.int16))
        if sentence not in self.unkept:
            self.kept.add(sentence)

    def tick(self) -> None:
        raise AssertionError("the director does that")

    def states(self) -> dict[str, str]:
        return {}

    def can_say(self, sentence: str, voice: Voice) -> bool:
        return self.works

    def keeps(self, sentence: str, voice: Voice) -> bool:
        return sentence in self.kept

    def pin(self, sentence: str, voice: Voice) -> bool:
        if len(self.pinned) >= self.room:
            return False
        self.pinned.append(sentence)
        return True

    async def close(self) -> None:
        pass


def larder(voices: FakeVoices, coming: list[str], clock: FakeClock | None = None) -> Larder:
    voice, other = Voice("en"), Voice("zh", 0.9)
    asked = {"s2": other}  # as a line may ask for a voice of its own
    return Larder(
        voices,
        voice,
        clock or FakeClock(),
        ["e1", "e2"],
        lambda: [(text, asked.get(text, voice)) for text in coming],
        lambda: True,
    )


async def fill(one: Larder) -> None:
    for _ in range(20):
        if not await one.step():
            return
    raise AssertionError("it never has enough")


async def test_evergreen_comes_first_and_is_pinned_then_the_script() -> None:
    voices = FakeVoices()
    coming = ["s1", "s2"]
    one = larder(voices, coming)
    await fill(one)
    assert voices.spoken == ["e1", "e2", "s1", "s2"] and voices.pinned == ["e1", "e2"]
    coming[:] = ["s2", "s3"]
    await fill(one)
    assert voices.spoken[4:] == ["s3"]


async def test_what_cannot_be_said_or_kept_is_tried_again_much_later() -> None:
    clock, voices = FakeClock(), FakeVoices()
    voices.bad, voices.unkept = {"e1"}, {"s1"}
    one = larder(voices, ["s1"], clock)
    await fill(one)
    await fill(one)
    assert voices.spoken == ["e1", "e2", "s1"]
    clock.advance(AGAIN_NS / NS + 1)
    voices.bad.clear()
    await fill(one)
    assert voices.spoken[3:] == ["e1", "s1"] and voices.pinned == ["e2", "e1"]


async def test_while_no_voice_works_nothing_is_tried() -> None:
    voices = FakeVoices()
    voices.works = False
    await fill(larder(voices, ["s1"]))
    assert voices.spoken == []


async def test_more_evergreen_words_than_may_be_pinned_are_told_once() -> None:
    voices = FakeVoices(room=1)
    one = larder(voices, [])
    with capture_logs() as logs:
        await fill(one)
        await fill(one)
    assert [log["event"] for log in logs] == ["evergreen.too_long"] and voices.pinned == ["e1"]


async def test_nothing_is_made_while_voices_are_at_work() -> None:
    voices = FakeVoices()
    one = Larder(voices, Voice("en"), FakeClock(), ["e1"], list, lambda: False)
    task = asyncio.create_task(one.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    assert voices.spoken == []
