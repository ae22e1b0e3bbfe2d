"""The published way of spreading the VAE over ranks: a grid of tiles with a margin, which changes the result.

In: a `WanVae` that runs whole, and a number of tiles. Out: the same calls, each tile by itself, margins cut away, edges
not blended. Each tile's attention sees only that tile, and the convolutions reach beyond the margin, so pictures depend
on the number of tiles. Rows over ranks (pipeline.parallel.halo) are exact; this is for comparing.

Where neither side divides, the published grid is one row of tiles that loses the remaining columns. Here the tiles then
differ in size by a latent and lose none; where there are more tiles than latents, there are fewer tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from pipeline.models.wan_vae import COLOURS, WanVae
from pipeline.parallel.members import Members

ENCODE_MARGIN = 1  #: latents a side
DECODE_MARGIN = 2  #: latents a side


@dataclass(frozen=True, slots=True)
class Span:
    """Along one side, in latents: start … stop is the tile's, first … last what it sees."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def own(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def seen(self) -> slice:
        return slice(self.first, self.last)

    @property
    def inner(self) -> slice:
        """`own`, counted within `seen`."""
        return slice(self.start - self.first, self.stop - self.first)


Tile = tuple[Span, Span]
Place = tuple[slice, slice]
"""Rows and columns, both."""


class TiledWanVae:
    """vae: one that runs whole. tiles: how many; default, one for each rank.

    Ranks share the tiles out; a rank with several makes one after the other. The result is the same on all of them.
    """

    def __init__(self, vae: WanVae, members: Members, tiles: int | None = None) -> None:
        self._vae = vae
        self._members = members
        self._tiles = tiles or members.world

    def encode(self, video: Tensor) -> Tensor:
        """As `WanVae.encode`."""
        frames, height, width = self._vae.config.latents(*video.shape[2:])
        whole = video.new_zeros(self._vae.config.z_dim, frames, height, width)
        scale = self._vae.config.space
        return self._together(whole, ENCODE_MARGIN, 1, lambda seen: self._vae.encode(at(video, seen, scale)))

    def decode(self, latent: Tensor) -> Tensor:
        """As `WanVae.decode`."""
        whole = latent.new_zeros(1, COLOURS, *self._vae.config.pixels(*latent.shape[1:]))
        scale = self._vae.config.space
        return self._together(whole, DECODE_MARGIN, scale, lambda seen: self._vae.decode(at(latent, seen, 1)))

    def _together(self, whole: Tensor, margin: int, scale: int, made: Callable[[Place], Tensor]) -> Tensor:
        """Fill `whole`, `scale` a latent, with what is made of each tile's rows and columns, in latents."""
        height, width = (side // scale for side in whole.shape[-2:])
        for number, (rows, columns) in enumerate(tiled(height, width, self._tiles, margin)):
            if number % self._members.world == self._members.rank:
                part = made((rows.seen, columns.seen))
                inner = at(part, (rows.inner, columns.inner), scale)
                at(whole, (rows.own, columns.own), scale).copy_(inner)
        return self._members.all_gather(whole).sum(0)  # zeros where a tile is another rank's


def grid(height: int, width: int, tiles: int) -> tuple[int, int]:
    """Rows and columns of tiles for so many latents: of those that divide both sides, the squarest; ties: fewer rows.

    Where none divides, the squarest of those that have a latent for each tile; where none has, for fewer tiles.
    """
    for count in range(tiles, 0, -1):
        pairs = [(rows, count // rows) for rows in range(1, count + 1) if count % rows == 0]
        even = [(rows, columns) for rows, columns in pairs if height % rows == 0 and width % columns == 0]
        fitting = even or [(rows, columns) for rows, columns in pairs if rows <= height and columns <= width]
        if fitting:
            return min(fitting, key=lambda pair: (abs(height / pair[0] - width / pair[1]), pair[0]))
    raise AssertionError(f"{tiles} tiles of {height} x {width} latents")


def tiled(height: int, width: int, tiles: int, margin: int) -> list[Tile]:
    """Row by row."""
    down, across = grid(height, width, tiles)
    return [(rows, columns) for rows in spans(height, down, margin) for columns in spans(width, across, margin)]


def spans(length: int, pieces: int, margin: int) -> list[Span]:
    """Equal pieces with a margin; those at an edge take both margins on their inner side, as far as there is room."""
    edges = [piece * length // pieces for piece in range(pieces + 1)]
    found = []
    for start, stop in pairwise(edges):
        seen = min(length, stop - start + 2 * margin)
        first = min(max(0, start - margin), length - seen)
        found.append(Span(start, stop, first, first + seen))
    return found


def at(x: Tensor, place: Place, scale: int) -> Tensor:
    """The view of [..., H, W] at rows and columns that are counted in steps of `scale`."""
    rows, columns = place
    return x[..., rows.start * scale : rows.stop * scale, columns.start * scale : columns.stop * scale]
