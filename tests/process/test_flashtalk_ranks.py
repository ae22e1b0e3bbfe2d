"""FlashTalk's transformer on 2, 3, 4, 6 and 8 ranks gives the published numbers, whatever the tokens divide by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline.attention import choose
from pipeline.models.flashtalk import FlashTalk, FlashTalkConfig
from pipeline.parallel import strategy
from pipeline.parallel.gang import Gang
from pipeline.parallel.strategy import Strategy
from tests.golden import GOLDEN
from tests.rankrun import Ranks

EXACT = 1e-4
STEP = 2
WHOLE = (6, 8)
CROPS = [(6, 6), (4, 6), (2, 2)]  # 45, 30 and 5 tokens: odd, frames cut apart, and ranks of 8 that hold none


@cache
def golden(name: str) -> dict[str, Tensor]:
    loaded = load_file(GOLDEN / f"{name}.safetensors")
    return {key: value.float() if value.is_floating_point() else value for key, value in loaded.items()}


@cache
def config() -> FlashTalkConfig:
    return FlashTalkConfig.from_json(json.loads((GOLDEN / "flashtalk_dit.json").read_text())["config"])


def made(how: Strategy | None) -> FlashTalk:
    model = FlashTalk(config(), how)
    model.load_state_dict(golden("flashtalk_dit_weights"), strict=True)
    return model.requires_grad_(False)


def predicted(model: FlashTalk, size: tuple[int, int], steps: list[int]) -> list[Tensor]:
    """The prediction for the golden latents, cut to (h, w), at these of the golden time steps."""
    case = golden("flashtalk_dit")
    z, y = (case[name][..., : size[0], : size[1]] for name in ("x", "y"))
    context = model.context(case["context"], case["clip_fea"])
    heard = model.hear(case["audio_bank"][case["audio_index"]][None])
    return [model(z, float(case["t"][step]), y, context, heard) for step in steps]


def on_a_rank(gang: Gang, name: str) -> tuple[list[Tensor], list[Tensor]]:
    how = strategy.make(name, config().num_heads, choose(gang.device, torch.float32), gang.timeout_s)
    model = made(how)
    return predicted(model, WHOLE, [0, 1, 2, 3]), [predicted(model, size, [STEP])[0] for size in CROPS]


@cache
def on_one() -> list[Tensor]:
    model = made(None)
    return [predicted(model, size, [STEP])[0] for size in CROPS]


@pytest.fixture(scope="module", params=[2, 3, 4, 6, 8])
def ranks(request: pytest.FixtureRequest) -> Iterator[Ranks]:
    with Ranks(request.param) as started:
        yield started


@pytest.mark.parametrize("name", ["auto", "ring"])
def test_every_rank_gives_the_published_numbers(ranks: Ranks, name: str) -> None:
    case = golden("flashtalk_dit")
    published = [case[f"out.t{step}"] for step in range(4)]
    for rank, (whole, crops) in enumerate(ranks.run(on_a_rank, name)):
        for out, expected in zip([*whole, *crops], [*published, *on_one()], strict=True):
            assert out.shape == expected.shape
            worst = float((out - expected).abs().max())
            assert worst <= EXACT, f"rank {rank}, {tuple(out.shape)}: {worst}"
