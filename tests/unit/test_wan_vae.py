"""The Wan VAE against the published implementation's numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline.errors import ConfigError
from pipeline.models.wan_vae import MEAN, STD, WanVae, WanVaeConfig
from tests.golden import GOLDEN

MANIFEST = Path(__file__).parents[2] / "pipeline" / "manifests" / "wan21_vae.json"
CLOSE = 5e-5
BFLOAT16 = 0.03  # relative L2; the published implementation's own is 0.02


def wide(name: str) -> dict[str, Tensor]:
    loaded = load_file(GOLDEN / f"{name}.safetensors")
    return {key: value.float() if value.is_floating_point() else value for key, value in loaded.items()}


CASE = wide("wan_vae")
CONFIG = WanVaeConfig.from_json(json.loads((GOLDEN / "wan_vae.json").read_text())["config"])


def made() -> WanVae:
    vae = WanVae(CONFIG)
    vae.load_state_dict(wide("wan_vae_weights"), strict=True, assign=True)
    return vae.requires_grad_(False)


def apart(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return float((one - other).abs().max())


@pytest.mark.parametrize("frames", [33, 5, 1])
def test_encoding_is_the_published_one(frames: int) -> None:
    assert apart(made().encode(CASE[f"enc_in_{frames}f"]), CASE[f"enc_out_{frames}f"]) < CLOSE


def test_mean_and_variance_before_normalising_are_the_published_ones() -> None:
    mean, log_variance = made().encode_raw(CASE["enc_in_33f"])
    assert apart(mean, CASE["enc_mu_raw_33f"]) < CLOSE and apart(log_variance, CASE["enc_logvar_raw_33f"]) < CLOSE
    assert apart(torch.tensor(MEAN), CASE["mean"]) < 1e-6 and apart(torch.tensor(STD), CASE["std"]) < 1e-6


@pytest.mark.parametrize(("latent", "video"), [("dec_in", "dec_out_raw"), ("dec_in_1", "dec_out_raw_1")])
def test_decoding_is_the_published_one(latent: str, video: str) -> None:
    assert apart(made().decode(CASE[latent]), CASE[video]) < CLOSE


def test_in_bfloat16_it_is_as_near_as_the_published_one() -> None:
    vae = made().bfloat16()
    pairs = [
        (vae.encode(CASE["enc_in_5f"].bfloat16()), CASE["enc_out_5f"]),
        (vae.decode(CASE["dec_in"][:, :2].bfloat16()), CASE["dec_out_raw"][:, :, :5]),
    ]
    for ours, theirs in pairs:
        assert ours.dtype == torch.bfloat16 and ours.shape == theirs.shape
        assert float((ours.float() - theirs).norm() / theirs.norm()) < BFLOAT16


def test_the_full_model_has_the_names_and_shapes_of_the_checkpoint() -> None:
    manifest = json.loads(MANIFEST.read_text())
    with torch.device("meta"):
        vae = WanVae(WanVaeConfig.from_json(manifest["config"]))
    assert {name: list(value.shape) for name, value in vae.state_dict().items()} == manifest["tensors"]
    assert sum(value.numel() for value in vae.parameters()) == manifest["parameter_count"]


def test_a_frame_never_depends_on_a_later_latent() -> None:
    vae, latent = made(), CASE["dec_in"][:, :5]
    whole = vae.decode(latent)
    for known in range(1, 5):
        changed = latent.clone()
        changed[:, known:] += 1.0
        other, alone = vae.decode(changed), vae.decode(latent[:, :known])
        frames = 1 + 4 * (known - 1)
        assert torch.equal(whole[:, :, :frames], other[:, :, :frames]) and torch.equal(whole[:, :, :frames], alone)
        assert all(apart(whole[:, :, frame], other[:, :, frame]) > 0.01 for frame in range(frames, 17))


def test_a_latent_never_depends_on_a_later_frame_but_on_each_of_its_own() -> None:
    vae, video = made(), CASE["enc_in_33f"][:, :, :9]
    latent = vae.encode(video)
    for frame in range(9):
        changed = video.clone()
        changed[:, :, frame] *= -1
        other, own = vae.encode(changed), (frame + 3) // 4  # the first frame is latent 0, then four make one
        assert torch.equal(other[:, :own], latent[:, :own]) and apart(other[:, own], latent[:, own]) > 1e-3, frame


def test_calls_leave_nothing_behind_and_may_overlap() -> None:
    """One call of each kind is made inside the other, in the middle of its groups."""
    vae = made()
    video, latent = CASE["enc_in_33f"][:, :, :9], CASE["dec_in"][:, :3]
    encoded, decoded = vae.encode(video), vae.decode(latent)
    within: list[Tensor] = []
    groups: list[int] = []

    def interrupt(_layer: object, _inputs: object) -> None:
        groups.append(len(groups))
        if groups[-1] == 1:
            within.extend([vae.decode(latent + 1), vae.encode(-video)])

    for layer in (vae.encoder.head[-1], vae.decoder.head[-1]):
        groups.clear()
        hook = layer.register_forward_pre_hook(interrupt)
        again = vae.encode(video) if layer is vae.encoder.head[-1] else vae.decode(latent)
        hook.remove()
        assert torch.equal(again, encoded if layer is vae.encoder.head[-1] else decoded)
    first, second = within[:2], within[2:]
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert torch.equal(first[0], vae.decode(latent + 1)) and torch.equal(first[1], vae.encode(-video))
    assert not list(vae.buffers()) and vae.state_dict().keys() == made().state_dict().keys()


def test_levels_and_widths_are_the_configurations() -> None:
    torch.manual_seed(0)
    config = WanVaeConfig.from_json({"dim": 4, "dim_mult": [1, 2, 2], "temperal_downsample": [True, False]})
    vae = WanVae(config)
    latent = vae.encode(torch.randn(1, 3, 7, 12, 20))
    assert latent.shape == (16, 4, 3, 5) and vae.decode(latent).shape == (1, 3, 7, 12, 20)


@pytest.mark.parametrize(
    ("shape", "complaint"),
    [
        ((4, 24, 32), "4 frames of 32x24; 1 \\+ a multiple of 4 frames"),
        ((5, 24, 33), "sides that divide by 8"),
        ((5, 28, 32), "sides that divide by 8"),
        ((0, 24, 32), "0 frames"),
    ],
)
def test_a_video_that_cannot_be_is_refused(shape: tuple[int, ...], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        made().encode(torch.zeros(1, 3, *shape))


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"z_dim": 8}, "z_dim is 8"),
        ({"dim": "96"}, "dim is '96'"),
        ({"num_res_blocks": 0}, "num_res_blocks is 0"),
        ({"dim_mult": 4}, "dim_mult is 4; a list"),
        ({"dim_mult": [1, 2, 4, 0]}, "dim_mult is \\[1, 2, 4, 0\\]"),
        ({"dim": 3, "dim_mult": [1, 1, 2, 2]}, "odd"),
        ({"temperal_downsample": [True]}, "temperal_downsample has 1 values; 3 are needed"),
        ({"attn_scales": [0.25]}, "attn_scales is \\[0.25\\]"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        WanVaeConfig.from_json(wrong)
