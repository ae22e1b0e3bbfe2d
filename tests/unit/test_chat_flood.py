"""Whatever floods the room: the bounds hold, nothing is answered twice, and every comment comes to one end."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from broadcaster.chat.model import Comment, Kind, Question, Reason
from broadcaster.chat.pool import Limits, Pool
from broadcaster.chat.sameness import words_of

NOW_S = 1_700_000_000.0
TEXTS = [
    *(
        "这个{}多少钱",
        "有{}色的吗",
        "{}号链接还有货吗",
        "什么时候发货",
        "可以{}天退吗",
        "主播好漂亮",
        "哈哈哈哈",
        "加v{}",
    ),
    *(
        "how much is the {} mug",
        "do you ship to {}?",
        "is it {} proof",
        "love it {}",
        "lol",
        "http://spam.x/{}",
        "price?",
    ),
    *("does the {} pan with the glass lid and a long handle fit into the small oven", "<b>{}</b>", "😍{}😍", "666"),
]
FILLINGS = ["red", "blue", "Germany", "Germeny", "France", "红", "蓝", "大", "小", "3", "7", "dishwasher", "dishwahser"]


def flood(draw: random.Random, count: int, rate: float) -> Iterator[Comment]:
    """Comments as they come, `rate` a second; some again, some late, some unsigned, some without words."""
    sent: list[Comment] = []
    for number in range(count):
        if sent and draw.random() < 0.03:
            yield draw.choice(sent[-200:])
            continue
        kind = draw.choice([Kind.COMMENT] * 30 + list(Kind))
        bare = kind is not Kind.COMMENT and draw.random() < 0.7
        text = "" if bare else draw.choice(TEXTS).format(draw.choice([*FILLINGS, str(draw.randrange(1_000))]))
        late_s = draw.choice([0.0] * 9 + [draw.uniform(0, 90)])
        made = Comment(
            id=f"id{number}",
            text=text,
            user=draw.choice(["", f"user{draw.randrange(300)}"]),
            kind=kind,
            buyer=draw.random() < 0.05,
            mention=draw.random() < 0.05,
            value=draw.choice([0.0, 1.0, 500.0]),
            reply="ready" if draw.random() < 0.01 else "",
            sent_s=NOW_S + number / rate - late_s,
            stream_id=f"{number}-0",
        )
        sent.append(made)
        yield made


def limits_of(draw: random.Random) -> Limits:
    return Limits(
        stale_s=draw.choice([5.0, 30.0, 60.0]),
        per_minute=draw.choice([6.0, 60.0, 120.0]),
        user_per_minute=draw.choice([2.0, 30.0]),
        again_s=draw.choice([0.0, 30.0]),
        merge=draw.random() < 0.8,
        waiting=draw.choice([1, 10, 300]),
        waiting_bytes=draw.choice([20_000, 200_000, 1 << 20]),
        moments=frozenset(draw.sample(list(Kind), 3)),
    )


@pytest.mark.parametrize("seed", range(25))
def test_a_flood_keeps_to_the_bounds_and_every_comment_comes_to_one_end(seed: int) -> None:
    draw = random.Random(seed)
    limits, rate = limits_of(draw), draw.choice([5.0, 100.0, 1_000.0])
    pool = Pool(limits, NOW_S)
    offered: list[Comment] = []
    ends: Counter[str] = Counter()
    told: Counter[str] = Counter()
    questions: list[tuple[float, Question]] = []
    comments = list(flood(draw, 1_500, rate))
    at = 0

    def account(now_s: float) -> None:
        for one in pool.ended():
            ends[one.comment.stream_id] += 1
            told[one.reason] += 1
        moments = sum(64 for _ in limits.moments)
        assert pool.waiting <= limits.waiting + moments
        assert pool.waiting_bytes <= limits.waiting_bytes
        assert now_s >= NOW_S

    def take(now_s: float) -> Question | None:
        question = pool.take(now_s)
        if question is not None:
            questions.append((now_s, question))
            if draw.random() < 0.2:
                pool.unanswered(question)
            else:
                ends.update(one.stream_id for one in question.comments)
                told["taken"] += 1
                told[Reason.MERGED] += len(question.comments) - 1
        return question

    now_s = NOW_S
    while at < len(comments):
        batch = comments[at : at + draw.randrange(1, 300)]
        at += len(batch)
        offered += batch
        now_s = NOW_S + at / rate
        pool.add(batch, now_s)
        account(now_s)
        take(now_s)
        for kind in Kind:
            if draw.random() < 0.1:
                moments = pool.take_moments(kind, now_s)
                ends.update(one.stream_id for one in moments)
                told["taken"] += len(moments)
        account(now_s)
    pool.add((), now_s + limits.stale_s + 100)
    account(now_s)

    assert pool.waiting == pool.waiting_bytes == 0
    assert ends == Counter(one.stream_id for one in offered)
    assert +Counter({name: pool.counts[name] for name in pool.counts if name != "comments"}) == +told
    assert pool.counts["comments"] == len(offered)
    _nothing_twice(limits, questions)


def _nothing_twice(limits: Limits, questions: list[tuple[float, Question]]) -> None:
    ids = [one.id for _, question in questions for one in question.comments]
    assert len(ids) == len(set(ids))
    answered: dict[tuple[str, ...], float] = {}
    for now_s, question in questions:
        words = words_of(question.text.casefold())
        if limits.merge and not question.comments[0].reply:
            assert now_s - answered.get(words, -1e9) >= limits.again_s
            answered[words] = now_s


@pytest.mark.parametrize("seed", range(10))
def test_at_any_moment_the_best_goes_first_and_of_equals_the_newest(seed: int) -> None:
    draw = random.Random(seed)
    pool = Pool(Limits(per_minute=1_000_000, user_per_minute=600), NOW_S)
    pool.add(flood(draw, 400, 20.0), NOW_S + 20)
    drained = []
    while question := pool.take(NOW_S + 20):
        drained.append(question)
    assert len(drained) > 20
    assert [one.priority for one in drained] == sorted((one.priority for one in drained), reverse=True)
    for one, other in pairwise(drained):
        assert int(one.priority) > int(other.priority) or one.asked_s >= other.asked_s


def test_a_minute_of_a_thousand_a_second_leaves_memory_as_it_was() -> None:
    draw = random.Random(3)
    pool = Pool(Limits(waiting=200), NOW_S)
    sizes = []
    tracemalloc.start()
    try:
        for second in range(60):
            texts = [f"is the {draw.randrange(10**6)} one red?" for _ in range(200)]
            names = [f"{second}:{n}" for n in range(200)]
            sent_s = NOW_S + second
            batch = [Comment(name, text, name, sent_s=sent_s) for name, text in zip(names, texts, strict=True)]
            pool.add(batch, NOW_S + second)
            pool.take(NOW_S + second)
            pool.ended()
            if second % 10 == 9:
                sizes.append(tracemalloc.get_traced_memory()[0] / 1e6)
    finally:
        tracemalloc.stop()
    assert max(sizes) - min(sizes[2:]) < 4.0 and max(sizes) < 16.0


def test_what_waits_takes_no_more_than_is_counted() -> None:
    tracemalloc.start()
    try:
        pool = Pool(Limits(waiting=2_000, waiting_bytes=100 << 20, user_per_minute=600), NOW_S)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2_000):
            text = f"is the pan number {number} with the long handle and the glass lid red or blue?"
            names = {"user": f"user {number % 10}", "user_id": f"{number % 10}", "stream_id": f"{number}-0"}
            made = Comment(f"id{number}", text, sent_s=NOW_S, **names)
            pool.add([made], NOW_S)
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    indexes = 2_000 * 400  # ids and texts seen lately, which are bounded by their number
    assert pool.waiting == 2_000 and held - indexes < pool.waiting_bytes
