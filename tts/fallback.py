"""A chain of voices: the first healthy one speaks, the next one when it fails.

In: a sentence as viewers see it. Out: pieces with the same properties whoever speaks: no silence at the
ends, faded, WORD marks that carry the shown words. A provider that failed rests; when its rest is
over it is tried in the background first, so that no sentence waits for one that is still broken. What
has nothing to say (only punctuation or emoji) is MessageError: no voice could say it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from importlib import import_module

import msgspec
import structlog

from pipeline.clock import NS, Clock
from pipeline.errors import MessageError, SpeechError, UnknownVoice
from pipeline.media import AIR_HZ, WORD
from tts.pcm import Trimmer
from tts.reading import Reading, ShownWords
from tts.synthesizer import PROVIDERS, Piece, Synthesizer, Voice
from tts.text import CHINESE, language_of, readable

REST_S = 30.0  #: a provider that failed is left alone so long, and after each failed probe
LEAVE_S = 0.5  #: for a provider to let go of a sentence; then it is left behind
MAX_CHARS = 4000  #: of a sentence as it is read: 500 characters of signs come to no more
LONGEST_S_PER_CHAR, LONGEST_S = 1.0, 10.0  #: a sentence may last their sum at rate 1: beyond, a provider babbles
SHORTEST_S_PER_CHAR = 0.02  #: at rate 1, a third of the fastest speech: below, a provider broke off

log = structlog.get_logger()


@dataclass(slots=True)
class Provider:
    name: str
    synthesizer: Synthesizer
    rests_until_ns: int | None = None  # None: healthy
    last_reason: str = ""  # told once, not at every sentence
    probe: asyncio.Task[None] | None = None


def make_chain(names: Sequence[str], timeout_s: float, clock: Clock) -> Chain:
    """A chain of providers named in tts.synthesizer.PROVIDERS."""
    return Chain([(name, _made(name)) for name in names], timeout_s, clock)


class Chain:
    """The voice of the show. Lives on the director's event loop.

    timeout_s: the longest wait for the first piece of a sentence, and for each next one.
    """

    def __init__(
        self,
        providers: Sequence[tuple[str, Synthesizer]],
        timeout_s: float,
        clock: Clock,
        rest_s: float = REST_S,
    ) -> None:
        self._providers = [Provider(name, synthesizer) for name, synthesizer in providers]
        self._timeout_s, self._rest_s, self._clock = timeout_s, rest_s, clock
        self._spoke_last = 0  # place in the chain

    async def speak(self, sentence: str, voice: Voice) -> AsyncGenerator[Piece, None]:
        """The pieces of one sentence.

        MessageError when there is nothing to say. SpeechError when no provider delivered (naming each
        one's reason), or when one failed midway: said again from its start, the next one speaks it.
        """
        reading, voice = prepared(sentence, voice)
        reasons: list[str] = []
        for provider in self._in_order(reading, voice):
            words, begun = ShownWords(reading), False
            try:
                async with aclosing(self._checked(provider, reading, voice)) as pieces:
                    async for piece in pieces:
                        if not begun:
                            self._speaks(provider)
                        begun = True
                        yield _as_shown(piece, words)
                return
            except SpeechError as error:
                self._failed(provider, error)
                if begun:
                    raise SpeechError(f"{provider.name} broke off: {error}") from error
                reasons.append(f"{provider.name}: {error}")
        raise SpeechError(f"no voice works: {'; '.join(reasons)}")

    async def close(self) -> None:
        """Ends probes and providers."""
        probes = [provider.probe for provider in self._providers if provider.probe]
        for probe in probes:
            probe.cancel()
        if probes:
            await asyncio.wait(probes, timeout=LEAVE_S)
        for provider in self._providers:
            await provider.synthesizer.close()

    def _in_order(self, reading: Reading, voice: Voice) -> list[Provider]:
        """The healthy ones, then, since silence is worse than a try, the resting ones."""
        for provider in self._providers[:-1]:  # the last one is asked when all others fail, rested or not
            rested = provider.rests_until_ns is not None and self._clock.now_ns() >= provider.rests_until_ns
            if rested and provider.probe is None and any(other.rests_until_ns is None for other in self._providers):
                provider.probe = asyncio.create_task(self._probe(provider, reading, voice), name="voice-probe")
        return sorted(self._providers, key=lambda provider: provider.rests_until_ns is not None)

    async def _probe(self, provider: Provider, reading: Reading, voice: Voice) -> None:
        """Whether a rested provider can say this sentence; nobody hears it."""
        try:
            async with aclosing(self._checked(provider, reading, voice)) as pieces:
                async for _ in pieces:
                    pass
            self._recovered(provider)
        except SpeechError as error:
            self._failed(provider, error)
        finally:
            provider.probe = None

    async def _checked(self, provider: Provider, reading: Reading, voice: Voice) -> AsyncGenerator[Piece, None]:
        """Trimmed pieces, each in time; SpeechError when late, silent, or of a length no speech has."""
        trimmer, samples = Trimmer(), 0
        longest, shortest = plausible_samples(reading.text, voice.rate)
        pieces = provider.synthesizer.speak(reading.text, voice)
        try:
            while True:
                piece, last = await self._next(pieces, trimmer)
                if piece:
                    samples += len(piece.air)
                    if samples > longest:
                        raise SpeechError(f"{samples / AIR_HZ:.1f} s for {len(reading.text)} characters: too long")
                    yield piece
                if last:
                    break
            if samples < shortest:
                raise SpeechError(f"{samples / AIR_HZ:.2f} s for {len(reading.text)} characters: too short or silent")
        finally:
            await _left(pieces)

    async def _next(self, pieces: AsyncIterator[Piece], trimmer: Trimmer) -> tuple[Piece | None, bool]:
        """(the next piece that can be heard, whether it is the last one)"""
        try:
            async with asyncio.timeout(self._timeout_s):
                async for raw in pieces:
                    if piece := trimmer.feed(raw):
                        return piece, False
        except TimeoutError as error:
            raise SpeechError(f"nothing to hear for {self._timeout_s} s") from error
        return trimmer.end(), True

    def _speaks(self, provider: Provider) -> None:
        place = self._providers.index(provider)
        if place > self._spoke_last:
            log.warning("voice.fell_back", name=provider.name, instead_of=self._providers[self._spoke_last].name)
        self._spoke_last = place
        if provider.rests_until_ns is not None:
            self._recovered(provider)

    def _failed(self, provider: Provider, error: SpeechError) -> None:
        if str(error) != provider.last_reason:
            log.warning("voice.failed", name=provider.name, reason=str(error))
        provider.last_reason = str(error)
        if not isinstance(error, UnknownVoice):  # the provider is well, it only lacks this voice
            provider.rests_until_ns = self._clock.now_ns() + int(self._rest_s * NS)

    def _recovered(self, provider: Provider) -> None:
        log.info("voice.recovered", name=provider.name)
        provider.rests_until_ns, provider.last_reason = None, ""


def prepared(sentence: str, voice: Voice) -> tuple[Reading, Voice]:
    """How a sentence is read, and by which voice: Hanzi need a Chinese one, whatever the room speaks."""
    language = language_of(sentence, voice.name)
    reading = readable(sentence, language)
    if not reading.sayable:
        raise MessageError(f"nothing to say in {sentence[:40]!r}: no letter and no figure")
    if len(reading.text) > MAX_CHARS:
        raise MessageError(f"{sentence[:40]!r}… is {len(reading.text)} characters when read out; at most {MAX_CHARS}")
    if language == "zh" and voice.name.split("-")[0].split("+")[0].lower() not in CHINESE:
        return reading, Voice("zh", voice.rate)
    return reading, voice


def plausible_samples(text: str, rate: float) -> tuple[int, int]:
    """(longest, shortest) that speech of a text can be, in 48 kHz samples."""
    said = sum(char.isalnum() for char in text)
    longest = (LONGEST_S + LONGEST_S_PER_CHAR * len(text)) / rate
    return int(longest * AIR_HZ), max(1, int(SHORTEST_S_PER_CHAR * said / rate * AIR_HZ))


def _as_shown(piece: Piece, words: ShownWords) -> Piece:
    """The piece with words as viewers see them; a word that an earlier one stands for goes."""
    told = [(mark, words.shown(mark.text) if mark.kind == WORD else mark.text) for mark in piece.marks]
    marks = tuple(msgspec.structs.replace(mark, text=text) for mark, text in told if text)
    return Piece(piece.air, piece.drive, marks)


async def _left(pieces: AsyncIterator[Piece]) -> None:
    """Let go of a sentence, finished or not."""
    if isinstance(pieces, AsyncGenerator):
        try:
            await asyncio.wait_for(pieces.aclose(), LEAVE_S)
        except TimeoutError:
            log.warning("voice.left_behind", after_s=LEAVE_S)


def _made(name: str) -> Synthesizer:
    module, _, attribute = PROVIDERS[name].partition(":")
    synthesizer: Synthesizer = getattr(import_module(module), attribute)()
    return synthesizer
