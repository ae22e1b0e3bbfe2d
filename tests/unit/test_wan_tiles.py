"""The published tiling of the VAE against the published implementation's numbers."""

from __future__ import annotations

import pytest
import torch

from pipeline.errors import ConfigError
from pipeline.models.wan_tiles import TiledWanVae, grid, spans
from pipeline.parallel.members import Members
from tests.unit.test_wan_vae import apart, made, wide

CASE = wide("wan_vae_sliced")


def test_tiles_give_the_published_pictures_and_rows_whole_ones() -> None:
    vae = made()
    tiles = TiledWanVae(vae, Members(), 4)
    assert apart(tiles.encode(CASE["video_in"]), CASE["latent_sliced"]) < 1e-4
    assert apart(vae.encode(CASE["video_in"]), CASE["latent_whole"]) < 1e-4
    assert apart(tiles.decode(CASE["latent_whole"]).clamp(-1, 1), CASE["video_sliced"]) < 2e-3
    assert apart(vae.decode(CASE["latent_whole"]).clamp(-1, 1), CASE["video_whole"]) < 2e-3
    assert apart(CASE["video_sliced"], CASE["video_whole"]) > 0.05, "tiles are not exact"


@pytest.mark.parametrize(
    ("size", "tiles", "expected"),
    [((96, 56), 2, (2, 1)), ((96, 56), 4, (2, 2)), ((96, 56), 8, (4, 2)), ((64, 64), 2, (1, 2)), ((12, 8), 4, (2, 2))],
)
def test_the_grid_is_the_published_one(size: tuple[int, int], tiles: int, expected: tuple[int, int]) -> None:
    assert grid(*size, tiles) == expected


@pytest.mark.parametrize(
    ("size", "tiles", "expected"),
    [((45, 27), 8, (4, 2)), ((7, 5), 4, (2, 2)), ((3, 5), 2, (1, 2)), ((3, 3), 8, (2, 3)), ((1, 1), 8, (1, 1))],
)
def test_no_latent_is_lost_where_nothing_divides(size: tuple[int, int], tiles: int, expected: tuple[int, int]) -> None:
    assert grid(*size, tiles) == expected
    for length, pieces in zip(size, expected, strict=True):
        found = spans(length, pieces, 2)
        assert [place for span in found for place in range(span.start, span.stop)] == list(range(length))
        assert all(0 <= span.first <= span.start < span.stop <= span.last <= length for span in found)


def test_every_latent_and_pixel_is_made_where_nothing_divides() -> None:
    """A tile whose margins reach all edges sees the whole picture, so what it makes is exact, and in its place."""
    vae, video = made(), torch.randn(1, 3, 1, 40, 24, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    tiles, latent = TiledWanVae(vae, Members(), 2), vae.encode(video)
    assert grid(5, 3, 2) == (2, 1)
    assert [(span.first, span.last) for span in spans(5, 2, 2)] == [(0, 5), (0, 5)]
    assert apart(tiles.decode(latent), vae.decode(latent)) < 1e-5
    assert [(span.start, span.first, span.last) for span in spans(5, 2, 1)] == [(0, 0, 4), (2, 0, 5)]
    encoded = tiles.encode(video)
    assert apart(encoded[:, :, 2:], latent[:, :, 2:]) < 1e-5 and apart(encoded, latent) > 1e-3


def test_a_video_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="sides that divide by 8"):
        TiledWanVae(made(), Members(), 4).encode(torch.zeros(1, 3, 5, 24, 33))
