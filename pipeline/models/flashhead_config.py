"""The sizes of FlashHead's transformer, as its config.json tells them. No torch.

In: a mapping, and which of the released models it is about. Out: `FlashHeadConfig`, or a ConfigError that names the key
and what would be right. What the published code has fixed may be given, too, for models of other sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from pipeline.models.dit_config import DitConfig, tupled

HAS_IMAGE = "has_image_input"
#: key of a config.json → field
SPELT = {
    "audio_intermediate_dim": "intermediate_dim",
    "audio_output_dim": "output_dim",
    "audio_context_tokens": "context_tokens",
    "audio_blocks": "audio_layers",
    "audio_channels": "audio_dim",
}


@dataclass(frozen=True)
class FlashHeadConfig(DitConfig):
    """The defaults are the released pro model's."""

    MODEL: ClassVar[str] = "flashhead"

    dim: int = 1536
    ffn_dim: int = 8960
    freq_dim: int = 256
    in_dim: int = 32
    out_dim: int = 16
    num_heads: int = 12
    num_layers: int = 30
    eps: float = 1e-6
    patch_size: tuple[int, int, int] = (1, 2, 2)
    audio_window: int = 5
    intermediate_dim: int = 512
    output_dim: int = 1536
    context_tokens: int = 32
    vae_scale: int = 4
    audio_layers: int = 12
    audio_dim: int = 768

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output_dim != self.dim:
            raise self.error(f"audio_output_dim: {self.output_dim}; keys are made of it, it must be dim {self.dim}")
        if self.in_dim != 2 * self.out_dim:
            raise self.error(f"in_dim: {self.in_dim}; latent and reference together: twice out_dim {self.out_dim}")

    @classmethod
    def from_json(cls, mapping: Mapping[str, Any], otherwise: FlashHeadConfig | None = None) -> FlashHeadConfig:
        """From a config.json's content; keys that do not matter are ignored, missing ones are as in `otherwise`.

        otherwise: the released pro model when None.
        """
        if mapping.get(HAS_IMAGE):
            raise cls.error(f"{HAS_IMAGE}: {mapping[HAS_IMAGE]!r}; this network is the one with False")
        known = {field.name for field in fields(cls)}
        found = {SPELT.get(key, key): tupled(value) for key, value in mapping.items() if SPELT.get(key, key) in known}
        if "dim" in found:
            found.setdefault("output_dim", found["dim"])
        if "vae_stride" in mapping:
            stride = mapping["vae_stride"]
            if not isinstance(stride, list | tuple) or len(stride) != 3:
                raise cls.error(f"vae_stride: {stride!r}; three numbers are needed")
            found["vae_scale"] = stride[0]
        return replace(otherwise or FLASHHEAD_PRO, **found)


FLASHHEAD_PRO = FlashHeadConfig()
FLASHHEAD_LITE = FlashHeadConfig(in_dim=256, out_dim=128, patch_size=(1, 1, 1), vae_scale=8)
