"""The floor of a card without the card: what a chunk could take at best, for every tier and number of ranks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.gpu import published
from pipeline.cards import Card
from pipeline.roofline import CHUNK_MS, TIERS, floor, memory
from pipeline.workload import Dit, decode_flops, encode_flops, step_flops, tokens

RANKS = (1, 2, 4, 8)


def lines(card: Card, sizes: Iterable[tuple[int, int]]) -> Iterator[str]:
    """The page that is printed where there is no GPU."""
    source = "measured" if card.measured else "taken as 0.8 / 0.76 / 0.9 of the datasheet"
    fp8 = f", FP8 {card.fp8_tflops:g}" if card.has_fp8 else ", no FP8"
    yield f"{card.name}: bf16 {card.bf16_tflops:g} TFLOP/s{fp8}, copy {card.bandwidth_gbs:g} GB/s ({source}),"
    yield f"{card.memory_gb:g} GB. Nothing below is measured: it is the counted work at these rates, without transfers."
    for size in sizes:
        yield ""
        yield from _table(card, size)
    yield ""
    yield "Published, ms:"
    for where, what in published.ANCHORS:
        yield f"  {where:<36} {what}"


def _table(card: Card, size: tuple[int, int]) -> Iterator[str]:
    count, width_height = tokens(size), f"{size[0]}x{size[1]}"
    step = step_flops(Dit(), count)
    yield (
        f"{width_height}: {count} tokens; a step {step.total / 1e12:.1f} TFLOP, {step.hot / 1e12:.1f} with kept K/V; "
        f"decode {decode_flops(size) / 1e12:.1f}, encode {encode_flops(size) / 1e12:.1f}"
    )
    yield f"  {'tier':<12} {'GPUs':>4} {'step':>7} {'decode':>7} {'encode':>7} {'chunk':>7} {'fps':>6} {'GB each':>8}"
    for tier in TIERS:
        if tier != "bf16" and not card.has_fp8:
            yield f"  {tier:<12} this card has no FP8 units"
            continue
        for ranks in RANKS:
            least, needed = floor(card, size, ranks, tier), memory(size, ranks, tier).total
            fits = "" if needed < card.memory_gb else "  does not fit"
            live = "  live" if least.chunk_ms <= CHUNK_MS else ""
            yield (
                f"  {tier:<12} {ranks:>4} {least.step_ms:>7.0f} {least.decode_ms:>7.1f} {least.encode_ms:>7.1f} "
                f"{least.chunk_ms:>7.0f} {28e3 / least.chunk_ms:>6.1f} {needed:>8.1f}{live}{fits}"
            )
