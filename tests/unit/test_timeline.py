"""The timeline loses no sample, repeats none, and never pads in the middle of known speech."""

from __future__ import annotations

import random

import numpy as np
import pytest

from broadcaster.timeline import Chunk, Line, Speech, Timeline
from pipeline.arrays import Pcm
from pipeline.errors import SpeechError
from pipeline.media import (
    ENDS,
    PERSON,
    PHONEME,
    SECTION,
    SENTENCE,
    SENTENCE_END,
    UTTERANCE,
    UTTERANCE_END,
    WORD,
    Mark,
    Position,
)
from tts.synthesizer import Piece

HOP = 9_600
PAUSE, BREAK = 2_400, 4_800


def tone(samples: int, start: int = 1) -> Pcm:
    """Samples that are all different from zero and from their neighbours."""
    return ((np.arange(start, start + samples) * 7919) % 32_000 + 1).astype(np.int16)


def piece(air: Pcm, *marks: Mark) -> Piece:
    return Piece(air, air[::3].copy(), tuple(marks))


def speech(samples: int, *marks: Mark, complete: bool = True) -> Speech:
    made = Speech()
    made.add(piece(tone(samples), *marks))
    made.complete = complete
    return made


def line(name: str, sentence: int, sound: Speech | None, last: bool = True, section: str = "") -> Line:
    return Line((name, sentence), f"{name}{sentence}", "command", last, section, sound)


def timeline() -> Timeline:
    return Timeline(PAUSE, BREAK)


def kinds(chunk: Chunk) -> list[tuple[int, str]]:
    return [(mark.at, mark.kind) for mark in chunk.marks]


def test_a_sentence_begins_at_once_and_the_rest_of_the_hop_is_silent() -> None:
    line_up = timeline()
    line_up.replan([line("a", 0, speech(3_000))])
    chunk = line_up.take(HOP, 0)
    assert chunk is not None
    assert np.array_equal(chunk.air[:3_000], tone(3_000)) and not chunk.air[3_000:].any()
    assert np.array_equal(chunk.drive, chunk.air[::3])
    assert kinds(chunk) == [(0, UTTERANCE), (0, SENTENCE), (3_000, SENTENCE_END), (3_000, UTTERANCE_END)]
    assert chunk.marks[1] == Mark(0, SENTENCE, "a", 0, "a0", 3_000)
    assert chunk.until == Position("a", 0, 3_000) and chunk.begun == [("a", 0)]
    assert line_up.take(HOP, 0) is None


def test_the_next_sentence_begins_inside_the_hop_after_a_pause() -> None:
    line_up = timeline()
    line_up.replan([line("a", 0, speech(3_000), last=False), line("a", 1, speech(30_000), section="two")])
    chunk = line_up.take(HOP, 0)
    assert chunk is not None
    assert not chunk.air[3_000 : 3_000 + PAUSE].any()
    assert np.array_equal(chunk.air[3_000 + PAUSE :], tone(30_000)[: HOP - 3_000 - PAUSE])
    assert (3_000 + PAUSE, SENTENCE) in kinds(chunk) and SECTION not in dict(kinds(chunk)).values()
    assert chunk.until == Position("a", 1, HOP - 3_000 - PAUSE)


def test_another_utterance_comes_after_a_longer_pause() -> None:
    line_up = timeline()
    line_up.replan([line("a", 0, speech(3_000)), line("b", 0, speech(30_000), section="two")])
    chunk = line_up.take(HOP, 0)
    assert chunk is not None
    assert [mark for mark in chunk.marks if mark.at == 3_000 + BREAK] == [
        Mark(3_000 + BREAK, SECTION, "b", 0, "two"),
        Mark(3_000 + BREAK, UTTERANCE, "b", 0, "command"),
        Mark(3_000 + BREAK, SENTENCE, "b", 0, "b0", 30_000),
    ]


def test_a_streaming_sentence_waits_for_a_whole_hop() -> None:
    line_up = timeline()
    sound = speech(HOP - 3, complete=False)
    line_up.replan([line("a", 0, sound)])
    assert line_up.take(HOP, 0) is None
    sound.add(piece(tone(3, HOP - 2)))
    chunk = line_up.take(HOP, 0)
    assert chunk is not None and np.array_equal(chunk.air, tone(HOP))
    assert chunk.marks[1].span == 0  # its length is not known yet
    sound.add(piece(tone(3_000, HOP + 1)))
    assert line_up.take(HOP, 0) is None
    sound.complete = True
    chunk = line_up.take(HOP, 0)
    assert chunk is not None and np.array_equal(chunk.air[:3_000], tone(3_000, HOP + 1))


