"""A speech server of OpenAI's protocol, as it should be and failing in every way; no sentence vanishes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.clock import FakeClock, RealClock
from pipeline.errors import BrokeOff, SpeechError, TooOften, UnknownVoice
from tests.voices_server import FAULTS, KEY, SpeechServer, spoken
from tts.fallback import Chain, make_chain
from tts.http import HttpSynthesizer, _words, voice_for
from tts.loudness import Levels
from tts.pcm import joined
from tts.settings import HttpSettings, ProviderSettings
from tts.synthesizer import Piece, Voice
from tts.tempo import Tempos

TEXT = "This mug is made by hand, and it keeps your tea warm for hours."
EN = Voice("en")


@pytest.fixture
def server() -> Iterator[SpeechServer]:
    made = SpeechServer()
    made.start()
    yield made
    made.stop()


def settings(server: SpeechServer, **changes: Any) -> HttpSettings:
    given: dict[str, Any] = {"url": server.url, "key": KEY, "first_byte_s": 2.0, "idle_s": 0.5}
    return HttpSettings(**given | changes)


async def said(server: SpeechServer, voice: Voice = EN, text: str = TEXT, **changes: Any) -> Piece:
    provider = HttpSynthesizer(settings(server, **changes))
    try:
        return joined([piece async for piece in provider.speak(text, voice)])
    finally:
        await provider.close()


@pytest.mark.parametrize("asked", ["wav", "pcm", "mp3", "opus", "flac"])
async def test_every_format_is_decoded_as_it_streams(server: SpeechServer, asked: str) -> None:
    piece = await said(server, format=asked)
    whole = await asyncio.to_thread(spoken, TEXT)
    assert server.asked[0]["response_format"] == asked
    assert len(piece.air) == 3 * len(piece.drive)
    assert abs(len(piece.air) - len(whole)) < 0.15 * 48_000
    loud = [float(np.sqrt((sound.astype(float) ** 2).mean())) for sound in (piece.air, whole)]
    assert 0.8 < loud[0] / loud[1] < 1.25


@pytest.mark.parametrize("sent", ["wav", "mp3", "opus", "flac"])
@pytest.mark.parametrize("asked", ["wav", "pcm", "mp3"])
async def test_what_a_server_sends_instead_is_understood(server: SpeechServer, asked: str, sent: str) -> None:
    server.format_sent = sent
    piece = await said(server, format=asked)
    assert abs(len(piece.air) - len(await asyncio.to_thread(spoken, TEXT))) < 0.15 * 48_000


async def test_the_rate_of_bare_samples_is_the_one_that_the_server_tells(server: SpeechServer) -> None:
    server.content_type = "audio/L16; rate=24000"
    piece = await said(server, format="pcm", rate_hz=48_000)
    assert abs(len(piece.air) - len(await asyncio.to_thread(spoken, TEXT))) < 0.05 * 48_000


async def test_voice_model_speed_and_further_fields_are_what_the_server_gets(server: SpeechServer) -> None:
    more = {"voices": {"zh": "zf"}, "default_voice": "af", "model": "kokoro", "body": {"stream": True}}
    await said(server, Voice("zh-CN-XiaoxiaoNeural", 1.25), **more)
    await said(server, EN, **more)
    first, second = server.asked
    assert first == {
        "model": "kokoro", "input": TEXT, "voice": "zf", "response_format": "wav", "speed": 1.25, "stream": True,
    }  # fmt: skip
    assert (second["voice"], "speed" in second) == ("af", False)


@pytest.mark.parametrize(
    ("name", "voice"),
    [("en-US-AriaNeural", "a"), ("en_GB", "b"), ("zh", "c"), ("cmn", "c"), ("fr", "d"), ("alloy", "d"), ("en+f3", "a")],
)
def test_a_name_is_given_the_voice_of_its_language(name: str, voice: str) -> None:
    assert voice_for(name, {"en": "a", "en-gb": "b", "zh": "c"}, "d") == voice
    assert voice_for("alloy", {}, "") == "alloy"


async def test_the_key_is_in_no_error(server: SpeechServer) -> None:
    server.fail("401")
    with pytest.raises(
        SpeechError, match=r"status 401: Incorrect API key provided: …; voice.http.key is not"
    ) as raised:
        await said(server)
    assert KEY not in str(raised.value) and KEY not in repr(settings(server))
    with pytest.raises(SpeechError, match="key is missing"):
        await said(server, key="")


async def test_a_voice_that_the_server_lacks_is_told_from_a_failure(server: SpeechServer) -> None:
    with pytest.raises(UnknownVoice, match="'nobody' not found"):
        await said(server, Voice("nobody"))


async def test_a_server_that_is_asked_too_often_says_for_how_long(server: SpeechServer) -> None:
    server.fail("429")
    with pytest.raises(TooOften) as raised:
        await said(server)
    assert raised.value.after_s == 7


async def test_a_server_that_is_not_there_is_told_without_its_address(server: SpeechServer) -> None:
    with pytest.raises(SpeechError, match="ClientConnector") as raised:
        await said(server, url="http://127.0.0.1:1/v1?token=secret")
    assert "secret" not in str(raised.value)


async def test_the_first_piece_comes_before_the_last_byte_and_a_consumer_that_stops_is_let_go(
    server: SpeechServer,
) -> None:
    server.fail("slow")
    provider = HttpSynthesizer(settings(server, idle_s=5.0))
    async with aclosing(provider.speak(TEXT, EN)) as pieces:
        await asyncio.wait_for(anext(pieces), 5)
    await provider.close()


def chain(server: SpeechServer, directory: Path | None = None, clock: Any = None, **changes: Any) -> Chain:
    own = ProviderSettings(http=settings(server, **changes))
    return make_chain(["http", "espeak"], 1.5, clock or RealClock(), directory, 1 << 24, settings=own)


async def whole(voices: Chain, text: str) -> tuple[Piece, str]:
    """A sentence as the studio asks for it: again when it broke off."""
    while True:
        try:
            pieces = [piece async for piece in voices.speak(text, EN)]
        except BrokeOff:
            continue
        return joined(pieces), pieces[0].provider


#: faults that bare samples, which have no head, could hide where a file does not
BARE = ("noise", "half", "wrong rate", "garbage", "html", "json", "stalls", "closes early")
KNOWN = [f"Number {word} of our mugs is made by hand, and it keeps your tea warm." for word in ("one", "two", "six")]
LEARNT: dict[str, tuple[Tempos, Levels]] = {}  # of the server's voice, by the kind of its answers


async def knowing(server: SpeechServer, kind: str) -> Chain:
    """A chain that has heard enough of the server's voice to judge it; the first of a kind learns for all of them."""
    voices = chain(server, format=kind)
    if kind in LEARNT:
        tempos, levels = LEARNT[kind]
        voices._tempos, voices._levels = deepcopy(tempos), Levels(None, deepcopy(levels._known))
        sentences = KNOWN[:1]
    else:
        sentences = KNOWN + [f"Again, {sentence}" for sentence in KNOWN]
    for sentence in sentences:
        assert (await whole(voices, sentence))[1] == "http"
    LEARNT.setdefault(kind, (deepcopy(voices._tempos), voices._levels))
    return voices


