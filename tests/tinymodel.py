"""Model directories with true file and tensor names, but small and random: what loads them loads the released ones.

In: a place, a seed, sizes to change. Out: the directory, 6 MB, in a tenth of a second. Names and axes are those of
pipeline/manifests, which list the released files, so nothing here depends on the networks that are to read it. The
scales are such that a chunk stays in a sane range; what it shows is no face.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

MANIFESTS = Path(__file__).parents[1] / "pipeline" / "manifests"
AUDIO_DIR = "chinese-wav2vec2-base"
INDEX = "diffusion_pytorch_model.safetensors.index.json"
T5 = "models_t5_umt5-xxl-enc-bf16.pth"
CLIP = "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth"
VAE = "Wan2.1_VAE.pth"
SIZES: dict[str, Any] = {
    "model_type": "i2v",
    "patch_size": [1, 2, 2],
    "text_len": 128,
    "in_dim": 36,
    "dim": 80,
    "ffn_dim": 208,
    "freq_dim": 256,
    "text_dim": 48,
    "out_dim": 16,
    "num_heads": 4,
    "num_layers": 2,
    "eps": 1e-06,
    "audio_window": 5,
    "intermediate_dim": 3,
    "output_dim": 48,
    "context_tokens": 32,
    "vae_scale": 4,
    "picture_dim": 48,
    "audio_layers": 12,
    "audio_dim": 48,
}
VAE_SIZES = {"dim": 8, "z_dim": 16}
TEXT_SIZES = {
    "vocab": 192, "dim": 48, "dim_attn": 48, "dim_ffn": 80, "num_heads": 4, "num_layers": 2, "num_buckets": 32
}  # fmt: skip
PICTURE_SIZES = {"image_size": 42, "patch_size": 14, "dim": 48, "mlp_ratio": 4, "num_heads": 4, "num_layers": 3}
AUDIO_SIZES = {
    "model_type": "wav2vec2",
    "hidden_size": 48,
    "num_hidden_layers": 12,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": [12] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_bias": False,
    "feat_extract_norm": "group",
    "do_stable_layer_norm": False,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "layer_norm_eps": 1e-05,
}
HEAD_AUDIO_DIR = "wav2vec2-base-960h"
HEAD_SIZES: dict[str, Any] = {
    "dim": 48,
    "ffn_dim": 80,
    "text_dim": 16,
    "freq_dim": 256,
    "eps": 1e-06,
    "num_heads": 4,
    "num_layers": 2,
    "has_image_input": False,
    "audio_intermediate_dim": 3,
    "audio_output_dim": 48,
    "audio_context_tokens": 32,
    "audio_blocks": 12,
    "audio_channels": 48,
}
HEAD_OWN: dict[str, dict[str, Any]] = {
    "pro": {"in_dim": 32, "out_dim": 16, "vae_stride": [4, 8, 8], "patch_size": [1, 2, 2]},
    "lite": {"in_dim": 256, "out_dim": 128, "vae_stride": [8, 32, 32], "patch_size": [1, 1, 1]},
}
LTX_SIZES = {
    "_class_name": "AutoencoderKLLTXVideo",
    "block_out_channels": [4, 8, 16, 16],
    "layers_per_block": [1, 1, 1, 1, 1],
    "latent_channels": 128,
    "patch_size": 4,
    "spatio_temporal_scaling": [True, True, True, False],
}
TEXT = (
    "A person is talking. Only the foreground characters are moving, the background remains static. "
    "a woman man sits stands in front of window studio smiles"
)
TABLES = ("token_embedding.weight", "type_embedding.weight", "pos_embedding.weight", ".embedding.weight")
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'\"-()/&%+*=#@_"


def write_model_dir(path: Path, seed: int = 0, **reduced: Any) -> Path:
    """Write the directory and return it. `reduced`: values of config.json that differ from SIZES, as num_layers=3."""
    config = SIZES | reduced
    path.mkdir(parents=True, exist_ok=True)
    made = torch.Generator().manual_seed(seed)
    whole = config | {"vae": VAE_SIZES, "text_encoder": TEXT_SIZES, "picture_encoder": PICTURE_SIZES}
    (path / "config.json").write_text(json.dumps(whole, indent=2))
    _write_sharded(path, _filled(dit_shapes(config), made, torch.bfloat16))
    torch.save(_filled(vae_shapes(), made, torch.float32), path / VAE)
    torch.save(_filled(text_shapes(), made, torch.bfloat16), path / T5)
    torch.save(_filled(picture_shapes(), made, torch.float32), path / CLIP)
    _write_tokenizer(path / "google" / "umt5-xxl")
    _write_audio(path / AUDIO_DIR, {"hidden_size": config["audio_dim"]}, made)
    return path


def write_head_dir(path: Path, seed: int = 0) -> Path:
    """FlashHead's: pro, lite and a teacher, both VAEs, the audio encoder."""
    made = torch.Generator().manual_seed(seed)
    for folder, which in (("Model_Pro", "pro"), ("Model_Lite", "lite"), ("teacher", "pro")):
        _write_folder(path / folder, HEAD_SIZES | HEAD_OWN[which], _filled(head_shapes(which), made, torch.float32))
    latents = _filled(ltx_shapes(), made, torch.float32)
    latents["latents_std"] = latents["latents_std"].abs() + 0.5
    _write_folder(path / "VAE_LTX", LTX_SIZES, latents)
    (path / "VAE_Wan").mkdir()
    (path / "VAE_Wan" / "config.json").write_text(json.dumps(VAE_SIZES))
    torch.save(_filled(vae_shapes(), made, torch.float32), path / "VAE_Wan" / VAE)
    _write_audio(path / HEAD_AUDIO_DIR, {"hidden_size": HEAD_SIZES["audio_channels"]}, made)
    return path


