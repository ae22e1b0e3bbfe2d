"""The chunk loop gives the published numbers, fed with the recorded noise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline import sampler
from pipeline.errors import ConfigError
from pipeline.models.flashtalk import FlashTalk, FlashTalkConfig
from pipeline.models.wan_vae import WanVae, WanVaeConfig
from pipeline.sampler import Conditions
from tests.golden import GOLDEN

LATENTS, FRAMES = 1e-3, 2e-3  # tolerances.json
CHUNKS = 3


def load(name: str) -> dict[str, Tensor]:
    tensors = load_file(GOLDEN / f"{name}.safetensors")
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def configuration(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))["config"]
    return found


@dataclass(frozen=True)
class Case:
    """The networks, what was recorded, and what is constant for the picture."""

    model: FlashTalk
    vae: WanVae
    recorded: dict[str, Tensor]
    bank: Tensor
    conditions: Conditions

    def audio(self, chunk: int) -> Tensor:
        return self.bank[self.recorded[f"chunk{chunk}.audio_index"]][None]

    def noise(self, chunk: int) -> Callable[[int], Tensor]:
        return lambda draw: self.recorded[f"chunk{chunk}.noise{draw}"]

    def run(self, chunk: int, motion: Tensor, trace: dict[str, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        audio, noise = self.audio(chunk), self.noise(chunk)
        return sampler.chunk(self.model, self.vae, self.conditions, audio, motion, noise, trace=trace)


@pytest.fixture(scope="module")
def case() -> Case:
    inputs, recorded = load("flashtalk_dit"), load("flashtalk_pipeline")
    model = FlashTalk(FlashTalkConfig.from_json(configuration("flashtalk_dit_weights")))
    model.load_state_dict(load("flashtalk_dit_weights"), strict=True, assign=True)
    vae = WanVae(WanVaeConfig.from_json(configuration("wan_vae_weights")))
    vae.load_state_dict(load("wan_vae_weights"), strict=True, assign=True)
    with torch.no_grad():
        context = model.context(inputs["context"], inputs["clip_fea"])
    picture = recorded["cond_image"]
    y, motion0 = sampler.prepare(vae, picture)
    return Case(model, vae, recorded, inputs["audio_bank"], Conditions(y, context, picture, motion0))


def worst(made: Tensor, recorded: Tensor) -> float:
    assert made.shape == recorded.shape
    return float((made - recorded).abs().max())


def test_the_picture_becomes_condition_and_first_motion(case: Case) -> None:
    assert worst(case.conditions.y, case.recorded["y"]) < LATENTS
    assert worst(case.conditions.motion0, case.recorded["motion0"]) < LATENTS
    assert torch.equal(case.conditions.y[0, :4, 0], torch.ones(4, 4, 6))  # mask first, its first latent frame set
    assert not case.conditions.y[0, :4, 1:].any()


def test_three_chunks_in_a_row_are_the_recorded_ones(case: Case) -> None:
    motion = case.conditions.motion0
    for index in range(CHUNKS):
        trace: dict[str, Tensor] = {}
        video, motion = case.run(index, motion, trace)
        assert torch.equal(trace["corrected"], video)
        compared = 0
        for name, made in trace.items():
            if (recorded := case.recorded.get(f"chunk{index}.{name}")) is not None:
                bound = FRAMES if name in ("decoded", "corrected") else LATENTS
                assert worst(made, recorded) < bound, (index, name)
                compared += 1
        assert compared == {0: 12, 1: 10, 2: 11}[index]


def test_each_chunk_from_its_recorded_motion_is_the_recorded_one(case: Case) -> None:
    for index in range(1, CHUNKS):
        _, motion = case.run(index, case.recorded[f"chunk{index - 1}.motion_next"])
        assert worst(motion, case.recorded[f"chunk{index}.motion_next"]) < LATENTS


def test_motion_is_pinned_in_every_call_and_in_the_end(case: Case) -> None:
    trace: dict[str, Tensor] = {}
    motion = case.recorded["chunk0.motion_next"]
    case.run(1, motion, trace)
    for name in (*(f"latent_in{step}" for step in range(4)), "latent_final"):
        assert torch.equal(trace[name][:, :2], motion), name


def test_the_noise_that_is_given_is_not_written_to(case: Case) -> None:
    before = {name: value.clone() for name, value in case.recorded.items() if "noise" in name}
    case.run(0, case.conditions.motion0)
    assert all(torch.equal(case.recorded[name], value) for name, value in before.items())


def test_a_draw_that_would_be_multiplied_by_nothing_is_not_asked_for(case: Case) -> None:
    for steps in (4, 2, 3, 1):
        asked: list[int] = []

        def noise(draw: int, asked: list[int] = asked) -> Tensor:
            asked.append(draw)
            return case.recorded["chunk0.noise0"]

        motion = case.conditions.motion0
        video, _ = sampler.chunk(case.model, case.vae, case.conditions, case.audio(0), motion, noise, steps=steps)
        assert asked == list(range(steps))
        assert torch.isfinite(video).all() and float(video.abs().max()) <= 1


def test_without_strength_the_colours_are_the_networks_own(case: Case) -> None:
    trace: dict[str, Tensor] = {}
    motion, noise = case.conditions.motion0, case.noise(0)
    video, _ = sampler.chunk(
        case.model, case.vae, case.conditions, case.audio(0), motion, noise, strength=0.0, trace=trace
    )
    assert worst(video, trace["decoded"]) < 1e-5
    assert worst(trace["decoded"], case.recorded["chunk0.decoded"]) < FRAMES


@pytest.mark.parametrize(("name", "steps", "shift"), [("20step_shift5", 20, 5.0), ("shift1", 4, 1.0), ("shift3", 4, 3)])
def test_time_steps_are_the_published_ones(name: str, steps: int, shift: float) -> None:
    assert worst(sampler.timesteps(steps, shift), load("misc")[f"timesteps.{name}"]) < 1e-3


def test_time_steps_of_two_and_four() -> None:
    assert sampler.timesteps(4).tolist() == pytest.approx([1000, 937.5, 833.33333, 625, 0], rel=1e-6)
    assert sampler.timesteps(2).tolist() == pytest.approx([1000, 833.33333, 0], rel=1e-6)
    with pytest.raises(ConfigError, match="steps: 0"):
        sampler.timesteps(0)
