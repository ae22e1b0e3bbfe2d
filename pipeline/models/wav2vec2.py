"""wav2vec2: what a mouth hears. Standardised sound in, one row per video frame and layer out.

In: a waveform of 16 kHz, already standardised (`standardised`), and the number of video frames it spans. Out:
float [frames, layers, hidden], the outputs of all transformer layers. The convolutions' ~50 rows a second are
resampled to the frames before the feature projection, as the avatar models were trained. It knows no ring, no
loudness and no windows: `pipeline.hearing` does.

Parameters are named as in transformers' `Wav2Vec2Model`; `checkpoint_name` maps what is found in the wild to them.
After "wav2vec 2.0", Baevski et al. 2020, https://arxiv.org/abs/2006.11477.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import ConfigError

VARIANCE_FLOOR = 1e-7  #: added to the variance of a waveform before the root
PREFIX = "wav2vec2."  #: of checkpoints saved with a head on top
HEADS = (
    "lm_head.", "quantizer.", "project_hid.", "project_q.", "dropout_features.", "classifier.", "projector.",
    "masked_spec_embed", "adapter.", "label_embeddings_concat",
)  #: what such checkpoints hold beside the encoder: training heads, the training mask  # fmt: skip
OLD_NAMES = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}


@dataclass(frozen=True, slots=True)
class Wav2Vec2Config:
    """Sizes, named as in a checkpoint's config.json; the defaults are wav2vec2-base."""

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    conv_dim: tuple[int, ...] = (512,) * 7
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_bias: bool = False
    feat_extract_norm: str = "group"
    do_stable_layer_norm: bool = False
    num_conv_pos_embeddings: int = 128
    num_conv_pos_embedding_groups: int = 16
    layer_norm_eps: float = 1e-5
    feat_extract_activation: str = "gelu"
    hidden_act: str = "gelu"

    def __post_init__(self) -> None:
        if not len(self.conv_dim) == len(self.conv_kernel) == len(self.conv_stride) > 0:
            raise ConfigError("wav2vec2: conv_dim, conv_kernel and conv_stride must have one length")
        if self.feat_extract_norm not in ("group", "layer"):
            raise ConfigError(f"wav2vec2: feat_extract_norm is {self.feat_extract_norm!r}; known: group, layer")
        if (self.feat_extract_activation, self.hidden_act) != ("gelu", "gelu"):
            raise ConfigError("wav2vec2: feat_extract_activation and hidden_act must be gelu")
        for count in ("num_attention_heads", "num_conv_pos_embedding_groups"):
            if self.hidden_size % getattr(self, count):
                raise ConfigError(f"wav2vec2: hidden_size {self.hidden_size} is not a multiple of {count}")

    @classmethod
    def from_json(cls, mapping: Mapping[str, Any]) -> Wav2Vec2Config:
        """From a checkpoint's config.json; keys that do not matter here are ignored, missing ones are those of base."""
        if mapping.get("add_adapter"):
            raise ConfigError("wav2vec2: add_adapter is true; a checkpoint without an adapter is needed")
        found: dict[str, Any] = {
            name: mapping[name] for name in cls.__dataclass_fields__ if mapping.get(name) is not None
        }
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in found.items()
        }
        try:
            return cls(**known)
        except TypeError as error:
            raise ConfigError(f"wav2vec2: {error}") from None


def checkpoint_name(key: str) -> str | None:
    """The parameter of `Wav2Vec2` that a checkpoint's tensor is for; None for one of a training head."""
    key = key.removeprefix(PREFIX)
    if key.startswith(HEADS):
        return None
    stem, _, last = key.rpartition(".")
    return f"{stem}.{OLD_NAMES[last]}" if last in OLD_NAMES else key


def standardised(wave: Tensor) -> Tensor:
    """float [samples] of any scale → zero mean, unit variance, as the encoder was trained to hear."""
    return (wave - wave.mean()) / torch.sqrt(wave.var(correction=0) + VARIANCE_FLOOR)


class _Convolution(nn.Module):
    """One stage of the feature extractor: [1, channels, n] → [1, channels, n / stride]."""

    def __init__(self, config: Wav2Vec2Config, index: int) -> None:
        super().__init__()
        before = config.conv_dim[index - 1] if index else 1
        width = config.conv_dim[index]
        self.conv = nn.Conv1d(
            before, width, config.conv_kernel[index], stride=config.conv_stride[index], bias=config.conv_bias
        )
        self.by_layer = config.feat_extract_norm == "layer"
        self.layer_norm: nn.Module = nn.Identity()
        if self.by_layer:
            self.layer_norm = nn.LayerNorm(width)
        elif index == 0:
            self.layer_norm = nn.GroupNorm(width, width)  # one group per channel

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.layer_norm(x.transpose(1, 2)).transpose(1, 2) if self.by_layer else self.layer_norm(x)
        return F.gelu(x)


