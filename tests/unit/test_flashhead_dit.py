"""The transformers of FlashHead, pro and lite, against the published implementation's numbers, tensor by tensor."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline.attention import choose
from pipeline.errors import ConfigError
from pipeline.models.dit import Heard
from pipeline.models.flashhead import (
    FLASHHEAD_LITE,
    FLASHHEAD_PRO,
    RELEASED_TIMES,
    FlashHead,
    FlashHeadConfig,
    checkpoint_name,
)
from pipeline.parallel import strategy
from pipeline.parallel.gang import Gang
from tests.golden import GOLDEN
from tests.rankrun import Ranks

MANIFESTS = Path(__file__).parents[2] / "pipeline" / "manifests"
CLOSE, REL_CLOSE = 3e-5, 5e-6  # float32 on a CPU
RANKS_CLOSE = 1e-4  # one forward over ranks, to one rank
RELEASED = {"pro": (FLASHHEAD_PRO, 1_507_694_912), "lite": (FLASHHEAD_LITE, 1_526_864_256)}


def wide(name: str) -> dict[str, Tensor]:
    loaded = load_file(GOLDEN / f"{name}.safetensors")
    return {key: value.float() if value.is_floating_point() else value for key, value in loaded.items()}


@dataclass(frozen=True)
class Case:
    """What was recorded of one model."""

    which: str
    recorded: dict[str, Tensor]
    audio: Tensor

    @classmethod
    def of(cls, which: str) -> Case:
        recorded = wide(f"flashhead_dit_{which}")
        return cls(which, recorded, wide("flashtalk_dit")["audio_bank"][recorded["audio_index"]][None])

    def made(
        self,
        dtype: torch.dtype = torch.float32,
        times: torch.dtype | None = None,
        how: strategy.Strategy | None = None,
    ) -> FlashHead:
        config = json.loads((GOLDEN / f"flashhead_dit_{self.which}.json").read_text())["config"]
        model = FlashHead(FlashHeadConfig.from_json(config), how, times=times)
        model.load_state_dict(wide(f"flashhead_dit_{self.which}_weights"), strict=True, assign=True)
        return model.to(dtype).requires_grad_(False)

    def predicted(self, model: FlashHead, step: int, trace: dict[str, Tensor] | None = None) -> Tensor:
        heard = model.hear(self.audio, trace)
        out: Tensor = model(self["x"][0], float(self["t"][step]), self["y"], None, heard, trace)
        return out

    def __getitem__(self, name: str) -> Tensor:
        return self.recorded[name]


@pytest.fixture(params=RELEASED, scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    return Case.of(request.param)


def apart(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape, (one.shape, other.shape)
    return float((one.float() - other.float()).abs().max())


def near(out: Tensor, expected: Tensor) -> tuple[float, float]:
    """rel L2, cosine."""
    return (
        float((out - expected).norm() / expected.norm()),
        float(torch.cosine_similarity(out.flatten(), expected.flatten(), dim=0)),
    )


def test_every_tensor_is_the_published_one(case: Case) -> None:
    model, trace = case.made(), dict[str, Tensor]()
    for step in range(4):
        out = case.predicted(model, step)
        assert apart(out, case[f"out.t{step}"]) < CLOSE, step
        assert near(out, case[f"out.t{step}"])[0] < REL_CLOSE, step
    case.predicted(model, 2, trace)
    wanted = {name.removeprefix("inter."): value for name, value in case.recorded.items() if name.startswith("inter.")}
    assert len(wanted) == 11 and wanted.keys() <= trace.keys()
    for name, value in wanted.items():
        assert apart(trace[name].reshape(value.shape), value) < CLOSE, name


def test_a_time_step_is_rounded_as_the_released_weights_are_told_it(case: Case) -> None:
    model = case.made(times=RELEASED_TIMES)
    for step in (1, 2):
        assert apart(case.predicted(model, step), case[f"out_rounded_t.t{step}"]) < CLOSE
        assert near(case.predicted(model, step), case[f"out.t{step}"])[0] > 0.1
    told = model.rounded(case["t"])
    assert told.float().tolist() == case["t_rounded"].tolist() == [1000, 936, 832, 624]
    assert torch.equal(model.moment(833.3333).blocks, model.moment(832.0).blocks)
    assert not torch.equal(case.made().moment(833.3333).blocks, case.made().moment(832.0).blocks)


def test_half_precision_stays_near_what_was_made_with_rounded_time_steps(case: Case) -> None:
    model, unrounded = case.made(torch.bfloat16), case.made(torch.bfloat16, times=torch.float32)
    for step in (1, 2):
        out, expected = case.predicted(model, step), case[f"out_rounded_t.t{step}"]
        rel, cosine = near(out, expected)
        assert out.dtype == torch.float32 and rel < 0.015 and cosine > 0.9999  # the published one: 0.75 %, 0.99997
        assert near(case.predicted(unrounded, step), expected)[0] > 0.1
    moment = model.moment(833.0)
    assert {moment.e.dtype, moment.blocks.dtype, moment.head.dtype} == {torch.bfloat16}


@pytest.mark.parametrize("which", RELEASED)
def test_the_full_model_has_names_shapes_and_number_of_the_checkpoint(which: str) -> None:
    released, parameters = RELEASED[which]
    manifest = json.loads((MANIFESTS / f"flashhead_dit_{which}.json").read_text())
    assert FlashHeadConfig.from_json(manifest["config"]) == released
    with torch.device("meta"):
        model = FlashHead(released)
    listed = manifest["tensors"]
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    assert shapes == {name: shape for name, shape in listed.items() if checkpoint_name(name)}
    idle = sum(math.prod(shape) for name, shape in listed.items() if not checkpoint_name(name))
    assert idle > 0 and sum(value.numel() for value in model.parameters()) + idle == parameters


@pytest.mark.parametrize(("which", "latent"), [("pro", (16, 9, 64, 64)), ("lite", (128, 5, 16, 16))])
def test_a_step_at_full_width_never_waits_for_the_device(which: str, latent: tuple[int, ...]) -> None:
    """On the meta device: reading a number back, which a GPU would wait for, is an error there."""
    meta = torch.device("meta")
    config = FlashHeadConfig.from_json({"num_layers": 1}, RELEASED[which][0])
    with meta:
        model = FlashHead(config).to(torch.bfloat16)
    heard = model.hear(torch.empty(1, 33, 5, 12, 768, device=meta))
    assert heard.k.shape == heard.v.shape == (1, latent[1], 12, 32, 128)
    z, y = torch.empty(latent, device=meta), torch.empty(1, *latent, device=meta)
    for time in (750.0, torch.empty((), device=meta)):
        out = model(z, time, y, None, heard)
        assert out.shape == z.shape and out.dtype == torch.float32


def mistaken(case: Case, change: Callable[[FlashHead, Heard], Heard]) -> float:
    model = case.made()
    heard = change(model, model.hear(case.audio))
    return apart(model(case["x"][0], float(case["t"][2]), case["y"], None, heard), case["out.t2"])


def test_deliberate_mistakes_are_seen(case: Case) -> None:
    def keys_unnormed(model: FlashHead, _heard: Heard) -> Heard:
        for block in model.blocks:
            block.cross_attn.norm_k = torch.nn.Identity()  # type: ignore[union-attr, unused-ignore]
        return model.hear(case.audio)

    def head_table_ignored(model: FlashHead, heard: Heard) -> Heard:
        model.head.modulation.zero_()
        return heard

    assert mistaken(case, lambda _model, heard: heard) < CLOSE
    assert mistaken(case, lambda _model, heard: Heard(heard.v, heard.k)) > 0.01
    assert mistaken(case, keys_unnormed) > 0.001
    assert mistaken(case, head_table_ignored) > 0.5
    swapped = case.made()(case["y"][0], float(case["t"][2]), case["x"], None, case.made().hear(case.audio))
    assert apart(swapped, case["out.t2"]) > 0.5


def test_sound_reaches_its_own_latent_frames_alone(case: Case) -> None:
    model = case.made()
    changed = case.audio.clone()
    changed[:, -1, 4] += 1.0
    one, other = model.hear(case.audio), model.hear(changed)
    assert torch.equal(one.k[:, :-1], other.k[:, :-1]) and not torch.equal(one.k[:, -1], other.k[:, -1])


def test_fused_projections_give_the_same(case: Case) -> None:
    model = case.made().fuse()
    assert apart(case.predicted(model, 2), case["out.t2"]) < CLOSE
    assert any(name.endswith("self_attn.qkv.weight") for name in model.state_dict())


def spread_forward(_gang: Gang, which: str, name: str, cuts: list[tuple[int, int]]) -> list[Tensor]:
    """On every rank: a forward on a part of the recorded latents for each (frames, columns)."""
    case = Case.of(which)
    model = case.made(how=strategy.make(name, 4, choose(torch.device("cpu"), torch.float32)))
    return [cut_forward(case, model, *cut) for cut in cuts]


def cut_forward(case: Case, model: FlashHead, frames: int, columns: int) -> Tensor:
    heard = model.hear(case.audio[:, : 1 + model.config.vae_scale * (frames - 1)])
    x, y = case["x"][0, :, :frames, :, :columns], case["y"][:, :, :frames, :, :columns]
    out: Tensor = model(x, float(case["t"][2]), y, None, heard)
    return out


@pytest.mark.parametrize(
    ("world", "name"),
    [(3, "auto"), *(pytest.param(world, "auto", marks=pytest.mark.long) for world in (2, 4))],
    ids=str,
)
def test_ranks_give_what_one_rank_gives_at_any_token_count(world: int, name: str) -> None:
    cuts = [(5, 8), (5, 6), (3, 2), (1, 2)]  # 60, 45, 9 and 3 tokens, 12, 9, 3 and 3 a frame: few of them divide
    case = Case.of("pro")
    alone = case.made()
    expected = [cut_forward(case, alone, *cut) for cut in cuts]
    assert apart(expected[0], case["out.t2"]) < CLOSE
    with Ranks(world) as ranks:
        for outs in ranks.run(spread_forward, "pro", name, cuts):
            for out, one in zip(outs, expected, strict=True):
                assert apart(out, one) < RANKS_CLOSE


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"dim": 100, "num_heads": 12}, "does not divide by num_heads"),
        ({"audio_output_dim": 768}, "audio_output_dim: 768; keys are made of it"),
        ({"in_dim": 36}, "in_dim: 36; latent and reference together"),
        ({"num_layers": 0}, "num_layers: 0; a positive whole number"),
        ({"vae_stride": 4}, "vae_stride: 4; three numbers"),
        ({"has_image_input": True}, "has_image_input: True; this network is the one with False"),
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=f"flashhead config: .*{says}"):
        FlashHeadConfig.from_json(given)


def test_a_configuration_names_what_the_published_code_has_fixed() -> None:
    given = {"dim": 48, "num_heads": 4, "audio_blocks": 6, "audio_channels": 20, "vae_stride": [8, 32, 32], "more": 1}
    config = FlashHeadConfig.from_json(given, FLASHHEAD_LITE)
    assert (config.dim, config.output_dim, config.audio_layers, config.audio_dim) == (48, 48, 6, 20)
    assert (config.vae_scale, config.out_dim, config.patch_size) == (8, 128, (1, 1, 1))
