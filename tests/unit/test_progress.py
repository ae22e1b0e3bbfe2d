"""What a person reads while a long piece of work goes on."""

import io

from broadcaster.render.progress import Bar, Lines
from pipeline.clock import FakeClock


def test_a_log_gets_a_line_now_and_then_with_pace_and_time_left() -> None:
    out, clock = io.StringIO(), FakeClock()
    lines = Lines(out, clock)
    lines.begin("drawing", 60)
    for second in range(1, 11):
        clock.advance(1)
        lines.reach(second * 6)
    assert out.getvalue().splitlines() == [
        "drawing: 60 s",
        "drawing: 50 %, 6.0× real time, 5 s left",
        "drawing: 100 %, 6.0× real time",
    ]


def test_what_an_earlier_process_did_does_not_count_as_pace() -> None:
    out, clock = io.StringIO(), FakeClock()
    lines = Lines(out, clock)
    lines.begin("drawing", 100, done=80)
    clock.advance(10)
    lines.reach(90)
    assert out.getvalue().splitlines()[1] == "drawing: 90 %, 1.0× real time, 10 s left"


def test_a_length_that_nobody_knows_is_no_division_by_zero() -> None:
    out, clock = io.StringIO(), FakeClock()
    for shown in (Lines(out, clock), Bar(io.StringIO(), clock)):
        shown.begin("reading", 0)
        clock.advance(6)
        shown.reach(12.0)
        shown.note("a [line] that stays")
        shown.close()
    assert "reading: 12 s" in out.getvalue()
