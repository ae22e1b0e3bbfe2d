from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import zmq

from pipeline import link
from pipeline.errors import WireError
from pipeline.lifeline import Lifeline, LineClosed
from pipeline.media import WORD, Mark, Position
from pipeline.wire import (
    AudioChunk,
    Beat,
    Demand,
    Drain,
    Headers,
    PusherHello,
    Sent,
    Spec,
    SpeechDemand,
    Tag,
    decode,
    decode_any,
    encode,
)


def demand(credit: int = 1) -> Demand:
    return Demand(engine="a", incarnation=1, epoch=1, credit=credit, shown=-1, slack_frames=5, timeline=0)


def test_a_message_comes_out_as_it_went_in() -> None:
    chunk = AudioChunk(1, 2, 3, 9600, 0, [Mark(5, WORD, "u", 1, "hello", 20)], Position("u", 1, 9600))
    assert decode(encode(chunk), AudioChunk) == chunk
    tag = Tag(kind=9, ms=2**40, key=True, data=b"\x00\xff")
    assert decode_any(encode(tag)) == tag


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", encode(Drain(1.0))[:-1], b"\x93\x01\x02\x03"])
def test_garbage_is_a_wire_error(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(data, Demand)


def test_pushers_and_playouts_of_two_versions_understand_one_another() -> None:
    """An upgrade leaves the pushers as they are: what they say and hear changes by optional fields only."""
    needed = {
        kind.__name__: [one.name for one in msgspec.structs.fields(kind) if one.required]
        for kind in (PusherHello, Headers, Tag, Sent)
    }
    assert needed == {
        "PusherHello": ["output", "pid"],
        "Headers": ["flv", "metadata", "video", "audio"],
        "Tag": ["kind", "ms", "key", "data"],
        "Sent": ["audio_ms", "state", "connects"],
    }
    of_tomorrow = msgspec.msgpack.encode({"type": "Tag", "kind": 9, "ms": 1, "key": True, "data": b"", "more": 1})
    assert decode(of_tomorrow, Tag) == Tag(9, 1, True, b"")


def test_the_wrong_message_is_named() -> None:
    with pytest.raises(WireError, match="expected Demand, got Drain"):
        decode(encode(Drain(1.0)), Demand)


def test_a_returning_dealer_takes_its_predecessors_place(short_dir: Path) -> None:
    context = zmq.Context()
    router = link.bind(context, short_dir, link.FRAMES)
    first = link.connect(context, short_dir, link.FRAMES, "engine")
    assert link.send(first, demand(1), b"pixels")
    assert router.poll(2000)
    parts = link.receive(router)
    assert parts is not None and bytes(parts[0]) == b"engine" and bytes(parts[2]) == b"pixels"
    second = link.connect(context, short_dir, link.FRAMES, "engine")
    assert link.send(second, demand(2))
    assert router.poll(2000)
    link.receive(router)
    assert link.send(router, demand(3), to=b"engine")
    assert second.poll(2000) and not first.poll(50)
    context.destroy(linger=0)


def test_sending_to_nobody_returns_at_once(short_dir: Path) -> None:
    context = zmq.Context()
    dealer = link.connect(context, short_dir, link.SPEECH, "engine")
    results = [link.send(dealer, SpeechDemand("e", 1, n, 0, 9600, 0)) for n in range(link.HIGH_WATER + 3)]
    assert results[0] and not results[-1]
    context.destroy(linger=0)


def test_the_lifeline_carries_the_section_first_and_ends_with_its_parent() -> None:
    ours, theirs = Lifeline.pair()
    child = Lifeline(theirs)
    assert ours.send(Spec(child="playout", kind="playout", spec={"width": 448}))
    assert child.spec().spec == {"width": 448}
    child.beat("ready", busy=True, encoded=7)
    assert ours.poll() == [Beat(phase="ready", busy=True, facts={"encoded": 7})]
    ours.send(Drain(2.0))
    ours.close()
    assert child.poll() == [Drain(2.0)]
    with pytest.raises(LineClosed):
        child.poll()


def test_a_command_that_comes_with_the_section_is_not_lost() -> None:
    ours, theirs = Lifeline.pair()
    ours.send(Spec(child="playout", kind="playout", spec={}))
    ours.send(Drain(1.0))
    child = Lifeline(theirs)
    assert child.spec().child == "playout"
    assert child.poll() == [Drain(1.0)] and child.poll() == []


def test_a_full_lifeline_drops_beats_and_never_blocks() -> None:
    ours, theirs = Lifeline.pair()
    child = Lifeline(theirs)
    taken = [child.send(Beat(phase="ready", facts={"x": "y" * 10_000})) for _ in range(500)]
    assert taken[0] and not taken[-1]
    assert len(ours.poll()) == sum(taken)


def test_a_child_without_a_section_says_so() -> None:
    ours, theirs = Lifeline.pair()
    ours.close()
    with pytest.raises(LineClosed):
        Lifeline(theirs).spec()


def test_the_vocabulary_of_a_pusher_is_light() -> None:
    heavy = ("numpy", "av", "zmq", "torch", "redis")
    code = f"import sys, pipeline.wire, pipeline.lifeline; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.replace(b"ready", b"\x96eady"),  # no UTF-8
        lambda data: data.replace(b"\x91\x01", b"\x91" * 100_000 + b"\x01"),  # lists in lists, beyond any stack
        lambda data: data[:-1],
        lambda data: b"",
    ],
)
def test_bytes_that_are_no_text_and_no_end_are_wire_errors(spoil: Callable[[bytes], bytes]) -> None:
    data = spoil(encode(Beat("ready", facts={"a": [1]})))
    with pytest.raises(WireError):
        decode_any(data)
    with pytest.raises(WireError):
        decode(data, Beat)
