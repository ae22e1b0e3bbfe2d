"""The networks at full size with random weights, drawn where they are used; and random inputs for them.

In: configurations, a device. Out: modules, tensors. No file is read, no weight passes through the host. Never zeros:
products of zeros run quicker than real ones, and hide what is not computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from pipeline import attention
from pipeline.errors import EngineError
from pipeline.models.flashtalk import FLASHTALK_14B, Context, FlashTalk, FlashTalkConfig
from pipeline.models.wan_vae import WAN_VAE, WanVae, WanVaeConfig
from pipeline.models.wav2vec2 import Wav2Vec2, Wav2Vec2Config
from pipeline.sampler import CHUNK_FRAMES, FRAMES_PER_LATENT
from pipeline.workload import PICTURE_TOKENS, VAE_STRIDE

LATENT_FRAMES = 1 + (CHUNK_FRAMES - 1) // FRAMES_PER_LATENT
PROMPT_TOKENS = 20  # of the default prompt; the padding is computed as well
NEAR_ONE = 0.02  # how far scales are from 1, and biases from 0


@dataclass(frozen=True, slots=True)
class Configs:
    """Full size, or tiny: the same shape, so that all code runs on a CPU in seconds; its figures mean nothing."""

    dit: FlashTalkConfig = FLASHTALK_14B
    vae: WanVaeConfig = WAN_VAE
    ear: Wav2Vec2Config = field(default_factory=Wav2Vec2Config)
    matrix: int = 8192  # rows and columns of the product that tells the card's rate
    copied_bytes: int = 2 << 30
    conv_channels: tuple[int, ...] = (96, 192, 384)
    full: bool = True


TINY = Configs(
    dit=replace(
        FLASHTALK_14B, dim=48, ffn_dim=96, freq_dim=16, text_dim=24, text_len=24, num_heads=2, num_layers=2,
        intermediate_dim=16, output_dim=16, context_tokens=4, picture_dim=20, audio_layers=2, audio_dim=16,
    ),
    vae=replace(WAN_VAE, dim=4, num_res_blocks=1),
    ear=Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, conv_dim=(8,) * 7,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2,
    ),
    matrix=96,
    copied_bytes=1 << 20,
    conv_channels=(8, 16),
    full=False,
)  # fmt: skip


@dataclass
class Networks:
    """Made at the first use and kept. dtype: of the DiT and the VAE; wav2vec2 is float32."""

    device: torch.device
    dtype: torch.dtype
    configs: Configs
    _made: dict[str, nn.Module] = field(default_factory=dict)
    _context: Context | None = None
    _draw: torch.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._draw = torch.Generator(self.device).manual_seed(9999)

    @cached_property
    def kernel(self) -> attention.Kernel:
        """What the engine would take here."""
        return attention.choose(self.device, self.dtype)

    def bare_dit(self, layers: int | None = None) -> FlashTalk:
        """Without weights."""
        config = self.configs.dit if layers is None else replace(self.configs.dit, num_layers=layers)
        with torch.device("meta"):
            return FlashTalk(config, kernel=self.kernel)

    def dit(self) -> FlashTalk:
        if "dit" not in self._made:
            self._made["dit"] = self.fused(self.bare_dit())
        found = self._made["dit"]
        assert isinstance(found, FlashTalk)
        return found

    def fused(self, bare: FlashTalk) -> FlashTalk:
        """With random weights, q, k and v in one product, as the engine runs it."""
        self.filled(bare, self.dtype)
        return bare.fuse()

    def vae(self) -> WanVae:
        if "vae" not in self._made:
            with torch.device("meta"):
                bare = WanVae(self.configs.vae)
            self._made["vae"] = self.filled(bare, self.dtype)
        found = self._made["vae"]
        assert isinstance(found, WanVae)
        return found

    def ear(self) -> Wav2Vec2:
        if "ear" not in self._made:
            with torch.device("meta"):
                bare = Wav2Vec2(self.configs.ear)
            self._made["ear"] = self.filled(bare, torch.float32)
        found = self._made["ear"]
        assert isinstance(found, Wav2Vec2)
        return found

    def context(self) -> Context:
        """Keys and values of text and picture, made once."""
        if self._context is None:
            self._context = self.context_of(self.dit())
        return self._context

    def context_of(self, dit: FlashTalk) -> Context:
        config = dit.config
        text = self.normal(PROMPT_TOKENS, config.text_dim)
        return dit.context(text, self.normal(1, PICTURE_TOKENS, config.picture_dim))

    def filled(self, module: nn.Module, dtype: torch.dtype) -> nn.Module:
        """A module on the meta device gets random weights on ours, one tensor at a time."""
        for path, owner in module.named_modules():
            for name, bare in list(owner.named_parameters(recurse=False)):
                owner.register_parameter(name, nn.Parameter(self._weight(name, bare.shape, dtype), requires_grad=False))
            for name, buffer in owner.named_buffers(recurse=False):
                if buffer.is_meta:
                    raise EngineError(f"{type(module).__name__}: buffer {path}.{name} has no value on the meta device")
        return module.eval()

    def _weight(self, name: str, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        weight = torch.empty(shape, dtype=dtype, device=self.device)
        entering = weight.numel() // shape[0]
        if entering > 1:
            return weight.normal_(0, entering**-0.5, generator=self._draw)
        return weight.normal_(0.0 if name == "bias" else 1.0, NEAR_ONE, generator=self._draw)

    def normal(self, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        return torch.randn(shape, device=self.device, dtype=dtype or self.dtype, generator=self._draw)

    def latent(self, size: tuple[int, int], frames: int = LATENT_FRAMES) -> Tensor:
        """float32 [16, frames, h, w]."""
        width, height = size
        channels = self.configs.dit.out_dim
        return self.normal(channels, frames, height // VAE_STRIDE, width // VAE_STRIDE, dtype=torch.float32)

    def condition(self, size: tuple[int, int]) -> Tensor:
        """y [1, 20, T, h, w]: the numbers of a mask and a latent do not matter here."""
        width, height = size
        channels = self.configs.dit.in_dim - self.configs.dit.out_dim
        return self.normal(1, channels, LATENT_FRAMES, height // VAE_STRIDE, width // VAE_STRIDE)

    def video(self, size: tuple[int, int], frames: int) -> Tensor:
        """float32 [1, 3, frames, H, W] in [-1, 1]."""
        width, height = size
        shape = (1, 3, frames, height, width)
        return torch.rand(shape, device=self.device, generator=self._draw) * 2 - 1

    def windows(self) -> Tensor:
        """What a chunk hears: [1, 33, 5, layers, hidden]."""
        config = self.configs.dit
        return self.normal(1, CHUNK_FRAMES, config.audio_window, config.audio_layers, config.audio_dim)
