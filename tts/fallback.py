"""A chain of voices: the first one that is kept or well speaks, the next one when it fails.

In: a sentence, marked (tts.markup) or not. Out: pieces with the same properties whoever speaks: no silence at the ends,
faded, equally loud, WORD marks that carry the shown words. What was spoken whole is kept on disk, each part of a marked
sentence by itself, and needs no provider the next time. A provider that failed rests; then it is tried in the
background with words of our own, so that no sentence waits for one that is still broken, and no odd sentence decides
whether it works. What has nothing to say (only punctuation or emoji) is MessageError: no voice could say it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import structlog

from pipeline.arrays import Pcm
from pipeline.clock import NS, Clock
from pipeline.errors import BrokeOff, MessageError, SpeechError, UnknownVoice, VoicesDown
from pipeline.media import AIR_HZ
from tts.breaker import REST_S, Breaker, Health
from tts.cache import Kept, SpeechCache, key_of
from tts.loudness import CERTAIN_S, Leveller, Levels
from tts.prosody import ABILITIES, Ability, Diction, Part, Score, performed, score
from tts.reading import Reading
from tts.settings import NO_SETTINGS, ProviderSettings
from tts.soundness import Soundness
from tts.synthesizer import Piece, Synthesizer, Voice, load_provider
from tts.tempo import Tempos
from tts.text import NOT_LATIN, language_of, readable
from tts.trimmer import Trimmer

LEAVE_S = 0.5  #: for a provider to let go of a sentence; then it is left behind
SCORES_KEPT = 1024
SAME_GAIN_DB = 0.5  #: a kept sentence this near to its voice's gain is taken as it is
PROBES = {
    "zh": "大家早上好，欢迎来到我们的小店。"
}  #: what a resting provider must say, and can be judged by; nobody hears it
PROBE = "Good morning, and welcome to our little shop."

log = structlog.get_logger()


@dataclass(slots=True)
class Provider:
    synthesizer: Synthesizer
    health: Health
    asked: Voice | None = None  # when it failed; a probe asks for the same
    probe: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.health.name


def make_chain(
    names: Sequence[str],
    timeout_s: float,
    clock: Clock,
    directory: Path | None = None,
    cache_bytes: int = 0,
    rest_s: float = REST_S,
    *,
    settings: ProviderSettings = NO_SETTINGS,
    diction: Diction | None = None,
) -> Chain:
    """A chain of providers named in tts.synthesizer.PROVIDERS. directory: what outlives the process; None: nothing."""
    providers = [(name, load_provider(name, settings)) for name in names]
    cache = SpeechCache(directory or Path(), cache_bytes if directory else 0)
    levels = Levels(directory / "loudness.json" if directory else None)
    cache.open()
    levels.open()
    return Chain(providers, timeout_s, clock, cache, levels, rest_s, diction)


class Chain:
    """The voice of the show (tts.synthesizer.Voices). Lives on the director's event loop.

    timeout_s: the longest wait for the first piece of a sentence, and for each next one.
    """

    def __init__(
        self,
        providers: Sequence[tuple[str, Synthesizer]],
        timeout_s: float,
        clock: Clock,
        cache: SpeechCache,
        levels: Levels,
        rest_s: float = REST_S,
        diction: Diction | None = None,
    ) -> None:
        self._breaker = Breaker([name for name, _ in providers], clock, rest_s)
        self._providers = [Provider(one, health) for (_, one), health in zip(providers, self._breaker.all, strict=True)]
        self._timeout_s, self._clock = timeout_s, clock
        self._cache, self._levels, self._tempos = cache, levels, Tempos()
        self._diction = diction or Diction()
        # a millisecond each, and asked for again whenever somebody looks what is kept
        self._score = lru_cache(maxsize=SCORES_KEPT)(self._scored)
        self._spoke_last = 0  # place in the chain
        self._learning: set[asyncio.Task[None]] = set()

    @property
    def works(self) -> bool:
        return self._breaker.works

    @property
    def remote(self) -> bool:
        return self._providers[0].synthesizer.remote

    def states(self) -> dict[str, str]:
        return {one.name: "well" if one.well else "resting" for one in self._breaker.all}

    def can_say(self, sentence: str, voice: Voice) -> bool:
        return self.works or any(map(self._has, self._keys(sentence, voice)))

    def keeps(self, sentence: str, voice: Voice) -> bool:
        return any(map(self._has, self._keys(sentence, voice)[:1]))

    def pin(self, sentence: str, voice: Voice) -> bool:
        kept = next(filter(self._has, self._keys(sentence, voice)), None)
        return kept is not None and all(map(self._cache.pin, kept))

    def tick(self) -> None:
        """Try the providers whose rest is over."""
        for provider in self._providers:
            if self._breaker.rested(provider.health) and provider.probe is None and provider.asked is not None:
                provider.probe = asyncio.create_task(self._probe(provider, provider.asked), name="voice-probe")

    async def speak(self, sentence: str, voice: Voice) -> AsyncGenerator[Piece, None]:
        """The pieces of one sentence, as tts.synthesizer.Voices says."""
        tried: list[tuple[Provider, SpeechError]] = []
        proven = False
        for provider in self._providers:
            score, health = self._score(provider.name, sentence, voice), provider.health
            keys = [_key(provider, part) for part in score.parts]
            kept = {key: found for key in keys if (found := await self._cache.get(key)) is not None}
            asks = len(kept) < len(set(keys))
            if asks and not health.well:
                continue
            begun, was_proven, setbacks = False, health.proven, health.setbacks
            try:
                async with aclosing(performed(score, partial(self._part, provider, kept))) as pieces:
                    async for piece in pieces:
                        if asks and not begun:
                            self._speaks(provider)
                        begun = True
                        yield replace(piece, provider=provider.name)
                if asks:
                    self._breaker.worked(health, setbacks)
                return
            except SpeechError as error:
                if not isinstance(error, UnknownVoice):
                    provider.asked = score.voice
                self._breaker.failed(health, error, setbacks)
                if begun:
                    raise BrokeOff(f"{provider.name} broke off: {error}") from error
                tried.append((provider, error))
                proven |= was_proven
        raise self._nobody(tried, proven)

    async def close(self) -> None:
        """Ends probes and providers."""
        tasks = [provider.probe for provider in self._providers if provider.probe] + list(self._learning)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LEAVE_S)
        for provider in self._providers:
            await provider.synthesizer.close()
        await self._cache.close()

    # ── one sentence of one provider ─────────────────────────────────────────────────────────────

    async def _part(self, provider: Provider, kept: Mapping[str, Kept], part: Part) -> AsyncGenerator[Piece, None]:
        """What is kept of a part, or what the provider says; in the voice of the rest if it lacks the part's own."""
        key = _key(provider, part)
        if key in kept:
            for piece in self._levelled(kept[key], _level(provider, part.voice), part.gain_db):
                yield piece
            return
        begun = False
        try:
            async with aclosing(self._spoken(provider, part, part.voice, key)) as pieces:
                async for piece in pieces:
                    begun = True
                    yield piece
            return
        except UnknownVoice:
            if begun or part.otherwise is None:
                raise
        async with aclosing(self._spoken(provider, part, part.otherwise, key)) as pieces:
            async for piece in pieces:
                yield piece

    async def _spoken(self, provider: Provider, part: Part, voice: Voice, key: str) -> AsyncGenerator[Piece, None]:
        """Levelled pieces, each in time; a part that came whole is kept, and its voice's loudness learnt."""
        raw: list[Piece] = []
        made: list[Piece] = []
        gain_db, level = 0.0, _level(provider, voice)
        leveller: Leveller | None = None
        least = 0 if self._levels.is_certain(level) else int(CERTAIN_S * AIR_HZ)
        async with aclosing(_gathered(self._checked(provider, part.reading, voice), least)) as batches:
            async for batch in batches:
                raw += batch
                if leveller is None:
                    gain_db = await self._gain(level, raw) + part.gain_db
                    leveller = Leveller(gain_db)
                for piece in filter(None, map(leveller.feed, batch)):
                    made.append(piece)
                    yield piece
        if leveller is not None and (last := leveller.end()):
            made.append(last)
            yield last
        self._cache.put(key, made, gain_db)
        self._learn(self._levels.learn(level, _airs(raw)))

    async def _gain(self, level: str, raw: Sequence[Piece]) -> float:
        known = self._levels.gain_db(level) if self._levels.is_certain(level) else None
        return await self._levels.preview(level, _airs(raw)) if known is None else known

    def _levelled(self, kept: Kept, level: str, more_db: float) -> list[Piece]:
        """A kept part, at the gain that its voice has by now. more_db: that the part has beside it."""
        gain_db = self._levels.gain_db(level)
        if gain_db is None or abs(gain_db + more_db - kept.gain_db) <= SAME_GAIN_DB:
            return [kept.piece]
        leveller = Leveller(gain_db + more_db - kept.gain_db)
        return [piece for piece in (leveller.feed(kept.piece), leveller.end()) if piece]

    async def _checked(self, provider: Provider, reading: Reading, voice: Voice) -> AsyncGenerator[Piece, None]:
        """Trimmed pieces, each in time; SpeechError when late, silent, noise, or of a length no speech has.

        The first ones are held until there is enough to judge by.
        """
        trimmer = Trimmer(self._levels.lufs(_level(provider, voice)))
        tempo = f"{_level(provider, voice)}@{voice.rate:.1f}"
        usual, latin = self._tempos.usual(tempo), language_of("", voice.name) not in NOT_LATIN
        soundness = Soundness(reading.text, voice.rate, self._timeout_s, usual, latin=latin)
        held: list[Piece] = []
        begun_ns = self._clock.now_ns()
        pieces = provider.synthesizer.speak(reading.text, voice)
        try:
            while True:
                piece, last = await self._next(pieces, trimmer)
                if piece:
                    soundness.take(piece, (self._clock.now_ns() - begun_ns) / NS)
                    held.append(piece)
                if last:
                    soundness.end()
                    self._tempos.learn(tempo, reading.text, soundness.normal_s)
                if last or soundness.judged:
                    for one in held:
                        yield one
                    held = []
                if last:
                    return
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

    def _learn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="voice-loudness")
        self._learning.add(task)
        task.add_done_callback(self._learning.discard)

    # ── who speaks ───────────────────────────────────────────────────────────────────────────────

    async def _probe(self, provider: Provider, voice: Voice) -> None:
        """Whether a rested provider can speak at all."""
        setbacks, language = provider.health.setbacks, language_of("", voice.name)
        reading = readable(PROBES.get(language, PROBE), language)
        try:
            async with aclosing(self._checked(provider, reading, voice)) as pieces:
                async for _ in pieces:
                    pass
            self._breaker.worked(provider.health, setbacks)
        except SpeechError as error:
            self._breaker.failed(provider.health, error, setbacks)
        finally:
            provider.probe = None

    def _speaks(self, provider: Provider) -> None:
        place = self._providers.index(provider)
        if place > self._spoke_last:
            log.warning("voice.fell_back", name=provider.name, instead_of=self._providers[self._spoke_last].name)
        self._spoke_last = place

    def _nobody(self, tried: Sequence[tuple[Provider, SpeechError]], proven: bool) -> SpeechError:
        """Why a sentence was not said: nobody has its voice, nobody works, or it is at fault itself."""
        resting = [provider for provider in self._providers if provider not in [one for one, _ in tried]]
        reasons = [f"{provider.name}: {error}" for provider, error in tried]
        reasons += [f"{provider.name} rests: {provider.health.last_reason}" for provider in resting]
        text = f"no voice works: {'; '.join(reasons)}"
        if not resting and all(isinstance(error, UnknownVoice) for _, error in tried):
            return UnknownVoice(text)
        return SpeechError(text) if proven else VoicesDown(text)

    def _scored(self, name: str, sentence: str, voice: Voice) -> Score:
        return score(sentence, voice, ABILITIES.get(name, Ability()), self._diction)

    # ── what is kept ─────────────────────────────────────────────────────────────────────────────

    def _has(self, keys: Sequence[str]) -> bool:
        return all(key in self._cache for key in keys)

    def _keys(self, sentence: str, voice: Voice) -> list[list[str]]:
        """Of the sentence's parts by each provider, best first; none when there is nothing to say."""
        try:
            return [
                [_key(provider, part) for part in self._score(provider.name, sentence, voice).parts]
                for provider in self._providers
            ]
        except MessageError:
            return []


