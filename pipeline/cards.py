"""What graphics cards can do: rates that a large product and a large copy reach, and the memory on the card.

In: a name, also as the driver gives it. Out: a Card. No torch; no card is asked anything here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.errors import ConfigError

# What an 8192³ product and a large copy reached on an H200, over its datasheet: 790 of 989 TFLOP/s in bf16, 1500 of
# 1979 in FP8, 4.3 of 4.8 TB/s. Other cards are taken to reach the same share of theirs until they are measured.
BF16_SHARE, FP8_SHARE, COPY_SHARE = 0.8, 0.76, 0.9


@dataclass(frozen=True, slots=True)
class Card:
    """Rates that can be reached, not the datasheet's: TFLOP/s of a dense product with float32 sums, GB/s, GB (10⁹).

    fp8_tflops is 0 for a card without FP8 units. measured: reached by a measurement of ours, else a share of the
    datasheet's figure.
    """

    name: str
    bf16_tflops: float
    fp8_tflops: float
    bandwidth_gbs: float
    memory_gb: float
    measured: bool = False

    @property
    def has_fp8(self) -> bool:
        return self.fp8_tflops > 0


def _of_datasheet(name: str, bf16: float, fp8: float, bandwidth: float, memory: float) -> Card:
    return Card(name, round(bf16 * BF16_SHARE), round(fp8 * FP8_SHARE), round(bandwidth * COPY_SHARE), memory)


CARDS: dict[str, Card] = {
    card.name: card
    for card in (
        Card("h200", 790, 1500, 4300, 141, measured=True),
        _of_datasheet("h100", 989, 1979, 3350, 80),
        _of_datasheet("h100-pcie", 756, 1513, 2000, 80),
        _of_datasheet("h800", 989, 1979, 3350, 80),
        _of_datasheet("h20", 148, 296, 4000, 96),
        _of_datasheet("b200", 2250, 4500, 8000, 180),
        _of_datasheet("a100", 312, 0, 2039, 80),
        _of_datasheet("a100-40", 312, 0, 1555, 40),
        _of_datasheet("a800", 312, 0, 2039, 80),
        _of_datasheet("l40s", 362, 733, 864, 48),
        _of_datasheet("l20", 119.5, 239, 864, 48),
        _of_datasheet("a6000", 154.8, 0, 768, 48),
        _of_datasheet("rtx-6000-ada", 364, 728, 960, 48),
        _of_datasheet("rtx-pro-6000", 503.8, 1007.6, 1792, 96),
        _of_datasheet("rtx-5090", 209.5, 419, 1792, 32),
        _of_datasheet("rtx-4090", 165.2, 330.3, 1008, 24),
        _of_datasheet("rtx-3090", 71, 0, 936, 24),
    )
}
#: A card's name as the driver gives it, and ours; the first that fits counts.
_DRIVER_NAMES = (
    (r"h200", "h200"),
    (r"h100.*pcie", "h100-pcie"),
    (r"h100", "h100"),
    (r"h800", "h800"),
    (r"h20\b", "h20"),
    (r"b200", "b200"),
    (r"a100.*40gb", "a100-40"),
    (r"a100", "a100"),
    (r"a800", "a800"),
    (r"l40s", "l40s"),
    (r"l20\b", "l20"),
    (r"rtx 6000 ada", "rtx-6000-ada"),
    (r"rtx pro 6000", "rtx-pro-6000"),
    (r"rtx a6000", "a6000"),
    (r"rtx 5090", "rtx-5090"),
    (r"rtx 4090", "rtx-4090"),
    (r"rtx 3090", "rtx-3090"),
)


def card_named(name: str) -> Card:
    """The card of that name, ours ("h200") or the driver's ("NVIDIA H200"); ConfigError for one not in the table."""
    if name.lower() in CARDS:
        return CARDS[name.lower()]
    card = card_found(name)
    if card is None:
        raise ConfigError(f"no card {name!r} in the table; known: {', '.join(CARDS)}")
    return card


def card_found(driver_name: str) -> Card | None:
    """The card that the driver names so; None for one not in the table."""
    for pattern, name in _DRIVER_NAMES:
        if re.search(rf"\b{pattern}", driver_name, re.IGNORECASE):
            return CARDS[name]
    return None
