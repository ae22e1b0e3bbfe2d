"""Which tensors the files of each network must hold: names and shapes, as released or at the sizes of a config.json.

In: a network and its configuration. Out: {name in the file: shape}. At the released sizes the manifests are the truth;
at others the transformer, the VAE and the audio encoder are asked themselves, on the meta device, and the two that
belong to a foreign library are written out here, so that checking a directory needs nothing but torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from pipeline.headdir import TRANSFORMERS
from pipeline.modeldir import fused_name
from pipeline.models.clip import PREFIX, VIT_H_14, PictureConfig
from pipeline.models.flashhead import FLASHHEAD_LITE, FLASHHEAD_PRO, checkpoint_name
from pipeline.models.flashtalk import FLASHTALK_14B, FlashTalkConfig
from pipeline.models.ltx_vae import LTX_VAE, LtxVaeConfig
from pipeline.models.umt5 import UMT5_XXL, TextConfig
from pipeline.models.wan_vae import WAN_VAE, WanVaeConfig
from pipeline.weightfiles import Shape
from pipeline.weights import head_config, made, read_manifest

#: network → the manifest of its release, its configuration's reader, the released configuration
RELEASED: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], object], object]] = {
    "dit": ("flashtalk_dit_14b", FlashTalkConfig.from_json, FLASHTALK_14B),
    "pro": ("flashhead_dit_pro", partial(head_config, "pro"), FLASHHEAD_PRO),
    "lite": ("flashhead_dit_lite", partial(head_config, "lite"), FLASHHEAD_LITE),
    "vae": ("wan21_vae", WanVaeConfig.from_json, WAN_VAE),
    "ltx": ("ltx_vae_0_9", LtxVaeConfig.from_json, LTX_VAE),
    "umt5": ("umt5_xxl_encoder", TextConfig.from_json, UMT5_XXL),
    "clip": ("clip_visual_used", PictureConfig.from_json, VIT_H_14),
}
_UNUSED_PICTURE = re.compile(r"visual\.(?:head|post_norm\.(?:weight|bias))|visual\.transformer\.(\d+)\..+")


def is_released(network: str, config: Mapping[str, Any]) -> bool:
    """Whether a configuration has the released sizes; the audio encoder has no manifest. ConfigError: it cannot be."""
    if network not in RELEASED:
        return False
    _, read, released = RELEASED[network]
    return read(config) == released


def expected(network: str, config: Mapping[str, Any]) -> dict[str, Shape]:
    """By name in the file; of the audio encoder, whose files differ in names, by our own. ConfigError: it cannot be."""
    if is_released(network, config):
        listed = read_manifest(RELEASED[network][0])["tensors"]
        drops = network in TRANSFORMERS  # the other manifests list what is used alone
        return {name: tuple(shape) for name, shape in listed.items() if not (drops and is_idle(network, name))}
    return derived(network, config)


def derived(network: str, config: Mapping[str, Any]) -> dict[str, Shape]:
    """As `expected`, without a look at the manifests."""
    if network == "umt5":
        return dict(_text(TextConfig.from_json(config)))
    if network == "clip":
        return dict(_picture(PictureConfig.from_json(config)))
    return {name: tuple(tensor.shape) for name, tensor in made(network, config).state_dict().items()}


def fused(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Of the transformer in a run-time file: queries, keys and values of a self-attention lie one under the other."""
    made: dict[str, Shape] = {}
    for name, shape in shapes.items():
        place = fused_name(name)
        made[place] = (made[place][0] + shape[0], *shape[1:]) if place in made else shape
    return made


def is_idle(network: str, name: str) -> bool:
    """Whether the released file holds such a tensor although nothing here computes with it."""
    if network in TRANSFORMERS:
        return checkpoint_name(name) is None
    if network != "clip":
        return False
    return not name.startswith(PREFIX) or _UNUSED_PICTURE.fullmatch(name) is not None


def _text(c: TextConfig) -> Iterator[tuple[str, Shape]]:
    yield "token_embedding.weight", (c.vocab, c.dim)
    for index in range(c.num_layers):
        block = f"blocks.{index}"
        yield f"{block}.norm1.weight", (c.dim,)
        for name in "qkv":
            yield f"{block}.attn.{name}.weight", (c.dim_attn, c.dim)
        yield f"{block}.attn.o.weight", (c.dim, c.dim_attn)
        yield f"{block}.norm2.weight", (c.dim,)
        yield f"{block}.ffn.gate.0.weight", (c.dim_ffn, c.dim)
        yield f"{block}.ffn.fc1.weight", (c.dim_ffn, c.dim)
        yield f"{block}.ffn.fc2.weight", (c.dim, c.dim_ffn)
        yield f"{block}.pos_embedding.embedding.weight", (c.num_buckets, c.num_heads)
    yield "norm.weight", (c.dim,)


def _picture(c: PictureConfig) -> Iterator[tuple[str, Shape]]:
    """What is used of the picture half: not the last block, nor what comes after it."""
    d, hidden = c.dim, c.dim * c.mlp_ratio
    yield "visual.cls_embedding", (1, 1, d)
    yield "visual.pos_embedding", (1, (c.image_size // c.patch_size) ** 2 + 1, d)
    yield "visual.patch_embedding.weight", (d, 3, c.patch_size, c.patch_size)
    yield from _affine("visual.pre_norm", d)
    for index in range(c.num_layers - 1):
        block = f"visual.transformer.{index}"
        yield from _affine(f"{block}.norm1", d)
        yield from _linear(f"{block}.attn.to_qkv", d, 3 * d)
        yield from _linear(f"{block}.attn.proj", d, d)
        yield from _affine(f"{block}.norm2", d)
        yield from _linear(f"{block}.mlp.0", d, hidden)
        yield from _linear(f"{block}.mlp.2", hidden, d)


def _affine(name: str, width: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _linear(name: str, into: int, out: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (out, into)
    yield f"{name}.bias", (out,)
