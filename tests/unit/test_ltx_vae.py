"""The LTX VAE against the published numbers; its samples are those of the noise that is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline import noise
from pipeline.errors import ConfigError
from pipeline.models.ltx_vae import LTX_VAE, LtxVae, LtxVaeConfig, renamed
from tests.golden import GOLDEN

MANIFEST = Path(__file__).parents[2] / "pipeline" / "manifests" / "ltx_vae_0_9.json"
CLOSE = 1e-4  # tolerances.json


def wide(name: str) -> dict[str, Tensor]:
    loaded = load_file(GOLDEN / f"{name}.safetensors")
    return {key: value.float() if value.is_floating_point() else value for key, value in loaded.items()}


CASE = wide("ltx_vae")
ABOUT = json.loads((GOLDEN / "ltx_vae.json").read_text())["config"]


@pytest.fixture(scope="module")
def vae() -> LtxVae:
    config = LtxVaeConfig.from_json(ABOUT)
    made = LtxVae(config)
    weights = {renamed(key, config): value for key, value in wide("ltx_vae_weights").items()}
    made.load_state_dict(weights, strict=True, assign=True)
    return made.requires_grad_(False)


def apart(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape, (one.shape, other.shape)
    return float((one - other).abs().max())


@pytest.mark.parametrize("frames", [17, 9, 1])
def test_an_encoded_video_has_the_published_distribution(vae: LtxVae, frames: int) -> None:
    mean, deviation = vae.encode_raw(CASE[f"enc_in_{frames}f"])
    assert apart(mean, CASE[f"enc_mean_{frames}f"]) < CLOSE
    assert apart(deviation, CASE[f"enc_std_{frames}f"]) < CLOSE
    assert apart(vae.encode(CASE[f"enc_in_{frames}f"])[None], CASE[f"enc_mean_normalised_{frames}f"]) < CLOSE


def test_latents_are_decoded_as_published_and_not_clamped(vae: LtxVae) -> None:
    whole = vae.decode(CASE["dec_in"][0])
    assert apart(whole, CASE["dec_out"]) < CLOSE
    assert apart(vae.decode(CASE["dec_in"][0, :, :1]), CASE["dec_out_first"]) < CLOSE
    assert whole.abs().max() > 1
    assert apart(whole[:, :, :1], CASE["dec_out_first"]) > 0.01  # the decoder looks ahead


def test_a_sample_is_the_mean_and_so_much_of_the_deviation_as_the_noise_says(vae: LtxVae) -> None:
    video = CASE["enc_in_9f"]
    chance = noise.draw(7, 0, 0, (128, 2, 2, 1))
    sample = vae.encode(video, chance)
    assert torch.equal(sample, vae.encode(video, noise.draw(7, 0, 0, (128, 2, 2, 1))))
    assert not torch.equal(sample, vae.encode(video, noise.draw(8, 0, 0, (128, 2, 2, 1))))
    assert apart(vae.encode(video, torch.zeros(128, 2, 2, 1)), vae.encode(video)) == 0
    by_hand = (CASE["enc_mean_9f"][0] + CASE["enc_std_9f"][0] * chance - CASE["mean_of_means"].reshape(-1, 1, 1, 1)) / (
        CASE["std_of_means"].reshape(-1, 1, 1, 1)
    )
    assert apart(sample, by_hand) < CLOSE


def test_the_encoder_looks_back_only(vae: LtxVae) -> None:
    video = CASE["enc_in_17f"].clone()
    before = vae.encode(video)
    video[:, :, -1] = 0
    after = vae.encode(video)
    assert torch.equal(before[:, :-1], after[:, :-1]) and not torch.equal(before[:, -1], after[:, -1])


def test_half_precision_stays_near(vae: LtxVae) -> None:
    config = LtxVaeConfig.from_json(ABOUT)
    half = LtxVae(config).to(torch.bfloat16)
    half.load_state_dict(vae.state_dict())
    with torch.no_grad():
        decoded = half.decode(CASE["dec_in"][0].bfloat16()).float()
    assert (decoded - CASE["dec_out"]).norm() / CASE["dec_out"].norm() < 0.03


def test_the_full_vae_has_names_shapes_and_number_of_the_released_file() -> None:
    manifest = json.loads(MANIFEST.read_text())
    assert LtxVaeConfig.from_json(manifest["config"]) == LTX_VAE == LtxVaeConfig.from_json({})
    with torch.device("meta"):
        state = LtxVae().state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == manifest["tensors"]
    assert sum(value.numel() for value in state.values()) == 419_193_905
    assert (LTX_VAE.space, LTX_VAE.time, LTX_VAE.latents(33, 512, 512)) == (32, 8, (5, 16, 16))


@pytest.mark.parametrize(("frames", "size"), [(8, (32, 32)), (9, (33, 32)), (9, (32, 48))])
def test_a_video_that_does_not_divide_is_refused(vae: LtxVae, frames: int, size: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="multiple of 8 frames"):
        vae.encode(torch.zeros(1, 3, frames, *size))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"timestep_conditioning": True}, "timestep_conditioning is True"),
        ({"block_out_channels": 128}, "block_out_channels is 128; a list"),
        ({"layers_per_block": [4, 3]}, "2 numbers of blocks for 4 levels"),
        ({"block_out_channels": [128, 0, 512, 512]}, "channels is"),
        ({"spatio_temporal_scaling": [True, False, True, False]}, "spatio_temporal_scaling is"),
        ({"blocks": [["res_x", 4], ["attn", 1]]}, "blocks is"),
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        LtxVaeConfig.from_json(given)