def head_shapes(which: str) -> dict[str, list[int]]:
    """With the tensors that the released files hold and nothing computes with."""
    dim, row = HEAD_SIZES["dim"], HEAD_SIZES["audio_blocks"] * HEAD_SIZES["audio_channels"]
    sizes = {
        1536: dim,
        9216: 6 * dim,
        8960: HEAD_SIZES["ffn_dim"],
        4096: HEAD_SIZES["text_dim"],
        46080: 5 * row,
        73728: 8 * row,
        110592: 12 * row,
        512: HEAD_SIZES["audio_intermediate_dim"],
        49152: 32 * dim,
    }
    layers = HEAD_SIZES["num_layers"]
    return _scaled(f"flashhead_dit_{which}", r"blocks\.(\d+)\.", layers, lambda size: sizes.get(size, size))


def ltx_shapes() -> dict[str, list[int]]:
    """A 32nd of the channels; latents and colours keep their number."""
    shapes = _scaled("ltx_vae_0_9", r".*resnets\.(\d+)\.", 1, lambda size: size // 32 if size % 128 == 0 else size)
    shapes |= {"latents_mean": [128], "latents_std": [128]}
    shapes["decoder.conv_in.conv.weight"][1] = 128
    return shapes


def dit_shapes(config: Mapping[str, Any]) -> dict[str, list[int]]:
    dim, row = config["dim"], config["audio_layers"] * config["audio_dim"]
    patch = config["patch_size"][1] * config["patch_size"][2]
    sizes = {
        5120: dim,
        30720: 6 * dim,
        10240: 2 * dim,
        13824: config["ffn_dim"],
        4096: config["text_dim"],
        256: config["freq_dim"],
        1280: config["picture_dim"],
        46080: config["audio_window"] * row,
        73728: (config["audio_window"] + 1 + config["vae_scale"] - 2) * row,
        512: config["intermediate_dim"],
        24576: config["context_tokens"] * config["output_dim"],
        768: config["output_dim"],
        64: patch * config["out_dim"],
        36: config["in_dim"],
    }
    return _scaled("flashtalk_dit_14b", r"blocks\.(\d+)\.", config["num_layers"], lambda size: sizes.get(size, size))


def vae_shapes() -> dict[str, list[int]]:
    return _scaled("wan21_vae", None, 0, lambda size: size * VAE_SIZES["dim"] // 96 if size % 96 == 0 else size)


def text_shapes() -> dict[str, list[int]]:
    t = TEXT_SIZES
    sizes = {4096: t["dim"], 10240: t["dim_ffn"], 256384: t["vocab"], 64: t["num_heads"]}
    return _scaled("umt5_xxl_encoder", r"blocks\.(\d+)\.", t["num_layers"], lambda size: sizes.get(size, size))


def picture_shapes() -> dict[str, list[int]]:
    """Both halves, as in the released file; the text half is never used."""
    p = PICTURE_SIZES
    tokens = (p["image_size"] // p["patch_size"]) ** 2 + 1
    sizes = {1280: p["dim"], 3840: 3 * p["dim"], 5120: 4 * p["dim"], 257: tokens, 250002: 40, 514: 20}
    sizes |= {1024: 24, 4096: 96}
    layers = r"(?:visual\.transformer|textual\.blocks)\.(\d+)\."
    return _scaled("clip_xlm_roberta_vit_h14", layers, p["num_layers"], lambda size: sizes.get(size, size))


def audio_shapes(sizes: Mapping[str, Any]) -> dict[str, list[int]]:
    """As published: saved while pre-training, so with a prefix, a quantiser and old names of the normed weight."""
    width, inner, conv = sizes["hidden_size"], sizes["intermediate_size"], sizes["conv_dim"]
    kernel, groups = sizes["num_conv_pos_embeddings"], sizes["num_conv_pos_embedding_groups"]
    shapes: dict[str, list[int]] = {"masked_spec_embed": [width]}
    for index, (taps, channels) in enumerate(zip(sizes["conv_kernel"], conv, strict=True)):
        shapes[f"feature_extractor.conv_layers.{index}.conv.weight"] = [channels, conv[index - 1] if index else 1, taps]
    shapes |= _affine("feature_extractor.conv_layers.0.layer_norm", conv[0])
    shapes |= _affine("feature_projection.layer_norm", conv[-1]) | _linear(
        "feature_projection.projection", conv[-1], width
    )
    shapes["encoder.pos_conv_embed.conv.bias"] = [width]
    shapes["encoder.pos_conv_embed.conv.weight_g"] = [1, 1, kernel]
    shapes["encoder.pos_conv_embed.conv.weight_v"] = [width, width // groups, kernel]
    shapes |= _affine("encoder.layer_norm", width)
    for index in range(sizes["num_hidden_layers"]):
        layer = f"encoder.layers.{index}"
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            shapes |= _linear(f"{layer}.attention.{name}", width, width)
        shapes |= _affine(f"{layer}.layer_norm", width) | _affine(f"{layer}.final_layer_norm", width)
        shapes |= _linear(f"{layer}.feed_forward.intermediate_dense", width, inner)
        shapes |= _linear(f"{layer}.feed_forward.output_dense", inner, width)
    prefixed = {f"wav2vec2.{name}": shape for name, shape in shapes.items()}
    heads = {"quantizer.codevectors": [1, 8, 4]} | _linear("project_q", 8, 8) | _linear("project_hid", width, 8)
    return prefixed | heads


def _affine(name: str, width: int) -> dict[str, list[int]]:
    return {f"{name}.weight": [width], f"{name}.bias": [width]}


def _linear(name: str, into: int, out: int) -> dict[str, list[int]]:
    return {f"{name}.weight": [out, into], f"{name}.bias": [out]}


def _scaled(manifest: str, layer: str | None, layers: int, size: Callable[[int], int]) -> dict[str, list[int]]:
    """Names of the released file, up to so many layers, with other sizes along the axes."""
    tensors: dict[str, list[int]] = json.loads((MANIFESTS / f"{manifest}.json").read_text())["tensors"]
    shapes = {}
    for name, shape in tensors.items():
        found = re.match(layer, name) if layer else None
        if found is None or int(found[1]) < layers:
            shapes[name] = [size(axis) for axis in shape]
    return shapes


def _filled(shapes: Mapping[str, Iterable[int]], made: torch.Generator, dtype: torch.dtype) -> dict[str, Tensor]:
    return {name: _random(name, list(shape), made).to(dtype) for name, shape in shapes.items()}


def _random(name: str, shape: list[int], made: torch.Generator) -> Tensor:
    """Weights that keep the size of what passes; norms near one; biases and modulation small."""
    noise = torch.randn(shape, generator=made)
    last = name.rpartition(".")[2]
    if last == "modulation":
        scaled = noise * 0.3
    elif last == "bias":
        scaled = noise * 0.05
    elif last == "gamma" or (last == "weight" and len(shape) == 1):
        scaled = 1 + noise * 0.1
    elif last == "weight_g":
        scaled = noise.abs() + 0.5
    elif name.endswith(TABLES) or len(shape) < 2:
        scaled = noise * 0.5
    else:
        scaled = noise * torch.Size(shape[1:]).numel() ** -0.5  # of what a row takes in
    return scaled


def _write_folder(path: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """As diffusers does it, in one file."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config, indent=2))
    save_file(dict(tensors), path / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})


def _write_sharded(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """In two files with an index, as diffusers does."""
    names = list(tensors)
    halves = (names[: len(names) // 2], names[len(names) // 2 :])
    places: dict[str, str] = {}
    for number, half in enumerate(halves, 1):
        file = f"diffusion_pytorch_model-{number:05d}-of-{len(halves):05d}.safetensors"
        save_file({name: tensors[name] for name in half}, path / file, metadata={"format": "pt"})
        places |= dict.fromkeys(half, file)
    size = sum(tensor.nbytes for tensor in tensors.values())
    (path / INDEX).write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": places}, indent=2))


def _write_tokenizer(path: Path) -> None:
    """A unigram model like umT5's: words of the default prompt, letters, and the marks it looks for."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    marks = ["<pad>", "</s>", "<unk>"]
    words = dict.fromkeys("▁" + word for word in TEXT.split())
    pieces = [(mark, 0.0) for mark in marks] + [(word, -4.0) for word in words]
    pieces += [(letter, -8.0) for letter in ("▁", *LETTERS)]
    assert len(pieces) <= TEXT_SIZES["vocab"]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    path.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>", "pad_token": "<pad>"}))


def _write_audio(path: Path, changed: Mapping[str, Any], made: torch.Generator) -> None:
    sizes = {**AUDIO_SIZES, **changed}
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps(sizes, indent=2))
    (path / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True, "sampling_rate": 16000}))
    torch.save(_filled(audio_shapes(sizes), made, torch.float32), path / "pytorch_model.bin")
