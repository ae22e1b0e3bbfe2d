"""wav2vec2 hears what the published encoder hears, from any checkpoint layout it is published in."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline.errors import ConfigError
from pipeline.models.wav2vec2 import Wav2Vec2, Wav2Vec2Config, checkpoint_name, standardised
from tests.golden import GOLDEN

CONFIG = json.loads((GOLDEN / "audio.json").read_text())["config"]


def floats(name: str) -> dict[str, Tensor]:
    return {
        key: x.float() if x.is_floating_point() else x for key, x in load_file(GOLDEN / f"{name}.safetensors").items()
    }


def loaded(weights: dict[str, Tensor], config: dict[str, Any] = CONFIG) -> Wav2Vec2:
    with torch.device("meta"):
        net = Wav2Vec2(Wav2Vec2Config.from_json(config))
    net.load_state_dict({name: x for key, x in weights.items() if (name := checkpoint_name(key))}, assign=True)
    return net.eval().requires_grad_(False)


def test_every_stage_is_the_published_one() -> None:
    golden = floats("audio")
    wave = standardised(golden["enc.waveform"])
    assert (wave - golden["enc.input_values"]).abs().max() < 1e-6
    seen: dict[str, Tensor] = {}
    rows = loaded(floats("wav2vec2_weights"))(wave, 32, seen)
    assert rows.shape == (32, 3, 32)
    assert len(seen) == 6
    for name, x in {**seen, "audio_emb": rows}.items():
        assert (x - golden[f"enc.{name}"]).abs().max() < 1e-5, name


def test_old_names_prefix_and_training_heads_give_the_same_network() -> None:
    weights = floats("wav2vec2_weights")
    old = {
        "wav2vec2."
        + key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): x
        for key, x in weights.items()
    }
    assert any(key.endswith("conv.weight_g") for key in old)
    heads = ("quantizer.codevectors", "project_hid.weight", "project_q.bias", "lm_head.weight")
    wave = standardised(floats("audio")["enc.waveform"])
    found = loaded(old | {name: torch.zeros(3) for name in heads})(wave, 32)
    assert torch.equal(found, loaded(weights)(wave, 32))


def test_a_foreign_tensor_is_not_passed_over() -> None:
    with pytest.raises(RuntimeError, match="text_model"):
        loaded(floats("wav2vec2_weights") | {"text_model.weight": torch.zeros(3)})


@pytest.mark.parametrize(
    "variant",
    [{}, {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}],
    ids=["base", "large"],
)
def test_both_layouts_equal_transformers(variant: dict[str, Any]) -> None:
    from transformers import Wav2Vec2Config as TheirConfig
    from transformers import Wav2Vec2Model

    torch.manual_seed(0)
    theirs = Wav2Vec2Model(TheirConfig(**{**CONFIG, **variant}, attn_implementation="eager")).eval()
    wave = standardised(torch.randn(6_400))
    with torch.no_grad():
        out = theirs(wave[None], output_hidden_states=True)
    expected = [*out.hidden_states[1:-1], out.last_hidden_state]
    frames = expected[0].shape[1]  # with as many rows as the convolutions give, nothing is resampled
    weights = dict(theirs.state_dict())
    ours = loaded(weights, {**CONFIG, **variant})(wave, frames)
    assert (ours - torch.stack([x[0] for x in expected], 1)).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"feat_extract_norm": "batch"}, "feat_extract_norm is 'batch'; known: group, layer"),
        ({"hidden_act": "relu"}, "must be gelu"),
        ({"conv_stride": [5, 2]}, "one length"),
        ({"num_attention_heads": 5}, "not a multiple of num_attention_heads"),
        ({"add_adapter": True}, "add_adapter"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Wav2Vec2Config.from_json({**CONFIG, **wrong})


def test_the_defaults_are_the_base_model() -> None:
    with torch.device("meta"):
        net = Wav2Vec2(Wav2Vec2Config())
    # wav2vec2-base has 94,371,712 parameters, of them 768 of the training mask
    assert sum(x.numel() for x in net.parameters()) == 94_371_712 - 768
    assert net.shortest == 400
