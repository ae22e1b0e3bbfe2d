from __future__ import annotations

from streams.outputs import NONE_LIVE_S, OutputState, heard_ms


def state(audio_ms: int, live: bool = True, connected: bool = True) -> OutputState:
    return OutputState("live" if live else "backing-off", audio_ms, 1, 0, connected)


def heard(ack: str = "any", when: str = "go_on", none_live_s: float = 0.0, **states: OutputState) -> int:
    return heard_ms(states, ack, when, 9000, none_live_s)


def test_any_is_the_furthest_live_output() -> None:
    assert heard(a=state(100), b=state(200), c=state(900, live=False)) == 200


def test_an_output_whose_pusher_is_gone_is_not_live() -> None:
    assert heard(a=state(100), b=state(900, connected=False)) == 100


def test_all_waits_for_the_last_output_also_for_one_that_is_down() -> None:
    assert heard("all", a=state(100), b=state(50, live=False)) == 50
    assert heard("all", a=state(100), b=OutputState()) == -1


def test_a_name_counts_alone() -> None:
    assert heard("b", a=state(100), b=state(70)) == 70


def test_a_name_that_was_taken_away_counts_for_nothing() -> None:
    assert heard("gone", a=state(100)) == -1


def test_without_outputs_what_is_encoded_is_heard() -> None:
    assert heard() == 9000
    assert heard("all", "pause") == 9000


def test_when_no_output_is_live_the_show_goes_on_after_five_seconds() -> None:
    down = state(100, live=False)
    assert heard("any", "go_on", NONE_LIVE_S - 0.1, a=down) == 100
    assert heard("any", "go_on", NONE_LIVE_S, a=down) == 9000
    assert heard("all", "go_on", NONE_LIVE_S, a=down) == 9000


def test_pause_stays_at_what_was_heard_last() -> None:
    assert heard("any", "pause", 60.0, a=state(100, live=False), b=state(90, live=False)) == 100