@pytest.mark.parametrize(
    ("fault", "kind"),
    [*((fault, "wav") for fault in FAULTS), *((fault, "pcm") for fault in BARE)],
)
async def test_whatever_the_server_does_the_next_voice_says_the_sentence_whole(
    server: SpeechServer, fault: str, kind: str
) -> None:
    voices = await knowing(server, kind)
    server.fail(fault)
    piece, provider = await whole(voices, TEXT)
    assert provider == "espeak", fault
    assert abs(len(piece.air) - len(await asyncio.to_thread(spoken, TEXT))) < 0.3 * 48_000
    assert voices.states()["http"] == "resting"
    await voices.close()


async def test_a_server_that_asks_for_time_is_left_alone_for_it(server: SpeechServer) -> None:
    clock = FakeClock()
    server.retry_after = "90"
    voices = chain(server, clock=clock)
    server.fail("429")
    await whole(voices, TEXT)
    server.fail("")
    asked = len(server.asked)
    clock.advance(60)
    voices.tick()
    await asyncio.sleep(0.05)
    assert len(server.asked) == asked
    clock.advance(31)
    voices.tick()
    async with asyncio.timeout(10):
        while voices.states()["http"] != "well":
            await asyncio.sleep(0.02)
    await voices.close()


async def test_what_the_server_said_once_is_kept_and_another_model_is_another_voice(
    server: SpeechServer, tmp_path: Path
) -> None:
    voices = chain(server, tmp_path)
    assert voices.remote, "so that speech is fetched ahead"
    await whole(voices, TEXT)
    async with asyncio.timeout(5):
        while not voices.keeps(TEXT, EN):
            await asyncio.sleep(0.02)
    server.fail("500")
    assert (await whole(voices, TEXT))[1] == "http"
    await voices.close()
    assert len(server.asked) == 1
    other = chain(server, tmp_path, model="another")
    assert not other.keeps(TEXT, EN)
    await other.close()


def test_another_rate_of_bare_samples_is_another_sound_and_nothing_old_is_kept_for_it() -> None:
    one, other = (HttpSettings("http://a/v1", format="pcm", rate_hz=rate_hz) for rate_hz in (24_000, 22_050))
    assert HttpSynthesizer(one).version != HttpSynthesizer(other).version


@pytest.mark.parametrize("answer", [b"[" * 4_000, b'"\xff"', b'{"error": ' * 400])
def test_an_answer_that_is_no_json_is_told_as_it_is(answer: bytes) -> None:
    assert isinstance(_words(answer), str)
