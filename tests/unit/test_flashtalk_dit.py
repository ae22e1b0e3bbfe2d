"""The transformer of FlashTalk against the published implementation's numbers, tensor by tensor."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.attention import Sdpa, choose
from pipeline.errors import ConfigError
from pipeline.models import blocks, dit, layers
from pipeline.models.blocks import by_frame, runs
from pipeline.models.flashtalk import FLASHTALK_14B, Context, FlashTalk, FlashTalkConfig, Heard
from pipeline.models.layers import patch_embedded, patches, unpatched
from pipeline.models.rotary import axes
from pipeline.parallel import strategy
from pipeline.parallel.gang import Gang
from pipeline.parallel.layout import Share
from tests.golden import GOLDEN
from tests.rankrun import Ranks

MANIFEST = Path(__file__).parents[2] / "pipeline" / "manifests" / "flashtalk_dit_14b.json"
CLOSE, REL_CLOSE = 3e-5, 5e-6  # float32 on a CPU
FAR = 1e-3
RANKS_CLOSE = 1e-4  # one forward over ranks, to one rank


def wide(name: str) -> dict[str, Tensor]:
    loaded = load_file(GOLDEN / f"{name}.safetensors")
    return {key: value.float() if value.is_floating_point() else value for key, value in loaded.items()}


CONFIG = json.loads((GOLDEN / "flashtalk_dit.json").read_text())["config"]
CASE = wide("flashtalk_dit")
AUDIO = CASE["audio_bank"][CASE["audio_index"]][None]


def made(dtype: torch.dtype = torch.float32, how: strategy.Strategy | None = None) -> FlashTalk:
    model = FlashTalk(FlashTalkConfig.from_json(CONFIG), how)
    model.load_state_dict(wide("flashtalk_dit_weights"), strict=True, assign=True)
    return model.to(dtype).requires_grad_(False)


def predicted(model: FlashTalk, step: int, trace: dict[str, Tensor] | None = None) -> Tensor:
    context = model.context(CASE["context"], CASE["clip_fea"], trace)
    heard = model.hear(AUDIO, trace)
    out = model(CASE["x"], float(CASE["t"][step]), CASE["y"], context, heard, trace)
    assert isinstance(out, Tensor)
    return out


def apart(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape, (one.shape, other.shape)
    return float((one.float() - other.float()).abs().max())


def near(out: Tensor, expected: Tensor) -> tuple[float, float]:
    """rel L2, cosine."""
    return (
        float((out - expected).norm() / expected.norm()),
        float(torch.cosine_similarity(out.flatten(), expected.flatten(), dim=0)),
    )


def test_every_tensor_is_the_published_one() -> None:
    model = made()
    trace: dict[str, Tensor] = {}
    for step in range(4):
        out = predicted(model, step)
        assert apart(out, CASE[f"out.t{step}"]) < CLOSE, step
        assert near(out, CASE[f"out.t{step}"])[0] < REL_CLOSE, step
    predicted(model, 2, trace)
    wanted = {name.removeprefix("inter."): value for name, value in CASE.items() if name.startswith("inter.")}
    assert len(wanted) == 16 and wanted.keys() <= trace.keys()
    for name, value in wanted.items():
        assert apart(trace[name], value) < CLOSE, name


def test_the_full_model_has_the_names_and_shapes_of_the_checkpoint() -> None:
    manifest = json.loads(MANIFEST.read_text())
    with torch.device("meta"):
        model = FlashTalk(FlashTalkConfig.from_json(manifest["config"]))
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    assert shapes == manifest["tensors"]
    assert sum(value.numel() for value in model.parameters()) == 18_882_046_784
    assert FlashTalkConfig.from_json(manifest["config"]) == FLASHTALK_14B == FlashTalkConfig.from_json({})
    assert axes(FLASHTALK_14B.head_dim) == (44, 42, 42)


@pytest.mark.parametrize("size", [(416, 720), (448, 768)], ids=["416x720", "448x768"])
def test_a_step_at_full_width_never_waits_for_the_device(size: tuple[int, int]) -> None:
    """On the meta device: reading a number back, which a GPU would wait for, is an error there."""
    meta = torch.device("meta")
    with meta:
        model = FlashTalk(replace(FLASHTALK_14B, num_layers=1)).to(torch.bfloat16)
    context = model.context(torch.empty(20, 4096, device=meta), torch.empty(1, 257, 1280, device=meta))
    assert context.text_k.shape == (1, 1, 40, 512, 128) and context.picture_v.shape == (1, 1, 40, 257, 128)
    heard = model.hear(torch.empty(1, 33, 5, 12, 768, device=meta))
    assert heard.k.shape == heard.v.shape == (1, 9, 40, 32, 128)
    width, height = size
    z = torch.empty(16, 9, height // 8, width // 8, device=meta)
    y = torch.empty(1, 20, 9, height // 8, width // 8, device=meta)
    for time in (750.0, torch.empty((), device=meta)):
        out = model(z, time, y, context, heard)
        assert out.shape == z.shape and out.dtype == torch.float32


class Readings(TorchDispatchMode):
    """Notes what would make the host wait for a GPU or copy to it, and float64, in which only tables are made."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if any(name in str(func) for name in ("_local_scalar_dense", "nonzero", "lift_fresh", "masked_select")):
            self.found.append(str(func))
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and out.dtype == torch.float64:
            self.found.append(f"{func} in float64")
        return out


