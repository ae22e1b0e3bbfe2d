"""The counted work against the published tables: what a chunk costs, and the floor of its time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline import cards, roofline, workload
from pipeline.errors import ConfigError

WIDE, SMALL = (448, 768), (416, 720)
H200 = cards.CARDS["h200"]


def tera(flops: float, digits: int = 1) -> float:
    return round(flops / 1e12, digits)


def test_the_tokens_are_those_of_the_published_sizes() -> None:
    assert (workload.tokens(WIDE), workload.tokens(SMALL)) == (12_096, 10_530)


def test_a_size_that_the_patches_do_not_divide_is_refused() -> None:
    with pytest.raises(ConfigError, match="multiples of 16 and 16"):
        workload.tokens((450, 768))


@pytest.mark.parametrize(
    ("tokens", "linears", "attention", "small", "cacheable", "total"),
    [(12_096, 339.9, 119.9, 7.9, 3.5, 471.2), (10_530, 295.9, 90.8, 6.9, 3.5, 397.1)],
)
def test_a_step_is_counted_as_published(
    tokens: int, linears: float, attention: float, small: float, cacheable: float, total: float
) -> None:
    step = workload.step_flops(workload.Dit(), tokens)
    assert tera(step.linears) == linears
    assert tera(step.attention) == attention
    assert tera(step.cross_attention + step.audio_attention) == small
    assert tera(step.cacheable) == cacheable
    assert tera(step.total) == total


def test_the_parts_of_a_step_are_the_published_ones() -> None:
    wide, small = (workload.step_flops(workload.Dit(), tokens) for tokens in (12_096, 10_530))
    assert (tera(small.projections), tera(wide.projections)) == (88.3, 101.5)
    assert (tera(small.cross), tera(wide.cross)) == (44.2, 50.7)
    assert (tera(small.audio), tera(wide.audio)) == (44.2, 50.7)
    assert (tera(small.ffn), tera(wide.ffn)) == (119.2, 137.0)
    assert (tera(small.cross_attention), tera(wide.cross_attention)) == (6.6, 7.6)
    assert (tera(small.audio_attention, 2), tera(wide.audio_attention, 2)) == (0.28, 0.32)
    assert (tera(wide.cross_kv, 2), tera(wide.audio_kv, 2)) == (3.23, 0.18)


def test_four_steps_are_the_published_work_of_a_chunk() -> None:
    assert [round(4 * workload.step_flops(workload.Dit(), n).total / 1e12) for n in (10_530, 12_096)] == [1589, 1885]


@pytest.mark.parametrize(("size", "decode", "encode", "whole"), [(WIDE, 97.1, 9.3, 57.8), (SMALL, 84.5, 8.1, 50.2)])
def test_the_vae_is_counted_as_published(size: tuple[int, int], decode: float, encode: float, whole: float) -> None:
    assert tera(workload.decode_flops(size)) == decode
    assert tera(workload.encode_flops(size)) == encode
    assert tera(workload.encode_flops(size, frames=33)) == whole


def test_the_parameters_are_those_of_the_published_checkpoint() -> None:
    assert workload.dit_parameters(workload.Dit()) == 18_882_046_784
    assert round(workload.dit_parameters(workload.Dit(), kept_context=True) / 1e9, 1) == 14.7


def test_the_vae_parameters_are_those_of_its_manifest() -> None:
    manifest = Path(__file__).parents[2] / "pipeline" / "manifests" / "wan21_vae.json"
    shapes = json.loads(manifest.read_text(encoding="utf-8"))["tensors"]
    names = [name for name in shapes if not name.endswith("gamma")]
    total = 0
    for name in names:
        count = 1
        for length in shapes[name]:
            count *= length
        total += count
    assert workload.vae_parameters() == total


@pytest.mark.parametrize(
    ("size", "tier", "step", "chunks"),
    [
        (WIDE, "bf16", 592, (2503, 1251, 626, 313)),
        (WIDE, "fp8-linears", 388, (1688, 844, 422, 211)),
        (WIDE, "fp8", 312, (1382, 691, 345, 173)),
        (SMALL, "bf16", 498, (2110, 1055, 528, 264)),
        (SMALL, "fp8", 262, (1167, 583, 292, 146)),
    ],
)
def test_the_floor_on_an_h200_is_the_published_one(
    size: tuple[int, int], tier: str, step: int, chunks: tuple[int, ...]
) -> None:
    assert round(roofline.floor(H200, size, 1, tier).step_ms) == pytest.approx(step, abs=1)
    reached = [roofline.chunk_ms(H200, size, ranks, tier) for ranks in (1, 2, 4, 8)]
    assert reached == [pytest.approx(chunk, abs=1) for chunk in chunks]


def test_a_card_that_reads_slowly_is_bound_by_its_weights() -> None:
    slow = cards.Card("slow", 790, 1500, 10.0, 141)
    assert roofline.floor(slow, SMALL).step_ms == pytest.approx(29.4e9 / 10e9 * 1e3, rel=0.01)


def test_fp8_on_a_card_without_it_is_refused_with_what_would_be_right() -> None:
    with pytest.raises(ConfigError, match="a100 has no FP8 units; bf16"):
        roofline.chunk_ms(cards.CARDS["a100"], WIDE, 1, "fp8")


def test_an_unknown_tier_or_card_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="fp8-linears"):
        roofline.chunk_ms(H200, WIDE, 1, "int4")
    with pytest.raises(ConfigError, match="h200"):
        cards.card_named("abacus")


@pytest.mark.parametrize(
    ("driver", "ours"),
    [
        ("NVIDIA H200", "h200"),
        ("NVIDIA H20", "h20"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA A100-PCIE-40GB", "a100-40"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA L20", "l20"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("NVIDIA RTX A6000", "a6000"),
    ],
)
def test_a_card_is_known_by_its_drivers_name(driver: str, ours: str) -> None:
    assert cards.card_named(driver) is cards.CARDS[ours]


def test_the_memory_of_a_chunk_is_the_counted_weights_and_more() -> None:
    whole, kept = roofline.memory(WIDE, kept_context=False), roofline.memory(WIDE)
    assert whole.weights == pytest.approx(37.8, abs=0.05)
    assert kept.weights == pytest.approx(29.4, abs=0.05)
    assert kept.context == pytest.approx(0.63, abs=0.01)
    assert roofline.memory(WIDE, tier="fp8").weights == pytest.approx(14.7, abs=0.05)
    assert whole.total > whole.weights + whole.context
    assert roofline.memory(WIDE, ranks=8).working < whole.working / 7


def test_the_sizes_are_read_from_any_configuration_with_these_fields() -> None:
    class Config(workload.Dit):
        eps = 1e-6

    assert workload.Dit.of(Config(dim=1536)) == workload.Dit(dim=1536)