class _Extractor(nn.Module):
    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList([_Convolution(config, index) for index in range(len(config.conv_dim))])

    def forward(self, x: Tensor) -> Tensor:
        for stage in self.conv_layers:
            x = stage(x)
        return x


class _Projection(nn.Module):
    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(config.conv_dim[-1], eps=config.layer_norm_eps)
        self.projection = nn.Linear(config.conv_dim[-1], config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.projection(self.layer_norm(x))  # type: ignore[no-any-return]


class _Normed(nn.Module):
    """A convolution's weight as size and direction; the size is one number per place in the kernel."""

    def __init__(self, out: int, into: int, kernel: int) -> None:
        super().__init__()
        self.original0 = nn.Parameter(torch.ones(1, 1, kernel))
        # uniform: normal numbers on the meta device make torch import its compiler, which takes seconds
        self.original1 = nn.Parameter(torch.empty(out, into, kernel).uniform_(-0.03, 0.03))

    def forward(self) -> Tensor:
        size = torch.linalg.vector_norm(self.original1, dim=(0, 1), keepdim=True)
        weight: Tensor = self.original1 * (self.original0 / size)
        return weight


class _NormedConvolution(nn.Module):
    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        width, kernel = config.hidden_size, config.num_conv_pos_embeddings
        self.groups = config.num_conv_pos_embedding_groups
        self.padding = kernel // 2
        self.bias = nn.Parameter(torch.zeros(width))
        self.parametrizations = nn.ModuleDict({"weight": _Normed(width, width // self.groups, kernel)})

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[-1]
        weight = self.parametrizations["weight"]()
        return F.conv1d(x, weight, self.bias, padding=self.padding, groups=self.groups)[..., :length]


class _Position(nn.Module):
    """Where a row stands, by a convolution: [1, frames, hidden] → the same."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.conv = _NormedConvolution(config)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.conv(x.transpose(1, 2))).transpose(1, 2)


class _Attention(nn.Module):
    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = (
            linear(x).view(batch, length, self.heads, -1).transpose(1, 2)  # [1, heads, frames, d]
            for linear in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(out.transpose(1, 2).reshape(batch, length, width))  # type: ignore[no-any-return]


class _FeedForward(nn.Module):
    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.intermediate_dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.output_dense = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.output_dense(F.gelu(self.intermediate_dense(x)))  # type: ignore[no-any-return]


class _Layer(nn.Module):
    """Attention and feed-forward; norms after the sums (base), or before the parts (`stable`)."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.stable = config.do_stable_layer_norm
        self.attention = _Attention(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward = _FeedForward(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        if self.stable:
            x = x + self.attention(self.layer_norm(x))
            return x + self.feed_forward(self.final_layer_norm(x))  # type: ignore[no-any-return]
        x = self.layer_norm(x + self.attention(x))
        return self.final_layer_norm(x + self.feed_forward(x))  # type: ignore[no-any-return]


class _Encoder(nn.Module):
    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.stable = config.do_stable_layer_norm
        self.pos_conv_embed = _Position(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.layers = nn.ModuleList([_Layer(config) for _ in range(config.num_hidden_layers)])

    def forward(self, x: Tensor) -> list[Tensor]:
        """[1, frames, hidden] → what enters the first layer, then the output of each layer."""
        x = x + self.pos_conv_embed(x)
        seen = [x if self.stable else self.layer_norm(x)]
        for layer in self.layers:
            seen.append(layer(seen[-1]))
        if self.stable:
            seen[-1] = self.layer_norm(seen[-1])
        return seen


class Wav2Vec2(nn.Module):
    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.feature_extractor = _Extractor(config)
        self.feature_projection = _Projection(config)
        self.encoder = _Encoder(config)

    @property
    def shortest(self) -> int:
        """Samples below which the convolutions give no row."""
        samples = 1
        for kernel, stride in zip(reversed(self.config.conv_kernel), reversed(self.config.conv_stride), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples

    def forward(self, wave: Tensor, frames: int, trace: dict[str, Tensor] | None = None) -> Tensor:
        """float [samples], standardised → [frames, layers, hidden]. `trace` receives the stages in between.

        The waveform may be anywhere and of any float type; the rows are where the weights are, and of their type.
        """
        assert wave.dim() == 1 and wave.shape[0] >= self.shortest, wave.shape
        wave = wave.to(self.feature_projection.projection.weight)
        features = self.feature_extractor(wave[None, None])  # [1, channels, ~50 a second]
        resampled = F.interpolate(features, size=frames, mode="linear", align_corners=True).transpose(1, 2)
        seen = self.encoder(self.feature_projection(resampled))
        if trace is not None:
            trace |= {"conv_features": features, "features_resampled": resampled}
            trace |= {f"hidden{index}": x for index, x in enumerate(seen)}
        return torch.cat(seen[1:]).transpose(0, 1)
