"""The forecast: whether FlashTalk fits on a card, streamed from the host or not, and how fast it will be there.

That streaming changes no number is in test_flashtalk_offload.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.cards import CARDS, Card
from pipeline.engines.flashtalk import offload
from pipeline.forecast import CHUNK_MS, OFFLOAD_BELOW_GB, block_gb, predict, smallest_gang
from pipeline.roofline import floor
from pipeline.weights import made

SMALL, WIDE = (416, 720), (448, 768)


@pytest.mark.parametrize(
    ("card", "size", "ranks", "step_ms"),
    [
        ("h800", SMALL, 1, 800),
        ("h800", SMALL, 8, 154),
        ("a100", SMALL, 8, 336),
        ("h20", WIDE, 8, 567),
    ],
)
def test_the_steps_that_others_published_are_forecast_to_a_tenth(
    card: str, size: tuple[int, int], ranks: int, step_ms: float
) -> None:
    assert predict(CARDS[card], size, ranks).step_ms == pytest.approx(step_ms, rel=0.1)


@pytest.mark.parametrize(("ranks", "chunk_ms"), [(1, 4 * 800 + 988 + 97 + 33), (8, 876)])
def test_the_chunks_that_others_published_are_forecast_to_a_tenth(ranks: int, chunk_ms: float) -> None:
    assert predict(CARDS["h800"], SMALL, ranks).chunk_ms == pytest.approx(chunk_ms, rel=0.1)


def test_two_cards_gain_what_ulysses_on_two_was_published_to_gain() -> None:
    one, two = (predict(CARDS["h800"], SMALL, ranks).step_ms for ranks in (1, 2))
    assert one / two == pytest.approx(1.79, rel=0.05)


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.name)
def test_no_forecast_beats_the_floor_and_more_cards_are_never_slower(card: Card) -> None:
    chunks = []
    for ranks in (1, 2, 4, 8):
        forecast = predict(card, WIDE, ranks)
        assert forecast.chunk_ms > floor(card, WIDE, ranks).chunk_ms
        chunks.append(forecast.chunk_ms)
    assert chunks == sorted(chunks, reverse=True)


def test_a_card_below_64_gb_streams_its_weights_and_then_fits_and_one_above_holds_them() -> None:
    small, big = predict(CARDS["rtx-4090"], WIDE), predict(CARDS["h100"], WIDE)
    assert small.offload and small.fits and small.needed_gb < 15 and small.host_gb == pytest.approx(37.8, abs=0.1)
    assert not big.offload and big.fits and 38 < big.needed_gb < 50 and big.host_gb == 0
    assert not predict(CARDS["rtx-4090"], WIDE, offload=False).fits
    assert OFFLOAD_BELOW_GB * 1e9 == offload.BELOW_BYTES


def test_what_a_block_moves_is_what_the_stream_moves() -> None:
    """Counted on the released size, on the meta device, by the stream's own rule."""
    block = made("dit", {"num_layers": 1}).get_submodule("blocks.0")
    moved = sum(parameter.numel() * 2 for parameter in offload._large(block).values())
    assert block_gb() == pytest.approx(moved / 1e9)


def test_a_slow_link_decides_the_speed_of_a_streamed_card_and_a_quick_one_does_not() -> None:
    quick = replace(CARDS["rtx-4090"], bf16_tflops=700, bandwidth_gbs=3000)
    slow = predict(quick, SMALL, link_gbs=10)
    assert slow.link_bound and slow.step_ms == pytest.approx(40 * block_gb() / 10 * 1e3)
    fast = predict(quick, SMALL, link_gbs=60)
    assert not fast.link_bound and fast.step_ms < slow.step_ms


def test_two_steps_save_two_steps() -> None:
    four, two = (predict(CARDS["h200"], SMALL, steps=steps) for steps in (4, 2))
    assert four.chunk_ms - two.chunk_ms == pytest.approx(2 * four.step_ms)


def test_the_smallest_gang_that_keeps_up_is_the_first_one_that_does() -> None:
    gang = smallest_gang(CARDS["h800"], SMALL)
    assert gang is not None and gang.ranks == 8 and gang.is_live and gang.chunk_ms <= CHUNK_MS
    assert not predict(CARDS["h800"], SMALL, 4).is_live
    assert smallest_gang(CARDS["rtx-3090"], SMALL) is None
