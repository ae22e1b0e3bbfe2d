"""A process that stands by for a child: when there is one, and whom it follows."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broadcaster.children import Plan
from broadcaster.children import plan as plan_of
from broadcaster.config import parse
from broadcaster.standby import AGAIN_S, SETTLED_S, Standby
from pipeline.lifeline import Lifeline

WAITS = (sys.executable, "-c", "import sys; sys.stdin.buffer.read()")
ENDS = (sys.executable, "-c", "raise SystemExit(3)")


def plan(argv: tuple[str, ...] = WAITS, standby: bool = True) -> Plan:
    return Plan("director", "director", 0, {"loading": 10.0}, {"section": 1}, argv, standby=standby)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def standby() -> Iterator[Standby]:
    made = Standby()
    yield made
    made.dismiss()


def test_nobody_stands_by_for_a_child_that_has_just_begun(standby: Standby) -> None:
    standby.keep(plan(), SETTLED_S - 1, 100.0)
    assert standby.pid is None and standby.take() is None
    standby.keep(plan(), SETTLED_S, 101.0)
    assert standby.pid is not None


def test_one_is_enough_and_who_was_taken_is_followed_by_another(standby: Standby) -> None:
    standby.keep(plan(), SETTLED_S, 100.0)
    first = standby.pid
    standby.keep(plan(), SETTLED_S + 1, 101.0)
    assert standby.pid == first
    member = standby.take()
    assert member is not None and member.pid == first and standby.take() is None
    standby.keep(plan(), SETTLED_S, 102.0)
    assert standby.pid not in (None, first)
    member.kill()
    member.reap()


def test_one_that_ends_by_itself_is_not_begun_with_and_another_comes_a_minute_later(standby: Standby) -> None:
    standby.keep(plan(ENDS), SETTLED_S, 100.0)
    until(lambda: standby.keep(plan(ENDS), SETTLED_S, 100.0) or standby.pid is None)
    standby.keep(plan(), SETTLED_S, 100.0 + AGAIN_S - 1)
    assert standby.pid is None
    standby.keep(plan(), SETTLED_S, 100.0 + AGAIN_S)
    assert standby.pid is not None


def test_one_that_has_just_ended_is_not_taken(standby: Standby) -> None:
    standby.keep(plan(ENDS), SETTLED_S, 100.0)
    process = standby._member.process if standby._member else None
    assert process is not None
    until(lambda: process.poll() is not None)
    assert standby.take() is None


def test_one_that_was_stopped_is_ended_and_not_taken(standby: Standby) -> None:
    standby.keep(plan(), SETTLED_S, 100.0)
    process = standby._member.process if standby._member else None
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    until(lambda: standby._member and standby._member.is_stopped())
    assert standby.take() is None
    until(lambda: process.poll() is not None)


def test_a_plan_that_wants_none_any_more_ends_it(standby: Standby) -> None:
    standby.keep(plan(), SETTLED_S, 100.0)
    process = standby._member.process if standby._member else None
    assert process is not None
    standby.keep(plan(standby=False), SETTLED_S, 101.0)
    assert standby.pid is None
    until(lambda: standby.keep(plan(standby=False), SETTLED_S, 102.0) or process.returncode is not None)


def test_a_program_that_cannot_be_run_is_tried_again_a_minute_later(standby: Standby) -> None:
    standby.keep(plan(("/no/such/program",)), SETTLED_S, 100.0)
    assert standby.pid is None
    standby.keep(plan(), SETTLED_S, 100.0 + AGAIN_S)
    assert standby.pid is not None


@pytest.mark.parametrize(("more", "modules"), [({}, []), ({"guard": {}}, ["broadcaster.guard.guard"])])
def test_a_director_that_follows_in_a_guarded_room_does_not_read_the_guards_patterns_only_then(
    more: dict[str, dict[str, str]], modules: list[str]
) -> None:
    director = next(
        one for one in plan_of(parse({"room": "shop", **more}, "shop.yaml"), Path("/run/shop")) if one.standby
    )
    assert director.kind == "director"
    assert director.command_of_standby == [*director.command, "standby", *modules]


def test_a_standby_reads_the_modules_that_it_is_told() -> None:
    line, theirs = Lifeline.pair()
    command = [sys.executable, "-m", "broadcaster.child", "pusher", "main", "standby", "no_such_module", "this"]
    with theirs, subprocess.Popen(command, stdin=theirs.fileno(), stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout and b"The Zen of Python" in process.stdout.readline(), (
                "and one that is missing ends nothing"
            )
            assert process.poll() is None
        finally:
            line.close()
            process.kill()
