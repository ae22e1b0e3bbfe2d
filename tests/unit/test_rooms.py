"""Several rooms at one engine: each in time, none in another's way, and no more of them than it has time for."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from structlog.testing import capture_logs

from pipeline.clock import NS
from pipeline.engines.flashhead.engine import LiteEngine
from pipeline.errors import AvatarError, OutOfMemory
from pipeline.schedule import Waiting, chosen, refusal
from pipeline.wire import Drain
from pipeline.worker import FAILURES_MAX
from tests.rooms import POISON, House

REST_S = 10  # in the place of a minute
EASY_S = 0.02  # a step of 0.2 s of media: three rooms load the engine by 0.3
MakeHouse = Callable[..., House]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeHouse]:
    houses = []
    monkeypatch.setattr("pipeline.worker.REST_NS", REST_S * NS)

    def make(names: str = "abc", job_s: float = EASY_S, **more: object) -> House:
        houses.append(made := House(tmp_path, monkeypatch, names, job_s, **more))  # type: ignore[arg-type]
        made.worker.open()
        return made

    yield make
    for made in houses:
        made.close()


def in_time(house: House, names: str, segments: int) -> None:
    for name in names:
        room = house[name]
        assert len(room.segments) >= segments, f"{name}: {len(room.segments)} segments"
        assert room.late_s == [], f"{name}: late by {room.late_s}"


# ── who is drawn next ────────────────────────────────────────────────────────────────────────────


def waiting(seat: int, dry: int, shape: int = 1, takes: int = 10, is_ahead: bool = False) -> Waiting:
    return Waiting(seat, (shape, shape, 5), dry, takes, is_ahead)


@pytest.mark.parametrize(
    ("rooms", "first"),
    [
        ([], []),
        ([waiting(0, 50), waiting(1, 40), waiting(2, 60)], [1, 0, 2]),
        ([waiting(0, 25), waiting(1, 20), waiting(2, 60)], [1, 0]),
        ([waiting(0, 9), waiting(1, 90)], [0]),
        ([waiting(0, 40), waiting(1, 50, shape=2), waiting(2, 60)], [0, 2]),
        ([waiting(0, -999, is_ahead=True), waiting(1, 500)], [1]),
        ([waiting(0, -999, is_ahead=True)], [0]),
        ([waiting(0, 50, takes=30), waiting(1, 60, takes=30), waiting(2, 70, takes=15)], [0, 2]),
    ],
    ids=[
        "nobody waits",
        "who runs dry first goes first",
        "nobody comes along for whom the first would be late",
        "one that is late already is not kept waiting",
        "another shape waits for the next step",
        "who was given more than it can show goes last",
        "and is drawn when nobody else waits",
        "a shorter one fits where a longer one does not",
    ],
)
def test_the_next_step(rooms: list[Waiting], first: list[int]) -> None:
    assert chosen(rooms, 0) == first


def test_a_room_is_refused_for_which_there_is_no_time_but_never_the_first() -> None:
    assert not refusal(0.0, 3.0) and not refusal(0.45, 0.45)
    assert "0.60" in refusal(0.6, 0.4) and "1.00" in refusal(0.6, 0.4)


# ── in time ──────────────────────────────────────────────────────────────────────────────────────


def test_three_rooms_are_drawn_in_time_also_when_the_engine_has_hardly_any_left(house: MakeHouse) -> None:
    made = house(job_s=0.055)
    made.run(10)
    in_time(made, "abc", 48)
    assert made.beat()["rtf"] == pytest.approx(0.825, abs=0.01)


def test_rooms_that_wait_together_go_in_one_step_and_others_of_another_size_do_not(house: MakeHouse) -> None:
    made = house(sizes=[(128, 192), (128, 192), (192, 128)])
    for room in made.rooms:
        room.says = 7
    made.run(2)
    for _ in range(20):  # while one step takes long, others begin to wait
        made.engine.job_s = 0.1
        made.run(0.01)
        made.engine.job_s = EASY_S
        made.run(0.5)
    in_time(made, "abc", 40)
    assert max(made.engine.steps) == 2 and all(len(shapes) == 1 for shapes in made.engine.shapes)


def test_speech_and_silence_are_each_rooms_own(house: MakeHouse) -> None:
    made = house()
    made["b"].says = 900
    made.run(3)
    in_time(made, "abc", 10)
    assert [any(segment.speech for segment in room.segments) for room in made.rooms] == [False, True, False]


# ── nobody suffers from another ──────────────────────────────────────────────────────────────────


def troubled(made: House) -> None:
    """One room is fed garbage, killed and resumed, while the other two are on air."""
    second = made["b"]
    made.run(3)
    second.garbage = random.Random(4)
    made.run(5)
    second.says = POISON
    made.run(4)
    second.kill()
    made.run(15)
    second.garbage, second.says = None, None
    before = len(second.segments)
    second.resume()
    made.run(8)
    assert len(second.segments) > before, "it is back"


def test_a_room_that_is_fed_garbage_killed_and_resumed_makes_nobody_late(house: MakeHouse) -> None:
    made = house()
    troubled(made)
    in_time(made, "ac", 160)
    assert len(made["b"].segments) > 60


@pytest.mark.long
def test_three_rooms_at_one_tiny_lite_engine(house: MakeHouse, tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.tinymodel import write_head_dir

    folder = tmp_path_factory.mktemp("flashhead")
    model = write_head_dir(folder / "model")
    images = []
    for index in range(3):
        rows, columns = np.mgrid[0:192, 0:128]
        picture = np.stack([rows, columns, 255 - rows + 20 * index], 2).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"face{index}.png")
        images.append(str(folder / f"face{index}.png"))
    engine = LiteEngine(model, folder / "cache", device="cpu")
    made = house(job_s=0.2, engine=engine, images=images, sizes=[(64, 64)] * 3)
    troubled(made)
    in_time(made, "ac", 34)


def test_a_step_that_fails_is_made_again_room_by_room_and_who_fails_alone_begins_anew(house: MakeHouse) -> None:
    made = house()
    made.run(2)
    made["b"].says = POISON
    with capture_logs() as log:
        while len(made["b"].hellos) == 1:
            made.run(0.01)
        made["b"].says = None
        made.run(2)
    in_time(made, "ac", 15)
    assert len(made["b"].hellos) > 1 and not made["b"].byes
    assert [len(made[name].hellos) for name in "ac"] == [1, 1]
    events = [(line["event"], line.get("room")) for line in log if line["log_level"] == "error"]
    assert events and set(events) == {("room.reset", "b")}
    assert "it cannot hear this" in next(line["reason"] for line in log if line["event"] == "room.reset")


def test_a_room_that_fails_again_and_again_is_put_aside_with_the_reason_and_comes_back(house: MakeHouse) -> None:
    made = house()
    made.run(1)
    made["b"].says = POISON
    with capture_logs() as log:
        made.run(5)
    assert [bye.why for bye in made["b"].byes] == ["the engine fails at this room: ValueError: it cannot hear this"]
    assert [line["event"] for line in log if line["log_level"] == "error"] == [
        *["room.reset"] * (FAILURES_MAX - 1),
        "room.put_aside",
    ]
    assert made.beat()["rooms"]["b"]["aside"]
    made["b"].says = None
    before = len(made["b"].segments)
    made.run(REST_S + 5)
    assert len(made["b"].segments) > before
    in_time(made, "ac", 90)


def test_a_room_that_says_that_it_is_always_dry_gets_no_more_than_its_share(house: MakeHouse) -> None:
    made = house(job_s=0.05)
    made["b"].lies = True
    made.run(10)
    in_time(made, "ac", 45)


def test_a_picture_that_cannot_be_used_leaves_its_room_out_and_no_other(house: MakeHouse, tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"no picture")
    with capture_logs() as log:
        made = house(images=["", str(tmp_path / "torn.png"), ""])
    made.run(2)
    in_time(made, "ac", 8)
    assert not made["b"].hellos
    assert [(line["event"], line["room"]) for line in log if line["log_level"] == "error"] == [("room.left_out", "b")]


def test_an_engine_without_a_single_room_says_why(house: MakeHouse, tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match=r"gone\.png"):
        house("a", images=[str(tmp_path / "gone.png")])


@pytest.mark.parametrize("error", [RuntimeError("it is broken"), OutOfMemory("CUDA out of memory")])
def test_an_engine_that_can_draw_nobody_ends(house: MakeHouse, error: Exception) -> None:
    made = house()
    made.run(2)
    made.engine.error = error
    with pytest.raises(type(error), match=str(error)):
        made.run(2)


def test_an_engine_that_is_to_leave_says_farewell_to_every_room(house: MakeHouse) -> None:
    made = house()
    made.run(2)
    made.line.send(Drain(1.0))
    made.run(1)
    for room in made.rooms:
        room.turn()
        assert [bye.why for bye in room.byes] == [""]


# ── as many as there is time for ─────────────────────────────────────────────────────────────────


def test_a_room_for_which_there_is_no_time_is_refused_and_taken_when_another_is_gone(house: MakeHouse) -> None:
    made = house("abcd", job_s=0.055)
    with capture_logs() as log:
        made.run(5)
    refused = [room.name for room in made.rooms if room.byes]
    assert len(refused) == 1 and "1.10" in made[refused[0]].byes[0].why
    assert [line["room"] for line in log if line["event"] == "room.refused"] == refused
    others = [name for name in "abcd" if name not in refused]
    in_time(made, "".join(others), 20)
    made[others[0]].kill()
    made.run(25)
    assert made[refused[0]].segments and len(made[refused[0]].byes) == 1
    in_time(made, "".join(others[1:]), 140)
    made[others[0]].resume()
    made.run(5)
    assert made[others[0]].byes, "now there is no time for that one"
