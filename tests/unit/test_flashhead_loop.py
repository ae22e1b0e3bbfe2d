"""FlashHead's loop as a GPU runs it, in half precision: one chunk stays near the recorded one at rounded time steps."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline import sampler
from pipeline.models.flashhead import FlashHead, FlashHeadConfig
from pipeline.models.ltx_vae import LtxVae, LtxVaeConfig, renamed
from pipeline.models.wan_vae import WanVae, WanVaeConfig
from pipeline.sampler import Conditions, Plan
from tests.golden import GOLDEN


def wide(name: str) -> dict[str, Tensor]:
    tensors = load_file(GOLDEN / f"{name}.safetensors")
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def configuration(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))["config"]
    return found


def codec(is_lite: bool) -> sampler.Codec:
    if not is_lite:
        wan = WanVae(WanVaeConfig.from_json(configuration("wan_vae_weights")))
        wan.load_state_dict(wide("wan_vae_weights"))
        return wan.to(torch.bfloat16)
    config = LtxVaeConfig.from_json(configuration("ltx_vae_weights"))
    ltx = LtxVae(config)
    ltx.load_state_dict({renamed(key, config): value for key, value in wide("ltx_vae_weights").items()})
    return ltx.to(torch.bfloat16)


@pytest.mark.parametrize("which", ["pro", "lite"])
def test_a_chunk_in_half_precision_is_near_the_one_with_rounded_time_steps(which: str) -> None:
    is_lite = which == "lite"
    recorded, bank = wide(f"flashhead_pipeline_{which}"), wide("flashtalk_dit")["audio_bank"]
    model = FlashHead(FlashHeadConfig.from_json(configuration(f"flashhead_dit_{which}_weights")))
    model.load_state_dict(wide(f"flashhead_dit_{which}_weights"))
    vae = codec(is_lite)
    chances = [recorded[f"encode_noise{index}"][0] if is_lite else None for index in (0, 1)]
    picture = recorded["cond_image"]
    y, motion0 = sampler.reference(vae, picture, 17, chances[0])
    seen: dict[str, Tensor] = {}
    video, motion = sampler.chunk(
        model.to(torch.bfloat16),
        vae,
        Conditions(y, None, picture, motion0),
        bank[recorded["chunk0.audio_index"]][None],
        motion0,
        lambda draw: recorded[f"chunk0.noise{draw}"],
        trace=seen,
        plan=Plan(9 if is_lite else 5, clamps=not is_lite),
        chance=chances[1],
    )
    assert {x.dtype for x in (video, motion, y, motion0)} == {torch.float32}
    final = seen["latent_final"]

    def off(name: str) -> float:
        return float((final - recorded[name]).norm() / recorded[name].norm())

    assert off("chunk0.latent_final_rounded_t") < 0.03 and off("chunk0.latent_final") > 0.05
