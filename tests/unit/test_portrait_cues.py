"""Cues in the text shape face and head, begin where their word does, and go on over hops, cuts and restarts."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from pipeline.arrays import Frames, silence
from pipeline.avatar import Avatar, load_avatar
from pipeline.engine import Job
from pipeline.engines.portrait.cues import AGAIN_FRAMES, GESTURES, LENGTH_S, Cue, at_work, gestures, taken
from pipeline.engines.portrait.engine import HOP_FRAMES, PortraitEngine
from pipeline.engines.portrait.motion import Pose, together
from pipeline.engines.portrait.state import PortraitState
from pipeline.errors import EngineError
from pipeline.media import AIR_SAMPLES, CUE, DRIVE_SAMPLES, FPS, WORD, Mark
from tts import markup

SIZE = (224, 384)
HOP = HOP_FRAMES * DRIVE_SAMPLES
HOP_AIR = HOP_FRAMES * AIR_SAMPLES
LONGEST = round(LENGTH_S * FPS) + 2


def cue(name: str, at: int = 0) -> Mark:
    return Mark(at, CUE, text=name)


def shown(name: str, frames: int = LONGEST) -> list[Pose]:
    """What a cue that begins on frame 10 adds to each frame."""
    return [together(gestures((Cue(name, 10),), frame)) for frame in range(10, 10 + frames)]


@pytest.fixture(scope="module")
def host() -> Avatar:
    return load_avatar(None, SIZE)


def run(avatar: Avatar, hops: Sequence[Sequence[Mark]], state: PortraitState | None = None) -> list[Frames]:
    engine = PortraitEngine()
    opened = engine.open(avatar, 5)
    state = state or opened
    found = []
    for marks in hops:
        made = engine.step([Job(state, silence(HOP), silence(0), marks)])[0]
        state = made.state
        found.append(made.frames)
    return found


def test_every_cue_that_a_text_may_hold_is_known() -> None:
    assert set(GESTURES) == set(markup.CUES)


@pytest.mark.parametrize("name", GESTURES)
def test_a_cue_comes_and_goes_without_a_jump(name: str) -> None:
    poses = np.array([Pose(), *shown(name)])
    assert not poses[-1].any()
    assert np.abs(poses).max() > 0.5
    sheet = poses[:, :9]
    assert np.abs(np.diff(sheet, axis=0)).max() < 0.75  # 2.3 pixels of a brow at 448x768
    assert np.abs(np.diff(poses[:, 9:], axis=0)).max() < 0.75  # eyes jump, as eyes do, in two frames


def test_a_smile_lasts_two_seconds_and_a_half_with_soft_ends() -> None:
    smiles = [pose.smile for pose in shown("smile")]
    assert 2.2 * FPS <= sum(value > 0.05 for value in smiles) <= 2.7 * FPS
    assert max(smiles) > 0.8
    assert max(abs(b - a) for a, b in pairwise(smiles)) < 0.2


def test_surprise_raises_brows_and_lids_and_draws_the_head_back_for_a_good_second() -> None:
    poses = shown("surprised")
    peak = max(poses, key=lambda pose: pose.brows)
    assert peak.brows > 1.5 and peak.wide > 0.7 and peak.y < 0 and peak.pitch < 0
    assert 1.0 * FPS <= sum(pose.brows > 0.05 for pose in poses) <= 1.3 * FPS


def test_a_nod_goes_down_twice_and_the_second_time_less() -> None:
    pitch = [pose.pitch for pose in shown("nod")]
    tops = [b for a, b, c in zip(pitch, pitch[1:], pitch[2:], strict=False) if a < b >= c]
    assert len(tops) == 2 and tops[0] > 1.3 * tops[1] > 0
    assert min(pitch) >= 0


def test_at_the_card_eyes_look_first_and_come_back_first() -> None:
    poses = shown("look at card")
    eyes = [frame for frame, pose in enumerate(poses) if pose.gaze_x > 0.3]
    head = [frame for frame, pose in enumerate(poses) if pose.yaw > 0.6]
    assert eyes[0] + 3 <= head[0] and eyes[-1] + 3 <= head[-1]
    assert max(pose.gaze_y for pose in poses) > 0.3


def test_left_is_right_mirrored() -> None:
    for left, right in zip(shown("point left"), shown("point right"), strict=True):
        mirrored = right._replace(**{name: -getattr(right, name) for name in ("x", "roll", "yaw", "lean", "gaze_x")})
        assert left == mirrored
    peak = max(shown("point left"), key=lambda pose: abs(pose.lean))
    assert peak.lean < -0.5 and peak.yaw < -1 and peak.gaze_x < -0.4


def test_cues_of_several_kinds_add_up_and_stay_within_what_the_picture_bears() -> None:
    cues = tuple(Cue(name, 0) for name in GESTURES)
    poses = np.array([together(gestures(cues, frame)) for frame in range(LONGEST)])
    assert np.abs(poses).max() <= 3.0
    both = together(gestures((Cue("smile", 0), Cue("nod", 0)), 8))
    assert both.smile > 0.5 and both.pitch > 0.5


def test_the_same_cue_again_goes_on_without_a_jump() -> None:
    cues = (Cue("smile", 0), Cue("smile", 30))
    smiles = [together(gestures(cues, frame)).smile for frame in range(30 + LONGEST)]
    assert min(smiles[10:70]) > 0.5
    assert max(abs(b - a) for a, b in pairwise(smiles)) < 0.2


def test_a_cue_is_taken_in_its_own_hop_and_once() -> None:
    marks = [cue("smile", HOP_AIR), cue("nod", HOP_AIR - 1), cue("nod", -1), cue("wave"), Mark(0, WORD, text="smile")]
    now = taken((), marks, 100, HOP_FRAMES)
    assert now == (Cue("nod", 100 + HOP_FRAMES - 1),)
    following = [mark.moved(-HOP_AIR) for mark in marks]
    assert taken(now, following, 100 + HOP_FRAMES, HOP_FRAMES) == (*now, Cue("smile", 100 + HOP_FRAMES))


def test_a_flood_of_one_cue_is_one_cue_and_old_ones_are_forgotten() -> None:
    cues: tuple[Cue, ...] = ()
    for frame in range(0, 1000, HOP_FRAMES):
        cues = taken(cues, [cue("smile", at) for at in range(0, HOP_AIR, 100)], frame, HOP_FRAMES)
        cues = at_work(cues, frame + HOP_FRAMES)
        assert len(cues) <= LENGTH_S * FPS / AGAIN_FRAMES + 1
    assert at_work(cues, 1000 + LONGEST) == ()


def test_a_cue_that_lies_ahead_changes_nothing_yet(host: Avatar) -> None:
    plain = run(host, [[], []])
    ahead = run(host, [[cue("surprised", HOP_AIR)], [cue("surprised", 0)]])
    assert np.array_equal(ahead[0], plain[0])
    assert not np.array_equal(ahead[1], plain[1])


def test_a_cue_goes_on_over_hops_and_ends(host: Avatar) -> None:
    hops = LONGEST // HOP_FRAMES + 2
    plain, smiling = run(host, [[]] * hops), run(host, [[cue("smile")], *[[]] * (hops - 1)])
    same = [np.array_equal(one, other) for one, other in zip(plain, smiling, strict=True)]
    assert not any(same[:12]) and same[-1]


def test_a_state_of_before_cues_is_refused_by_name(host: Avatar) -> None:
    engine = PortraitEngine()
    data = engine.save(engine.open(host, 5))
    old = data.replace(b"\xa7version\x02", b"\xa7version\x01")
    assert old != data
    with pytest.raises(EngineError, match="another version"):
        engine.restore(host, old)