def test_a_tail_does_not_wait_for_a_sentence_that_is_not_made_yet() -> None:
    line_up = timeline()
    line_up.replan([line("a", 0, speech(3_000), last=False), line("a", 1, speech(30, complete=False))])
    chunk = line_up.take(HOP, 4_800)
    assert chunk is not None and chunk.ahead_samples == 0 and chunk.begun == [("a", 0)]
    assert line_up.take(HOP, 0) is None


def test_silence_that_filled_a_hop_counts_as_pause() -> None:
    line_up = timeline()
    line_up.replan([line("a", 0, speech(HOP - 1_200), last=False)])
    assert line_up.take(HOP, 0) is not None
    line_up.replan([line("a", 1, speech(300))])
    chunk = line_up.take(HOP, 0)
    assert chunk is not None and chunk.marks[0].at == PAUSE - 1_200


def test_what_follows_is_shown_ahead_with_its_marks_and_comes_again() -> None:
    line_up = timeline()
    sound = speech(HOP + 6_000, Mark(HOP + 30, WORD, text="w", span=9))
    line_up.replan([line("a", 0, sound)])
    chunk = line_up.take(HOP, 4_800)
    assert chunk is not None and chunk.ahead_samples == 4_800
    assert np.array_equal(chunk.drive, tone(HOP + 4_800)[::3])
    assert Mark(HOP + 30, WORD, "a", 0, "w", 9) in chunk.marks
    chunk = line_up.take(HOP, 4_800)
    assert chunk is not None and Mark(30, WORD, "a", 0, "w", 9) in chunk.marks
    assert chunk.ahead_samples == 0


def test_ahead_is_shorter_where_nothing_more_is_known() -> None:
    line_up = timeline()
    line_up.replan([line("a", 0, speech(HOP + 300, complete=False))])
    chunk = line_up.take(HOP, 4_800)
    assert chunk is not None and chunk.ahead_samples == 300
    assert len(chunk.drive) == (HOP + 300) // 3


def test_ahead_reaches_over_the_pause_into_the_next_sentence() -> None:
    line_up = timeline()
    line_up.replan([line("a", 0, speech(HOP), last=False), line("a", 1, speech(HOP))])
    chunk = line_up.take(HOP, PAUSE + 900)
    assert chunk is not None and chunk.ahead_samples == PAUSE + 900
    assert (HOP, SENTENCE_END) in kinds(chunk) and (HOP + PAUSE, SENTENCE) in kinds(chunk)
    assert np.array_equal(chunk.drive[-300:], tone(900)[::3])
    assert chunk.begun == [("a", 0)]


def test_what_was_planned_may_change_until_it_begins() -> None:
    line_up = timeline()
    line_up.replan([line("a", 0, speech(2 * HOP), last=False), line("a", 1, speech(HOP))])
    line_up.take(HOP, 0)
    line_up.replan([line("i", 0, speech(HOP))])
    line_up.take(HOP, 0)
    chunk = line_up.take(HOP, 0)
    assert chunk is not None and chunk.begun == [("i", 0)]


def test_a_sentence_is_resumed_in_its_middle_without_a_second_beginning() -> None:
    line_up = timeline()
    words = (Mark(0, WORD, text="one"), Mark(6_000, WORD, text="two"))
    line_up.resume(line("a", 0, speech(2 * HOP, *words)), 4_800)
    chunk = line_up.take(HOP, 0)
    assert chunk is not None and np.array_equal(chunk.air, tone(2 * HOP)[4_800 : 4_800 + HOP])
    assert kinds(chunk) == [(1_200, WORD)] and chunk.begun == []
    assert chunk.until == Position("a", 0, 4_800 + HOP)


def test_a_broken_off_sentence_has_no_end_mark() -> None:
    line_up = timeline()
    sound = speech(HOP + 900, complete=False)
    line_up.replan([line("a", 0, sound)])
    line_up.take(HOP, 0)
    sound.complete = sound.failed = True
    chunk = line_up.take(HOP, 0)
    assert chunk is not None and np.array_equal(chunk.air[:900], tone(HOP + 900)[HOP:]) and chunk.marks == []


def test_a_word_that_is_late_is_marked_at_once_and_a_late_phoneme_not() -> None:
    line_up = timeline()
    sound = speech(2 * HOP)
    line_up.replan([line("a", 0, sound)])
    line_up.take(HOP, 0)
    sound.marks += [Mark(30, WORD, text="w"), Mark(30, PHONEME, text="ə")]
    chunk = line_up.take(HOP, 0)
    assert chunk is not None
    assert [(mark.at, mark.kind) for mark in chunk.marks if mark.kind in (WORD, PHONEME)] == [(0, WORD)]


def test_a_sentence_without_sound_is_begun_and_ended_all_the_same() -> None:
    line_up = timeline()
    sound = Speech()
    sound.complete = True
    line_up.replan([line("a", 0, sound)])
    chunk = line_up.take(HOP, 0)
    assert chunk is not None and not chunk.air.any()
    assert [mark.kind for mark in chunk.marks] == [UTTERANCE, SENTENCE, SENTENCE_END, UTTERANCE_END]


