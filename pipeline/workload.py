"""How much work a FlashTalk chunk is: FLOPs and parameters, counted from the sizes of the networks.

In: sizes (`Dit`, `Vae`: the published ones, or of any configuration with fields of the same names), tokens, pictures.
Out: FLOPs (a multiply-add is 2), numbers of parameters. No card, no time, no torch.

Picture sizes are (width, height) in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from pipeline.errors import ConfigError

CHUNK_FRAMES, MOTION_FRAMES = 33, 5
PICTURE_TOKENS = 257  #: of CLIP ViT-H/14 at 224 x 224
VAE_STRIDE, LATENT_FRAMES = 8, 9


@dataclass(frozen=True, slots=True)
class Dit:
    """Sizes of the diffusion transformer, named as in its configuration; the defaults are FlashTalk 14B's."""

    dim: int = 5120
    ffn_dim: int = 13824
    freq_dim: int = 256
    text_dim: int = 4096
    text_len: int = 512
    in_dim: int = 36
    out_dim: int = 16
    num_layers: int = 40
    patch_size: tuple[int, int, int] = (1, 2, 2)
    audio_window: int = 5
    vae_scale: int = 4
    intermediate_dim: int = 512
    output_dim: int = 768
    context_tokens: int = 32
    picture_dim: int = 1280
    audio_layers: int = 12
    audio_dim: int = 768

    @classmethod
    def of(cls, config: object) -> Dit:
        """From any configuration that has these fields."""
        return cls(**{field.name: getattr(config, field.name) for field in fields(cls)})

    @property
    def patch(self) -> int:
        t, h, w = self.patch_size
        return t * h * w


