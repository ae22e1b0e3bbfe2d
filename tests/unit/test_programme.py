"""live → hold → slate: what viewers see when something is missing."""

from __future__ import annotations

import numpy as np

from pipeline.media import AIR_SAMPLES
from streams.buffer import Take
from streams.feed import Lineage
from streams.programme import FADE_FRAMES, FREEZE_FRAMES, REPEAT_FRAMES, Programme, Shot, cross_fade

W, H = 16, 8


def picture(y: int) -> np.ndarray:
    return np.full((H * 3 // 2, W), y, np.uint8)


def take(y: int, level: int = 0, fresh: bool = False, engine: str = "a", epoch: int = 1) -> Take:
    return Take(picture(y), np.full(AIR_SAMPLES, level, np.int16), (), Lineage(engine, 1, epoch), fresh)


def programme(hold: bool = True) -> Programme:
    made = Programme(picture(20))
    if hold:
        made.hold = [picture(100), picture(104)]
    return made


def on_live(made: Programme, y: int = 200) -> Shot:
    for _ in range(FADE_FRAMES):
        shot = made.step(take(y))
    return shot


def levels(shots: list[Shot]) -> list[int]:
    return [int(shot.frame[0, 0]) for shot in shots]


def test_before_any_engine_there_is_the_slate() -> None:
    shots = [programme(hold=False).step(None) for _ in range(3)]
    assert levels(shots) == [20] * 3
    assert {shot.source for shot in shots} == {"slate"}
    assert not any(shot.pcm.any() for shot in shots)


def test_live_fades_in_over_eight_frames_and_then_is_untouched() -> None:
    made = programme()
    on = [made.step(take(200)) for _ in range(FADE_FRAMES)]
    assert levels(on) == sorted(levels(on)) and levels(on)[0] < 50 and levels(on)[-1] == 200
    one = take(201)
    assert made.step(one).frame is one.frame


def test_another_engine_fades_in_and_a_cut_of_the_same_one_does_not() -> None:
    made = programme()
    on_live(made, 200)
    assert levels([made.step(take(204, epoch=2))]) == [204], "a cut goes on from the picture on air"
    over = [made.step(take(100, fresh=True, engine="b")) for _ in range(FADE_FRAMES)]
    assert levels(over) == sorted(levels(over), reverse=True) and levels(over)[-1] == 100
    assert max(abs(np.diff([204, *levels(over)]))) <= 20 and {shot.source for shot in over} == {"live"}


def test_the_loop_of_another_engine_fades_in_while_hold_is_on_air() -> None:
    made = programme()
    on_live(made, 100)
    for _ in range(REPEAT_FRAMES + FADE_FRAMES + 2):
        before = made.step(None)
    made.hold = [picture(200)]
    over = [levels([before])[0], *levels([made.step(None) for _ in range(FADE_FRAMES)])]
    assert over == sorted(over) and over[-1] == 200 and max(np.diff(over)) <= 20
    assert levels([made.step(None)]) == [200]


def test_a_late_segment_repeats_a_picture_and_does_not_fade_to_hold() -> None:
    made = programme()
    on_live(made)
    late = [made.step(None) for _ in range(REPEAT_FRAMES)]
    assert levels(late) == [200] * REPEAT_FRAMES
    assert all(shot.repeated and shot.source == "live" for shot in late)
    assert levels([made.step(take(200))]) == [200]


def test_starving_goes_to_hold_and_back_without_a_jump() -> None:
    made = programme()
    shots = [on_live(made)]
    shots += [made.step(None) for _ in range(40)]
    assert shots[-1].source == "hold"
    shots += [made.step(take(200)) for _ in range(10)]
    assert shots[-1].source == "live"
    steps = np.abs(np.diff(levels(shots)))
    assert steps.max() <= 100 / FADE_FRAMES + 6
    assert set(levels(shots[20:40])) == {100, 104}  # the loop goes round


def test_a_change_in_the_middle_of_a_fade_begins_where_the_eye_is() -> None:
    made = programme()
    on_live(made)
    shots = [made.step(None) for _ in range(REPEAT_FRAMES + 4)]
    shots += [made.step(take(200)) for _ in range(FADE_FRAMES)]
    assert np.abs(np.diff(levels(shots))).max() <= 100 / FADE_FRAMES + 6
    assert levels(shots)[-1] == 200


def test_without_a_hold_loop_the_picture_stands_for_a_second() -> None:
    made = programme(hold=False)
    on_live(made)
    shots = [made.step(None) for _ in range(FREEZE_FRAMES + FADE_FRAMES)]
    assert levels(shots[:FREEZE_FRAMES]) == [200] * FREEZE_FRAMES
    assert shots[-1].source == "slate" and levels(shots)[-1] == 20


def test_panic_is_slate_and_mute_within_200_ms() -> None:
    made = programme()
    on_live(made)
    made.step(take(200, level=8000))
    made.panic = True
    shots = [made.step(take(200, level=8000)) for _ in range(5)]
    assert levels(shots)[-1] == 20 and {shot.source for shot in shots} == {"slate"}
    assert not shots[1].pcm.any()
    made.panic = False
    assert made.step(take(200)).source == "live"


def test_sound_that_ends_or_begins_does_not_click() -> None:
    made = programme()
    made.step(take(200, level=8000, fresh=True))
    for shot in (made.step(None), made.step(take(200, level=-8000, fresh=True))):
        assert np.abs(np.diff(shot.pcm.astype(int))).max() < 100


def test_every_slot_has_a_picture_and_1920_samples_whatever_comes() -> None:
    rng = np.random.default_rng(0)
    made = programme(hold=False)
    for step in range(2000):
        if step == 500:
            made.hold = [picture(100)]
        made.panic = bool(rng.random() < 0.05)
        shot = made.step(take(int(rng.integers(16, 236)), 100, True) if rng.random() < 0.5 else None)
        assert shot.frame.shape == (H * 3 // 2, W) and shot.frame.dtype == np.uint8
        assert shot.pcm.shape == (AIR_SAMPLES,) and shot.pcm.dtype == np.int16


def test_a_cross_fade_ends_where_it_should() -> None:
    assert cross_fade(picture(255), picture(255), 3, 8).max() == 255
    assert int(cross_fade(picture(0), picture(200), 4, 8)[0, 0]) == 100


def test_after_a_death_viewers_see_the_picture_that_stood_still_move_on() -> None:
    made = Programme(picture(20), last=picture(180))
    made.hold = [picture(100)]
    shots = [made.step(None) for _ in range(FADE_FRAMES)]
    assert shots[0].source == "hold" and levels(shots)[0] > 160 and levels(shots)[-1] == 100
    assert levels(shots) == sorted(levels(shots), reverse=True)
    made = Programme(picture(20), last=picture(180))
    shots = [made.step(take(200)) for _ in range(FADE_FRAMES)]
    assert shots[0].source == "live" and levels(shots) == sorted(levels(shots)) and levels(shots)[0] > 180
    made = Programme(picture(20), last=picture(180))
    shots = [made.step(None) for _ in range(FADE_FRAMES)]
    assert shots[0].source == "slate" and levels(shots)[0] > 150 and levels(shots)[-1] == 20


def test_a_notice_stands_in_the_slates_place_during_a_panic_only() -> None:
    made = programme()
    on_live(made)
    made.notice = picture(60)
    made.panic = True
    assert levels([made.step(None) for _ in range(5)])[-1] == 60
    made.panic = False
    made.hold = None
    assert levels([made.step(None) for _ in range(FREEZE_FRAMES)])[-1] == 20
