from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from pipeline.clock import FakeClock
from pipeline.errors import BrokeOff, ConfigError, MessageError, SpeechError, UnknownVoice, VoicesDown
from pipeline.media import PHONEME, WORD, Mark
from tts.breaker import REST_S
from tts.cache import SpeechCache
from tts.fallback import PROBE, Chain, make_chain
from tts.loudness import Gain, Levels
from tts.pcm import joined
from tts.prosody import Ability, Diction, score
from tts.settings import HttpSettings, ProviderSettings, SherpaSettings
from tts.synthesizer import PROVIDERS, Piece, Voice

TEXT = "Hello world"
EN = Voice("en")


def sound(seconds: float, level: int = 8_000, marks: tuple[Mark, ...] = ()) -> Piece:
    count = int(seconds * 16_000)
    return Piece(np.full(3 * count, level, np.int16), np.full(count, level, np.int16), marks)


class Fake:
    """A voice that yields pieces, raises errors and hangs (None) as its list says."""

    version = "1"
    remote = False

    def __init__(self, *acts: Piece | SpeechError | None) -> None:
        self.acts = acts
        self.heard: list[tuple[str, str]] = []
        self.left = 0
        self.closed = False

    async def speak(self, sentence: str, voice: Voice) -> AsyncIterator[Piece]:
        self.heard.append((sentence, voice.name))
        try:
            for act in self.acts:
                if act is None:
                    await asyncio.sleep(60)
                elif isinstance(act, SpeechError):
                    raise act
                else:
                    yield act
        finally:
            self.left += 1

    async def close(self) -> None:
        self.closed = True


GOOD = sound(0.5), sound(0.5)


def chain(
    *fakes: Fake, timeout_s: float = 0.1, clock: FakeClock | None = None, cache: SpeechCache | None = None
) -> Chain:
    """Its voices are as loud as they should be already, and so need not be measured before they are heard."""
    levels = Levels(None, {f"{name}/en": Gain(0.0, 60.0) for name in "abc"})
    named = [("abc"[at], fake) for at, fake in enumerate(fakes)]
    return Chain(named, timeout_s, clock or FakeClock(), cache or SpeechCache(Path(), 0), levels)


async def said(voices: Chain, text: str = TEXT, voice: Voice = EN) -> Piece:
    return joined([piece async for piece in voices.speak(text, voice)])


async def test_the_first_voice_speaks() -> None:
    first, second = Fake(*GOOD), Fake(*GOOD)
    with capture_logs() as logs:
        piece = await said(chain(first, second))
    assert len(piece.air) == 3 * len(piece.drive)
    assert abs(len(piece.air) - 48_000) < 500
    assert second.heard == []
    assert logs == []


@pytest.mark.parametrize(
    ("acts", "reason"),
    [
        ([SpeechError("refused")], "refused"),
        ([UnknownVoice("no such voice")], "no such voice"),
        ([None], "nothing to hear for 0.1 s"),
        ([], "silent"),
        ([sound(0, 0)], "silent"),
        ([sound(1.0, 0), sound(1.0, 0)], "silent"),
        ([sound(0.1, 0), None], "nothing to hear"),
    ],
)
async def test_a_voice_that_fails_before_it_is_heard_is_replaced(acts: list[Piece], reason: str) -> None:
    first, second = Fake(*acts), Fake(*GOOD)
    with capture_logs() as logs:
        piece = await said(chain(first, second))
    assert len(piece.air) > 40_000
    assert [log["event"] for log in logs] == ["voice.failed", "voice.fell_back"]
    assert reason in logs[0]["reason"]
    assert (logs[1]["name"], logs[1]["instead_of"]) == ("b", "a")
    assert first.left == 1


@pytest.mark.parametrize("act", [SpeechError("reset"), None])
async def test_a_voice_that_breaks_off_is_not_the_next_to_try(act: SpeechError | None) -> None:
    first, second = Fake(sound(0.7), act), Fake(*GOOD)
    voices = chain(first, second)
    heard = []
    with pytest.raises(BrokeOff, match="a broke off"):
        async for piece in voices.speak(TEXT, EN):
            heard.append(piece)
    assert heard
    await said(voices)
    assert (len(first.heard), len(second.heard)) == (1, 1)