def test_a_piece_whose_two_sounds_disagree_is_refused() -> None:
    with pytest.raises(SpeechError):
        Speech().add(Piece(tone(30), tone(9)))


@pytest.mark.parametrize("seed", range(40))
def test_every_sample_of_every_sentence_comes_once_and_in_order(seed: int) -> None:
    dice = random.Random(seed)
    hop = dice.choice([1_920, 9_600, 48_000, 53_760])
    ahead = dice.choice([0, 3_000, 19_200])
    total = [dice.randrange(0, 60_000, 3) for _ in range(12)]
    sounds = [Speech() for _ in total]
    lines = [line(f"u{index // 3}", index % 3, sound, index % 3 == 2) for index, sound in enumerate(sounds)]
    fed = begun = 0  # sentences wholly made; sentences begun
    expected = np.concatenate([tone(count, 1000 * index + 1) for index, count in enumerate(total)])
    heard, driven, marks, origin = [], [], [], 0
    line_up = timeline()
    promised: Pcm | None = None
    steady = bool(seed % 2)  # a plan that shrinks takes back what was shown ahead
    while True:
        if fed < len(sounds) and dice.random() < 0.7:
            count = min(total[fed] - sounds[fed].samples, dice.randrange(0, 30_000, 3))
            sounds[fed].add(piece(tone(count, 1000 * fed + 1 + sounds[fed].samples)))
            if sounds[fed].samples == total[fed]:
                sounds[fed].complete = True
                fed += 1
        line_up.replan(lines[begun : begun + (12 if steady else dice.randint(1, 4))])
        chunk = line_up.take(hop, ahead)
        if chunk is None:
            if fed == len(sounds) and begun == len(lines):
                break
            continue
        begun += len(chunk.begun)
        heard.append(chunk.air)
        driven.append(chunk.drive[: hop // 3])
        if promised is not None and steady:
            both = min(len(promised), hop // 3)
            assert np.array_equal(promised[:both], chunk.drive[:both])
        promised = chunk.drive[hop // 3 :]
        marks += [mark.moved(origin) for mark in chunk.marks if mark.at - (mark.kind in ENDS) < hop]
        origin += hop
    air = np.concatenate(heard)
    assert np.array_equal(air[air != 0], expected)
    assert np.array_equal(np.concatenate(driven), air[::3])
    starts = [mark.at for mark in marks if mark.kind == SENTENCE]
    ends = [mark.at for mark in marks if mark.kind == SENTENCE_END]
    assert [end - start for start, end in zip(starts, ends, strict=True)] == total
    for index, (start, count) in enumerate(zip(starts, total, strict=True)):
        assert np.array_equal(air[start : start + count], tone(count, 1000 * index + 1))


CALL = Mark(0, PERSON, "order:1", 0, "anna")


def test_a_person_is_called_where_the_sentence_ends_that_goes_on() -> None:
    line_up = timeline()
    line_up.replan([line("a", 0, speech(12_000), last=False), line("a", 1, speech(30_000, Mark(0, PERSON, text="b")))])
    assert line_up.take(HOP, 0) is not None
    line_up.call = CALL
    chunk = line_up.take(HOP, 0)
    assert chunk is not None and line_up.call is None
    end = 12_000 - HOP
    assert chunk.marks.index(CALL.moved(end)) < chunk.marks.index(Mark(end + PAUSE, PERSON, "a", 1, "b"))
    assert [mark.at for mark in chunk.marks] == sorted(mark.at for mark in chunk.marks)


def test_a_call_waits_while_the_sentence_goes_on_and_while_its_sound_is_missing() -> None:
    line_up = timeline()
    sound = speech(24_999, complete=False)
    line_up.replan([line("a", 0, sound)])
    assert line_up.take(HOP, 0) is not None
    line_up.call = CALL
    chunk = line_up.take(HOP, 0)
    assert chunk is not None and CALL not in chunk.marks
    assert line_up.take(HOP, 0) is None and line_up.call == CALL


def test_in_silence_a_person_is_called_at_once() -> None:
    line_up = timeline()
    line_up.replan([line("a", 0, None)])  # words that are not speech yet
    line_up.call = CALL
    chunk = line_up.take(HOP, 4_800)
    assert chunk is not None and chunk.marks == [CALL] and chunk.begun == []
    assert len(chunk.air) == HOP and not chunk.air.any() and len(chunk.drive) == HOP // 3
    assert line_up.take(HOP, 0) is None, "it is given once"


def test_a_person_is_called_before_the_first_word_of_what_begins() -> None:
    line_up = timeline()
    line_up.replan([line("a", 0, speech(30_000))])
    line_up.call = CALL
    chunk = line_up.take(HOP, 0)
    assert chunk is not None and chunk.marks[0] == CALL
