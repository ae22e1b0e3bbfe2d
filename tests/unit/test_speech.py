"""The studio: sentences become sound ahead of time, within bounds, and its troubles are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np

from broadcaster.speech import AGAIN, AT_WORK, KEPT, Studio, Trouble, Wanted
from broadcaster.utterance import Key
from pipeline.clock import FakeClock
from pipeline.errors import BrokeOff, MessageError, SpeechError
from tts.synthesizer import Piece, Voice


class FakeVoice:
    """Speaks one piece a sentence when it is let; `stuck` never does, `bad` fails after a piece."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go = asyncio.Event()
        self.closed = False
        self.breaks = 2  #: tries of "fragile" until one succeeds

    async def speak(self, sentence: str, voice: Voice) -> AsyncIterator[Piece]:
        self.begun.append(sentence)
        if sentence == "stuck":
            await asyncio.Event().wait()
        if sentence == "unsayable":
            raise MessageError("nothing to say")
        await self.go.wait()
        samples = 31 * 48_000 if sentence == "long" else 300
        if sentence != "silent":
            yield Piece(np.ones(samples, np.int16), np.ones(samples // 3, np.int16))
        if sentence == "bad":
            raise SpeechError("broke off")
        if sentence == "fragile" and self.begun.count(sentence) < self.breaks:
            raise BrokeOff("reset")

    async def close(self) -> None:
        self.closed = True


class Desk:
    def __init__(self, wait_s: float = 5.0) -> None:
        self.voice = FakeVoice()
        self.sounds = 0
        self.tries: list[tuple[Key, bool]] = []
        self.made: list[Key] = []
        self.failed: list[tuple[Key, str]] = []
        self.studio = Studio(
            self.voice, asyncio.create_task, FakeClock(), wait_s, self._sound, self._try, self._made, self._fail
        )

    def want(self, *texts: str, needed: tuple[Key, ...] = ()) -> None:
        self.studio.want([Wanted((text, 0), text, Voice("en")) for text in texts], needed)

    def _sound(self) -> None:
        self.sounds += 1

    def _try(self, key: Key, begins: bool) -> None:
        self.tries.append((key, begins))

    def _made(self, key: Key, took_ms: int) -> None:
        self.made.append(key)

    def _fail(self, key: Key, error: Trouble) -> None:
        self.failed.append((key, str(error)))


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(3):
        while not condition():
            await asyncio.sleep(0)


async def test_a_sentence_is_made_once_and_told() -> None:
    desk = Desk()
    desk.voice.go.set()
    desk.want("a")
    desk.want("a")
    await eventually(lambda: desk.made)
    speech = desk.studio.get(("a", 0))
    assert speech is not None and speech.complete and speech.samples == 300
    assert desk.voice.begun == ["a"] and desk.sounds == 2
    assert desk.tries == [(("a", 0), True), (("a", 0), False)]
    assert desk.studio.first_piece_ms() == 0
    await desk.studio.close()
    assert desk.voice.closed


async def test_few_are_made_at_once_but_the_first_never_waits() -> None:
    desk = Desk()
    desk.want("a", "b", "c")
    desk.want("now", "a", "b", "c")
    await eventually(lambda: len(desk.voice.begun) == AT_WORK + 1)
    assert desk.voice.begun == ["a", "b", "now"]
    await desk.studio.close()


async def test_nothing_is_begun_beyond_half_a_minute_of_sound() -> None:
    desk = Desk()
    desk.voice.go.set()
    desk.want("long")
    await eventually(lambda: desk.made)
    desk.want("long", "b")
    await asyncio.sleep(0)
    assert desk.voice.begun == ["long"]
    await desk.studio.close()


async def test_a_voice_that_breaks_off_leaves_what_was_given_and_is_told() -> None:
    desk = Desk()
    desk.want("bad")
    speech = desk.studio.get(("bad", 0))
    desk.voice.go.set()
    await eventually(lambda: desk.failed)
    assert speech is not None and speech.failed and speech.complete and speech.samples == 300
    assert desk.studio.get(("bad", 0)) is None
    desk.want("bad")
    await eventually(lambda: len(desk.failed) == 2)
    await desk.studio.close()


async def test_a_sentence_that_breaks_off_unheard_is_begun_anew_by_another_voice() -> None:
    desk = Desk()
    desk.voice.go.set()
    desk.want("fragile")
    await eventually(lambda: desk.made)
    speech = desk.studio.get(("fragile", 0))
    assert speech is not None and speech.samples == 300 and not speech.failed
    assert desk.voice.begun == ["fragile"] * 2 and desk.failed == []
    assert desk.tries == [(("fragile", 0), True), (("fragile", 0), False)]
    await desk.studio.close()


async def test_a_sentence_that_breaks_off_again_and_again_is_told() -> None:
    desk = Desk()
    desk.voice.go.set()
    desk.voice.breaks = 99
    desk.want("fragile")
    await eventually(lambda: desk.failed)
    assert desk.voice.begun == ["fragile"] * AGAIN and desk.studio.get(("fragile", 0)) is None
    await desk.studio.close()


async def test_a_sentence_of_which_some_is_on_air_is_not_begun_anew_behind_its_back() -> None:
    desk = Desk()
    desk.want("fragile")
    speech = desk.studio.get(("fragile", 0))
    assert speech is not None
    speech.taken = True
    desk.voice.go.set()
    await eventually(lambda: desk.failed)
    assert speech.failed and desk.voice.begun == ["fragile"]
    await desk.studio.close()


async def test_silence_of_every_kind_is_trouble() -> None:
    desk = Desk(wait_s=0.02)
    desk.voice.go.set()
    for text in ("silent", "stuck", "unsayable"):
        desk.want(text)
        await eventually(lambda text=text: any(key == (text, 0) for key, _ in desk.failed))
    assert [reason for _, reason in desk.failed] == ["it gave no sound", "no sound for 0.02 s", "nothing to say"]
    await desk.studio.close()


async def test_what_is_not_wanted_any_more_is_forgotten_but_what_may_come_again_is_kept() -> None:
    desk = Desk()
    desk.voice.go.set()
    desk.want("out")
    for number in range(2 * KEPT):
        desk.want(f"s{number}", needed=(("out", 0),))
        await eventually(lambda number=number: len(desk.made) == number + 2)
    assert desk.studio.get(("out", 0)) is not None
    assert desk.studio.get(("s0", 0)) is None
    assert desk.studio.get((f"s{2 * KEPT - 1}", 0)) is not None
    desk.studio.forget("out")
    assert desk.studio.get(("out", 0)) is None
    await desk.studio.close()


async def test_a_sentence_over_which_a_director_died_is_made_with_nothing_beside_it() -> None:
    desk = Desk()
    suspect = Wanted(("s", 0), "s", Voice("en"), alone=True)
    others = [Wanted((text, 0), text, Voice("en")) for text in ("a", "b")]
    desk.studio.want([suspect, *others], ())
    await eventually(lambda: desk.voice.begun)
    desk.studio.want([suspect, *others], ())
    assert desk.voice.begun == ["s"]
    desk.studio.want([others[1], suspect], ())  # what comes first never waits
    await eventually(lambda: desk.voice.begun == ["s", "b"])
    desk.voice.go.set()
    await eventually(lambda: len(desk.made) == 2)
    desk.voice.go.clear()
    desk.studio.want([others[0], Wanted(("t", 0), "t", Voice("en"), alone=True)], ())
    await eventually(lambda: desk.voice.begun == ["s", "b", "a"])  # and it waits until it can be alone
    desk.voice.go.set()
    await eventually(lambda: len(desk.made) == 3)
    desk.studio.want([others[0], Wanted(("t", 0), "t", Voice("en"), alone=True)], ())
    await eventually(lambda: len(desk.made) == 4)
    await desk.studio.close()
