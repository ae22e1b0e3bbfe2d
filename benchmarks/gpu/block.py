"""One block of the DiT, part by part: where a step's time goes, and how near each part is to what the card can do.

A model with one block is made for it, so this can be measured on cards that do not hold all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from benchmarks.gpu.attempt import attempted
from benchmarks.gpu.networks import LATENT_FRAMES
from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Bench, times_name
from pipeline.models import rotary
from pipeline.models.blocks import Block, Tokens, runs, split
from pipeline.models.flashtalk import FlashTalk
from pipeline.models.layers import gated, modulated
from pipeline.parallel.layout import Share
from pipeline.workload import VAE_STRIDE, Dit, step_flops

PART = "block"
TIME = 750.0  # of the denoising; any


@dataclass(frozen=True, slots=True)
class Piece:
    """flops: of products and attention. moved: bytes, where these and not the arithmetic are the floor."""

    name: str
    call: Callable[[], object]
    flops: float = 0.0
    moved: float = 0.0


def run(bench: Bench) -> Iterator[Row]:
    dit = bench.networks.fused(bench.networks.bare_dit(layers=1))
    for size in bench.sizes:
        yield from attempted(PART, "block", times_name(size), partial(_measured, bench, dit, size))


def _measured(bench: Bench, dit: FlashTalk, size: tuple[int, int]) -> Iterator[Row]:
    where = times_name(size)
    for piece in _pieces(bench, dit, size):
        taken = bench.watch.times(piece.call, enough_s=0.3)
        floor = bench.floor_ms(piece.flops) if piece.flops else bench.moving_ms(piece.moved)
        reached = f"{piece.flops / taken.median / 1e9:.0f} TFLOP/s; " if piece.flops else ""
        moved = f"{piece.moved / taken.median / 1e6:.0f} GB/s; " if piece.moved else ""
        yield Row(PART, piece.name, taken.median, "ms", where, floor, note=f"{reached}{moved}{taken.spread}")
    layers = bench.networks.configs.dit.num_layers
    yield Row(PART, f"· times {layers} blocks: a step but for its ends", layers * taken.median, "ms", where)


def _pieces(bench: Bench, dit: FlashTalk, size: tuple[int, int]) -> Iterator[Piece]:
    """In the order of the block; the whole block is last."""
    c, block = dit.config, dit.blocks[0]
    assert isinstance(block, Block) and block.self_attn.qkv is not None
    attn, sizes = block.self_attn, Dit.of(c)
    tokens = _tokens(bench, dit, size)
    n, wide = tokens.count, bench.networks.dtype.itemsize
    work = step_flops(sizes, n)
    x, y = bench.networks.normal(1, n, c.dim), bench.networks.normal(1, n, c.dim)
    modulation = dit.moment(TIME).blocks[0]
    shift, scale, gate = modulation[:3]
    row = n * c.dim * wide
    yield Piece("norm and modulation", lambda: modulated(x, shift, scale, block.eps).to(x.dtype), moved=2 * row)
    yield Piece("q, k, v in one product", lambda: attn.qkv(x), work.projections * 3 / 4)  # type: ignore[misc]

    def turned(part: Tensor) -> Tensor:
        return rotary.rotated(split(attn.norm_q(part), c.num_heads), tokens.turns)

    yield Piece("RMS norm and rotary of q and k", lambda: (turned(x), turned(y)), moved=4 * row)
    q, k, v = (bench.networks.normal(1, c.num_heads, n, c.head_dim) for _ in range(3))
    kernel = bench.networks.kernel
    yield Piece(f"self-attention, {kernel.name}", lambda: kernel(q, k, v), work.attention)
    yield Piece("its output product", lambda: attn.o(x), work.projections / 4)
    yield Piece("gate and sum", lambda: gated(x, y, gate), moved=3 * row)
    context, heard = bench.networks.context_of(dit), dit.hear(bench.networks.windows())
    text, picture = (context.text_k[0], context.text_v[0]), (context.picture_k[0], context.picture_v[0])
    sound = (heard.k[0], heard.v[0])
    yield Piece(
        "text and picture attention, both products",
        lambda: block.cross_attn(x, text, picture),
        work.cross + work.cross_attention,
    )
    yield Piece(
        "audio attention, both products",
        lambda: block.audio_cross_attn(x, sound, tokens),
        work.audio + work.audio_attention,
    )
    yield Piece("feed-forward", lambda: block.ffn(x), work.ffn)
    yield Piece(
        "the whole block",
        lambda: block(x, modulation, tokens, text, picture, sound, _unnoted),
        work.hot - work.ends,
    )


def _tokens(bench: Bench, dit: FlashTalk, size: tuple[int, int]) -> Tokens:
    """As the model lays out the tokens of a chunk on one rank."""
    _, high, wide = dit.config.patch_size
    grid = (LATENT_FRAMES, size[1] // (VAE_STRIDE * high), size[0] // (VAE_STRIDE * wide))
    count = grid[0] * grid[1] * grid[2]
    turns = rotary.table(grid, dit.config.head_dim, bench.device)
    return Tokens(count, runs(Share(count, 1, 0), grid[1] * grid[2]), turns)


def _unnoted(_part: str, _x: Tensor) -> None:
    pass
