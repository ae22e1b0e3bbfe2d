"""Credits, epochs, cuts, and which engine is asked."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from pipeline.clock import NS
from pipeline.errors import WireError
from pipeline.media import AIR_SAMPLES, SENTENCE, SENTENCE_END, WORD, Mark
from pipeline.wire import Demand, EngineBye, EngineHello, Segment
from streams.buffer import CHANGE_NS, Buffer
from streams.feed import ANSWER_NS, marks_by_frame

W, H = 16, 8
LOUD = 10_000


def hello(engine: str = "a", incarnation: int = 1, hop: int = 5, **changes: object) -> EngineHello:
    return msgspec.structs.replace(EngineHello(engine, incarnation, W, H, hop, 1), **changes)


def answer(demand: Demand, sequence: int, hop: int = 5, **changes: object) -> tuple[Segment, list[memoryview]]:
    segment = Segment(
        engine=demand.engine,
        incarnation=demand.incarnation,
        epoch=demand.epoch,
        credit=demand.credit,
        sequence=sequence,
        timeline=demand.timeline,
        hop_frames=hop,
        width=W,
        height=H,
        speech=True,
        render_ms=1,
    )
    frames = np.full((hop, H * 3 // 2, W), sequence % 200, np.uint8)
    pcm = np.full(hop * AIR_SAMPLES, LOUD, np.int16)
    return msgspec.structs.replace(segment, **changes), [memoryview(frames.tobytes()), memoryview(pcm.tobytes())]


def joined(hop: int = 5, timeline: int = 0) -> Buffer:
    buffer = Buffer(["a", "b"], W, H, epoch=100, timeline=timeline)
    buffer.hello(hello(hop=hop))
    return buffer


def the_demand(buffer: Buffer, now_ns: int = 0) -> Demand:
    (demand,) = buffer.demands(now_ns)
    return demand


def filled(buffer: Buffer, segments: int, hop: int = 5, first: int = 0) -> None:
    for sequence in range(first, first + segments):
        while buffer.frames > max(hop, 5):
            buffer.take()
        assert buffer.accept(*answer(the_demand(buffer), sequence, hop))


def test_one_credit_is_outstanding_and_asked_for_at_the_mark() -> None:
    buffer = joined()
    first = the_demand(buffer)
    assert (first.epoch, first.credit, first.shown, first.slack_frames, first.after) == (101, 1, -1, 0, True)
    assert buffer.demands(0) == []
    buffer.accept(*answer(first, 0))
    second = the_demand(buffer)  # five frames are the mark
    assert (second.epoch, second.credit, second.slack_frames, second.after) == (101, 2, 5, False)
    buffer.accept(*answer(second, 1))
    assert buffer.demands(0) == []
    for _ in range(5):
        assert buffer.take() is not None
    assert the_demand(buffer).shown == 0


def test_a_lost_credit_is_put_again_unchanged() -> None:
    buffer = joined()
    first = the_demand(buffer)
    assert buffer.demands(ANSWER_NS - 1) == []
    assert the_demand(buffer, ANSWER_NS) == first
    assert buffer.demands(ANSWER_NS + 1) == []


def test_a_hello_said_again_puts_the_demand_again() -> None:
    buffer = joined()
    first = the_demand(buffer)
    assert buffer.hello(hello()) is False
    assert the_demand(buffer, 1) == first


@pytest.mark.parametrize(
    "change",
    [
        {"width": 18},
        {"hop_frames": 4},
        {"sequence": -1},
        {"sequence": 2**63},
        {"marks": [Mark(5 * AIR_SAMPLES, WORD)]},
        {"marks": [Mark(-1, WORD)]},
        {"marks": [Mark(0, WORD, text="x" * 5000)]},
        {"marks": [Mark(0, WORD)] * 1001},
    ],
)
def test_a_wrong_segment_is_counted_and_the_engine_set_back_after_a_while(change: dict[str, object]) -> None:
    buffer = joined()
    filled(buffer, 1)
    demand = the_demand(buffer)
    segment, buffers = answer(demand, 1)
    with pytest.raises(WireError):
        buffer.accept(msgspec.structs.replace(segment, **change), buffers)
    assert (buffer.bad, buffer.frames) == (1, 5)
    assert buffer.accept(segment, buffers) is False  # the credit is void
    assert buffer.demands(1) == []  # an engine that is always wrong is not asked in a loop
    again = the_demand(buffer, 5 * 40_000_000 + ANSWER_NS)
    assert (again.epoch, again.credit, again.shown) == (demand.epoch + 1, 1, 0)


@pytest.mark.parametrize("sizes", [(0, 0), (1, 0), (0, 1), (-1, 0), (0, -2)])
def test_buffers_of_another_length_are_wrong(sizes: tuple[int, int]) -> None:
    buffer = joined()
    segment, buffers = answer(the_demand(buffer), 0)
    odd = [memoryview(bytes(len(one) + more)) for one, more in zip(buffers, sizes, strict=True)]
    if sizes == (0, 0):
        odd.pop()
    with pytest.raises(WireError):
        buffer.accept(segment, odd)


def test_what_answers_an_older_credit_epoch_or_incarnation_is_stale() -> None:
    buffer = joined()
    demand = the_demand(buffer)
    for change in ({"credit": 0}, {"epoch": 100}, {"incarnation": 0}, {"engine": "b"}, {"engine": "?"}):
        segment, buffers = answer(demand, 0)
        assert buffer.accept(msgspec.structs.replace(segment, **change), buffers) is False
    assert (buffer.stale, buffer.bad, buffer.frames) == (5, 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"engine": "c"},
        {"width": 20},
        {"hop_frames": 0},
        {"hop_frames": 10**9},
        {"overlap_frames": 6},
        {"overlap_frames": -1},
    ],
)
def test_an_engine_that_does_not_fit_is_refused(change: dict[str, object]) -> None:
    buffer = Buffer(["a"], W, H, 0, 0)
    with pytest.raises(WireError):
        buffer.hello(hello(**change))
    assert buffer.demands(0) == []


def test_an_engine_that_leaves_is_followed_at_once_and_what_was_ready_is_still_shown() -> None:
    buffer = joined()
    buffer.hello(hello("b", 7))
    filled(buffer, 1)
    assert buffer.bye(EngineBye("a", 1)) and not buffer.bye(EngineBye("a", 1))
    demand = the_demand(buffer)
    assert (demand.engine, demand.shown, demand.after, buffer.frames) == ("b", -1, True, 5)
    assert buffer.accept(*answer(demand, 0)) and buffer.engine == "b"


def test_when_the_last_engine_leaves_nobody_is_asked_until_one_comes() -> None:
    buffer = joined()
    filled(buffer, 1)
    on_air = buffer.take()
    assert on_air is not None and not buffer.bye(EngineBye("a", 2)), "another incarnation than the one that is there"
    assert buffer.bye(EngineBye("a", 1)) and buffer.demands(0) == [] and buffer.engine == ""
    assert buffer.may_continue(on_air.lineage), "four frames are left of it"
    assert buffer.hello(hello(incarnation=2)) and the_demand(buffer).incarnation == 2


def test_an_engine_that_knocks_while_it_waits_for_speech_is_asked_again_and_keeps_the_air() -> None:
    buffer = joined()
    buffer.hello(hello("b", 7))
    first = the_demand(buffer)
    assert not buffer.hello(hello())
    again = the_demand(buffer)
    assert (again.engine, again.credit) == (first.engine, first.credit) == ("a", 1)
    assert buffer.demands(0) == [] and buffer.engine == "a"
    assert {demand.engine for demand in buffer.demands(10**10)} >= {"b"}, "its time was not made longer by that"


def test_an_engine_that_is_preferred_waits_for_the_end_of_the_sentence() -> None:
    buffer = Buffer(["a", "b"], W, H, epoch=100, timeline=0)
    buffer.hello(hello("b", 7))
    assert buffer.accept(*answer(the_demand(buffer), 0, marks=[Mark(0, SENTENCE, "u", 0, "A mug.")]))
    assert buffer.hello(hello("a")) and buffer.engine == "b"
    demand = the_demand(buffer)
    assert demand.engine == "b"
    assert buffer.accept(*answer(demand, 1, marks=[Mark(5 * AIR_SAMPLES, SENTENCE_END, "u", 0)]))
    demand = the_demand(buffer)
    assert (demand.engine, demand.after, buffer.frames) == ("a", True, 10)


def test_a_sentence_without_end_does_not_keep_the_engine_that_is_preferred_away() -> None:
    buffer = Buffer(["a", "b"], W, H, epoch=100, timeline=0)
    buffer.hello(hello("b", 7))
    assert buffer.accept(*answer(the_demand(buffer), 0, marks=[Mark(0, SENTENCE, "u", 0, "A mug.")]))
    buffer.hello(hello("a"))
    assert the_demand(buffer, 0).engine == "b"
    while buffer.take():
        pass
    assert next(iter(buffer.demands(CHANGE_NS))).engine == "a"


def test_a_new_incarnation_gets_a_new_epoch_and_what_was_ready_is_still_shown() -> None:
    buffer = joined()
    filled(buffer, 2)
    old = buffer.take()
    assert old is not None and buffer.hello(hello(incarnation=2))
    demand = the_demand(buffer)
    assert (demand.incarnation, demand.epoch, demand.credit, demand.shown) == (2, 102, 1, -1)
    assert buffer.may_continue(old.lineage)
    ready = buffer.frames
    buffer.accept(*answer(demand, 0))
    takes = [buffer.take() for _ in range(ready + 1)]
    assert all(take is not None and take.lineage == old.lineage and not take.fresh for take in takes[:ready])
    assert takes[ready] is not None and takes[ready].fresh
    assert not buffer.may_continue(old.lineage)


def test_a_cut_finishes_the_picture_of_a_short_hop_without_its_voice() -> None:
    buffer = joined()
    filled(buffer, 2)
    buffer.take()  # 4 frames of segment 0 and segment 1 are ready
    assert buffer.cut(9)
    assert buffer.frames == 4
    demand = the_demand(buffer)
    assert (demand.epoch, demand.credit, demand.shown, demand.shown_frames) == (102, 1, 0, 5)
    assert (demand.timeline, demand.slack_frames) == (9, 4)
    pcm = np.concatenate([take.pcm for take in iter(buffer.take, None)])
    assert pcm[0] == LOUD and np.all(np.diff(pcm[: 2 * AIR_SAMPLES].astype(int)) <= 0)
    assert not pcm[2 * AIR_SAMPLES :].any()  # 80 ms


def test_a_cut_near_the_end_of_a_hop_keeps_the_next_so_that_the_engine_has_time() -> None:
    buffer = joined()
    filled(buffer, 2)
    for _ in range(4):
        buffer.take()
    buffer.cut(1)
    assert buffer.frames == 6
    assert the_demand(buffer).shown == 1
    takes = list(iter(buffer.take, None))
    assert not np.concatenate([take.pcm for take in takes])[2 * AIR_SAMPLES :].any()


def test_a_cut_drops_a_long_hop_after_the_fade() -> None:
    buffer = joined(hop=28)
    filled(buffer, 1, hop=28)
    for _ in range(10):
        buffer.take()
    buffer.cut(1)
    demand = the_demand(buffer)
    assert (demand.shown, demand.shown_frames, demand.slack_frames) == (0, 12, 2)
    pcm = np.concatenate([take.pcm for take in iter(buffer.take, None)])
    assert len(pcm) == 2 * AIR_SAMPLES and pcm[-1] == 0


def test_a_cut_that_was_known_changes_nothing_and_puts_the_demand_again() -> None:
    buffer = joined()
    filled(buffer, 2)
    buffer.take()
    buffer.cut(3)
    demand = the_demand(buffer)
    assert buffer.cut(3) is False and buffer.cut(2) is False
    assert the_demand(buffer, 1) == demand


def test_marks_go_with_the_frame_of_their_sound() -> None:
    rows = marks_by_frame([Mark(0, WORD), Mark(1920, WORD), Mark(1920, SENTENCE_END), Mark(9600, SENTENCE_END)], 5)
    assert [[mark.at for mark in row] for row in rows] == [[0, 1920], [0], [], [], [1920]]


def test_marks_of_a_cut_voice_are_not_reported() -> None:
    buffer = joined()
    segment, buffers = answer(the_demand(buffer), 0, marks=[Mark(0, WORD), Mark(9600, SENTENCE_END)])
    buffer.accept(segment, buffers)
    first = buffer.take()
    assert first is not None and first.marks
    buffer.cut(1)
    assert not any(take.marks for take in iter(buffer.take, None))


def test_the_second_engine_is_asked_when_the_first_is_silent_and_the_first_again_when_it_answers() -> None:
    buffer = joined()
    buffer.hello(hello("b", 7))
    asked = the_demand(buffer)
    assert asked.engine == "a"
    late = ANSWER_NS
    both = {demand.engine: demand for demand in buffer.demands(late)}
    assert set(both) == {"a", "b"}
    assert buffer.accept(*answer(asked, 0)) is False  # of the epoch before
    assert buffer.accept(*answer(both["b"], 0))
    assert buffer.engine == "b"
    buffer.take()
    assert buffer.accept(*answer(both["a"], 1))
    assert buffer.engine == "a"
    assert [take.lineage.engine for take in iter(buffer.take, None)] == ["b"] * 4 + ["a"] * 5
    assert [demand.engine for demand in buffer.demands(late)] == ["a"]


def test_nothing_is_asked_for_while_halted() -> None:
    buffer = joined()
    filled(buffer, 1)
    outstanding = the_demand(buffer)
    buffer.halt()
    assert buffer.take() is None and buffer.demands(100 * NS) == []
    assert buffer.accept(*answer(outstanding, 1)) is False
    buffer.resume()
    assert the_demand(buffer).epoch > outstanding.epoch


def test_random_messages_never_break_the_buffer() -> None:
    rng = np.random.default_rng(1)
    buffer = joined()
    demand = the_demand(buffer)
    for step in range(3000):
        segment, buffers = answer(demand, step)
        fields = {
            name: int(rng.integers(-3, 2**40))
            for name in ("epoch", "credit", "sequence", "hop_frames", "width", "height", "incarnation")
            if rng.random() < 0.3
        }
        if rng.random() < 0.3:
            buffers = [one[: int(rng.integers(0, len(one)))] for one in buffers]
        try:
            buffer.accept(msgspec.structs.replace(segment, **fields), buffers)
        except WireError:
            pass
        buffer.take()
        if due := buffer.demands(step * 40_000_000):
            demand = due[0]
        assert 0 <= buffer.frames <= 10
