"""With blocks in host memory the network gives the same numbers, and no more than two blocks are away from home."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline.engines.flashtalk import offload
from pipeline.models.flashtalk import FlashTalk, FlashTalkConfig
from tests.golden import GOLDEN

CPU = torch.device("cpu")


def load(name: str) -> dict[str, Tensor]:
    tensors = load_file(GOLDEN / f"{name}.safetensors")
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def network() -> FlashTalk:
    told = json.loads((GOLDEN / "flashtalk_dit_weights.json").read_text(encoding="utf-8"))
    model = FlashTalk(FlashTalkConfig.from_json(told["config"]))
    model.load_state_dict(load("flashtalk_dit_weights"), strict=True, assign=True)
    return model


@pytest.fixture(scope="module")
def inputs() -> dict[str, Tensor]:
    return load("flashtalk_dit")


def forward(model: FlashTalk, inputs: dict[str, Tensor], time: float) -> Tensor:
    context = model.context(inputs["context"], inputs["clip_fea"])
    heard = model.hear(inputs["audio_bank"][inputs["audio_index"]][None])
    return model(inputs["x"], time, inputs["y"], context, heard)


def test_the_numbers_are_the_same_step_after_step(inputs: dict[str, Tensor]) -> None:
    whole, streamed = network(), network()
    offload.stream(streamed, CPU)
    for time in (1000.0, 625.0, 1000.0):
        assert torch.equal(forward(streamed, inputs, time), forward(whole, inputs, time))


def test_a_block_computes_in_a_buffer_while_the_next_one_arrives_in_the_other(inputs: dict[str, Tensor]) -> None:
    model = network()
    home = [block.ffn[0].weight.data_ptr() for block in model.blocks]
    stream = offload.stream(model, CPU)
    seen: list[tuple[int, set[int | None]]] = []
    for block in model.blocks:
        weight = block.ffn[0].weight
        block.ffn[0].register_forward_pre_hook(
            lambda _, __, weight=weight: seen.append((weight.data_ptr(), set(stream.inside)))
        )
    forward(model, inputs, 1000.0)
    assert [inside for _, inside in seen] == [{0, 1}, {1, 2}, {2, 0}]
    used = [place for place, _ in seen]
    assert not set(used) & set(home)
    assert used[0] != used[1] and used[0] == used[2]  # two buffers, in turn
    assert [block.ffn[0].weight.data_ptr() for block in model.blocks] == home


def test_a_cpu_is_never_too_small() -> None:
    assert not offload.is_wanted(CPU)
