"""The question that stands in the picture while it is answered."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.arrays import black
from pipeline.media import AIR_HZ, AIR_SAMPLES, QUESTION, SENTENCE, SENTENCE_END, Mark
from streams.asked import ASKED_SAMPLES, Asked
from streams.overlay import Overlay
from streams.typeset import Typeface

W, H = 448, 768


@pytest.fixture(scope="module")
def face() -> Typeface:
    return Typeface(24)


@pytest.fixture
def asked(face: Typeface) -> Asked:
    return Asked(face, 380)


def begin(asked: Asked, sample: int, question: str = "", name: str = "a") -> None:
    asked.mark(Mark(0, SENTENCE, name, 0, "It is this."), sample)
    if question:
        asked.mark(Mark(0, QUESTION, name, 0, question), sample)


def end(asked: Asked, sample: int) -> None:
    asked.mark(Mark(0, SENTENCE_END, "a", 0), sample)


def test_it_stands_from_the_first_sentence_of_the_answer_until_another_begins(asked: Asked) -> None:
    assert asked.lines(0, True) == ()
    begin(asked, 10, "Anna: how much is it?")
    assert asked.lines(10, True) == ("Anna: how much is it?",)
    end(asked, AIR_HZ)
    begin(asked, AIR_HZ + 10_000, "Anna: how much is it?")
    assert asked.lines(AIR_HZ + 10_000, True) == ("Anna: how much is it?",)
    end(asked, 2 * AIR_HZ)
    begin(asked, 2 * AIR_HZ + 24_000)
    assert asked.lines(2 * AIR_HZ + 24_000, True) == ()


def test_it_waits_for_the_next_piece_of_the_answer_and_no_longer(asked: Asked) -> None:
    begin(asked, 0, "Ben: and this one?")
    end(asked, AIR_HZ)
    assert asked.lines(AIR_HZ + ASKED_SAMPLES - AIR_SAMPLES, True) != ()
    assert asked.lines(AIR_HZ + ASKED_SAMPLES, True) == ()


def test_the_next_question_takes_its_place(asked: Asked) -> None:
    begin(asked, 0, "Anna: one?")
    end(asked, AIR_HZ)
    begin(asked, AIR_HZ, "Ben: two?", "b")
    assert asked.lines(AIR_HZ, True) == ("Ben: two?",)


def test_it_goes_when_the_answer_breaks_off(asked: Asked) -> None:
    begin(asked, 0, "Anna: one?")
    assert asked.lines(0, True) and asked.lines(AIR_HZ - 1, False)
    assert asked.lines(AIR_HZ, False) == ()
    begin(asked, 0, "Anna: one?")
    asked.clear()
    assert asked.lines(0, True) == ()


def test_a_long_one_ends_in_its_second_line(asked: Asked, face: Typeface) -> None:
    begin(asked, 0, "Anna: " + "does it go into the dishwasher and " * 9)
    lines = asked.lines(0, True)
    assert len(lines) == 2 and lines[1].endswith("…")
    assert all(face.width(line) <= 380 + 24 for line in lines)
    begin(asked, 0, "王-：" + "这个杯子可以放进洗碗机吗" * 9)
    assert len(asked.lines(0, True)) == 2


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_it_is_drawn_in_the_upper_half_and_touches_neither_label_nor_subtitles(corner: str) -> None:
    overlay = Overlay(W, H, "AI-generated", corner)
    pictures = []
    for lines, question in (((), ()), (("What is said",), ()), ((), ("Anna: how much is it?", "And the other?"))):
        out = np.empty_like(black(W, H))
        overlay.draw(black(W, H), lines, out, question)
        pictures.append(out)
    bare, subtitled, asked = pictures
    rows = np.nonzero((asked[:H] != bare[:H]).any(axis=1))[0]
    below = np.nonzero((subtitled[:H] != bare[:H]).any(axis=1))[0]
    assert rows.min() > 0 and rows.max() < H // 2 < below.min()
    label = np.nonzero((bare[:H] > 100).any(axis=1))[0]
    assert rows.min() > label.max() or rows.max() < label.min()