@pytest.mark.parametrize("seconds", [0.05, 40.0])
async def test_speech_of_an_impossible_length_is_an_error(seconds: float) -> None:
    text = "A sentence of some length that takes seconds" if seconds < 1 else TEXT
    with pytest.raises(SpeechError, match=r"too short|too long"):
        await said(chain(Fake(sound(seconds))), text)


async def test_when_all_fail_each_reason_is_named() -> None:
    with pytest.raises(SpeechError, match=r"a: refused; b: nothing to hear for 0\.1 s"):
        await said(chain(Fake(SpeechError("refused")), Fake(None)))


def probes() -> list[str]:
    """Names of the probes that are under way."""
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "voice-probe"]


async def test_while_no_voice_works_nobody_is_asked_until_a_probe_succeeds() -> None:
    clock = FakeClock()
    only = Fake(SpeechError("refused"))
    voices = chain(only, clock=clock)
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(VoicesDown, match="a"):
                await said(voices)
    assert len(only.heard) == 1 and not voices.works and not voices.can_say(TEXT, EN)
    assert [log["event"] for log in logs] == ["voice.failed", "voice.none_left"]
    for wait_s in (0.0, 1.0, 2.0, 4.0, 8.0, 8.0):  # it is tried at once, and then less and less often
        tries = only.left
        clock.advance(wait_s - 0.1)
        voices.tick()
        assert wait_s == 0 or only.left == tries
        clock.advance(0.1)
        voices.tick()
        await until(lambda tries=tries: only.left == tries + 1 and not probes())
    only.acts = GOOD
    clock.advance(8.0)
    voices.tick()
    await until(lambda: voices.works)
    assert {text for text, _ in only.heard[1:]} == {PROBE}
    await said(voices)
    await voices.close()


async def test_a_sentence_that_no_voice_can_say_is_told_from_voices_that_are_down() -> None:
    first = Fake(*GOOD)
    voices = chain(first)
    await said(voices)  # it works
    first.acts = ()
    with pytest.raises(SpeechError) as raised:
        await said(voices)
    assert not isinstance(raised.value, VoicesDown)
    with pytest.raises(VoicesDown):
        await said(voices)


async def test_a_voice_that_only_a_resting_provider_has_is_waited_for() -> None:
    first, second = Fake(SpeechError("refused")), Fake(UnknownVoice("no klingon"))
    voices = chain(first, second)
    for _ in range(2):
        with pytest.raises(VoicesDown, match="no klingon"):
            await said(voices)
    assert voices.works and len(first.heard) == 1


async def test_a_voice_that_nobody_has_is_told_as_such() -> None:
    with pytest.raises(UnknownVoice, match=r"a: no klingon; b: no klingon"):
        await said(chain(Fake(UnknownVoice("no klingon")), Fake(UnknownVoice("no klingon"))))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_a_rested_voice_is_probed_unheard_and_then_used_again() -> None:
    clock = FakeClock()
    first, second = Fake(SpeechError("refused")), Fake(*GOOD)
    voices = chain(first, second, clock=clock)
    await said(voices)
    await said(voices)
    voices.tick()
    assert len(first.heard) == 1
    clock.advance(REST_S)
    voices.tick()
    await said(voices)
    await until(lambda: first.left == 2)  # probed, and still broken
    assert len(second.heard) == 3
    voices.tick()
    await said(voices)
    assert len(first.heard) == 2
    first.acts = GOOD
    clock.advance(REST_S)
    with capture_logs() as logs:
        voices.tick()
        await until(lambda: bool(logs))
    assert logs == [{"event": "voice.recovered", "name": "a", "log_level": "info"}]
    assert len(second.heard) == 4
    await said(voices)
    assert len(second.heard) == 4
    await voices.close()


async def test_a_probe_that_hangs_ends_with_the_chain() -> None:
    clock = FakeClock()
    first, second = Fake(SpeechError("refused")), Fake(*GOOD)
    voices = chain(first, second, timeout_s=30, clock=clock)
    await said(voices)
    first.acts = (None,)
    clock.advance(REST_S)
    voices.tick()
    await until(lambda: len(first.heard) == 2)
    await voices.close()
    assert first.left == 2
    assert first.closed
    assert second.closed


