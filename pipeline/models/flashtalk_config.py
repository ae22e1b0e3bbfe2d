"""The sizes of FlashTalk's transformer, as its config.json tells them. No torch.

In: a mapping. Out: `FlashTalkConfig`, or a ConfigError that names the key and what would be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from pipeline.models.dit_config import DitConfig, tupled

#: what the published code can be built without, and this network cannot
BUILT_WITH: dict[str, object] = {
    "model_type": "i2v",
    "qk_norm": True,
    "cross_attn_norm": True,
    "norm_input_visual": True,
    "norm_output_audio": True,
    "window_size": (-1, -1),
}


@dataclass(frozen=True)
class FlashTalkConfig(DitConfig):
    """Sizes, named as in the published config.json; the defaults are the released model's.

    picture_dim: of the picture encoder's features.
    """

    MODEL: ClassVar[str] = "flashtalk"

    dim: int = 5120
    ffn_dim: int = 13824
    freq_dim: int = 256
    text_dim: int = 4096
    text_len: int = 512
    in_dim: int = 36
    out_dim: int = 16
    num_heads: int = 40
    num_layers: int = 40
    eps: float = 1e-6
    patch_size: tuple[int, int, int] = (1, 2, 2)
    audio_window: int = 5
    intermediate_dim: int = 512
    output_dim: int = 768
    context_tokens: int = 32
    vae_scale: int = 4
    picture_dim: int = 1280
    audio_layers: int = 12
    audio_dim: int = 768

    @classmethod
    def from_json(cls, mapping: Mapping[str, Any]) -> FlashTalkConfig:
        """From a config.json's content; keys that do not matter are ignored, missing ones are the released model's."""
        for key, value in BUILT_WITH.items():
            if key in mapping and tupled(mapping[key]) != value:
                raise cls.error(f"{key}: {mapping[key]!r}; this network is the one with {value!r}")
        known = {field.name for field in fields(cls)}
        return cls(**{key: tupled(value) for key, value in mapping.items() if key in known})


FLASHTALK_14B = FlashTalkConfig()
