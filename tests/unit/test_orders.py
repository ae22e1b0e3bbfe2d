"""Orders to a running room, and the operator's panic."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broadcaster import orders
from broadcaster.emergency import OFF, SHOWN_WITHIN_S, Emergency
from broadcaster.orders import Order, Orders, Reply
from pipeline.errors import ConfigError
from pipeline.wire import Answer, Beat, ChangeOutput, Panic, Reload, Upgrade, encode
from tests.station import until

ON = Panic(on=True, text="Back soon")


class Desk:
    """A supervisor's loop that obeys as the test says."""

    def __init__(self, runtime_dir: Path) -> None:
        self.heard: list[Order] = []
        self.replies: list[Reply] = []
        self._selector = selectors.DefaultSelector()
        self._orders = Orders(runtime_dir, self._obey)
        self._orders.open(self._selector)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _obey(self, order: Order, reply: Reply) -> None:
        self.heard.append(order)
        if isinstance(order, Panic):
            reply(Answer(True, ["done"]))
        else:
            self.replies.append(reply)

    def _run(self) -> None:
        while not self._ends.is_set():
            for key, _ in self._selector.select(0.01):
                key.data()

    def close(self) -> None:
        self._ends.set()
        self._thread.join()
        self._orders.close()
        self._selector.close()


@pytest.fixture
def desk(short_dir: Path) -> Iterator[Desk]:
    made = Desk(short_dir)
    yield made
    made.close()


def test_an_order_is_answered(desk: Desk, short_dir: Path) -> None:
    assert orders.give(short_dir, ON, 5) == Answer(True, ["done"])
    assert desk.heard == [ON]


def test_an_order_may_be_answered_later_and_others_do_not_wait(desk: Desk, short_dir: Path) -> None:
    with pytest.raises(orders.Unanswered):
        orders.give(short_dir, Reload(), 0.2)
    assert orders.give(short_dir, ON, 5).done
    desk.replies[0](Answer(True, ["too late"]))  # nobody is there any more
    assert orders.give(short_dir, ON, 5).done


def test_an_order_that_takes_long_tells_of_each_step_and_outlives_who_gave_it(desk: Desk, short_dir: Path) -> None:
    said: list[str] = []
    with pytest.raises(orders.Unanswered):
        orders.give(short_dir, Upgrade(), 0.2)

    def steps() -> None:
        until(lambda: len(desk.replies) == 2)
        for reply in desk.replies:
            reply(Answer(True, ["director: works again"], more=True))
            reply(Answer(False, ["stopped at playout"]))

    thread = threading.Thread(target=steps)
    thread.start()
    assert orders.give(short_dir, Upgrade(), 5, lambda one: said.extend(one.lines)) == Answer(
        False, ["stopped at playout"]
    )
    assert said == ["director: works again"]
    thread.join()


def test_an_order_that_is_too_long_is_refused_before_it_is_given(desk: Desk, short_dir: Path) -> None:
    with pytest.raises(ConfigError, match="an order may have 8192 bytes"):
        orders.give(short_dir, ChangeOutput("url", "main", {"url": "rtmp://h/live/" + "k" * 9000}), 1)


def test_visitors_who_say_nothing_do_not_keep_an_order_out(desk: Desk, short_dir: Path) -> None:
    idle = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(orders.WAITING_MAX + 4)]
    for line in idle:
        line.connect(str(short_dir / orders.SOCKET))
    assert orders.give(short_dir, ON, 5).done
    for line in idle:
        line.close()


def test_what_is_no_order_is_refused(desk: Desk, short_dir: Path) -> None:
    answer = orders.give(short_dir, Beat(phase="ready"), 5)  # type: ignore[arg-type]
    assert not answer.done and "Beat is no order" in answer.lines[0] and desk.heard == []


def test_a_room_that_is_off_is_named(short_dir: Path) -> None:
    with pytest.raises(ConfigError, match="not on air"):
        orders.give(short_dir, ON, 1)


def test_the_only_room_on_air_is_found_and_several_are_listed(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "_homes", lambda: [short_dir])
    with pytest.raises(ConfigError, match="no room"):
        orders.the_room_on_air()
    rooms = [short_dir / name for name in ("shop", "news")]
    desks = []
    for room in rooms:
        room.mkdir()
        desks.append(Desk(room))
        if len(desks) == 1:
            assert orders.the_room_on_air() == room
    try:
        with pytest.raises(ConfigError, match=r"news, shop.*--config FILE"):
            orders.the_room_on_air()
    finally:
        for desk in desks:
            desk.close()


@pytest.mark.parametrize(("text", "off"), [("x" * 121, False), ("a\x00b", False), ("Back soon", True)])
def test_a_line_that_cannot_stand_on_the_slate_is_refused(text: str, off: bool) -> None:
    with pytest.raises(ConfigError):
        orders.slate_text(text, off)


def answers() -> tuple[list[Answer], Callable[[Answer], None]]:
    told: list[Answer] = []
    return told, told.append


def test_the_answer_comes_when_the_slate_is_on_air(tmp_path: Path) -> None:
    told, reply = answers()
    emergency = Emergency(tmp_path)
    emergency.order(ON, reply, now_s=0)
    emergency.hear("live", 0.1)
    assert told == []
    emergency.hear("slate", 0.2)
    assert told == [Answer(True, ["panic is on; on air: the slate and silence"])]


def test_the_answer_comes_in_time_when_there_is_no_playout(tmp_path: Path) -> None:
    told, reply = answers()
    emergency = Emergency(tmp_path)
    emergency.order(ON, reply, now_s=0)
    emergency.hear(None, SHOWN_WITHIN_S - 0.1)
    assert told == []
    emergency.hear(None, SHOWN_WITHIN_S)
    assert told == [Answer(True, ["panic is on; playout is starting: it begins with the slate"])]


def test_panic_is_kept_for_the_next_supervisor_and_ended_by_an_order_or_a_clean_stop(tmp_path: Path) -> None:
    def drop(_: Answer) -> None: ...

    Emergency(tmp_path).order(ON, drop, 0)
    assert Emergency(tmp_path).panic == ON
    Emergency(tmp_path).order(OFF, drop, 0)
    assert Emergency(tmp_path).panic == OFF
    Emergency(tmp_path).order(ON, drop, 0)
    Emergency(tmp_path).forget()
    assert Emergency(tmp_path).panic == OFF
    (tmp_path / "panic").write_bytes(encode(Reload()))
    assert Emergency(tmp_path).panic == OFF


def test_a_panic_that_cannot_be_kept_is_ordered_all_the_same(tmp_path: Path) -> None:
    told, reply = answers()
    emergency = Emergency(tmp_path / "gone")
    assert emergency.order(ON, reply, 0) and emergency.panic == ON
    emergency.hear("slate", 0.1)
    assert told