async def test_an_unknown_voice_does_not_make_a_provider_rest() -> None:
    first, second = Fake(UnknownVoice("no such voice")), Fake(*GOOD)
    voices = chain(first, second)
    with capture_logs() as logs:
        await said(voices)
        await said(voices)
    assert len(first.heard) == 2
    assert [log["event"] for log in logs] == ["voice.failed", "voice.fell_back"]


async def test_a_consumer_that_stops_lets_go_of_the_provider() -> None:
    first = Fake(*GOOD, None)
    async with aclosing(chain(first).speak(TEXT, EN)) as pieces:
        await anext(pieces)
    assert first.left == 1


@pytest.mark.parametrize("text", ["", "   ", "...", "👋🎉", "？！", "\x00"])
async def test_nothing_to_say_is_an_error_of_the_message(text: str) -> None:
    first = Fake(*GOOD)
    with pytest.raises(MessageError, match="nothing to say"):
        await said(chain(first), text)
    assert first.heard == []


async def test_a_sentence_beyond_all_measure_is_an_error_of_the_message() -> None:
    with pytest.raises(MessageError, match="characters when read out"):
        await said(chain(Fake(*GOOD)), "9 " * 2000)


async def test_figures_are_read_out_and_marks_carry_what_is_shown() -> None:
    spoken = ["Only", "nineteen", "dollars", "and", "ninety", "nine", "cents", "today"]
    marks = tuple(Mark(at=4_800 * at, kind=WORD, text=word) for at, word in enumerate(spoken))
    first = Fake(sound(2.0, marks=(*marks, Mark(at=0, kind=PHONEME, text="ɒ"))))
    piece = await said(chain(first), "Only $19.99 today!")
    assert first.heard[0][0] == "Only nineteen dollars and ninety-nine cents today!"
    assert [mark.text for mark in piece.marks if mark.kind == WORD] == ["Only", "$19.99", "today"]
    assert [mark.text for mark in piece.marks if mark.kind == PHONEME] == ["ɒ"]


@pytest.mark.parametrize(
    ("text", "voice", "used"),
    [("你好世界", "en", "zh"), ("你好世界", "zh-CN-XiaoxiaoNeural", "zh-CN-XiaoxiaoNeural"), ("你好", "yue", "yue"),
     ("hello", "zh-CN-XiaoxiaoNeural", "zh-CN-XiaoxiaoNeural"), ("bonjour", "fr", "fr"), ("東京です", "ja", "ja")],
)  # fmt: skip
def test_hanzi_are_given_to_a_chinese_voice(text: str, voice: str, used: str) -> None:
    assert score(text, Voice(voice), Ability(), Diction()).parts[0].voice.name == used


@pytest.mark.parametrize("name", PROVIDERS)
async def test_every_provider_of_the_table_can_be_made_and_closed(name: str) -> None:
    settings = ProviderSettings(HttpSettings("http://127.0.0.1:1/v1"), SherpaSettings("/nowhere"))
    await make_chain([name], 1.0, FakeClock(), settings=settings).close()


@pytest.mark.parametrize("name", ["http", "sherpa"])
def test_a_provider_that_needs_settings_says_so(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"needs the section voice\.{name}"):
        make_chain([name], 1.0, FakeClock())


@pytest.mark.parametrize(
    ("name", "text"), [("en", "Hello, only $5 today."), ("zh-CN-XiaoxiaoNeural", "你好，只要5元。")]
)
async def test_the_offline_voice_speaks_trimmed_and_faded(name: str, text: str) -> None:
    voices = make_chain(["espeak"], 8.0, FakeClock())
    made, pieces = 0, []
    async with aclosing(voices.speak(text, Voice(name))) as stream:
        async for piece in stream:
            made += len(piece.air)
            pieces.append(piece)
            assert len(piece.air) == 3 * len(piece.drive)
            assert all(0 <= mark.at < made for mark in piece.marks)
    await voices.close()
    whole = joined(pieces)
    assert abs(int(whole.air[0])) < 300
    assert abs(int(whole.air[-1])) < 300
    words = [mark.text for mark in whole.marks if mark.kind == WORD]
    assert words in (["Hello", "only", "$5", "today"], ["你", "好", "只", "要", "5", "元"])
    assert np.abs(whole.air[: 48 * 120].astype(int)).max() > 1_000  # the voice begins within 0.12 s
    assert np.abs(whole.air[-48 * 120 :].astype(int)).max() > 300
