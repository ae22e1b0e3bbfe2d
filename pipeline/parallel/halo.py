"""A picture's rows over ranks: each works on its own band and borrows the rows it needs from its neighbours.

In: bands of feature maps [..., rows, columns]. Out: their neighbours' rows, whole maps. What a network gives band by
band is what it gives whole, to rounding. Bands are counted in rows of the smallest map, so they are whole at every
scale; where there are fewer of those than ranks, the last ranks have none and only take the result.

`Whole` is the same for one rank. What lies beyond the picture is zero, as the convolutions' own padding would be.
Nothing is computed twice, and no rank computes more than its rows' part of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from pipeline.parallel.members import Members, translated


class Band(Protocol):
    """One rank's rows of a picture during one call. All ranks that have rows make the same calls in the same order."""

    def is_idle(self) -> bool:
        """No rows: it only takes the result."""
        ...

    def own(self, x: Tensor) -> Tensor:
        """[..., H, W] of the whole picture, at any scale → this rank's rows, a view."""
        ...

    def edges(self, x: Tensor, above: int, below: int) -> tuple[Tensor, Tensor]:
        """This rank's rows → so many rows above them and below: a neighbour's, or zeros beyond the picture.

        Not more than the narrowest band has at this scale.
        """
        ...

    def whole(self, x: Tensor) -> Tensor:
        """This rank's rows → those of all that have some."""
        ...

    def gather(self, x: Tensor | None, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """The whole result [..., H, W] of this shape on every rank. x: its rows, None where it is idle.

        like: a tensor of the result's type and device, for a rank that has none.
        """
        ...


class Split(Protocol):
    """How the rows of pictures are spread."""

    def band(self, rows: int) -> Band:
        """For a picture whose smallest map has so many rows; the same call on every rank."""
        ...


def with_rows(band: Band, x: Tensor, above: int, below: int) -> Tensor:
    """[..., rows, W] → [..., above + rows + below, W]."""
    top, bottom = band.edges(x, above, below)
    return torch.cat([top, x, bottom], -2)


class Whole:
    """One rank that has all rows; its own band."""

    def band(self, rows: int) -> Band:
        return self

    def is_idle(self) -> bool:
        return False

    def own(self, x: Tensor) -> Tensor:
        return x

    def edges(self, x: Tensor, above: int, below: int) -> tuple[Tensor, Tensor]:
        return _blank(x, above), _blank(x, below)

    def whole(self, x: Tensor) -> Tensor:
        return x

    def gather(self, x: Tensor | None, shape: tuple[int, ...], like: Tensor) -> Tensor:
        assert x is not None and x.shape == shape, (shape, None if x is None else x.shape)
        return x


class Bands:
    """Rows over the ranks of a group; a world of one is the same as `Whole`.

    On NCCL the group must be connected already (a gang's is): ranks without rows take no part in exchanges, and a
    group's first call needs all of them.
    """

    def __init__(self, members: Members) -> None:
        self._members = members

    def band(self, rows: int) -> Band:
        return _Band(self._members, rows) if self._members.world > 1 else Whole()


class _Band:
    def __init__(self, members: Members, rows: int) -> None:
        self._members = members
        self._rows = rows
        each, left = divmod(rows, members.world)
        self._sizes = [each + (rank < left) for rank in range(members.world)]
        self._busy = sum(size > 0 for size in self._sizes)
        self._first = sum(self._sizes[: members.rank])

    def is_idle(self) -> bool:
        return self._members.rank >= self._busy

    def own(self, x: Tensor) -> Tensor:
        assert x.shape[-2] % self._rows == 0, f"{x.shape[-2]} rows are no multiple of {self._rows}"
        scale = x.shape[-2] // self._rows
        return x.narrow(-2, self._first * scale, self._sizes[self._members.rank] * scale)

    def edges(self, x: Tensor, above: int, below: int) -> tuple[Tensor, Tensor]:
        rank, last, rows = self._members.rank, self._busy - 1, x.shape[-2]
        top, bottom = _blank(x, above), _blank(x, below)
        out, into = [], []
        if rank > 0:
            out.append((rank - 1, x.narrow(-2, 0, below)))
            into.append((rank - 1, top))
        if rank < last:
            out.append((rank + 1, x.narrow(-2, rows - above, above)))
            into.append((rank + 1, bottom))
        _swap(self._members, out, into)
        return top, bottom

    def whole(self, x: Tensor) -> Tensor:
        rank = self._members.rank
        scale = x.shape[-2] // self._sizes[rank]
        parts = [x if other == rank else _blank(x, self._sizes[other] * scale) for other in range(self._busy)]
        others = [other for other in range(self._busy) if other != rank]
        _swap(self._members, [(other, x) for other in others], [(other, parts[other]) for other in others])
        return torch.cat(parts, -2)

    def gather(self, x: Tensor | None, shape: tuple[int, ...], like: Tensor) -> Tensor:
        scale = shape[-2] // self._rows
        piece = like.new_zeros((*shape[:-2], self._sizes[0] * scale, shape[-1]))  # of one size on every rank
        if x is not None:
            piece.narrow(-2, 0, x.shape[-2]).copy_(x)
        pieces = self._members.all_gather(piece)
        parts = [piece.narrow(-2, 0, size * scale) for piece, size in zip(pieces, self._sizes, strict=True)]
        return torch.cat(parts, -2)


def _blank(like: Tensor, rows: int) -> Tensor:
    """So many rows of zeros, contiguous: what beyond the picture is, and where a neighbour's rows are received."""
    return like.new_zeros((*like.shape[:-2], rows, like.shape[-1]))


def _swap(members: Members, out: Sequence[tuple[int, Tensor]], into: Sequence[tuple[int, Tensor]]) -> None:
    """Send tensors to ranks of the group and receive others' into tensors, all at once: (rank, tensor) each."""
    sent = [(dist.isend, rank, x.contiguous()) for rank, x in out if x.numel()]
    got = [(dist.irecv, rank, x) for rank, x in into if x.numel()]
    if not sent and not got:
        return
    pairs = [dist.P2POp(way, x, group=members.group, group_peer=rank) for way, rank, x in (*sent, *got)]
    with translated(members.rank, members.world, "send and receive"):
        for work in dist.batch_isend_irecv(pairs):
            work.wait()
