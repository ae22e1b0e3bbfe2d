"""How long a sentence will be, before it has sound."""

from __future__ import annotations

import pytest

from broadcaster.pace import KEPT, Pace
from pipeline.media import AIR_HZ


def test_a_first_guess_is_that_of_a_usual_voice() -> None:
    assert 2.0 < Pace().seconds("This sentence is spoken in three seconds.") < 4.0
    assert 2.0 < Pace().seconds("这句话大约需要三秒钟。") < 4.0


def test_the_rate_is_that_of_the_last_sentences() -> None:
    pace = Pace()
    for _ in range(KEPT):
        pace.made("x" * 100, 5 * AIR_HZ)
    for _ in range(KEPT):
        pace.made("x" * 100, 10 * AIR_HZ)
    assert pace.seconds("y" * 50) == pytest.approx(5.0)


def test_no_sentence_lasts_no_time() -> None:
    pace = Pace()
    pace.made("", 0)
    assert pace.seconds("") > 0


def test_marks_are_no_letters_but_their_pauses_and_speeds_count() -> None:
    pace = Pace()
    for _ in range(KEPT):
        pace.made(f"[smile]{'x' * 100} [pause 5]", 10 * AIR_HZ)
    assert pace.seconds("y" * 100) == pytest.approx(5.0, rel=0.02)
    assert pace.seconds(f"[speed 0.5]{'y' * 100}[/speed][pause 2]") == pytest.approx(12.0, rel=0.02)
