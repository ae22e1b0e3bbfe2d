"""What a chain of voices keeps on disk and how loud it is: whoever speaks, and whether anybody has to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from pipeline.clock import FakeClock
from pipeline.errors import BrokeOff, SpeechError, VoicesDown
from pipeline.media import WORD, Mark
from tts.breaker import REST_S
from tts.cache import SpeechCache
from tts.fallback import Chain
from tts.loudness import PEAK_DBFS, TARGET_LUFS, Gain, Levels, measure
from tts.pcm import joined
from tts.synthesizer import Piece, Voice

TEXT = "Only $19.99 today!"
EN = Voice("en")


class Tone:
    """A voice that says everything in a beep of its own loudness; `fails` after so many pieces of 0.2 s."""

    version = "1"
    remote = True

    def __init__(self, level: float, seconds: float = 2.0) -> None:
        self._level, self._seconds = level, seconds
        self.fails: int | None = None
        self.heard: list[str] = []

    async def speak(self, sentence: str, voice: Voice) -> AsyncIterator[Piece]:
        self.heard.append(sentence)
        for index in range(int(5 * self._seconds)):
            if index == self.fails:
                raise SpeechError("refused")
            at = np.arange(9_600 * index, 9_600 * (index + 1))
            swell = np.abs(np.sin(at * 2 * np.pi * 2 / 48_000)) ** 0.5  # a tone that never falls is no speech
            air = (self._level * swell * np.sin(at * 2 * np.pi * 500 / 48_000)).astype(np.int16)
            yield Piece(air, air[::3].copy(), (Mark(0, WORD, text="Only"),) if index == 0 else ())
        if self.fails == -1:
            raise SpeechError("refused")

    async def close(self) -> None:
        pass


def opened(directory: Path, *voices: Tone, known: bool = True, clock: FakeClock | None = None) -> Chain:
    cache = SpeechCache(directory, 1 << 24)
    cache.open()
    levels = Levels(None, {f"{name}/en": Gain(0.0, 60.0) for name in "ab"} if known else {})
    return Chain(list(zip("ab", voices, strict=False)), 0.1, clock or FakeClock(), cache, levels)


async def said(chain: Chain, text: str = TEXT) -> Piece:
    return joined([piece async for piece in chain.speak(text, EN)])


async def kept(chain: Chain, text: str = TEXT) -> Piece:
    """Say it, and wait until it is on disk."""
    piece = await said(chain, text)
    async with asyncio.timeout(5):
        while not any(map(chain._has, chain._keys(text, EN))):
            await asyncio.sleep(0.001)
    return piece


async def test_the_same_sentence_is_not_asked_for_twice_not_even_after_a_restart(tmp_path: Path) -> None:
    voice = Tone(8_000)
    chain = opened(tmp_path, voice)
    first = await kept(chain)
    again = await said(chain)
    await chain.close()
    chain = opened(tmp_path, voice)
    later = await said(chain)
    assert len(voice.heard) == 1
    for piece in (again, later):
        assert np.array_equal(piece.air, first.air) and np.array_equal(piece.drive, first.drive)
        assert piece.marks == first.marks and piece.marks[0].text == "Only"
    assert chain.keeps(TEXT, EN) and not chain.keeps("Something else", EN) and not chain.keeps("...", EN)
    await chain.close()


async def test_the_best_voice_that_is_kept_speaks_even_while_its_provider_is_down(tmp_path: Path) -> None:
    first, second = Tone(8_000), Tone(4_000)
    chain = opened(tmp_path, first, second)
    good = await kept(chain)
    first.fails = 0
    await said(chain, "Something else")
    assert len(second.heard) == 1
    assert np.array_equal((await said(chain)).air, good.air)
    assert len(second.heard) == 1
    await chain.close()


async def test_a_better_voice_that_is_well_goes_before_a_worse_one_that_is_kept(tmp_path: Path) -> None:
    clock = FakeClock()
    first, second = Tone(8_000), Tone(4_000)
    chain = opened(tmp_path, first, second, clock=clock)
    first.fails = 0
    await kept(chain)
    assert not chain.keeps(TEXT, EN) and chain.can_say(TEXT, EN)
    await said(chain)
    assert len(second.heard) == 1
    first.fails = None
    clock.advance(REST_S)
    chain.tick()
    async with asyncio.timeout(5):
        while len(first.heard) < 2 or chain._providers[0].probe:
            await asyncio.sleep(0)
    await said(chain)
    assert len(second.heard) == 1 and len(first.heard) == 3
    await chain.close()


async def test_what_is_kept_is_said_while_no_voice_works(tmp_path: Path) -> None:
    voice = Tone(8_000)
    chain = opened(tmp_path, voice)
    await kept(chain)
    voice.fails = 0
    with pytest.raises(SpeechError):
        await said(chain, "Something else")
    with pytest.raises(VoicesDown):
        await said(chain, "Something else")
    assert not chain.works and chain.can_say(TEXT, EN) and not chain.can_say("Something else", EN)
    assert len((await said(chain)).air) > 90_000
    await chain.close()


@pytest.mark.parametrize("fails", [4, -1])
async def test_a_sentence_that_broke_off_is_not_kept(tmp_path: Path, fails: int) -> None:
    voice = Tone(8_000)
    voice.fails = fails
    chain = opened(tmp_path, voice)
    with pytest.raises(BrokeOff):
        await said(chain)
    await chain.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_voice_heard_for_the_first_time_is_measured_before(tmp_path: Path) -> None:
    for level in (300, 2_000, 30_000):
        chain = opened(tmp_path / str(level), Tone(level, seconds=4.0), known=False)
        piece = await said(chain)
        assert abs(measure([piece.air]) - TARGET_LUFS) < 1
        assert np.abs(piece.air.astype(int)).max() <= 32768 * 10 ** (PEAK_DBFS / 20) + 1
        assert abs(np.abs(piece.drive[8_000:].astype(int)).max() - level) < 0.1 * level  # lips see what the voice made
        await chain.close()


async def test_a_kept_sentence_follows_the_gain_that_its_voice_has_by_now(tmp_path: Path) -> None:
    voice = Tone(3_000)
    chain = opened(tmp_path, voice)
    first = await kept(chain)
    await chain.close()
    chain = opened(tmp_path, voice)
    chain._levels._known["a/en"] = Gain(6.0, 60.0)
    again = await said(chain)
    ratio = np.abs(again.air.astype(int)).max() / np.abs(first.air.astype(int)).max()
    assert len(voice.heard) == 1 and abs(20 * np.log10(ratio) - 6.0) < 0.1
    await chain.close()


async def test_a_consumer_that_stops_keeps_nothing(tmp_path: Path) -> None:
    chain = opened(tmp_path, Tone(8_000))
    with capture_logs() as logs:
        async with aclosing(chain.speak(TEXT, EN)) as pieces:
            await anext(pieces)
    await chain.close()
    assert list(tmp_path.iterdir()) == [] and logs == []


async def test_evergreen_words_are_pinned_by_whatever_voice_kept_them(tmp_path: Path) -> None:
    first, second = Tone(8_000), Tone(4_000)
    first.fails = 0
    chain = opened(tmp_path, first, second)
    assert not chain.pin(TEXT, EN)
    await kept(chain)
    assert chain.pin(TEXT, EN)
    await chain.close()
