"""Which tokens of a sequence lie on which rank. Pure numbers: no torch, no processes.

The sequence (frame, row, column order) is cut into contiguous pieces of one size; where the count does not divide,
the last ranks hold fewer real tokens, or none, and the rest of their piece is padding that nobody may attend to.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from pipeline.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Share:
    """One rank's piece of a sequence of `tokens`."""

    tokens: int
    world: int
    rank: int

    def __post_init__(self) -> None:
        if self.tokens < 1 or not 0 <= self.rank < self.world:
            raise ConfigError(f"{self.tokens} tokens on rank {self.rank} of {self.world}: no such share")

    @property
    def piece(self) -> int:
        """Tokens a rank holds, padding included; the same on every rank."""
        return -(-self.tokens // self.world)

    @property
    def start(self) -> int:
        """The first real token, counted over the whole sequence; `tokens` where there is none."""
        return min(self.rank * self.piece, self.tokens)

    @property
    def real(self) -> int:
        """Real tokens, at the front of the piece; may be 0."""
        return min(self.piece, self.tokens - self.start)

    def spans(self, per_frame: int) -> list[tuple[int, int, int]]:
        """The real tokens by latent frame: (frame, start, stop), start and stop counted within this piece."""
        if per_frame < 1 or self.tokens % per_frame:
            raise ConfigError(f"{self.tokens} tokens are no whole number of frames of {per_frame}")
        stop = self.start + self.real
        return [
            (
                frame,
                max(frame * per_frame, self.start) - self.start,
                min((frame + 1) * per_frame, stop) - self.start,
            )
            for frame in range(self.start // per_frame, -(-stop // per_frame))
        ]


def degrees(world: int, heads: int) -> tuple[int, int]:
    """(U, R): over how many ranks the heads are spread, and how many such groups pass keys and values round."""
    ulysses = gcd(world, heads)
    return ulysses, world // ulysses


def real_in(tokens: int, length: int, block: int) -> int:
    """Real tokens in block number `block` when the padded sequence is seen as blocks of `length`."""
    return max(0, min(length, tokens - block * length))
