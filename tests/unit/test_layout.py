"""Which tokens lie on which rank: every real token once, and each rank's latent frames to the token."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigError
from pipeline.parallel.layout import Share, degrees, real_in

WORLDS = range(1, 9)
PORTRAIT = (12_096, 48 * 28)  # tokens, tokens per latent frame at 448x768
CUT = (10_530, 45 * 26)  # 416x720: does not divide by 4, 7 or 8
TINY = (60, 12)
SIZES = [PORTRAIT, CUT, TINY, (7, 7), (1, 1), (5, 1)]


@pytest.mark.parametrize("tokens,_per_frame", SIZES)
@pytest.mark.parametrize("world", WORLDS)
def test_every_real_token_lies_on_exactly_one_rank(tokens: int, _per_frame: int, world: int) -> None:
    shares = [Share(tokens, world, rank) for rank in range(world)]
    held = [token for share in shares for token in range(share.start, share.start + share.real)]
    assert held == list(range(tokens))
    assert {share.piece for share in shares} == {-(-tokens // world)}


@pytest.mark.parametrize("tokens,per_frame", SIZES)
@pytest.mark.parametrize("world", WORLDS)
def test_spans_name_each_real_token_s_own_frame(tokens: int, per_frame: int, world: int) -> None:
    for rank in range(world):
        share = Share(tokens, world, rank)
        named = [(frame, share.start + i) for frame, a, b in share.spans(per_frame) for i in range(a, b)]
        assert named == [(token // per_frame, token) for token in range(share.start, share.start + share.real)]


def test_the_published_example_of_spans() -> None:
    lengths = [[b - a for _, a, b in Share(12_096, 8, rank).spans(1344)] for rank in range(8)]
    assert lengths[:2] == [[1344, 168], [1176, 336]]


def test_a_rank_without_tokens_has_no_spans() -> None:
    share = Share(7, 5, 4)
    assert (share.piece, share.start, share.real, share.spans(7)) == (2, 7, 0, [])


@pytest.mark.parametrize("world", WORLDS)
def test_blocks_of_any_size_count_the_real_tokens(world: int) -> None:
    length = -(-10_530 // world)
    assert [real_in(10_530, length, rank) for rank in range(world)] == [
        Share(10_530, world, rank).real for rank in range(world)
    ]
    assert real_in(7, 4, 2) == 0


@pytest.mark.parametrize("world,heads,expected", [(8, 40, (8, 1)), (6, 40, (2, 3)), (3, 40, (1, 3)), (8, 12, (4, 2))])
def test_degrees_are_the_published_ones(world: int, heads: int, expected: tuple[int, int]) -> None:
    assert degrees(world, heads) == expected


@pytest.mark.parametrize("tokens,world,rank", [(0, 1, 0), (5, 2, 2), (5, 2, -1)])
def test_an_impossible_share_is_refused(tokens: int, world: int, rank: int) -> None:
    with pytest.raises(ConfigError):
        Share(tokens, world, rank)


def test_tokens_that_are_no_whole_frames_are_refused() -> None:
    with pytest.raises(ConfigError, match="61 tokens are no whole number of frames of 12"):
        Share(61, 2, 0).spans(12)
