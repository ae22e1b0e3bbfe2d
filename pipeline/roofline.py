"""The shortest time that a card could need for a FlashTalk chunk, and the memory that it takes.

In: a Card, picture size, ranks, tier. Out: milliseconds, bytes. A floor, not a forecast: arithmetic at the rate that
a large product reaches, or the weights' bytes at the rate of a large copy where that is longer; no norms, no kernel
starts, no transfers between ranks, no traffic of activations. Pure; no torch.

Sizes are (width, height) in pixels. Everything constant (text and picture K/V, audio K/V) is taken as kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.cards import CARDS, Card, card_found, card_named
from pipeline.errors import ConfigError
from pipeline.workload import (
    CHUNK_FRAMES,
    PICTURE_TOKENS,
    Dit,
    Step,
    Vae,
    cached_bytes,
    decode_flops,
    dit_parameters,
    encode_flops,
    step_flops,
    tokens,
    vae_parameters,
)

__all__ = [
    "CARDS", "CHUNK_MS", "TIERS", "Card", "Dit", "Floor", "Memory", "Step", "Vae", "card_found", "card_named",
    "chunk_ms", "decode_flops", "dit_parameters", "encode_flops", "floor", "memory", "step_flops", "tokens",
    "vae_parameters",
]  # fmt: skip

TIERS = ("bf16", "fp8-linears", "fp8")  #: fp8-linears: attention in bf16. The VAE is in bf16 in all of them
STEPS = 4
CHUNK_MS = 1120.0  #: real time: 28 new frames at 25 a second
TERA, GIGA = 1e12, 1e9
BF16_BYTES = 2


@dataclass(frozen=True, slots=True)
class Floor:
    """Milliseconds on each of the ranks, which share all work evenly. `chunk_ms` = steps, decode and encode."""

    step_ms: float
    decode_ms: float
    encode_ms: float
    chunk_ms: float


def floor(card: Card, size: tuple[int, int], ranks: int = 1, tier: str = "bf16", steps: int = STEPS) -> Floor:
    """The floor of one chunk; ConfigError for a tier that is unknown or that the card has no units for."""
    step = _step_ms(card, step_flops(Dit(), tokens(size)), ranks, tier)
    decode, encode = (
        flops / card.bf16_tflops / TERA * 1e3 / ranks for flops in (decode_flops(size), encode_flops(size))
    )
    return Floor(step, decode, encode, steps * step + decode + encode)


def chunk_ms(card: Card, size: tuple[int, int], ranks: int = 1, tier: str = "bf16", steps: int = STEPS) -> float:
    """`floor`, the whole chunk alone."""
    return floor(card, size, ranks, tier, steps).chunk_ms


def _step_ms(card: Card, step: Step, ranks: int, tier: str) -> float:
    if tier not in TIERS:
        raise ConfigError(f"tier {tier!r}; known: {', '.join(TIERS)}")
    if tier != "bf16" and not card.has_fp8:
        raise ConfigError(f"tier {tier}: a {card.name} has no FP8 units; bf16 would be right")
    quick = {"bf16": 0.0, "fp8-linears": step.linears, "fp8": step.hot}[tier]
    seconds = (step.hot - quick) / card.bf16_tflops / TERA
    if quick:
        seconds += quick / card.fp8_tflops / TERA
    reading = dit_parameters(Dit(), kept_context=True) * _width(tier) / card.bandwidth_gbs / GIGA
    return max(seconds / ranks, reading) * 1e3


def _width(tier: str) -> int:
    """Bytes of a weight: the few that stay in bf16 in an FP8 tier do not count."""
    return BF16_BYTES if tier == "bf16" else 1


@dataclass(frozen=True, slots=True)
class Memory:
    """GB (10⁹) on each rank while a chunk is made. `working` is an estimate, the other parts are counted."""

    weights: float
    context: float  # kept keys and values of text and picture
    vae: float  # its weights and what its causal convolutions keep of earlier frames
    working: float  # the largest set of activations alive at once, in the DiT or the VAE

    @property
    def total(self) -> float:
        return self.weights + self.context + self.vae + self.working


def memory(size: tuple[int, int], ranks: int = 1, tier: str = "bf16", kept_context: bool = True) -> Memory:
    """kept_context: the products that make text and picture K/V are not on the card, as with a baked avatar."""
    dit, vae = Dit(), Vae()
    piece = -(-tokens(size, dit) // ranks)
    # x, its normalised copy, q, k, v and their rotated copies: 8 rows of D; or x, y and the hidden row twice
    in_dit = piece * BF16_BYTES * max(8 * dit.dim, 2 * dit.dim + 2 * dit.ffn_dim)
    # four pictures at the widest full-size level, three times (input, padded copy, output), and the float32 result
    pixels = size[0] * size[1] / ranks
    in_vae = 3 * 4 * pixels * 2 * vae.dim * BF16_BYTES + CHUNK_FRAMES * 3 * pixels * 4 * 4
    return Memory(
        weights=dit_parameters(dit, kept_context) * _width(tier) / GIGA,
        context=2 * dit.num_layers * (dit.text_len + PICTURE_TOKENS) * dit.dim * BF16_BYTES / GIGA,
        vae=(vae_parameters(vae) * BF16_BYTES + cached_bytes(size, vae) / ranks) / GIGA,
        working=max(in_dit, in_vae) / GIGA,
    )