def test_a_forward_that_was_run_before_reads_and_copies_nothing() -> None:
    model = made()
    context, heard = model.context(CASE["context"], CASE["clip_fea"]), model.hear(AUDIO)
    with Readings() as first:
        out = model(CASE["x"], 750.0, CASE["y"], context, heard)
    with Readings() as later:
        again = model(CASE["x"], 750.0, CASE["y"], context, heard)
    with Readings() as other_grid:
        model(CASE["x"][..., :6], 750.0, CASE["y"][..., :6], context, heard)
    with Readings() as other_time:
        model(CASE["x"], 625.0, CASE["y"], context, heard)
    assert not later.found and torch.equal(out, again)
    assert first.found and other_grid.found and other_time.found  # what there is to prepare would be seen


def test_half_precision_stays_near_with_the_published_float32_parts() -> None:
    model = made(torch.bfloat16)
    for step in range(4):
        out, expected = predicted(model, step), CASE[f"out.t{step}"]
        rel, cosine = near(out, expected)
        assert out.dtype == torch.float32 and rel < 0.008 and cosine > 0.99997  # the published one: 0.6 %, 0.99998


def test_half_precision_computes_the_published_parts_in_float32() -> None:
    trace: dict[str, Tensor] = {}
    predicted(made(torch.bfloat16), 2, trace)
    for name in ("time_e", "time_e0", "head", "rope_cos"):
        assert not torch.equal(trace[name].bfloat16().float(), trace[name]), f"{name} was rounded"
    assert {trace[name].dtype for name in ("block0", "block0.ffn", "text_ctx", "audio_tokens")} == {torch.bfloat16}
    generator = torch.Generator().manual_seed(3)
    x, y = torch.randn(2, 1, 7, 64, generator=generator).bfloat16()
    one, other = torch.randn(2, 64, generator=generator)
    wide, norm = x.float(), torch.nn.functional.layer_norm(x.float(), (64,), eps=1e-6).bfloat16().float()
    assert torch.equal(layers.modulated(x, one, other, 1e-6), torch.addcmul(one, norm, other))
    assert torch.equal(layers.gated(x, y, one), torch.addcmul(wide, y.float(), one).bfloat16())
    rms = layers.RmsNorm(64, 1e-6).bfloat16()
    rms.weight.data.copy_(one)
    normed = (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-6)).bfloat16()
    assert torch.equal(rms(x), normed * one.bfloat16())
    linear = torch.nn.Linear(64, 12).bfloat16()
    expected = torch.nn.functional.linear(wide, linear.weight.float(), linear.bias.float())
    for parts in (1, 3):
        torch.testing.assert_close(layers.linear_float32(linear, wide, parts), expected)


def test_half_precision_stays_near_over_forty_blocks() -> None:
    config = FlashTalkConfig.from_json(CONFIG | {"dim": 128, "ffn_dim": 320, "num_layers": 40})
    model, generator = FlashTalk(config), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "modulation" in name:
                weight.normal_(0, 0.1, generator=generator)
            elif weight.dim() > 1:
                weight.normal_(0, weight[0].numel() ** -0.5, generator=generator)
            else:
                weight.normal_(0.0 if "bias" in name else 1.0, 0.02, generator=generator)
    exact = predicted(model, 2)
    rel, cosine = near(predicted(model.to(torch.bfloat16), 2), exact)
    assert exact.std() > 0.5 and 0.001 < rel < 0.03 and cosine > 0.9995


