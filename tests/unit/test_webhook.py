"""News reach a real web server in order, whatever it does, and the room waits for none of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
import structlog

from broadcaster.monitor import webhook
from broadcaster.monitor.webhook import WAITING_MAX, Webhook
from tests.alarmdesk import Desk, desk_open
from tests.station import until


@pytest.fixture
def desk() -> Iterator[Desk]:
    with desk_open() as made:
        yield made


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "BACK_OFF_S", (0.02, 0.05))
    monkeypatch.setattr(webhook, "TRY_S", 0.4)
    monkeypatch.setattr(webhook, "TRY_WHOLE_S", 0.8)


def opened(url: str) -> Webhook:
    made = Webhook(url)
    made.open()
    return made


def put(hook: Webhook, *numbers: int) -> None:
    for number in numbers:
        hook.put({"alarm": "frozen", "number": number})


def numbers(desk: Desk) -> list[int]:
    return [message["number"] for message in desk.messages]


def test_messages_arrive_in_order_at_the_whole_address(desk: Desk) -> None:
    hook = opened(desk.url)
    put(hook, 1, 2, 3)
    until(lambda: numbers(desk) == [1, 2, 3], 5)
    assert desk.tries[0][1] == "/hooks/T0K3N?room=shop"
    until(lambda: hook.facts()["sent"] == 3, 5)
    hook.close(1.0)


@pytest.mark.parametrize("answers", [[500, 503, 502], [429], [408, 425]])
def test_what_is_not_taken_now_is_tried_again_and_nothing_overtakes_it(desk: Desk, answers: list[int]) -> None:
    desk.answers = list(answers)
    hook = opened(desk.url)
    with structlog.testing.capture_logs() as logs:
        put(hook, 1, 2)
        until(lambda: numbers(desk) == [1, 2], 5)
        until(lambda: hook.facts()["waiting"] == 0, 5)
    assert [line["event"] for line in logs] == ["webhook.failed", "webhook.recovered"]
    assert "T0K3N" not in str(logs) and f"HTTP {answers[0]}" in str(logs)
    hook.close(1.0)


@pytest.mark.parametrize("status", [400, 404, 410, 302])
def test_what_is_refused_is_dropped_so_that_the_next_one_can_go(desk: Desk, status: int) -> None:
    desk.answers = [status]
    hook = opened(desk.url)
    with structlog.testing.capture_logs() as logs:
        put(hook, 1, 2)
        until(lambda: numbers(desk) == [2], 5)
    assert [line["event"] for line in logs] == ["webhook.refused"] and "T0K3N" not in str(logs)
    assert hook.facts()["refused"] == 1
    hook.close(1.0)


@pytest.mark.parametrize("fault", ["silent", "drips"])
def test_a_server_that_never_finishes_its_answer_is_given_up_and_tried_again(desk: Desk, fault: str) -> None:
    setattr(desk, fault, True)
    hook = opened(desk.url)
    began_s = time.monotonic()
    put(hook, 1)
    assert time.monotonic() - began_s < 0.1
    until(lambda: len(desk.tries) >= 2, 10)
    setattr(desk, fault, False)
    until(lambda: numbers(desk) == [1], 10)
    hook.close(1.0)


def test_while_nobody_listens_the_newest_wait_and_arrive_when_somebody_does() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        hook = opened(f"http://127.0.0.1:{taken.getsockname()[1]}/T0K3N")
        with structlog.testing.capture_logs() as logs:
            put(hook, *range(WAITING_MAX + 50))
            until(lambda: hook.facts()["failures"] >= 5, 5)
        assert [line["event"] for line in logs] == ["webhook.failed"] and "T0K3N" not in str(logs)
        facts = hook.facts()
        assert facts["waiting"] == WAITING_MAX and facts["dropped"] == 50
        began_s = time.monotonic()
        hook.close(5.0)
        assert time.monotonic() - began_s < 2.0


def test_what_waits_at_the_end_still_goes_out(desk: Desk) -> None:
    hook = opened(desk.url)
    put(hook, 1, 2, 3, 4)
    hook.close(5.0)
    assert numbers(desk) == [1, 2, 3, 4]


def test_a_name_that_nobody_knows_is_one_line_in_the_log_without_its_path() -> None:
    hook = opened("https://nowhere.invalid/T0K3N")
    with structlog.testing.capture_logs() as logs:
        put(hook, 1)
        until(lambda: hook.facts()["failures"] >= 1, 10)
    assert logs[0]["event"] == "webhook.failed" and logs[0]["to"] == "https://nowhere.invalid"
    assert "T0K3N" not in str(logs)
    hook.close(0.5)