@dataclass(frozen=True, slots=True)
class Vae:
    """Sizes of the Wan VAE, named as in its configuration."""

    dim: int = 96
    z_dim: int = 16
    dim_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    temporal_downsample: tuple[bool, ...] = (False, True, True)

    @classmethod
    def of(cls, config: object) -> Vae:
        """From any configuration that has these fields."""
        return cls(**{field.name: getattr(config, field.name) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Step:
    """FLOPs of one forward of the DiT, all blocks; `cacheable` need not be done at every step."""

    projections: float  # q, k, v and output of self-attention
    attention: float  # its scores and values
    cross: float  # q and output of the text and picture attention
    cross_attention: float
    cross_kv: float  # keys and values of text and picture: once per prompt and picture
    audio: float  # q and output of the audio attention
    audio_attention: float
    audio_kv: float  # once per chunk
    ffn: float
    conditions: float  # text and picture tokens, audio adapter, time: once as well
    ends: float  # patch embedding and head

    @property
    def linears(self) -> float:
        """The products with weights that every step does; what FP8 linears speed up."""
        return self.projections + self.cross + self.audio + self.ffn

    @property
    def cacheable(self) -> float:
        return self.cross_kv + self.audio_kv + self.conditions

    @property
    def hot(self) -> float:
        """What a step costs when all that is constant is kept."""
        return self.linears + self.attention + self.cross_attention + self.audio_attention + self.ends

    @property
    def total(self) -> float:
        return self.hot + self.cacheable


def tokens(size: tuple[int, int], dit: Dit | None = None, frames: int = LATENT_FRAMES) -> int:
    """Tokens of a chunk; ConfigError for a size that the patches do not divide."""
    _, patch_h, patch_w = (dit or Dit()).patch_size
    width, height = size
    if width % (VAE_STRIDE * patch_w) or height % (VAE_STRIDE * patch_h):
        need = f"{VAE_STRIDE * patch_w} and {VAE_STRIDE * patch_h}"
        raise ConfigError(f"size {width}x{height}: width and height must be multiples of {need}")
    return frames * (width // (VAE_STRIDE * patch_w)) * (height // (VAE_STRIDE * patch_h))


def step_flops(dit: Dit, tokens: int, frames: int = LATENT_FRAMES) -> Step:
    """One forward over `tokens` tokens of `frames` latent frames, nothing kept from an earlier one."""
    layers, d, heard = dit.num_layers, dit.dim, frames * dit.context_tokens
    context = dit.text_len + PICTURE_TOKENS
    per_token = 2.0 * layers * tokens
    return Step(
        projections=per_token * 4 * d * d,
        attention=per_token * 2 * tokens * d,
        cross=per_token * 2 * d * d,
        cross_attention=per_token * 2 * context * d,
        cross_kv=2.0 * layers * context * 2 * d * d,
        audio=per_token * 2 * d * d,
        audio_attention=per_token * 2 * dit.context_tokens * d,
        audio_kv=2.0 * layers * heard * dit.output_dim * 2 * d,
        ffn=per_token * 2 * d * dit.ffn_dim,
        conditions=2.0 * _conditions(dit, frames),
        ends=2.0 * tokens * d * dit.patch * (dit.in_dim + dit.out_dim),
    )


def _conditions(dit: Dit, frames: int) -> float:
    """Multiply-adds outside the blocks that do not grow with the tokens."""
    d = dit.dim
    text = dit.text_len * d * (dit.text_dim + d)
    picture = PICTURE_TOKENS * dit.picture_dim * (dit.picture_dim + d)
    first, later = _adapter_inputs(dit)
    inner = dit.intermediate_dim
    audio = inner * (first + (frames - 1) * later + frames * (inner + dit.context_tokens * dit.output_dim))
    return float(text + picture + audio + d * (dit.freq_dim + d + 6 * d))


def _adapter_inputs(dit: Dit) -> tuple[int, int]:
    """Numbers that the audio adapter sees of the first latent frame, and of a later one."""
    row = dit.audio_layers * dit.audio_dim
    half = dit.audio_window // 2 + 1
    return dit.audio_window * row, (2 * half + dit.vae_scale - 2) * row


def dit_parameters(dit: Dit, kept_context: bool = False) -> int:
    """Parameters of the DiT; kept_context: without the four products per block that only make text and picture K/V."""
    d, f = dit.dim, dit.ffn_dim
    square, first_later = d * d + d, _adapter_inputs(dit)
    block = 6 * d + (4 + 6 + 2) * square + (2 + 3) * d + 4 * d  # modulation; self, cross and audio; RMS and layer norms
    block += 2 * d * (dit.output_dim + 1) + 2 * d * f + f + d
    inner, heard = dit.intermediate_dim, dit.context_tokens * dit.output_dim
    outside = d * (dit.in_dim * dit.patch + 1) + d * (dit.text_dim + 1) + square
    outside += d * (dit.freq_dim + 1) + square + 6 * square
    outside += 2 * d + (d + 1) * dit.patch * dit.out_dim
    outside += 2 * dit.picture_dim + dit.picture_dim * (dit.picture_dim + 1) + d * (dit.picture_dim + 1) + 2 * d
    outside += inner * (sum(first_later) + 2) + inner * (inner + 1) + heard * (inner + 1) + 2 * dit.output_dim
    return dit.num_layers * (block - (4 * square if kept_context else 0)) + outside


@dataclass(frozen=True, slots=True)
class _Product:
    """A convolution: `taps` weights per pair of channels, at `area` places of `frames` frames."""

    into: int
    out: int
    taps: int
    frames: int
    area: int

    @property
    def flops(self) -> float:
        return 2.0 * self.into * self.out * self.taps * self.frames * self.area


def decode_flops(size: tuple[int, int], frames: int = CHUNK_FRAMES, vae: Vae | None = None) -> float:
    """Latents to `frames` pictures of (width, height)."""
    vae = vae or Vae()
    return _flops(vae, list(_decoder(vae, frames, size)), frames, size)


def encode_flops(size: tuple[int, int], frames: int = MOTION_FRAMES, vae: Vae | None = None) -> float:
    """`frames` pictures of (width, height) to latents."""
    vae = vae or Vae()
    return _flops(vae, list(_encoder(vae, frames, size)), frames, size)


def vae_parameters(vae: Vae | None = None) -> int:
    """Weights and biases of all convolutions; the norms' scales (some thousands) are left out."""
    vae = vae or Vae()
    size = (VAE_STRIDE, VAE_STRIDE)
    products = [*_decoder(vae, CHUNK_FRAMES, size), *_encoder(vae, CHUNK_FRAMES, size)]
    return sum(product.into * product.out * product.taps + product.out for product in products)


def cached_bytes(size: tuple[int, int], vae: Vae | None = None) -> int:
    """What the decoder keeps between latent frames: two frames before each convolution over time, in bf16."""
    products = _decoder(vae or Vae(), CHUNK_FRAMES, size)
    return sum(2 * product.into * product.area * 2 for product in products if product.taps in (3, 27))


def _flops(vae: Vae, products: list[_Product], frames: int, size: tuple[int, int]) -> float:
    area = (size[0] // VAE_STRIDE) * (size[1] // VAE_STRIDE)
    attention = 4.0 * _latents(frames) * area * area * vae.dim * vae.dim_mult[-1]
    return sum(product.flops for product in products) + attention


def _latents(frames: int) -> int:
    return 1 + (frames - 1) // 4


def _residual(into: int, out: int, frames: int, area: int) -> Iterator[_Product]:
    yield _Product(into, out, 27, frames, area)
    yield _Product(out, out, 27, frames, area)
    if into != out:
        yield _Product(into, out, 1, frames, area)


def _middle(width: int, frames: int, area: int) -> Iterator[_Product]:
    yield from _residual(width, width, frames, area)
    yield _Product(width, 3 * width, 1, frames, area)
    yield _Product(width, width, 1, frames, area)
    yield from _residual(width, width, frames, area)


def _decoder(vae: Vae, frames: int, size: tuple[int, int]) -> Iterator[_Product]:
    frames, area = _latents(frames), (size[0] // VAE_STRIDE) * (size[1] // VAE_STRIDE)
    width = vae.dim * vae.dim_mult[-1]
    yield _Product(vae.z_dim, vae.z_dim, 1, frames, area)
    yield _Product(vae.z_dim, width, 27, frames, area)
    yield from _middle(width, frames, area)
    for level, multiple in enumerate(reversed(vae.dim_mult)):
        into, width = width, vae.dim * multiple
        for _ in range(vae.num_res_blocks + 1):
            yield from _residual(into, width, frames, area)
            into = width
        if level == len(vae.dim_mult) - 1:
            break
        if vae.temporal_downsample[-1 - level]:
            yield _Product(width, 2 * width, 3, frames - 1, area)  # the first latent frame stays one
            frames = 1 + 2 * (frames - 1)
        area *= 4
        yield _Product(width, width // 2, 9, frames, area)
        width //= 2
    yield _Product(width, 3, 27, frames, area)


def _encoder(vae: Vae, frames: int, size: tuple[int, int]) -> Iterator[_Product]:
    area, width = size[0] * size[1], vae.dim
    yield _Product(3, width, 27, frames, area)
    for level, multiple in enumerate(vae.dim_mult):
        into, width = width, vae.dim * multiple
        for _ in range(vae.num_res_blocks):
            yield from _residual(into, width, frames, area)
            into = width
        if level == len(vae.dim_mult) - 1:
            break
        area //= 4
        yield _Product(width, width, 9, frames, area)
        if vae.temporal_downsample[level]:
            yield _Product(width, width, 3, (frames - 1) // 2, area)
            frames = 1 + (frames - 1) // 2
    yield from _middle(width, frames, area)
    yield _Product(width, 2 * vae.z_dim, 27, frames, area)
    yield _Product(2 * vae.z_dim, 2 * vae.z_dim, 1, frames, area)