def mistaken(change: Callable[[FlashTalk, Context, Heard], tuple[Context, Heard]]) -> float:
    """How far off a forward is whose inputs or weights were changed."""
    model = made()
    context, heard = change(model, model.context(CASE["context"], CASE["clip_fea"]), model.hear(AUDIO))
    return apart(model(CASE["x"], float(CASE["t"][2]), CASE["y"], context, heard), CASE["out.t2"])


def test_deliberate_mistakes_are_as_far_off_as_was_published() -> None:
    def nothing(_model: FlashTalk, context: Context, heard: Heard) -> tuple[Context, Heard]:
        return context, heard

    def padding_dropped(_model: FlashTalk, context: Context, heard: Heard) -> tuple[Context, Heard]:
        rows = len(CASE["context"])
        return replace(context, text_k=context.text_k[:, :, :, :rows], text_v=context.text_v[:, :, :, :rows]), heard

    def picture_dropped(_model: FlashTalk, context: Context, heard: Heard) -> tuple[Context, Heard]:
        return replace(context, picture_v=torch.zeros_like(context.picture_v)), heard

    def keys_as_values(_model: FlashTalk, context: Context, heard: Heard) -> tuple[Context, Heard]:
        return context, Heard(heard.v, heard.k)

    def window_ends_swapped(model: FlashTalk, context: Context, _heard: Heard) -> tuple[Context, Heard]:
        swapped = AUDIO.clone()
        swapped[:, 1::4, :3], swapped[:, 4::4, 2:] = AUDIO[:, 1::4, 2:], AUDIO[:, 4::4, :3]
        return context, model.hear(swapped)

    def head_table_ignored(model: FlashTalk, context: Context, heard: Heard) -> tuple[Context, Heard]:
        model.head.modulation.zero_()
        return context, heard

    def exact_gelu(model: FlashTalk, context: Context, heard: Heard) -> tuple[Context, Heard]:
        for block in model.blocks:
            block.ffn[1] = torch.nn.GELU()  # type: ignore[index, operator, union-attr]
        return context, heard

    assert mistaken(nothing) < CLOSE
    assert 0.3 < mistaken(padding_dropped) < 0.5
    assert mistaken(picture_dropped) > 2
    assert mistaken(keys_as_values) > 2
    assert mistaken(window_ends_swapped) > 1
    assert mistaken(head_table_ignored) > 1
    assert 1e-4 < mistaken(exact_gelu) < 5e-4


