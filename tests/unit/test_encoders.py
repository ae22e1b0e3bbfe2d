"""Text and picture encoders give the published numbers; published names map onto every parameter they have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer as Vocabulary
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from torch import Tensor

from pipeline.errors import BadInput, ConfigError
from pipeline.models import clip, umt5
from pipeline.models.prompt import Tokenizer, cleaned
from tests.golden import GOLDEN


def golden(name: str) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, object]]:
    """Weights, tensors, configuration."""
    both = [load_file(GOLDEN / f"{file}.safetensors") for file in (f"{name}_weights", name)]
    weights, tensors = ({key: x.float() if x.is_floating_point() else x for key, x in file.items()} for file in both)
    return weights, tensors, json.loads((GOLDEN / f"{name}.json").read_text())["config"]


@pytest.fixture(scope="module")
def text_encoder() -> umt5.TextEncoder:
    weights, _, config = golden("text_encoder")
    with torch.device("meta"):
        net = umt5.TextEncoder(umt5.TextConfig.from_json(config))
    net.load_state_dict({umt5.checkpoint_name(key): x for key, x in weights.items()}, assign=True)
    return net


@pytest.fixture(scope="module")
def picture_encoder() -> clip.PictureEncoder:
    weights, _, config = golden("image_encoder")
    sizes = clip.PictureConfig.from_json(config)
    with torch.device("meta"):
        net = clip.PictureEncoder(sizes)
    pairs = [pair for key, x in weights.items() for pair in clip.adapted(f"visual.{key}", x, sizes.num_layers)]
    net.load_state_dict(dict(pairs), assign=True)
    return net


@torch.no_grad()
def test_a_prompt_means_what_the_published_encoder_says(text_encoder: umt5.TextEncoder) -> None:
    _, known, _ = golden("text_encoder")
    seen: dict[str, Tensor] = {}
    out = text_encoder(known["ids"], known["mask"], seen)
    real = known["mask"].bool()
    assert (out - known["out"])[real].abs().max() < 1e-5
    assert (seen["block0"] - known["inter.block0"])[real].abs().max() < 1e-5


@torch.no_grad()
def test_a_picture_shows_what_the_published_encoder_says(picture_encoder: clip.PictureEncoder) -> None:
    _, known, _ = golden("image_encoder")
    shown = clip.pixels(known["picture"], 42)
    assert (shown - known["pixels"]).abs().max() < 1e-5
    assert (picture_encoder(shown) - known["out"]).abs().max() < 1e-5
    assert torch.equal(picture_encoder.encode(known["picture"]), picture_encoder(shown))


def test_published_names_cover_the_whole_text_encoder() -> None:
    weights, _, config = golden("text_encoder")
    with torch.device("meta"):
        net = umt5.TextEncoder(umt5.TextConfig.from_json(config))
    assert {umt5.checkpoint_name(key) for key in weights} == set(net.state_dict())
    assert umt5.checkpoint_name("decoder.block.0.weight") not in net.state_dict()


def test_the_last_block_and_the_text_half_of_clip_are_passed_over() -> None:
    for unused in ("visual.transformer.31.norm1.weight", "visual.head", "visual.post_norm.bias", "textual.norm.weight"):
        assert list(clip.adapted(unused, torch.zeros(3), 32)) == []
    for foreign in ("visual.stem.weight", "visual.transformer.0.ls1.gamma"):
        assert len(list(clip.adapted(foreign, torch.zeros(3), 32))) == 1  # so that a strict load refuses it
    assert len(list(clip.adapted("visual.transformer.30.attn.to_qkv.bias", torch.zeros(9), 32))) == 3


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("  A  person\n\tis talking. ", "A person is talking."),
        ("a &amp;amp; b &lt;3", "a & b <3"),
        ("\u201cso\u201d, it\u2019s", '"so", it\'s'),
        ("\uff21\uff0c\u3000\u4eba", "A, \u4eba"),
        ("o\ufb03ce e\u0301", "office \u00e9"),
        ("\x1b[31mred\x1b[0m\x07\ufeff", "red"),
    ],
)
def test_a_prompt_is_cleaned(written: str, read: str) -> None:
    assert cleaned(written) == read


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    words = {"<pad>": 0, "</s>": 1, "<unk>": 2, "a": 3, "person": 4, "is": 5, "talking": 6, ".": 7}
    made = Vocabulary(WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_tokens_end_with_the_end_mark_and_are_padded(directory: Path) -> None:
    ids, mask = Tokenizer(directory)("a  person is talking.", 8)
    assert ids.tolist() == [[3, 4, 5, 6, 7, 1, 0, 0]]
    assert mask.tolist() == [[1, 1, 1, 1, 1, 1, 0, 0]]
    ids, mask = Tokenizer(directory)("a person is talking.", 4)
    assert (ids.tolist(), mask.tolist()) == ([[3, 4, 5, 1]], [[1, 1, 1, 1]])


def test_a_prompt_becomes_rows_for_its_real_tokens(text_encoder: umt5.TextEncoder, directory: Path) -> None:
    short = text_encoder.encode("a person is talking.", Tokenizer(directory), 16)
    assert short.shape == (6, 48)
    # how far it is padded does not matter to what is kept
    assert (short - text_encoder.encode("a person is talking.", Tokenizer(directory), 40)).abs().max() < 1e-5


def test_an_empty_prompt_and_a_foreign_tokenizer_are_refused(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="prompt: empty"):
        Tokenizer(directory)(" \n ", 8)
    with pytest.raises(ConfigError, match="no such file"):
        Tokenizer(tmp_path / "nowhere")("a", 8)
    (directory / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match="not a tokenizer"):
        Tokenizer(directory)("a", 8)


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="shared_pos"):
        umt5.TextConfig.from_json({"shared_pos": True})
    with pytest.raises(ConfigError, match="activation is 'quick_gelu'"):
        clip.PictureConfig.from_json({"activation": "quick_gelu"})
    assert clip.PictureConfig.from_json({"vision_dim": 96, "vision_heads": 4, "vision_layers": 3}).num_layers == 3
