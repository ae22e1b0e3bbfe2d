"""How one token sequence is spread over ranks: the contract that a model is built with, and the table of ways.

A model shares its tokens after the patch embedding, attends through the strategy and gathers after its head; all
else is local. Every strategy gives the attention over all real tokens exactly, for any token count on any number of
ranks. Padding rows come out as zeros and are never looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from pipeline.errors import ConfigError
from pipeline.parallel.layout import Share, degrees
from pipeline.parallel.members import TIMEOUT_S, Members

if TYPE_CHECKING:
    from pipeline.attention import Kernel

NAMES = ("auto", "local", "ulysses", "ring", "usp")


class Strategy(Protocol):
    """How one sequence is spread. All ranks make the same calls in the same order."""

    rank: int
    world: int

    def share(self, x: Tensor) -> Tensor:
        """[B, N, D], the same on every rank -> this rank's [B, piece, D]; zero rows where there are no tokens."""
        ...

    def gather(self, x: Tensor, tokens: int) -> Tensor:
        """[B, piece, D] of every rank -> [B, N, D] on every rank; N = tokens."""
        ...

    def attend(self, q: Tensor, k: Tensor, v: Tensor, tokens: int) -> Tensor:
        """[B, piece, heads, d] each -> [B, piece, heads, d]: attention over the N real tokens of all ranks."""
        ...


class Local:
    """One rank that holds the whole sequence."""

    rank = 0
    world = 1

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def share(self, x: Tensor) -> Tensor:
        return x

    def gather(self, x: Tensor, tokens: int) -> Tensor:
        return x

    def attend(self, q: Tensor, k: Tensor, v: Tensor, tokens: int) -> Tensor:
        return self._kernel(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)


class Spread:
    """Sharing and gathering over the ranks of a group: the part that all strategies have in common."""

    def __init__(self, members: Members) -> None:
        self.rank = members.rank
        self.world = members.world
        self._members = members

    def share(self, x: Tensor) -> Tensor:
        share = Share(x.shape[1], self.world, self.rank)
        own = x[:, share.start : share.start + share.real]
        return padded(own, share.piece, 1)

    def gather(self, x: Tensor, tokens: int) -> Tensor:
        pieces = self._members.all_gather(x)  # [world, B, piece, D]
        return pieces.transpose(0, 1).flatten(1, 2)[:, :tokens]


def padded(x: Tensor, length: int, dim: int) -> Tensor:
    """x with zeros appended along dim up to this length."""
    if x.shape[dim] == length:
        return x
    shape = list(x.shape)
    shape[dim] = length - x.shape[dim]
    return torch.cat([x, x.new_zeros(shape)], dim)


def make(name: str, heads: int, kernel: Kernel, timeout_s: float = TIMEOUT_S) -> Strategy:
    """The strategy of this name over torch.distributed's default group (none = one rank).

    Every rank calls it, in the same order. "auto": as many ranks over the heads as divide both, the rest in a ring.
    timeout_s: the gang's, for the groups that are made here.
    ConfigError for a name that is not there, or that this number of ranks and heads does not allow.
    """
    from pipeline.parallel.grid import Grid
    from pipeline.parallel.ring import Ring
    from pipeline.parallel.ulysses import Ulysses
    from pipeline.parallel.usp import Usp

    if name not in NAMES:
        raise ConfigError(f"strategy {name!r} is not one of {', '.join(NAMES)}")
    members = Members()
    if name == "local" and members.world > 1:
        raise ConfigError(f"strategy 'local' is for one rank, there are {members.world}; 'auto' spreads over them")
    if name == "local" or (name == "auto" and members.world == 1):
        return Local(kernel)
    across, around = degrees(members.world, heads)
    if name == "ulysses" or (name == "auto" and around == 1):
        return Ulysses(members, heads, kernel)
    if name == "ring" or (name == "auto" and across == 1):
        return Ring(members, kernel)
    if name == "usp":
        return Usp(members, across, around)
    return Grid(members, across, around, kernel, timeout_s)