def _key(provider: Provider, part: Part) -> str:
    voice, version = part.voice, provider.synthesizer.version
    otherwise = part.otherwise.name if part.otherwise else ""  # whose sound it may be
    made_by = (provider.name, version, voice.name, otherwise, voice.rate, voice.pitch, part.gain_db)
    return key_of(*made_by, part.reading.text)


def _level(provider: Provider, voice: Voice) -> str:
    """What loudness is measured for."""
    return f"{provider.name}/{voice.name}"


def _airs(pieces: Sequence[Piece]) -> list[Pcm]:
    return [piece.air for piece in pieces]


async def _gathered(pieces: AsyncGenerator[Piece, None], least: int) -> AsyncGenerator[list[Piece], None]:
    """The first ones together, once they are so many samples or all there are; then each by itself."""
    held: list[Piece] = []
    samples = 0
    async with aclosing(pieces):
        async for piece in pieces:
            held.append(piece)
            samples += len(piece.air)
            if samples >= least:
                yield held
                held = []
    if held:
        yield held


async def _left(pieces: AsyncIterator[Piece]) -> None:
    """Let go of a sentence, finished or not."""
    if isinstance(pieces, AsyncGenerator):
        try:
            await asyncio.wait_for(pieces.aclose(), LEAVE_S)
        except TimeoutError:
            log.warning("voice.left_behind", after_s=LEAVE_S)
