"""Attention over several ranks equals attention on one, and a gang whose rank dies, stops or strays says so."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from pipeline.attention import choose
from pipeline.errors import ConfigError, EngineError
from pipeline.parallel import gang as gangs
from pipeline.parallel import strategy
from pipeline.parallel.gang import Gang
from pipeline.parallel.members import Members, partition
from pipeline.parallel.record import digest
from pipeline.parallel.strategy import Local
from tests.rankrun import LOOPBACK, RankFailed, Ranks, free_port

EXACT = 1e-5
BATCH, WIDTH = 2, 8
TOKENS = (60, 61, 9, 7)  # divides by all but 8; by none; leaves 3 ranks of 8 empty; leaves one of 8 empty
SHORT_S = 2.0  # a timeout for tests of it


class Plain:
    """Attention as it is written, float32, so that nothing of the tested code is in the reference."""

    name = "plain"

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.with_lse(q, k, v, mask)[0]

    def with_lse(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert mask is None
        scores = q.float() @ k.float().transpose(-1, -2) / math.sqrt(q.shape[-1])
        return (scores.softmax(-1) @ v.float()).to(q.dtype), scores.logsumexp(-1)


def sequence(tokens: int, heads: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v as [B, N, heads * d]; large keys, so that the softmax is far from uniform and padding would show."""
    generator = torch.Generator().manual_seed(tokens * 100 + heads)
    q, k, v = torch.randn(3, BATCH, tokens, heads * WIDTH, generator=generator)
    return q.to(dtype), (4 * k - 1).to(dtype), v.to(dtype)


def spread(
    gang: Gang, name: str, cases: list[tuple[int, int]], dtype: torch.dtype = torch.float32, real: bool = False
) -> list[Tensor]:
    """Share, attend, gather. real: with the kernel that the engine would take here."""
    results = []
    for tokens, heads in cases:
        kernel = choose(gang.device, dtype) if real else Plain()
        how = strategy.make(name, heads, kernel, gang.timeout_s)
        assert (how.rank, how.world) == (gang.rank, gang.world)
        shares = [how.share(x).unflatten(2, (heads, WIDTH)) for x in sequence(tokens, heads, dtype)]
        out = how.attend(*shares, tokens)
        assert out.shape == shares[0].shape and out.dtype == dtype
        results.append(how.gather(out.flatten(2), tokens))
    return results


def alone(tokens: int, heads: int, dtype: torch.dtype = torch.float32) -> Tensor:
    q, k, v = (x.unflatten(2, (heads, WIDTH)) for x in sequence(tokens, heads, dtype))
    return Local(Plain()).attend(q, k, v, tokens).flatten(2)


@pytest.fixture(scope="module", params=[2, 3, 4, pytest.param(6, marks=pytest.mark.long), 8])
def ranks(request: pytest.FixtureRequest) -> Iterator[Ranks]:
    with Ranks(request.param) as started:
        yield started


@pytest.mark.parametrize(
    "name,heads", [("auto", 4), ("auto", 12), ("auto", 40), ("ring", 4), ("ring", 3), ("ulysses", 48)]
)
def test_attention_over_ranks_equals_attention_on_one(ranks: Ranks, name: str, heads: int) -> None:
    cases = [(tokens, heads) for tokens in TOKENS]
    for (tokens, _), *results in zip(cases, *ranks.run(spread, name, cases), strict=True):
        expected = alone(tokens, heads)
        assert all(result.shape == expected.shape for result in results)
        worst = max(float((result - expected).abs().max()) for result in results)
        assert worst <= EXACT, f"{tokens} tokens, {heads} heads on {ranks.world} ranks: {worst}"


def test_bfloat16_is_accumulated_in_float32(ranks: Ranks) -> None:
    [[result], *_] = ranks.run(spread, "ring", [(61, 4)], torch.bfloat16)
    error = float((result.float() - alone(61, 4, torch.bfloat16).float()).abs().max())
    assert error <= 2**-6  # partial results come in bfloat16, one rounding each; values are below 4
    assert result.dtype == torch.bfloat16


@pytest.mark.parametrize("name", ["auto", "ring"])
def test_the_engine_s_own_kernel_is_as_exact(ranks: Ranks, name: str) -> None:
    for [result] in ranks.run(spread, name, [(61, 4)], torch.float32, True):
        assert float((result - alone(61, 4)).abs().max()) <= EXACT


def own_step(gang: Gang, stray: int | None) -> None:
    mine = torch.tensor([1.0, float(gang.rank == stray)])
    gang.agree(7, "decode", digest({"motion": mine}))


def test_ranks_in_the_same_state_agree(ranks: Ranks) -> None:
    ranks.run(own_step, None)


def echo(gang: Gang, calls: list[bytes]) -> list[bytes]:
    if gang.rank:
        return [gang.hear() or b"" for _ in calls]
    for call in calls:
        gang.tell(call)
        gang.alive()
    return calls


