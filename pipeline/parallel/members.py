"""The ranks of one process group and the four things they say to each other in tensors.

The border to torch.distributed's collectives: a rank that is lost or late becomes an EngineError that names the call.
On gloo that is raised here; on NCCL a late rank is found by its watchdog, which ends the process.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from pipeline.errors import EngineError

TIMEOUT_S = 20.0  # a collective or an answer that takes longer means a rank that is dead or stopped
# torch 2.13 gave it a new name and warns about the old one
_all_gather: Callable[..., Any] = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor


class Members:
    """Ranks of a group, by their number within it. group None: the default group; without one, a world of 1."""

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        self.group = group
        started = dist.is_available() and dist.is_initialized()
        self.world = dist.get_world_size(group) if started else 1
        self.rank = dist.get_rank(group) if started else 0

    def all_gather(self, x: Tensor) -> Tensor:
        """[…] on every rank -> [world, …], the same everywhere."""
        if self.world == 1:
            return x[None]
        out = x.new_empty((self.world, *x.shape))
        with translated(self.rank, self.world, "all_gather"):
            _all_gather(out, x.contiguous()[None], group=self.group)
        return out

    def all_to_all(self, x: Tensor) -> Tensor:
        """[world, …]: row j goes to rank j -> [world, …]: row j came from rank j."""
        if self.world == 1:
            return x
        assert x.shape[0] == self.world, f"{tuple(x.shape)}: one row for each of {self.world} ranks"
        x = x.contiguous()
        out = torch.empty_like(x)
        with translated(self.rank, self.world, "all_to_all"):
            dist.all_to_all_single(out, x, group=self.group)
        return out

    def pass_on(self, x: Tensor, into: Tensor) -> Sequence[dist.Work]:
        """Begin to send x to the next rank and to receive the one before's into `into`; `arrive` ends it."""
        after, before = (self.rank + 1) % self.world, (self.rank - 1) % self.world
        with translated(self.rank, self.world, "send and receive"):
            return dist.batch_isend_irecv(
                [
                    dist.P2POp(dist.isend, x, group=self.group, group_peer=after),
                    dist.P2POp(dist.irecv, into, group=self.group, group_peer=before),
                ]
            )

    def arrive(self, works: Sequence[dist.Work]) -> None:
        with translated(self.rank, self.world, "send and receive"):
            for work in works:
                work.wait()


def partition(width: int, stride: int, timeout_s: float = TIMEOUT_S) -> Members:
    """This rank's group when all ranks are dealt into groups of `width` ranks that lie `stride` apart.

    Every rank of the default group calls it, in the same order: making groups is a collective itself.
    """
    world, rank = dist.get_world_size(), dist.get_rank()
    assert world % (width * stride) == 0, f"{world} ranks are no groups of {width} at distance {stride}"
    limit = datetime.timedelta(seconds=timeout_s)
    mine: dist.ProcessGroup | None = None
    for first in range(world):
        if (first // stride) % width == 0:
            members = [first + i * stride for i in range(width)]
            with translated(rank, world, "making groups"):
                group = dist.new_group(members, timeout=limit)  # else 30 min: it does not inherit its parent's
            if rank in members:
                mine = group
    return Members(mine)


@contextmanager
def translated(rank: int, world: int, what: str) -> Iterator[None]:
    """torch's distributed errors, all of them RuntimeErrors, as ours."""
    try:
        yield
    except RuntimeError as error:
        raise EngineError(
            f"rank {rank} of {world} lost the others in {what}: "
            f"one of them is gone or did not answer in time ({str(error).splitlines()[0]})"
        ) from error
