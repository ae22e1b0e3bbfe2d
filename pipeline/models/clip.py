"""CLIP's picture encoder: what the reference picture shows, as tokens; used once, when an avatar is baked.

In: a picture [1, 3, 1, H, W] in [-1, 1]. Out: [1, 1 + patches, dim], after all blocks but the last, without a final
norm. The network is transformers' own, whose numbers equal the published ones; `adapted` maps the published tensors
to its names. transformers is imported when a PictureEncoder is made, not before.

The picture is squashed to a square, not cropped: so the video model was trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import ConfigError

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
PREFIX = "visual."  #: of the picture half in the published file, which holds a text half too
_WHOLE = {
    "vision_dim": "dim",
    "vision_mlp_ratio": "mlp_ratio",
    "vision_heads": "num_heads",
    "vision_layers": "num_layers",
}  #: the whole published model's names of sizes → those of its picture half
_UNUSED = ("head", "post_norm.", "textual.", "log_scale")
_OUTSIDE = {
    "patch_embedding.weight": "embeddings.patch_embedding.weight",
    "pre_norm.weight": "pre_layrnorm.weight",
    "pre_norm.bias": "pre_layrnorm.bias",
}
_INSIDE = {
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "attn.proj": "self_attn.out_proj",
    "mlp.0": "mlp.fc1",
    "mlp.2": "mlp.fc2",
}


@dataclass(frozen=True, slots=True)
class PictureConfig:
    """Sizes, named as in the published configuration; the defaults are ViT-H/14."""

    image_size: int = 224
    patch_size: int = 14
    dim: int = 1280
    mlp_ratio: int = 4
    num_heads: int = 16
    num_layers: int = 32

    def __post_init__(self) -> None:
        if self.num_layers < 2 or self.image_size % self.patch_size or self.dim % self.num_heads:
            raise ConfigError(f"CLIP: sizes do not fit one another: {self}")

    @classmethod
    def from_json(cls, mapping: Mapping[str, Any]) -> PictureConfig:
        """Also from the names of the whole published model, where the picture half's begin with `vision_`."""
        for name, wanted in {"pool_type": "token", "pre_norm": True, "post_norm": False, "activation": "gelu"}.items():
            if mapping.get(name, wanted) != wanted:
                raise ConfigError(f"CLIP: {name} is {mapping[name]!r}; {wanted!r} is needed")
        found = {_WHOLE.get(name, name): value for name, value in mapping.items()}
        return cls(**{name: int(found[name]) for name in cls.__dataclass_fields__ if name in found})


VIT_H_14 = PictureConfig()


def pixels(picture: Tensor, size: int) -> Tensor:
    """[1, 3, 1, H, W] in [-1, 1] → [1, 3, size, size] as CLIP was shown pictures."""
    assert picture.dim() == 5 and picture.shape[:3] == (1, 3, 1), picture.shape
    square = F.interpolate(picture[:, :, 0].float(), size=(size, size), mode="bicubic", align_corners=False)
    mean, deviation = (square.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    return (square * 0.5 + 0.5 - mean) / deviation


def adapted(key: str, tensor: Tensor, layers: int) -> Iterator[tuple[str, Tensor]]:
    """The parameters of `PictureEncoder` that a published tensor holds, as views of it; none where it is not used.

    layers: of the published network; the last one is not used. A foreign name stays as it is, and fits nowhere.
    """
    key = key.removeprefix(PREFIX)
    if key.startswith((*_UNUSED, f"transformer.{layers - 1}.")):
        return
    if key == "cls_embedding":
        yield "network.embeddings.class_embedding", tensor.reshape(-1)
    elif key == "pos_embedding":
        yield "network.embeddings.position_embedding.weight", tensor[0]
    elif key in _OUTSIDE:
        yield f"network.{_OUTSIDE[key]}", tensor
    elif key.startswith("transformer."):
        _, index, inside = key.split(".", 2)
        part, _, kind = inside.rpartition(".")
        block = f"network.encoder.layers.{index}"
        if part == "attn.to_qkv":
            for name, third in zip("qkv", tensor.chunk(3), strict=True):
                yield f"{block}.self_attn.{name}_proj.{kind}", third
        else:
            yield f"{block}.{_INSIDE.get(part, part)}.{kind}", tensor
    else:
        yield key, tensor


class PictureEncoder(nn.Module):
    """Without the last block and what comes after it. Inside `torch.device("meta")` it takes no memory."""

    def __init__(self, config: PictureConfig = VIT_H_14) -> None:
        super().__init__()
        from transformers import CLIPVisionConfig, CLIPVisionModel

        self.config = config
        network: Any = CLIPVisionModel(
            CLIPVisionConfig(
                hidden_size=config.dim,
                intermediate_size=config.dim * config.mlp_ratio,
                num_hidden_layers=config.num_layers - 1,
                num_attention_heads=config.num_heads,
                image_size=config.image_size,
                patch_size=config.patch_size,
                hidden_act="gelu",
                layer_norm_eps=1e-5,
                attention_dropout=0.0,
            )
        )
        network.post_layernorm = nn.Identity()
        # a table that no checkpoint holds: it must be real even where all else waits for weights
        tokens = (config.image_size // config.patch_size) ** 2 + 1
        network.embeddings.position_ids = torch.arange(tokens, device="cpu")[None]
        self.network: nn.Module = network
        self.eval()

    def forward(self, shown: Tensor, trace: dict[str, Tensor] | None = None) -> Tensor:
        """`pixels` [1, 3, size, size] → [1, 1 + patches, dim]. `trace` receives `block{i}`."""
        shown = shown.to(next(self.parameters()).dtype)
        seen = self.network(pixel_values=shown, output_hidden_states=trace is not None)
        if trace is not None:
            trace |= {f"block{index}": x for index, x in enumerate(seen.hidden_states[1:])}
        return seen.last_hidden_state  # type: ignore[no-any-return]

    @torch.no_grad()
    def encode(self, picture: Tensor) -> Tensor:
        """[1, 3, 1, H, W] in [-1, 1] → [1, 1 + patches, dim]."""
        shown = pixels(picture, self.config.image_size)
        return self(shown.to(next(self.parameters()).device))  # type: ignore[no-any-return]
