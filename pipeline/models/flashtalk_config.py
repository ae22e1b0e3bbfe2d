"""The sizes of FlashTalk's transformer, as its config.json tells them. No torch.

In: a mapping. Out: `FlashTalkConfig`, or a ConfigError that names the key and what would be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pipeline.errors import ConfigError

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
class FlashTalkConfig:
    """Sizes, named as in the published config.json; the defaults are the released model's.

    intermediate_dim, output_dim, context_tokens: of the audio adapter: its hidden width, and how many tokens of which
    width a latent frame gets. vae_scale: video frames in a latent frame. picture_*, audio_*: of the encoders' features.
    """

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

    def __post_init__(self) -> None:
        if not isinstance(self.patch_size, tuple) or len(self.patch_size) != 3:
            raise _error(f"patch_size: {self.patch_size!r}; three numbers are needed")
        for field in fields(self):
            _check_positive(field.name, getattr(self, field.name))
        wrong = {
            f"patch_size: {self.patch_size}; three numbers, the first 1": self.patch_size[0] != 1,
            f"dim: {self.dim} does not divide by num_heads {self.num_heads}": self.dim % self.num_heads != 0,
            f"dim / num_heads: {self.head_dim}; it must be even": self.head_dim % 2 != 0,
            f"freq_dim: {self.freq_dim}; it must be even": self.freq_dim % 2 != 0,
            f"in_dim: {self.in_dim}; more than out_dim {self.out_dim}": self.in_dim <= self.out_dim,
            f"audio_window: {self.audio_window}; it must be odd": self.audio_window % 2 == 0,
            f"vae_scale: {self.vae_scale}; at least 2": self.vae_scale < 2,
        }
        for text, is_wrong in wrong.items():
            if is_wrong:
                raise _error(text)

    @classmethod
    def from_json(cls, mapping: Mapping[str, Any]) -> FlashTalkConfig:
        """From a config.json's content; keys that do not matter are ignored, missing ones are the released model's."""
        for key, value in BUILT_WITH.items():
            if key in mapping and _tupled(mapping[key]) != value:
                raise _error(f"{key}: {mapping[key]!r}; this network is the one with {value!r}")
        known = {field.name for field in fields(cls)}
        return cls(**{key: _tupled(value) for key, value in mapping.items() if key in known})

    @property
    def head_dim(self) -> int:
        return self.dim // self.num_heads


def _check_positive(name: str, value: object) -> None:
    kind: type | tuple[type, ...] = (int, float) if name == "eps" else int
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, bool) or not isinstance(number, kind) or number <= 0:  # type: ignore[operator]
            raise _error(f"{name}: {value!r}; a positive {'' if name == 'eps' else 'whole '}number is needed")


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _error(text: str) -> ConfigError:
    return ConfigError(f"flashtalk config: {text}")


FLASHTALK_14B = FlashTalkConfig()
