"""Marked sentences as providers are asked for them, and as they sound when the answers are joined."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.clock import FakeClock
from pipeline.errors import BrokeOff, MessageError, SpeechError, UnknownVoice
from pipeline.media import CUE, PERSON, WORD, Mark
from tts.cache import SpeechCache
from tts.fallback import Chain, make_chain
from tts.lexicon import parse
from tts.loudness import Gain, Levels
from tts.pcm import joined
from tts.prosody import ABILITIES, AT_ONCE, Ability, Diction, Part, score
from tts.synthesizer import Piece, Voice
from tts.trimmer import LEAD_MS, TAIL_MS

EN = Voice("en")
SILENT, WORD_SAMPLES = 4_800, 14_400
ALL = Ability(pitch=True, languages=True, ipa=True)
NONE = Ability()


def parts(text: str, voice: Voice = EN, ability: Ability = ALL, diction: Diction | None = None) -> Sequence[Part]:
    return score(text, voice, ability, diction or Diction()).parts


def asked(text: str, voice: Voice = EN, ability: Ability = ALL) -> list[tuple[str, str, float, float]]:
    return [
        (part.reading.text, part.voice.name, part.voice.rate, part.voice.pitch) for part in parts(text, voice, ability)
    ]


# ── what is asked ────────────────────────────────────────────────────────────────────────────────


def test_a_sentence_without_marks_is_asked_for_as_ever() -> None:
    assert asked("Only $5 today!") == [("Only five dollars today!", "en", 1.0, 0.0)]


def test_each_manner_is_asked_for_by_itself() -> None:
    assert asked("One [slow]two[/slow] [high]three[/high].", Voice("en", 1.5, -1.0)) == [
        ("One", "en", 1.5, -1.0),
        ("two", "en", 1.2, -1.0),
        ("three.", "en", 1.5, 2.0),
    ]


def test_what_a_provider_cannot_do_is_not_asked_of_it() -> None:
    assert asked("One [high]two[/high] [lang fr]trois[/lang].", ability=NONE) == [
        ("One", "en", 1.0, 0.0),
        ("two", "en", 1.0, 0.0),
        ("trois.", "en", 1.0, 0.0),
    ]


def test_emphasis_is_slower_higher_and_louder_and_where_pitch_is_fixed_slower_and_louder() -> None:
    for ability, pitch in ((ALL, 1.0), (NONE, 0.0)):
        plain, strong = parts("really **good**", ability=ability)
        assert (plain.gain_db, strong.gain_db) == (0.0, 2.0)
        assert (strong.voice.rate, strong.voice.pitch) == (0.9, pitch)


def test_signs_without_a_word_join_their_neighbour() -> None:
    assert [part.reading.text for part in parts("“**Hi**!” [slow]…[/slow] [pause 1] [fast]Bye[/fast].")] == [
        "“Hi!”…",
        "Bye.",
    ]
    assert [part.pause_s for part in parts("**Hi**. [pause 1] Bye.")] == [1.0, 0.0]


def test_pauses_are_between_the_parts_and_before_the_first() -> None:
    made = score("[pause 2] One [pause 0.5] two. [pause 1]", EN, ALL, Diction())
    assert made.lead_s == 2.0
    assert [(part.reading.text, part.pause_s) for part in made.parts] == [("One", 0.5), ("two.", 1.0)]


@pytest.mark.parametrize(
    ("voice", "lang", "name"),
    [
        ("en", "fr", "fr"),
        ("zh-CN-XiaoxiaoNeural", "en", "en"),
        ("en-GB-SoniaNeural", "en", "en-GB-SoniaNeural"),
        ("en-GB-SoniaNeural", "en-us", "en-us"),
        ("en-GB-SoniaNeural", "en-GB", "en-GB-SoniaNeural"),
        ("en", "de", "de-DE-KatjaNeural"),
    ],
)
def test_another_language_is_spoken_by_a_voice_of_it(voice: str, lang: str, name: str) -> None:
    diction = Diction({"de": "de-DE-KatjaNeural"})
    (part,) = parts(f"[lang {lang}]one[/lang]", Voice(voice), diction=diction)
    assert part.voice.name == name


def test_each_language_reads_figures_as_its_own() -> None:
    assert [part.reading.text for part in parts("我说 [lang en]$5[/lang] 今天", Voice("zh"))] == [
        "我说",
        "five dollars",
        "今天",
    ]


def test_hanzi_are_for_a_chinese_voice_but_not_those_of_another_language() -> None:
    assert [part.voice.name for part in parts("你好 **世界**")] == ["zh", "zh"]
    assert [part.voice.name for part in parts("Hello, [lang zh]世界[/lang]")] == ["en", "zh"]


def test_nothing_to_say_is_refused_whatever_the_marks() -> None:
    for text in ("[pause 1]", "[smile]", "**…**", ""):
        with pytest.raises(MessageError, match="nothing to say"):
            parts(text)


def test_a_dictionary_reaches_every_part_and_ipa_only_who_can_say_it() -> None:
    diction = Diction(lexicon=parse("gif = jif\ngif = /dʒɪf/\n", "words"))
    assert [part.reading.text for part in parts("A gif **gif**", diction=diction)] == ["A [[dʒɪf]]", "[[dʒɪf]]"]
    assert [part.reading.text for part in parts("A gif", ability=NONE, diction=diction)] == ["A jif"]


# ── how it sounds ────────────────────────────────────────────────────────────────────────────────


class Speaker:
    """Says each word as a swelling beep of WORD, after 0.1 s of silence, and marks it; knows some voices alone."""

    version = "1"
    remote = False

    def __init__(self, *voices: str, words: bool = True, fails_at: str = "", level: int = 8_000) -> None:
        self._voices, self._words, self._fails_at, self._level = voices, words, fails_at, level
        self.heard: list[tuple[str, Voice]] = []
        self.at_once = self.most_at_once = 0

    async def speak(self, sentence: str, voice: Voice) -> AsyncIterator[Piece]:
        self.heard.append((sentence, voice))
        if self._voices and voice.name not in self._voices:
            raise UnknownVoice(f"no {voice.name}")
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            for index, word in enumerate(sentence.split()):
                await asyncio.sleep(0)
                if word == self._fails_at:
                    raise SpeechError("gone")
                yield self._beep(0 if index else SILENT, WORD_SAMPLES, (_mark(index, word),))
            yield self._beep(SILENT, 0, ())
        finally:
            self.at_once -= 1

    def _beep(self, silent: int, loud: int, marks: tuple[Mark, ...]) -> Piece:
        at = np.arange(loud)
        swell = 0.2 + 0.8 * np.sin(np.pi * at / max(1, loud))
        air = self._level * swell * np.sin(at * 2 * np.pi * 500 / 48_000)
        whole = np.concatenate([np.zeros(silent), air]).astype(np.int16)
        return Piece(whole, whole[::3].copy(), marks if self._words else ())

    async def close(self) -> None:
        pass


def _mark(index: int, word: str) -> Mark:
    return Mark(SILENT + WORD_SAMPLES * index, WORD, text=word.strip(".,!"))


def chain(*speakers: Speaker, cache: SpeechCache | None = None, diction: Diction | None = None) -> Chain:
    """Under the names of real providers, for what those are able to do."""
    levels = Levels(None, {f"{name}/{lang}": Gain(0.0, 60.0) for name in ABILITIES for lang in ("en", "fr")})
    named = list(zip(["espeak", "edge"], speakers, strict=False))
    return Chain(named, 1.0, FakeClock(), cache or SpeechCache(Path(), 0), levels, diction=diction)


async def said(voices: Chain, text: str, voice: Voice = EN) -> Piece:
    return joined([piece async for piece in voices.speak(text, voice)])


def silences(piece: Piece) -> list[float]:
    """Lengths in s of the stretches below -55 dBFS, of 20 ms and more."""
    quiet = np.abs(piece.air[: len(piece.air) // 48 * 48].reshape(-1, 48)).max(axis=1) < 60
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(int)))
    return [(end - begin) / 1000 for begin, end in edges.reshape(-1, 2) if end - begin >= 20]


async def test_a_pause_is_as_long_as_it_says_and_words_are_where_they_are_heard() -> None:
    piece = await said(chain(Speaker()), "One two [pause 0.8] three.")
    assert [mark.text for mark in piece.marks if mark.kind == WORD] == ["One", "two", "three"]
    (pause,) = [length for length in silences(piece) if length > 0.1]
    assert 0.8 <= pause <= 0.8 + (LEAD_MS + TAIL_MS + 10) / 1000
    third = piece.marks[-1].at
    assert np.abs(piece.air[third - 4_800 : third - 100]).max() < 60 < np.abs(piece.air[third : third + 500]).max()


async def test_a_pause_before_the_first_word_and_after_the_last_are_heard() -> None:
    piece = await said(chain(Speaker()), "[pause 0.5] One. [pause 0.25]")
    lead, tail = (length for length in silences(piece) if length > 0.1)
    assert 0.5 <= lead <= 0.54 and 0.25 <= tail <= 0.3
    assert len(piece.air) == 3 * len(piece.drive)


async def test_a_cue_comes_where_its_word_begins() -> None:
    piece = await said(chain(Speaker()), "[smile] One [nod] two **three** [point left] four. [surprised]")
    at = {mark.text: mark.at for mark in piece.marks if mark.kind == WORD}
    cues = {mark.text: mark.at for mark in piece.marks if mark.kind == CUE}
    assert list(cues) == ["smile", "nod", "point left", "surprised"]
    assert (cues["smile"], cues["nod"], cues["point left"]) == (at["One"], at["two"], at["four"])
    assert cues["surprised"] > at["four"]


async def test_a_person_comes_where_the_next_word_begins() -> None:
    piece = await said(chain(Speaker()), "[person anna] One [smile] two [person bert] three.")
    at = {mark.text: mark.at for mark in piece.marks if mark.kind == WORD}
    called = {mark.text: mark.at for mark in piece.marks if mark.kind == PERSON}
    assert called == {"anna": at["One"], "bert": at["three"]}
    assert [mark.text for mark in piece.marks if mark.kind == CUE] == ["smile"]


async def test_cues_of_a_voice_that_tells_no_words_are_near_their_words_and_never_lost() -> None:
    piece = await said(chain(Speaker(words=False)), "[smile] One two three four five [nod] six seven.")
    cues = [(mark.text, mark.at / len(piece.air)) for mark in piece.marks if mark.kind == CUE]
    assert [name for name, _ in cues] == ["smile", "nod"]
    assert cues[0][1] < 0.1 and 0.4 < cues[1][1] <= 1.0


@pytest.mark.parametrize("words", [True, False])
async def test_a_cue_behind_the_last_word_lies_in_the_sentence_and_is_not_lost(words: bool) -> None:
    piece = await said(chain(Speaker(words=words)), "One two. [nod]")
    assert [mark.text for mark in piece.marks if mark.kind == CUE] == ["nod"]
    assert all(mark.at < len(piece.air) for mark in piece.marks)


async def test_no_mark_comes_before_its_sound() -> None:
    made = 0
    async for piece in chain(Speaker()).speak("[smile] One [pause 1] **two** [nod] three.", EN):
        made += len(piece.air)
        assert all(0 <= mark.at <= made for mark in piece.marks)


async def test_emphasis_is_heard_as_louder() -> None:
    piece = await said(chain(Speaker(level=3_000)), "One [pause 1] **two**.")
    loud = [np.abs(half).max() for half in np.array_split(piece.air, 2)]
    assert 1.2 < loud[1] / loud[0] < 1.32  # 2 dB


async def test_a_language_that_the_provider_lacks_is_said_by_the_voice_itself() -> None:
    speaker = Speaker("en")
    piece = await said(chain(speaker), "Say [lang fr]bonjour[/lang] now.")
    assert [mark.text for mark in piece.marks] == ["Say", "bonjour", "now"]
    assert [voice.name for text, voice in speaker.heard if text == "bonjour"] == ["fr", "en"]


async def test_when_a_part_fails_before_anything_was_heard_the_next_provider_says_it_all() -> None:
    first, second = Speaker(fails_at="One"), Speaker()
    piece = await said(chain(first, second), "[pause 1] One **two**.")
    assert [mark.text for mark in piece.marks] == ["One", "two"]
    assert [text for text, _ in second.heard] == ["One", "two."]


async def test_a_part_that_fails_after_another_was_heard_breaks_the_sentence_off() -> None:
    speaker = Speaker(fails_at="two.")
    with pytest.raises(BrokeOff, match="espeak broke off: gone"):
        await said(chain(speaker, Speaker()), "One **two**.")


async def test_the_next_parts_are_under_way_while_one_is_heard_but_not_all() -> None:
    speaker = Speaker()
    await said(chain(speaker), " ".join(f"[pause 0.1] word{index}" for index in "abcdefgh"))
    assert speaker.most_at_once <= AT_ONCE
    assert len(speaker.heard) == 8


async def test_a_sentence_that_is_left_leaves_no_part_behind() -> None:
    speaker = Speaker()
    pieces = chain(speaker).speak("One two **three** four [pause 1] five.", EN)
    async for _ in pieces:
        break
    await pieces.aclose()
    assert speaker.at_once == 0
    assert [task for task in asyncio.all_tasks() if task.get_name() == "voice-part"] == []


async def test_what_is_kept_covers_every_manner(tmp_path: Path) -> None:
    cache = SpeechCache(tmp_path, 1 << 24)
    cache.open()
    speaker = Speaker()
    voices = chain(speaker, cache=cache)
    text = "[smile] One [pause 1] **two** [high]three[/high]."
    first = await said(voices, text)
    async with asyncio.timeout(5):
        while not voices.keeps(text, EN):
            await asyncio.sleep(0.001)
    asked_before = len(speaker.heard)
    again = await said(voices, text)
    assert len(speaker.heard) == asked_before
    assert np.array_equal(again.air, first.air) and again.marks == first.marks
    for other in ("One two three.", "One [pause 1] two [high]three[/high].", "One [pause 1] **two** [low]three[/low]."):
        assert not voices.keeps(other, EN)
    assert not voices.keeps(text, Voice("en", pitch=1.0))
    assert voices.keeps(
        "One [pause 2] **two** [nod] [high]three[/high].", EN
    )  # silence and cues are no sound of a voice
    assert voices.pin(text, EN)
    await voices.close()


async def test_what_another_voice_said_for_a_language_is_not_kept_for_the_next_voice(tmp_path: Path) -> None:
    cache = SpeechCache(tmp_path, 1 << 24)
    cache.open()
    voices = chain(Speaker("en", "fr"), cache=cache)
    text = "One [lang de]two[/lang] three."
    await said(voices, text)
    async with asyncio.timeout(5):
        while not voices.keeps(text, EN):
            await asyncio.sleep(0.001)
    assert voices.keeps("[lang de]two[/lang]", EN)
    assert not voices.keeps("[lang de]two[/lang]", Voice("fr")), "the English voice said it"
    await voices.close()


async def test_the_offline_voice_speaks_every_mark() -> None:
    voices = make_chain(["espeak"], 8.0, FakeClock(), diction=Diction(lexicon=parse("gif = /dʒɪf/\n", "words")))
    text = "[smile] A gif is **very** [slow]slow[/slow], [high]high[/high], [lang fr]français[/lang] [pause 0.5] 你好."
    piece = await said(voices, text)
    await voices.close()
    words = [mark.text for mark in piece.marks if mark.kind == WORD]
    assert words == ["A", "gif", "is", "very", "slow", "high", "français", "你", "好"]
    assert [mark.text for mark in piece.marks if mark.kind == CUE] == ["smile"]


@pytest.mark.parametrize(
    ("name", "texts"), [("en", ("Hat trick.", "She sells shells.")), ("zh", ("十四是十四。", "你好。"))]
)
async def test_what_is_left_of_a_voices_own_silence_is_less_than_a_pause_may_be_off(
    name: str, texts: tuple[str, str]
) -> None:
    voices = make_chain(["espeak"], 8.0, FakeClock())
    made = [await said(voices, text, Voice(name)) for text in texts]
    await voices.close()
    pause = np.zeros(10_560, np.int16)
    both = Piece(np.concatenate([made[0].air, pause, made[1].air]), np.zeros(0, np.int16))
    gap = max(silences(both))
    assert 0.22 <= gap <= 0.22 + 0.04
