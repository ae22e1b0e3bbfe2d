"""edge-tts against a service of our own on this machine that speaks its protocol."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import edge_tts.communicate
import numpy as np
import pytest
from aiohttp import web

from pipeline.errors import SpeechError, UnknownVoice
from tests import edge_service
from tests.edge_service import audio, boundary
from tts.edge import EdgeSynthesizer, voice_for
from tts.pcm import joined
from tts.synthesizer import Piece, Voice

HELLO = [("Hello", 1_000_000, 4_000_000), ("world", 6_000_000, 5_000_000)]  # text, offset, duration in 100 ns

Script = Callable[[web.WebSocketResponse, str], Awaitable[None]]


def mp3(seconds: float) -> bytes:
    """A 440 Hz tone as the service would send it."""
    samples = 12_000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * 24_000)) / 24_000)
    return edge_service.mp3(samples.astype(np.int16))


class Service:
    """Answers each connection by `script`."""

    def __init__(self) -> None:
        self.script: Script = self.talk
        self.requests: list[str] = []
        self.gate = asyncio.Event()
        self.gone = asyncio.Event()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_str()
        ssml = await socket.receive_str()
        self.requests.append(ssml)
        try:
            await self.script(socket, ssml)
        except ConnectionResetError:
            pass
        finally:
            self.gone.set()
        return socket

    async def talk(self, socket: web.WebSocketResponse, ssml: str) -> None:
        await socket.send_str("Path:turn.start\r\n\r\n{}")
        data = mp3(1.5)
        for text, offset, duration in HELLO:
            await socket.send_str(boundary(text, offset, duration))
        for at in range(0, len(data), 720):
            await socket.send_bytes(audio(data[at : at + 720]))
        await socket.send_str("Path:turn.end\r\n\r\n{}")

    async def talk_in_two_halves(self, socket: web.WebSocketResponse, ssml: str) -> None:
        data = mp3(1.5)
        await socket.send_bytes(audio(data[:4000]))
        await self.gate.wait()
        await socket.send_bytes(audio(data[4000:]))
        await socket.send_str("Path:turn.end\r\n\r\n{}")

    async def say_nothing(self, socket: web.WebSocketResponse, ssml: str) -> None:
        await socket.receive()  # until the client leaves

    async def end_without_audio(self, socket: web.WebSocketResponse, ssml: str) -> None:
        await socket.send_str("Path:turn.end\r\n\r\n{}")

    async def send_garbage(self, socket: web.WebSocketResponse, ssml: str) -> None:
        noise = np.random.default_rng(1).integers(0, 128, 6000, np.uint8).tobytes()
        await socket.send_bytes(audio(noise))
        await socket.send_str("Path:turn.end\r\n\r\n{}")

    async def send_nonsense(self, socket: web.WebSocketResponse, ssml: str) -> None:
        await socket.send_str("Path:audio.metadata\r\n\r\n{not json")

    async def hang_up(self, socket: web.WebSocketResponse, ssml: str) -> None:
        await socket.close(code=1011)


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    made = Service()
    app = web.Application()
    app.router.add_get("/edge/v1", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    url = f"ws://127.0.0.1:{port}/edge/v1?TrustedClientToken=x"
    monkeypatch.setattr(edge_tts.communicate, "WSS_URL", url)
    yield made
    made.gate.set()
    await runner.cleanup()


@pytest.fixture
async def edge() -> AsyncIterator[EdgeSynthesizer]:
    synthesizer = EdgeSynthesizer()
    yield synthesizer
    await synthesizer.close()


async def said(edge: EdgeSynthesizer, text: str = "Hello world", voice: str = "en", rate: float = 1.0) -> Piece:
    return joined([piece async for piece in edge.speak(text, Voice(voice, rate))])


async def test_speech_is_decoded_with_its_word_marks(edge: EdgeSynthesizer, service: Service) -> None:
    piece = await said(edge)
    assert len(piece.air) == 3 * len(piece.drive)
    assert abs(len(piece.air) / 48_000 - 1.5) < 0.15
    assert [(mark.text, mark.at, mark.span) for mark in piece.marks] == [
        ("Hello", 4_800, 19_200), ("world", 28_800, 24_000),
    ]  # fmt: skip
    assert np.abs(piece.drive.astype(float)).max() > 9_000


async def test_a_piece_is_given_before_the_service_has_sent_all(edge: EdgeSynthesizer, service: Service) -> None:
    service.script = service.talk_in_two_halves
    async with aclosing(edge.speak("Hello world", Voice("en"))) as pieces:
        first = await asyncio.wait_for(anext(pieces), 5)
        assert len(first.air) > 0.3 * 48_000
        service.gate.set()
        rest = [piece async for piece in pieces]
    assert sum(len(piece.air) for piece in rest) > 0.5 * 48_000


async def test_voice_rate_and_text_are_what_the_service_gets(edge: EdgeSynthesizer, service: Service) -> None:
    await said(edge, "<break time='9s'/> & co", "zh-CN-YunxiNeural", 1.25)
    assert "(zh-CN, YunxiNeural)" in service.requests[0]
    assert "rate='+25%'" in service.requests[0]
    assert "&lt;break time='9s'/&gt; &amp; co" in service.requests[0]
    await said(edge, voice="zh", rate=0.9)
    assert "(zh-CN, XiaoxiaoNeural)" in service.requests[1]
    assert "rate='-10%'" in service.requests[1]


async def test_pitch_is_what_the_service_gets_in_hertz(edge: EdgeSynthesizer, service: Service) -> None:
    for pitch, hertz in ((0.0, "+0Hz"), (2.0, "+24Hz"), (-12.0, "-100Hz")):
        async for _ in edge.speak("Hello world", Voice("en", pitch=pitch)):
            pass
        assert f"pitch='{hertz}'" in service.requests[-1]


@pytest.mark.parametrize("fault", ["end_without_audio", "send_garbage", "send_nonsense", "hang_up"])
async def test_a_faulty_answer_is_a_speech_error(edge: EdgeSynthesizer, service: Service, fault: str) -> None:
    service.script = getattr(service, fault)
    with pytest.raises(SpeechError, match="edge"):
        await said(edge)


async def test_a_refused_connection_is_a_speech_error(
    edge: EdgeSynthesizer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_tts.communicate, "WSS_URL", "ws://127.0.0.1:1/edge/v1?TrustedClientToken=x")
    with pytest.raises(SpeechError, match="edge: ClientConnector"):
        await said(edge)


async def test_a_refusal_is_told_without_the_tokens_of_its_address(
    edge: EdgeSynthesizer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_tts.communicate, "WSS_URL", edge_tts.communicate.WSS_URL.replace("/v1", "/v0"))
    with pytest.raises(SpeechError, match=r"404, message='Invalid response status'$"):
        await said(edge)


async def test_a_silent_service_is_a_speech_error(
    edge: EdgeSynthesizer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.script = service.say_nothing
    monkeypatch.setattr("tts.edge.WAIT_S", 0.3)
    with pytest.raises(SpeechError, match="nothing for"):
        await said(edge)


async def test_a_silent_service_is_left_at_once(edge: EdgeSynthesizer, service: Service) -> None:
    service.script = service.say_nothing
    start = time.perf_counter()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), aclosing(edge.speak("Hello", Voice("en"))) as pieces:
            await anext(pieces)
    assert time.perf_counter() - start < 1.0
    await asyncio.wait_for(service.gone.wait(), 5)


async def test_closing_leaves_no_task_behind(service: Service) -> None:
    edge = EdgeSynthesizer()
    service.script = service.talk_in_two_halves
    pieces = edge.speak("Hello", Voice("en"))
    await anext(pieces)
    await edge.close()
    with pytest.raises(SpeechError, match="closed"):
        async for _ in pieces:
            pass
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "edge"]


@pytest.mark.parametrize(
    ("name", "voice"),
    [("en", "en-US-AriaNeural"), ("zh", "zh-CN-XiaoxiaoNeural"), ("zh-CN", "zh-CN-XiaoxiaoNeural"),
     ("cmn", "zh-CN-XiaoxiaoNeural"), ("zh_HK", "zh-HK-HiuMaanNeural"), ("en-us+f3", "en-US-AriaNeural"),
     ("de-DE-KillianNeural", "de-DE-KillianNeural"), ("zh-CN-liaoning-XiaobeiNeural", "zh-CN-liaoning-XiaobeiNeural")],
)  # fmt: skip
def test_a_language_is_given_a_voice(name: str, voice: str) -> None:
    assert voice_for(name) == voice


@pytest.mark.parametrize("name", ["tlh", "", "host", "en-US-Aria'/><x>Neural"])
def test_a_name_that_is_no_voice_is_refused(name: str) -> None:
    with pytest.raises(UnknownVoice, match="zh-CN-XiaoxiaoNeural"):
        voice_for(name)


CUT_OFF = [("Hello", 1_000_000, 4_000_000)]


async def test_a_service_that_goes_away_before_its_end_is_told_from_one_that_is_done(
    edge: EdgeSynthesizer, service: Service
) -> None:
    async def leave(socket: web.WebSocketResponse, ssml: str) -> None:
        data = mp3(1.5)
        await socket.send_str(boundary(*HELLO[0]))
        await socket.send_bytes(audio(data[: len(data) // 2]))
        await socket.close()

    service.script = leave
    with pytest.raises(SpeechError, match="before the sentence did"):
        await said(edge)


@pytest.mark.parametrize(
    ("seconds", "told", "reason"),
    [
        (0.6, HELLO, "its last word ends at 1.1 s"),
        (1.5, CUT_OFF, "it stopped after 'Hello'"),
    ],
)
async def test_an_end_in_the_middle_of_a_sentence_is_no_end(
    edge: EdgeSynthesizer, service: Service, seconds: float, told: list[tuple[str, int, int]], reason: str
) -> None:
    async def talk(socket: web.WebSocketResponse, ssml: str) -> None:
        for one in told:
            await socket.send_str(boundary(*one))
        await socket.send_bytes(audio(mp3(seconds)))
        await socket.send_str("Path:turn.end\r\n\r\n{}")

    service.script = talk
    with pytest.raises(SpeechError, match=reason):
        await said(edge, "Hello world, how are you all today?")


async def test_words_that_the_service_tells_otherwise_do_not_make_an_end(
    edge: EdgeSynthesizer, service: Service
) -> None:
    await said(edge, "Helo, World of wonders and more!")  # neither word is found in it
