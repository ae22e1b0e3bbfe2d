"""umT5: the text encoder that reads a prompt once, when an avatar is baked.

In: token ids and mask, int64 [B, L]. Out: [B, L, dim]; rows where the mask is 0 mean nothing. The network is
transformers' own encoder, whose numbers equal the published ones; `checkpoint_name` maps the published names to its
names. transformers is imported when a TextEncoder is made, not before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.models.prompt import Tokenizer

TEXT_LEN = 512  #: tokens a prompt is padded to
_INSIDE = {
    "norm1": "layer.0.layer_norm",
    "attn": "layer.0.SelfAttention",
    "pos_embedding.embedding": "layer.0.SelfAttention.relative_attention_bias",
    "norm2": "layer.1.layer_norm",
    "ffn.gate.0": "layer.1.DenseReluDense.wi_0",
    "ffn.fc1": "layer.1.DenseReluDense.wi_1",
    "ffn.fc2": "layer.1.DenseReluDense.wo",
}  #: published name within a block → transformers' name
_EAGER: dict[str, Any] = {"attn_implementation": "eager"}  #: its softmax is float32 in every type
_BLOCK = re.compile(r"blocks\.(\d+)\.(norm1|norm2|attn|pos_embedding\.embedding|ffn\.gate\.0|ffn\.fc1|ffn\.fc2)\.(.+)")


@dataclass(frozen=True, slots=True)
class TextConfig:
    """Sizes, named as in the published configuration; the defaults are umT5-XXL."""

    vocab: int = 256_384
    dim: int = 4096
    dim_attn: int = 4096
    dim_ffn: int = 10_240
    num_heads: int = 64
    num_layers: int = 24
    num_buckets: int = 32

    def __post_init__(self) -> None:
        if self.dim_attn % self.num_heads:
            raise ConfigError(f"umT5: dim_attn {self.dim_attn} is not a multiple of num_heads {self.num_heads}")

    @classmethod
    def from_json(cls, mapping: Mapping[str, Any]) -> TextConfig:
        if mapping.get("shared_pos"):
            raise ConfigError("umT5: shared_pos is true; umT5 has one position table in every layer")
        return cls(**{name: int(mapping[name]) for name in cls.__dataclass_fields__ if name in mapping})


UMT5_XXL = TextConfig()


def checkpoint_name(key: str) -> str:
    """The parameter of `TextEncoder` for a published tensor; a foreign name stays as it is, and fits nowhere."""
    if key == "token_embedding.weight":
        return "stack.embed_tokens.weight"
    if key == "norm.weight":
        return "stack.final_layer_norm.weight"
    if found := _BLOCK.fullmatch(key):
        index, part, rest = found.groups()
        return f"stack.block.{index}.{_INSIDE[part]}.{rest}"
    return key


class TextEncoder(nn.Module):
    """Made inside `torch.device("meta")` it takes no memory until its weights come."""

    def __init__(self, config: TextConfig = UMT5_XXL) -> None:
        super().__init__()
        from transformers import UMT5Config, UMT5EncoderModel

        self.config = config
        made = UMT5EncoderModel(
            UMT5Config(
                vocab_size=config.vocab,
                d_model=config.dim,
                d_kv=config.dim_attn // config.num_heads,
                d_ff=config.dim_ffn,
                num_layers=config.num_layers,
                num_heads=config.num_heads,
                relative_attention_num_buckets=config.num_buckets,
                relative_attention_max_distance=128,
                layer_norm_epsilon=1e-6,
                feed_forward_proj="gated-gelu",
                dropout_rate=0.0,
                **_EAGER,
            )
        )
        self.stack: nn.Module = made.encoder  # the embedding is in it once; the outer model would hold it twice
        self.eval()

    def forward(self, ids: Tensor, mask: Tensor, trace: dict[str, Tensor] | None = None) -> Tensor:
        """int64 [B, L] each → [B, L, dim]. `trace` receives `block{i}`, the stream after each block."""
        seen = self.stack(input_ids=ids, attention_mask=mask, output_hidden_states=trace is not None)
        if trace is not None:
            trace |= {f"block{index}": x for index, x in enumerate(seen.hidden_states[1:-1])}
        return seen.last_hidden_state  # type: ignore[no-any-return]

    @torch.no_grad()
    def encode(self, prompt: str, tokenizer: Tokenizer, length: int = TEXT_LEN) -> Tensor:
        """[L, dim] of a prompt, L its real number of tokens."""
        ids, mask = tokenizer(prompt, length)
        device = next(self.parameters()).device
        return self(ids.to(device), mask.to(device))[0, : int(mask.sum())]  # type: ignore[no-any-return]