def test_mistakes_in_angles_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def halves(x: Tensor, turns: Tensor) -> Tensor:
        (one, other), (cos, sin) = x.chunk(2, -1), turns[:, :, None]
        return torch.cat([one * cos - other * sin, one * sin + other * cos], -1)

    right = dit.sinusoid
    for where, name, wrong in (
        (blocks, "rotated", halves),
        (dit, "sinusoid", lambda t, width: right(t, width).roll(width // 2, 1)),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, wrong)
            assert apart(predicted(made(), 2), CASE["out.t2"]) > 0.1, name


def test_the_context_is_made_once_and_goes_through_a_file() -> None:
    model = made()
    context = model.context(CASE["context"], CASE["clip_fea"])
    again = Context.of({name: value.clone() for name, value in context.tensors().items()} | {"more": CASE["x"]})
    assert again.to("cpu", torch.bfloat16).picture_v.dtype == torch.bfloat16
    with pytest.raises(KeyError, match="text_v"):
        Context.of({"text_k": context.text_k})
    heard = model.hear(AUDIO)
    out = model(CASE["x"], 750.0, CASE["y"], again, heard)
    assert torch.equal(out, model(CASE["x"], 750.0, CASE["y"], context, heard))
    other = model.context(CASE["context"][:5], CASE["clip_fea"])
    assert apart(model(CASE["x"], 750.0, CASE["y"], other, heard), out) > FAR


def test_a_time_step_may_be_a_number_a_tensor_or_prepared() -> None:
    model = made()
    context, heard = model.context(CASE["context"], CASE["clip_fea"]), model.hear(AUDIO)
    time = CASE["t"][1]
    out = model(CASE["x"], float(time), CASE["y"], context, heard)
    assert torch.equal(out, model(CASE["x"], time, CASE["y"], context, heard))
    assert torch.equal(out, model(CASE["x"], model.moment(time), CASE["y"], context, heard))
    assert apart(out, model(CASE["x"], float(time) + 1, CASE["y"], context, heard)) > FAR


def test_many_time_steps_and_sizes_do_not_fill_the_memory() -> None:
    model = made()
    prepared = [model.moment(float(time)) for time in range(200)]
    assert model.moment(199.0) is prepared[199]
    assert model.moment(0.0) is not prepared[0] and torch.equal(model.moment(0.0).blocks, prepared[0].blocks)


def test_weights_that_are_loaded_or_converted_after_a_forward_are_used() -> None:
    model = made()
    predicted(model, 2)
    changed = {name: value.clone() for name, value in model.state_dict().items()}
    changed["head.modulation"] += 0.1
    changed["blocks.1.modulation"] -= 0.1
    model.load_state_dict(changed)
    later = predicted(model, 2)
    assert apart(later, CASE["out.t2"]) > FAR
    fresh, fresh_half = (
        FlashTalk(FlashTalkConfig.from_json(CONFIG)).to(dtype) for dtype in (torch.float32, torch.bfloat16)
    )
    for never_run in (fresh, fresh_half):
        never_run.load_state_dict(changed)
    assert torch.equal(predicted(fresh, 2), later)
    assert torch.equal(predicted(model.to(torch.bfloat16), 2), predicted(fresh_half, 2))


def test_fused_projections_give_the_same_and_have_their_own_names() -> None:
    model = made().fuse()
    assert apart(predicted(model, 2), CASE["out.t2"]) < CLOSE
    names = {name for name in model.state_dict() if name.startswith("blocks.2.self_attn.") and "norm" not in name}
    assert names == {f"blocks.2.self_attn.{part}.{kind}" for part in ("qkv", "o") for kind in ("weight", "bias")}
    with torch.device("meta"):
        bare = FlashTalk(FlashTalkConfig.from_json(CONFIG)).fuse()
    bare.load_state_dict(model.state_dict(), strict=True, assign=True)
    assert torch.equal(predicted(bare, 2), predicted(model, 2))


def test_sound_reaches_its_own_latent_frames_alone() -> None:
    """The last row of the last video frame's window is heard by the last latent frame only."""
    model = made()
    changed = AUDIO.clone()
    changed[:, -1, 4] += 1.0
    one, other = model.hear(AUDIO), model.hear(changed)
    assert torch.equal(one.k[:, :-1], other.k[:, :-1]) and not torch.equal(one.k[:, -1], other.k[:, -1])
    changed[:, 1:-1:4, 3:] += 1.0  # the future of a group's first frame is not looked at
    assert torch.equal(model.hear(changed).k, other.k)


@pytest.mark.parametrize("world", [1, 2, 3, 4, 7, 8, 50])
@pytest.mark.parametrize(("frames", "per_frame"), [(9, 45), (5, 12), (2, 4), (1, 5)])
def test_each_token_attends_to_its_own_frames_sound_on_any_number_of_ranks(
    frames: int, per_frame: int, world: int
) -> None:
    generator = torch.Generator().manual_seed(world)
    tokens, heads, rows, d = frames * per_frame, 2, 3, 8
    q = torch.randn(1, tokens, heads, d, generator=generator)
    k, v = torch.randn(2, frames, heads, rows, d, generator=generator)
    frame_of_token, frame_of_row = torch.arange(tokens) // per_frame, torch.arange(frames * rows) // rows
    whole = Sdpa()(
        q.transpose(1, 2),
        k.transpose(0, 1).flatten(1, 2)[None],
        v.transpose(0, 1).flatten(1, 2)[None],
        frame_of_token[:, None] == frame_of_row,
    ).transpose(1, 2)
    for rank in range(world):
        share = Share(tokens, world, rank)
        piece = strategy.padded(q[:, share.start : share.start + share.real], share.piece, 1)
        out = by_frame(Sdpa(), piece, k, v, runs(share, per_frame))
        assert out.shape == piece.shape and not out[:, share.real :].any()
        torch.testing.assert_close(out[:, : share.real], whole[:, share.start : share.start + share.real])
    assert len(runs(Share(tokens, 1, 0), per_frame)) == 1  # all of them in one call
    assert all(len(runs(Share(tokens, world, rank), per_frame)) <= 3 for rank in range(world))


def test_patches_are_what_the_convolution_sees_and_come_apart_again() -> None:
    x = torch.randn(3, 4, 6, 10)
    for patch in ((1, 2, 2), (1, 1, 1), (2, 3, 5)):
        convolution = torch.nn.Conv3d(3, 7, patch, patch)
        expected = convolution(x[None]).flatten(2).transpose(1, 2)
        torch.testing.assert_close(patch_embedded(x, convolution, patch), expected)
        grid = (4 // patch[0], 6 // patch[1], 10 // patch[2])
        numbers = patches(x, patch).unflatten(-1, (3, *patch)).movedim(2, -1).flatten(2)  # the channel fastest
        assert torch.equal(unpatched(numbers, grid, patch), x)


def spread_forward(
    gang: Gang, name: str, cases: list[tuple[int, int]], traced: bool
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """On every rank: a forward on a part of the recorded latents for each (frames, columns)."""
    how = strategy.make(name, CONFIG["num_heads"], choose(torch.device("cpu"), torch.float32))
    model, trace = made(how=how), {} if traced else None
    context = model.context(CASE["context"], CASE["clip_fea"], trace)
    outs = [cut_forward(model, context, frames, columns, trace) for frames, columns in cases]
    return outs, trace or {}


def cut_forward(
    model: FlashTalk, context: Context, frames: int, columns: int, trace: dict[str, Tensor] | None = None
) -> Tensor:
    heard = model.hear(AUDIO[:, : 1 + 4 * (frames - 1)], trace)
    x, y = CASE["x"][:, :frames, :, :columns], CASE["y"][:, :, :frames, :, :columns]
    out = model(x, float(CASE["t"][2]), y, context, heard, trace)
    assert isinstance(out, Tensor)
    return out


@pytest.mark.parametrize(
    ("world", "name"),
    [
        *(pytest.param(*case, marks=pytest.mark.long) for case in ((2, "ring"), (3, "auto"), (4, "ulysses"))),
        (8, "auto"),
    ],
    ids=str,
)
def test_ranks_give_what_one_rank_gives_at_any_token_count(world: int, name: str) -> None:
    cases = [(5, 8), (5, 6), (3, 2), (1, 2)]  # 60, 45, 9 and 3 tokens: of 8 ranks, some have few, some have none
    alone = made()
    context = alone.context(CASE["context"], CASE["clip_fea"])
    expected = [cut_forward(alone, context, *case) for case in cases]
    assert apart(expected[0], CASE["out.t2"]) < CLOSE
    with Ranks(world) as ranks:
        for outs, _ in ranks.run(spread_forward, name, cases, False):
            for out, one in zip(outs, expected, strict=True):
                assert apart(out, one) < RANKS_CLOSE
        outs, trace = ranks.run(spread_forward, name, cases[:1], True)[-1]
    for name_, value in CASE.items():
        if name_.startswith("inter."):
            assert apart(trace[name_.removeprefix("inter.")], value) < RANKS_CLOSE, name_


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"dim": 81}, "does not divide by num_heads"),
        ({"audio_window": 4}, "audio_window: 4; it must be odd"),
        ({"num_layers": 0}, "num_layers: 0; a positive whole number"),
        ({"num_layers": True}, "num_layers: True; a positive whole number"),
        ({"ffn_dim": 208.5}, "ffn_dim: 208.5; a positive whole number"),
        ({"eps": 0}, "eps: 0; a positive number"),
        ({"text_dim": "wide"}, "text_dim: 'wide'; a positive whole number"),
        ({"patch_size": [2, 2, 2]}, "three numbers, the first 1"),
        ({"patch_size": 2}, "patch_size: 2; three numbers"),
        ({"in_dim": 16}, "in_dim: 16; more than out_dim 16"),
        ({"model_type": "t2v"}, "model_type: 't2v'; this network is the one with 'i2v'"),
        ({"qk_norm": False}, "qk_norm: False; this network is the one with True"),
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        FlashTalkConfig.from_json(CONFIG | given)


def test_latents_that_do_not_divide_and_prompts_that_are_too_long_are_refused() -> None:
    model = made()
    with pytest.raises(ConfigError, match="prompt: 17 tokens; 16 at most"):
        model.context(torch.zeros(17, CONFIG["text_dim"]), CASE["clip_fea"])
    context, heard = model.context(CASE["context"], CASE["clip_fea"]), model.hear(AUDIO)
    with pytest.raises(ConfigError, match="latents of 7x6"):
        model(CASE["x"][..., :7], 750.0, CASE["y"][..., :7], context, heard)
