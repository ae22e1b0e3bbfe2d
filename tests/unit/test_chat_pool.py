"""Which question is answered next, and why the others are not."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from broadcaster.chat.blocked import blocked
from broadcaster.chat.model import Comment, Kind, Question, Reason
from broadcaster.chat.pool import Limits, Pool

NOW_S = 1_700_000_000.0
QUICK = Limits(per_minute=120, again_s=30)
ids = count()


def comment(text: str = "", *, at_s: float = NOW_S, user: str = "", **fields: object) -> Comment:
    number = next(ids)
    made = Comment(f"c{number}", text, user or f"user{number}", sent_s=at_s, stream_id=f"{number}-0")
    return replace(made, **fields)  # type: ignore[arg-type]


def pool_of(*comments: Comment, limits: Limits = QUICK, now_s: float = NOW_S) -> Pool:
    pool = Pool(limits, now_s)
    pool.add(comments, now_s)
    return pool


def taken(pool: Pool, now_s: float = NOW_S) -> Question:
    question = pool.take(now_s)
    assert question is not None
    return question


def reasons(pool: Pool) -> list[Reason]:
    return [one.reason for one in pool.ended()]


def test_of_equals_the_newest_is_answered_first() -> None:
    pool = pool_of(*(comment(f"is number {n} in stock?", at_s=NOW_S - 30 + n) for n in range(20)))
    assert [taken(pool).text for _ in range(3)] == [f"is number {n} in stock?" for n in (19, 18, 17)]


@pytest.mark.parametrize(
    "better",
    [
        {"buyer": True},
        {"mention": True},
        {"kind": Kind.ORDER},
        {"kind": Kind.GIFT},
        {"reply": "Ten dollars."},
    ],
)
def test_who_has_a_reason_goes_before_who_is_newer(better: dict[str, object]) -> None:
    old = comment("is it dishwasher safe?", at_s=NOW_S - 50, **better)
    pool = pool_of(old, comment("do you ship to France?"))
    assert taken(pool).comments[0] == old


def test_the_order_of_reasons_is_ready_then_paid_then_bought_then_called_then_asked() -> None:
    mixed = [
        comment("nice colours on the left shelf"),
        comment("is it dishwasher safe?"),
        comment("do you ship to France?", mention=True),
        comment("which sizes are there?", buyer=True),
        comment("may I change my address?", kind=Kind.ORDER),
        comment("how heavy is the pan?", kind=Kind.GIFT, value=99.0),
        comment("hello?", reply="Welcome!"),
    ]
    pool = pool_of(*mixed)
    assert [taken(pool).comments[0] for _ in mixed] == mixed[::-1]


def test_who_gave_something_lately_goes_first_when_they_ask() -> None:
    pool = pool_of(comment(user="Ann", kind=Kind.GIFT), limits=replace(QUICK, moments=frozenset({Kind.GIFT})))
    pool.add([comment("is it red?", user="Ann", at_s=NOW_S - 20), comment("is it blue?", user="Bob")], NOW_S)
    assert taken(pool).comments[0].user == "Ann"


def test_the_same_question_is_answered_once_for_all_who_ask_it() -> None:
    asked = [comment("这个多少钱", user="甲"), comment("多少钱？？？", user="乙"), comment("请问怎么卖", user="丙")]
    pool = pool_of(*asked, limits=replace(QUICK, language="zh"))
    question = taken(pool)
    assert (question.comments, question.language, question.text) == (tuple(asked), "zh", "这个多少钱")
    assert pool.take(NOW_S) is None and reasons(pool) == []


def test_the_name_that_is_said_is_that_of_who_is_worth_most() -> None:
    pool = pool_of(comment("price?", user="Ann"), comment("how much is it?", user="Bob", buyer=True))
    question = taken(pool)
    assert [one.user for one in question.comments] == ["Bob", "Ann"]
    assert question.text == "how much is it?"


def test_a_question_that_was_just_answered_is_not_answered_again() -> None:
    pool = pool_of(comment("price?"))
    taken(pool)
    pool.add([comment("what's the price", at_s=NOW_S + 5)], NOW_S + 5)
    assert pool.take(NOW_S + 5) is None and reasons(pool) == [Reason.MERGED]
    pool.add([comment("what's the price", at_s=NOW_S + 31)], NOW_S + 31)
    assert taken(pool, NOW_S + 31).text == "what's the price"


def test_without_merging_each_is_answered() -> None:
    pool = pool_of(comment("price?"), comment("price?"), limits=replace(QUICK, merge=False))
    assert taken(pool) and taken(pool)


def test_many_who_ask_outweigh_one_who_is_newer() -> None:
    many = [comment("is it dishwasher safe?", at_s=NOW_S - 30) for _ in range(5)]
    pool = pool_of(*many, comment("do you ship to France?"))
    assert len(taken(pool).comments) == 5


def test_of_a_crowd_that_asks_the_same_a_few_are_remembered_and_the_rest_told() -> None:
    pool = pool_of(*(comment("is it dishwasher safe?") for _ in range(100)))
    assert len(taken(pool).comments) == 16
    assert reasons(pool) == [Reason.MERGED] * 84
    assert (pool.counts["taken"], pool.counts[Reason.MERGED]) == (1, 99)


def test_the_same_id_is_one_comment() -> None:
    once = comment("price?")
    pool = pool_of(once, once)
    assert reasons(pool) == [Reason.DUPLICATE]
    taken(pool)
    pool.add([once], NOW_S)
    assert reasons(pool) == [Reason.DUPLICATE]


def test_a_viewer_who_repeats_themselves_is_heard_once() -> None:
    pool = pool_of(comment("is it red?", user="Ann"), comment("IS IT RED???", user="Ann"))
    assert reasons(pool) == [Reason.REPEATED]


def test_what_nobody_signed_is_not_taken_for_one_viewer() -> None:
    unsigned = [replace(comment(f"is it {n} cm?"), user="") for n in range(9)]
    pool = pool_of(*unsigned, limits=replace(QUICK, user_per_minute=1))
    assert reasons(pool) == []


def test_a_viewer_is_looked_at_so_often_a_minute() -> None:
    limits = replace(QUICK, user_per_minute=3)
    pool = pool_of(*(comment(f"is it {n} cm?", user="Ann") for n in range(5)), limits=limits)
    assert reasons(pool) == [Reason.TOO_OFTEN] * 2
    pool.add([comment("is it 9 cm?", user="Ann", at_s=NOW_S + 20)], NOW_S + 20)
    assert reasons(pool) == []


def test_answers_are_given_so_often_a_minute() -> None:
    limits = Limits(per_minute=10, stale_s=600)
    pool = pool_of(*(comment(f"is it {n} cm?") for n in range(30)), limits=limits)
    at_once = sum(pool.take(NOW_S) is not None for _ in range(10))
    later = sum(pool.take(NOW_S + second) is not None for second in range(1, 62))
    assert (at_once, later) == (2, 10)


def test_a_question_without_an_answer_costs_none() -> None:
    pool = pool_of(comment("price?"), comment("price"), comment("is it red?"), limits=Limits(per_minute=1))
    first = taken(pool)
    assert pool.take(NOW_S) is None
    pool.unanswered(first)
    assert {one.reason for one in pool.ended()} <= {Reason.UNANSWERED, Reason.MERGED}
    assert taken(pool).text != first.text


def test_what_is_old_is_not_answered() -> None:
    pool = pool_of(comment("price?", at_s=NOW_S - 61), comment("is it red?", at_s=NOW_S - 30))
    assert reasons(pool) == [Reason.STALE]
    assert pool.take(NOW_S + 31) is None and reasons(pool) == [Reason.STALE]
    assert (pool.waiting, pool.waiting_bytes) == (0, 0)


def test_a_sender_whose_clock_is_ahead_is_not_answered_first_for_that() -> None:
    pool = pool_of(comment("is it red?", at_s=NOW_S + 9_999), comment("do you ship to France?", mention=True))
    assert taken(pool).comments[0].mention
    assert taken(pool).asked_s == NOW_S


def test_of_too_many_those_go_that_are_worth_least() -> None:
    talk = [comment(f"nice shelf number {n}", at_s=NOW_S - 20 + n) for n in range(8)]
    pool = pool_of(*talk, comment("is it red?", at_s=NOW_S - 50), limits=replace(QUICK, waiting=3))
    assert [one.comment for one in pool.ended()] == talk[:6]
    assert [taken(pool).text for _ in range(3)] == ["is it red?", "nice shelf number 7", "nice shelf number 6"]


def test_bytes_are_bounded_too() -> None:
    long = [comment(f"is the {n} good? " + f"word{n} " * 22) for n in range(200)]
    pool = pool_of(*long, limits=replace(QUICK, waiting_bytes=100_000))
    assert pool.waiting_bytes <= 100_000 and 20 < pool.waiting < 80


def test_blocked_viewers_and_words_are_passed_over() -> None:
    pool = Pool(QUICK, NOW_S)
    pool.block(blocked(["Troll"], ["垃圾"]))
    pool.add([comment("price?", user="troll"), comment("这是垃 圾吗"), comment("is it red?", user="垃圾王")], NOW_S)
    assert reasons(pool) == [Reason.BLOCKED_USER, Reason.BLOCKED_WORD]
    assert taken(pool).comments[0].user == ""


def test_a_ready_reply_is_merged_with_nothing_and_normalised_by_nobody() -> None:
    reply = "Two for 15.99, today only!!"
    pool = pool_of(comment("price?"), comment("price?", reply=reply), comment("", kind=Kind.FOLLOW, reply="Welcome!"))
    replies = [taken(pool).comments[0].reply for _ in range(2)]
    assert sorted(replies) == [reply, "Welcome!"]
    assert taken(pool).text == "price?"


def test_moments_are_kept_for_who_wants_them() -> None:
    limits = replace(QUICK, moments=frozenset({Kind.FOLLOW}))
    pool = pool_of(*(comment(kind=Kind.FOLLOW, user=name) for name in ("Ann", "Bob", "Ann")), limits=limits)
    pool.add([comment(kind=Kind.LIKE)], NOW_S)
    assert reasons(pool) == [Reason.REPEATED, Reason.UNWANTED]
    assert [one.user for one in pool.take_moments(Kind.FOLLOW, NOW_S)] == ["Ann", "Bob"]
    assert pool.take_moments(Kind.FOLLOW, NOW_S) == () == pool.take_moments(Kind.LIKE, NOW_S)


def test_moments_are_bounded_and_grow_stale() -> None:
    limits = replace(QUICK, moments=frozenset({Kind.GIFT}))
    pool = pool_of(*(comment(kind=Kind.GIFT) for _ in range(100)), limits=limits)
    assert reasons(pool) == [Reason.CROWDED] * 36
    assert pool.take_moments(Kind.GIFT, NOW_S + 61) == () and reasons(pool) == [Reason.STALE] * 64


def test_an_answer_that_is_on_its_way_keeps_the_same_question_away() -> None:
    pool = Pool(QUICK, NOW_S)
    pool.remember(comment("what is the price?"), NOW_S)
    pool.add([comment("price?")], NOW_S + 1)
    assert pool.take(NOW_S + 1) is None and reasons(pool) == [Reason.MERGED]


def test_what_was_forgotten_may_come_again() -> None:
    once = comment("price?")
    pool = pool_of(once)
    pool.clear()
    assert (pool.waiting, pool.take(NOW_S)) == (0, None)
    pool.add([once], NOW_S)
    assert taken(pool).comments == (once,)


def test_a_clock_that_jumps_stops_nothing() -> None:
    pool = pool_of(*(comment(f"is it {n} cm?") for n in range(30)), limits=Limits(per_minute=12))
    while pool.take(NOW_S):
        pass
    pool.add([comment("is it red?", at_s=NOW_S - 86_400)], NOW_S - 86_400)
    assert pool.take(NOW_S - 86_400) is None
    assert pool.take(NOW_S - 86_400 + 6) is not None


def test_a_clock_that_was_set_back_kept_a_question_from_being_answered_for_an_hour() -> None:
    pool = pool_of(comment("is it red?"))
    taken(pool)
    earlier_s = NOW_S - 3600
    pool.add([comment("is it red?", at_s=earlier_s)], earlier_s)
    assert taken(pool, earlier_s).text == "is it red?"


def test_a_gift_that_nobody_was_thanked_for_came_to_nothing_without_a_reason() -> None:
    pool = pool_of(comment(kind=Kind.GIFT), limits=replace(QUICK, moments=frozenset({Kind.GIFT})))
    moments = pool.take_moments(Kind.GIFT, NOW_S)
    assert pool.ended() == [] and len(moments) == 1
    pool.unthanked(moments)
    assert reasons(pool) == [Reason.UNWANTED] and pool.counts["taken"] == 0
