from __future__ import annotations

from pipeline.clock import NS
from streams.route import ASK_EVERY_NS, ASK_MAX_NS, Route


def refused(route: Route, now_ns: int, times: int) -> list[int]:
    """Which URL is next after each of so many refusals."""
    found = []
    for _ in range(times):
        route.failed(now_ns)
        found.append(route.index)
    return found


def on_backup(now_ns: int = 0) -> Route:
    route = Route(has_backup=True)
    refused(route, now_ns, 3)
    route.live(now_ns)
    return route


def test_an_output_with_one_url_stays_with_it() -> None:
    route = Route(has_backup=False)
    assert refused(route, 0, 20) == [0] * 20
    route.live(0)
    assert not route.is_to_ask(10**18)


def test_after_three_refusals_the_other_url_has_its_turn_and_so_on_for_ever() -> None:
    route = Route(has_backup=True)
    assert refused(route, 0, 9) == [0, 0, 1, 1, 1, 0, 0, 0, 1]


def test_a_connection_in_between_begins_the_count_anew() -> None:
    route = Route(has_backup=True)
    assert refused(route, 0, 2) == [0, 0]
    route.live(NS)
    assert refused(route, 100 * NS, 4) == [0, 0, 0, 1]  # the first is the loss


def test_connections_that_end_at_once_again_and_again_are_no_better_than_refusals() -> None:
    route = Route(has_backup=True)
    for now_s in (1, 2, 3, 4):
        assert route.index == 0
        route.live(now_s * NS)
        route.failed(now_s * NS + NS)
    assert route.index == 1


def test_the_loss_of_a_young_connection_is_no_refusal_yet() -> None:
    route = Route(has_backup=True)
    route.live(NS)
    assert refused(route, 2 * NS, 4) == [0, 0, 0, 1]


def test_the_first_is_asked_each_minute_and_the_stream_moves_when_it_would_have_us() -> None:
    route = on_backup()
    assert not route.is_to_ask(ASK_EVERY_NS - 1)
    assert route.is_to_ask(ASK_EVERY_NS)
    assert not route.answered(False, ASK_EVERY_NS)
    assert route.index == 1
    assert not route.is_to_ask(2 * ASK_EVERY_NS - 1)
    assert route.is_to_ask(2 * ASK_EVERY_NS)
    assert route.answered(True, 2 * ASK_EVERY_NS)
    assert route.index == 0
    route.live(2 * ASK_EVERY_NS)
    assert not route.is_to_ask(10**18)


def test_a_first_that_says_yes_and_means_no_is_asked_ever_more_rarely() -> None:
    route, now_ns, waits = on_backup(), 0, []
    for _ in range(7):
        wait_ns = next(step for step in range(0, 2 * ASK_MAX_NS, NS) if route.is_to_ask(now_ns + step))
        waits.append(wait_ns // NS)
        now_ns += wait_ns
        assert route.answered(True, now_ns)
        assert route.failed(now_ns)  # one refusal, and the backup goes on
        assert route.index == 1
        route.live(now_ns)
    assert waits == [60, 120, 240, 480, 900, 900, 900]


def test_a_first_that_stayed_for_a_minute_is_trusted_again() -> None:
    route = on_backup()
    now_ns = ASK_EVERY_NS
    route.answered(True, now_ns)
    route.live(now_ns)
    assert not route.failed(now_ns + 61 * NS)
    assert route.index == 0
    assert refused(route, now_ns + 62 * NS, 3) == [0, 0, 1]


def test_a_backup_that_is_lost_is_tried_three_times_as_well() -> None:
    route = on_backup()
    assert refused(route, 10 * NS, 4) == [1, 1, 1, 0]