def test_followers_hear_rank_0_s_calls_in_order(ranks: Ranks) -> None:
    calls = [b"", b"step", b"x" * 3_000_000, b"end"]
    assert ranks.run(echo, calls) == [calls] * ranks.world


def groups(gang: Gang) -> tuple[list[int], list[int]]:
    mine = torch.tensor([gang.rank])
    near, far = partition(2, 1, gang.timeout_s), partition(gang.world // 2, 2, gang.timeout_s)
    return near.all_gather(mine).flatten().tolist(), far.all_gather(mine).flatten().tolist()


def test_neighbours_share_heads_and_groups_lie_apart() -> None:
    with Ranks(4) as four:
        assert four.run(groups) == [([0, 1], [0, 2]), ([0, 1], [1, 3]), ([2, 3], [0, 2]), ([2, 3], [1, 3])]


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def three() -> Iterator[Ranks]:
    with Ranks(3, timeout_s=SHORT_S) as started:
        yield started


@pytest.fixture(scope="module")
def unharmed() -> Iterator[Ranks]:
    """Three ranks for tests that leave them as they were."""
    with Ranks(3, timeout_s=SHORT_S) as started:
        yield started


def failures(ranks: Ranks, of: list[int]) -> list[str]:
    """The texts of the EngineErrors of these ranks."""
    found = [ranks.outcome(rank, 5 * SHORT_S) for rank in of]
    assert [type(one) for one in found] == [RankFailed] * len(of), found
    assert [one.kind for one in found] == ["EngineError"] * len(of), found
    return [one.text for one in found]


def test_a_rank_in_another_state_is_named_on_every_rank(three: Ranks) -> None:
    three.begin(own_step, 2)
    texts = failures(three, [0, 1, 2])
    assert texts[0] == texts[1] == texts[2]
    assert "rank 0 is at step 7, decode, state " in texts[0] and "rank 2 at step 7, decode, state " in texts[0]


def other_call(gang: Gang) -> None:
    gang.agree(3 if gang.rank != 1 else 4, "sample" if gang.rank != 1 else "encode", b"\x01")


def test_a_rank_in_another_call_is_named_with_both_calls(three: Ranks) -> None:
    three.begin(other_call)
    for text in failures(three, [0, 1, 2]):
        assert "rank 0 is at step 3, sample, state 01, rank 1 at step 4, encode, state 01" in text


def told_while_judged(gang: Gang) -> None:
    if gang.rank:
        gang.agree(1, "step", b"")
    else:
        gang.tell(b"step")
        gang.agree(1, "step", b"")


def test_a_follower_that_is_told_while_it_wants_to_agree_says_so(three: Ranks) -> None:
    three.begin(told_while_judged)
    text = failures(three, [1])[0]
    assert "rank 0 sent call, rank 1 is at step 1, step" in text


MADE: list[strategy.Strategy] = []  # in a rank: what `make_ready` left


def make_ready(gang: Gang, name: str, heads: int) -> None:
    MADE.append(strategy.make(name, heads, Plain(), gang.timeout_s))


def attend_for_ever(_gang: Gang, heads: int) -> None:
    how = MADE[0]
    q, k, v = (how.share(x).unflatten(2, (heads, WIDTH)) for x in sequence(60, heads))
    while True:
        how.attend(q, k, v, 60)


def hear_for_ever(gang: Gang, silence_s: float | None) -> bytes | None:
    while gang.rank == 0:
        gang.alive()
        time.sleep(0.01)
    return gang.hear(silence_s)


def wait_to_agree(gang: Gang) -> None:
    step = 0
    while True:
        gang.agree(step, "step", b"")
        step += 1


@pytest.mark.parametrize("name", ["ulysses", "ring"])
def test_a_killed_rank_ends_the_others_attention(three: Ranks, name: str) -> None:
    three.run(make_ready, name, 3)
    three.begin(attend_for_ever, 3)
    three.kill(2)
    began = time.monotonic()
    for text in failures(three, [0, 1]):
        assert "lost the others in" in text
    assert time.monotonic() - began < SHORT_S + 2


@pytest.mark.parametrize("name", ["ulysses", "ring"])
def test_a_stopped_rank_ends_the_others_attention_after_the_timeout(three: Ranks, name: str) -> None:
    three.run(make_ready, name, 3)
    three.begin(attend_for_ever, 3)
    three.stop(2)
    began = time.monotonic()
    for text in failures(three, [0, 1]):
        assert "lost the others in" in text
    assert time.monotonic() - began < 2 * SHORT_S + 2


def test_a_stopped_rank_ends_the_others_in_the_groups_of_a_grid_too() -> None:
    with Ranks(4, timeout_s=SHORT_S) as four:
        four.run(make_ready, "auto", 2)  # 2 x 2
        four.begin(attend_for_ever, 2)
        four.stop(3)
        began = time.monotonic()
        assert all("lost the others in" in text for text in failures(four, [0, 1, 2]))
        assert time.monotonic() - began < 2 * SHORT_S + 2


def test_a_rank_that_is_gone_when_groups_are_made_is_an_engine_error() -> None:
    with Ranks(4, timeout_s=SHORT_S) as four:
        four.stop(3)
        four.begin(make_ready, "auto", 2, only=[0, 1, 2])
        assert all("lost the others in making groups" in text for text in failures(four, [0, 1, 2]))


def test_a_killed_rank_0_ends_waiting_followers_at_once(three: Ranks) -> None:
    three.begin(hear_for_ever, None)
    three.kill(0)
    began = time.monotonic()
    assert all("rank 0 of 3 is gone" in text for text in failures(three, [1, 2]))
    assert time.monotonic() - began < SHORT_S / 2


def test_a_stopped_rank_0_ends_followers_that_want_signs_of_life(three: Ranks) -> None:
    three.begin(hear_for_ever, SHORT_S)
    three.stop(0)
    assert all("rank 0 of 3 was silent for 2 s" in text for text in failures(three, [1, 2]))


def test_an_idle_rank_0_notices_a_dead_follower(three: Ranks) -> None:
    three.begin(hear_for_ever, None)
    three.kill(1)
    assert "rank 1 of 3 is gone" in failures(three, [0])[0]
    assert "rank 1 of 3 is gone" in failures(three, [2])[0]  # the reason that rank 0 gave


def test_a_stopped_rank_is_named_by_those_who_wait_to_agree(three: Ranks) -> None:
    three.begin(wait_to_agree)
    three.stop(2)
    for text in failures(three, [0, 1]):
        assert "rank 2 did not come to step" in text and "within 2 s" in text


def hear_past_the_timeout(gang: Gang) -> bytes | None:
    beats: list[float] = []
    if gang.rank:
        heard = gang.hear(1.8, beat=lambda: beats.append(time.monotonic()))  # shorter than the time it waits
    else:
        until = time.monotonic() + SHORT_S + 1
        while time.monotonic() < until:
            gang.alive()
            time.sleep(0.05)
        gang.tell(heard := b"at last")
    assert gang.rank == 0 or len(beats) >= 2, "each sign of life is passed on"
    return heard + bytes(Members().all_gather(torch.tensor([gang.rank])).flatten().tolist())


def test_a_follower_waits_for_a_call_longer_than_any_collective_may(unharmed: Ranks) -> None:
    assert unharmed.run(hear_past_the_timeout) == [b"at last\x00\x01\x02"] * 3


def end_in_order(gang: Gang) -> object:
    if gang.rank == 0:
        return gang.close()
    return gang.hear()


def test_followers_hear_none_when_rank_0_ends_in_order(three: Ranks) -> None:
    assert three.run(end_in_order) == [None] * 3


def test_a_rank_that_never_comes_is_named() -> None:
    with pytest.raises(EngineError, match=r"ranks 1, 2 of 3 did not join within 0\.3 s"):
        gangs.start(0, 3, LOOPBACK, free_port(), torch.device("cpu"), SHORT_S, join_s=0.3)


def test_a_follower_without_rank_0_says_where_it_looked() -> None:
    port = free_port()
    with pytest.raises(EngineError, match=f"rank 1 of 2 cannot meet the others at {LOOPBACK}:{port}"):
        gangs.start(1, 2, LOOPBACK, port, torch.device("cpu"), SHORT_S, join_s=0.3)


@pytest.mark.parametrize("rank,world,device", [(2, 2, "cpu"), (-1, 2, "cpu"), (0, 0, "cpu"), (0, 2, "meta")])
def test_an_impossible_place_in_a_gang_is_refused(rank: int, world: int, device: str) -> None:
    with pytest.raises(ConfigError):
        gangs.start(rank, world, LOOPBACK, free_port(), torch.device(device))


def refused(_gang: Gang, name: str, heads: int) -> str:
    try:
        strategy.make(name, heads, Plain())
    except ConfigError as error:
        return str(error)
    return ""


def test_a_strategy_that_cannot_be_is_refused_with_the_way_out(unharmed: Ranks) -> None:
    assert "4 do not divide by 3 ranks; use 'auto'" in unharmed.run(refused, "ulysses", 4)[0]
    assert "is for one rank, there are 3" in unharmed.run(refused, "local", 4)[1]
    assert "not one of auto, local" in unharmed.run(refused, "spread", 4)[2]


def test_usp_without_its_package_is_refused(unharmed: Ranks) -> None:
    text = unharmed.run(refused, "usp", 3)[0]
    assert "needs a working xfuser with yunchang and a GPU" in text and "'auto' does the same" in text


def test_one_rank_takes_the_same_path_without_a_group() -> None:
    expected = alone(61, 4)
    for name in ("auto", "local", "ulysses", "ring"):
        [result] = spread(Gang(0, 1, torch.device("cpu"), SHORT_S, {}), name, [(61, 4)])
        assert float((result - expected).abs().max()) <= EXACT
