"""The VAE with its rows over ranks gives what one rank gives, for every number of ranks and rows, at its part of it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pipeline.models.wan_tiles import TiledWanVae
from pipeline.models.wan_vae import WanVae
from pipeline.parallel.gang import Gang
from pipeline.parallel.halo import Bands, Split, Whole
from pipeline.parallel.members import Members
from tests.rankrun import RankFailed, Ranks
from tests.unit.test_wan_vae import CASE, CONFIG, apart, made

CLOSE = 1e-4
ROWS = 5  # of the larger picture's latents: uneven over 2, 3 and 4 ranks, and 8 leave three idle

dice = torch.Generator().manual_seed(7)
VIDEOS = [CASE["enc_in_33f"], CASE["enc_in_5f"], CASE["enc_in_1f"]]  # 3 rows of latents
VIDEOS += [torch.randn(1, 3, 5, 8 * ROWS, 48, generator=dice).clamp(-1, 1)]
LATENTS = [CASE["dec_in"], CASE["dec_in_1"], torch.randn(16, 2, ROWS, 6, generator=dice)]


def vae(split: Split) -> WanVae:
    net = WanVae(CONFIG, split)
    net.load_state_dict(made().state_dict())
    return net.requires_grad_(False)


def both_ways(gang: Gang | None = None) -> tuple[list[Tensor], list[Tensor], int]:
    """All videos encoded, all latents decoded; and the multiplications this rank's convolutions did for the last."""
    net = vae(Whole() if gang is None else Bands(Members()))
    encoded, decoded = [net.encode(video) for video in VIDEOS[:-1]], [net.decode(latent) for latent in LATENTS[:-1]]
    work: list[int] = []

    def count(layer: nn.Module, _inputs: object, out: Tensor) -> None:
        work.append(out.numel() * layer.get_parameter("weight")[0].numel())

    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d):
            layer.register_forward_hook(count)
    encoded.append(net.encode(VIDEOS[-1]))
    decoded.append(net.decode(LATENTS[-1]))
    return encoded, decoded, sum(work)


@pytest.fixture(scope="module")
def alone() -> tuple[list[Tensor], list[Tensor], int]:
    return both_ways()


@pytest.mark.parametrize("world", [2, 3, *(pytest.param(world, marks=pytest.mark.long) for world in (4, 8))])
def test_rows_over_ranks_are_exact_and_every_rank_does_its_part(
    world: int, alone: tuple[list[Tensor], list[Tensor], int]
) -> None:
    encoded, decoded, work = alone
    with Ranks(world) as ranks:
        results = ranks.run(both_ways)
    for rank, (ours, theirs, done) in enumerate(results):
        for expected, got in zip([*encoded, *decoded], [*ours, *theirs], strict=True):
            assert apart(got, expected) < CLOSE, (rank, tuple(expected.shape))
        rows = ROWS // world + (rank < ROWS % world)
        assert done / work == pytest.approx(rows / ROWS), f"rank {rank} has {rows} of {ROWS} rows"


def tiled(_gang: Gang, tiles: int) -> tuple[Tensor, Tensor]:
    net = TiledWanVae(vae(Whole()), Members(), tiles)
    return net.encode(VIDEOS[1]), net.decode(LATENTS[1])


def test_tiles_on_ranks_are_those_of_one_rank() -> None:
    """More tiles than ranks, so that one makes two of them."""
    net = TiledWanVae(made(), Members(), 3)
    encoded, decoded = net.encode(VIDEOS[1]), net.decode(LATENTS[1])
    with Ranks(2) as ranks:
        for ours, theirs in ranks.run(tiled, 3):
            assert apart(ours, encoded) < CLOSE and apart(theirs, decoded) < CLOSE


def test_a_rank_that_dies_ends_the_others_with_its_loss_named() -> None:
    with Ranks(3, timeout_s=5.0) as ranks:
        ranks.run(tiled, 3)  # all are connected
        ranks.kill(1)
        ranks.begin(both_ways, only=[0, 2])
        for rank in (0, 2):
            outcome = ranks.outcome(rank)
            assert isinstance(outcome, RankFailed) and outcome.kind == "EngineError", outcome
            assert f"rank {rank} of 3 lost the others" in outcome.text
