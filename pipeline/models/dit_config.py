"""The sizes that all diffusion transformers here have, under one name each. No torch.

In: numbers. Out: `DitConfig`, or a ConfigError that names the field and what would be right. How a model's config.json
spells them is its own module's affair.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from pipeline.errors import ConfigError


@dataclass(frozen=True)
class DitConfig:
    """intermediate_dim, output_dim, context_tokens: of the audio adapter: its hidden width, and how many tokens of
    which width a latent frame gets. vae_scale: video frames in a latent frame. audio_*: of the encoder's features.
    """

    MODEL: ClassVar[str] = "dit"  #: what errors call it

    dim: int
    ffn_dim: int
    freq_dim: int
    in_dim: int
    out_dim: int
    num_heads: int
    num_layers: int
    eps: float
    patch_size: tuple[int, int, int]
    audio_window: int
    intermediate_dim: int
    output_dim: int
    context_tokens: int
    vae_scale: int
    audio_layers: int
    audio_dim: int

    def __post_init__(self) -> None:
        if not isinstance(self.patch_size, tuple) or len(self.patch_size) != 3:
            raise self.error(f"patch_size: {self.patch_size!r}; three numbers are needed")
        for field in fields(self):
            self._check_positive(field.name, getattr(self, field.name))
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
                raise self.error(text)

    @property
    def head_dim(self) -> int:
        return self.dim // self.num_heads

    @classmethod
    def error(cls, text: str) -> ConfigError:
        return ConfigError(f"{cls.MODEL} config: {text}")

    @classmethod
    def _check_positive(cls, name: str, value: object) -> None:
        kind: type | tuple[type, ...] = (int, float) if name == "eps" else int
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, bool) or not isinstance(number, kind) or number <= 0:  # type: ignore[operator]
                raise cls.error(f"{name}: {value!r}; a positive {'' if name == 'eps' else 'whole '}number is needed")


def tupled(value: Any) -> Any:
    """As a config.json has lists where a configuration has tuples."""
    return tuple(value) if isinstance(value, list) else value
