"""Weights: what a directory holds is said exactly, what is wrong is refused early, what is loaded is not copied."""

from __future__ import annotations

import json
import math
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline import convert as converting
from pipeline import weights
from pipeline.errors import ConfigError
from pipeline.expected import RELEASED, derived, expected, is_idle
from pipeline.headdir import PLAYED, TRANSFORMERS, HeadDir, HeadFile, needed
from pipeline.modeldir import AUDIO_DIR, CONFIG_KEY, LIVE, NETWORKS, PICTURE_FILE, TEXT_FILE, VAE_FILE, ModelDir
from pipeline.modeldir import opened as opened_at
from pipeline.models.flashhead import FlashHead
from pipeline.models.flashtalk import FlashTalk
from pipeline.weightcheck import Report, check
from pipeline.weightfiles import UnreadableWeights, read_header
from tests.tinymodel import HEAD_AUDIO_DIR, INDEX, write_head_dir, write_model_dir

FIRST = "diffusion_pytorch_model-00001-of-00002.safetensors"
SECOND = "diffusion_pytorch_model-00002-of-00002.safetensors"
Q = "blocks.1.cross_attn.o.weight"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model_dir(tmp_path_factory.mktemp("pristine") / "model")


@pytest.fixture
def model(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "model"))


@pytest.fixture(scope="module")
def runtime(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converting.convert(pristine, tmp_path_factory.mktemp("runtime") / "model.safetensors")


def rewrite(path: Path, change: Any) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def only(report: Report) -> Any:
    assert len(report.faults) == 1, list(report.lines())
    return report.faults[0]


# ── the released sizes ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("network", RELEASED)
def test_our_networks_at_the_released_size_have_every_name_and_shape_of_the_manifest(network: str) -> None:
    listed = weights.read_manifest(RELEASED[network][0])["tensors"]
    drops = network in TRANSFORMERS
    used = {name: tuple(shape) for name, shape in listed.items() if not (drops and is_idle(network, name))}
    assert derived(network, {}) == used
    assert expected(network, {}) == derived(network, {})


def test_the_full_transformer_has_the_released_number_of_parameters() -> None:
    assert sum(tensor.numel() for tensor in weights.made("dit", {}).state_dict().values()) == 18_882_046_784


@pytest.mark.parametrize(
    ("network", "elements"), [("pro", 1_507_694_912), ("lite", 1_526_864_256), ("ltx", 419_193_905)]
)
def test_a_released_file_of_flashhead_has_so_many_elements(network: str, elements: int) -> None:
    listed = weights.read_manifest(RELEASED[network][0])["tensors"]
    idle = sum(math.prod(shape) for name, shape in listed.items() if is_idle(network, name))
    assert sum(tensor.numel() for tensor in weights.made(network, {}).state_dict().values()) + idle == elements


def test_the_audio_encoder_of_base_size_has_as_many_parameters_as_wav2vec2_base() -> None:
    # 94,371,712 in transformers' Wav2Vec2Model of base size, less the training mask of 768 numbers
    assert sum(tensor.numel() for tensor in weights.made("wav2vec2", {}).state_dict().values()) == 94_370_944


def test_an_unknown_manifest_names_those_that_are_there() -> None:
    with pytest.raises(ConfigError, match="flashtalk_dit_14b"):
        weights.read_manifest("flashtalk")


# ── checking ─────────────────────────────────────────────────────────────────────────────────────


def test_a_whole_directory_is_good_and_every_part_is_counted(pristine: Path) -> None:
    report = check(pristine)
    assert report.good, list(report.lines())
    assert [part.network for part in report.parts] == list(NETWORKS)
    assert not any(part.released for part in report.parts)


def test_a_missing_tensor_is_named_with_its_file_its_shape_and_what_mends_it(model: Path) -> None:
    rewrite(model / SECOND, lambda tensors: tensors.pop(Q))
    fault = only(check(model))
    assert (fault.kind, fault.network, fault.tensor, fault.right) == ("missing", "dit", Q, "[80, 80]")
    assert fault.file.endswith(SECOND) and "models pull flashtalk" in fault.mend and "SoulX-FlashTalk-14B" in fault.mend


def test_a_tensor_of_another_shape_is_named_with_both_shapes(model: Path) -> None:
    rewrite(model / SECOND, lambda tensors: tensors.update({Q: torch.zeros(80, 81)}))
    fault = only(check(model))
    assert (fault.kind, fault.tensor) == ("shape", Q) and "[80, 81], not [80, 80]" in fault.text


def test_a_tensor_that_does_not_belong_and_one_of_a_foreign_type_are_named(model: Path) -> None:
    rewrite(model / SECOND, lambda tensors: tensors.update({"lora.up": torch.zeros(2), Q: tensors[Q].to(torch.int8)}))
    report = check(model)
    assert {(fault.kind, fault.tensor) for fault in report.faults} == {("extra", "lora.up"), ("type", Q)}


@pytest.mark.parametrize(
    ("name", "left"),
    [
        *((name, left) for name in (FIRST, VAE_FILE) for left in (0.02, 0.5, 0.999)),  # of either format
        *((name, 0.5) for name in (TEXT_FILE, PICTURE_FILE, f"{AUDIO_DIR}/pytorch_model.bin")),
    ],
)
def test_a_file_cut_short_is_one_fault_that_says_so(model: Path, name: str, left: float) -> None:
    whole = (model / name).read_bytes()
    (model / name).write_bytes(whole[: int(len(whole) * left)])
    fault = only(check(model))
    assert fault.kind == "unreadable" and "cut short" in fault.text and fault.mend.startswith("remove ")


def test_a_shard_that_is_not_there_is_one_fault_and_not_hundreds(model: Path) -> None:
    (model / SECOND).unlink()
    fault = only(check(model))
    assert fault.kind == "file" and SECOND in fault.text


def test_a_git_lfs_pointer_is_called_one(model: Path) -> None:
    (model / VAE_FILE).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 507609880\n")
    assert "git-lfs pointer" in only(check(model)).text


def test_the_file_of_another_network_is_recognised(model: Path) -> None:
    shutil.copy(model / TEXT_FILE, model / VAE_FILE)
    fault = only(check(model))
    assert (fault.kind, fault.network) == ("foreign", "vae") and "it looks like the text encoder" in fault.text


def test_a_network_of_another_size_than_the_config_says_is_called_so(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    del config["text_encoder"]
    (model / "config.json").write_text(json.dumps(config))
    fault = only(check(model))
    assert (fault.kind, fault.network) == ("foreign", "umt5") and "22 of its 242 tensors" in fault.text
    assert "another size than config.json says" in fault.text


class Bomb:
    def __reduce__(self) -> Any:
        return (print, ("this must never run",))


def test_a_file_that_would_run_code_is_refused_and_runs_none(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"conv1.weight": Bomb()}, model / VAE_FILE)
    assert "run code" in only(check(model)).text
    (model / VAE_FILE).write_bytes(pickle.dumps({"a": Bomb()}))
    assert only(check(model)).kind == "unreadable"
    assert "never" not in capsys.readouterr().out


def test_the_released_audio_encoder_may_lie_beside_the_directory_and_a_safetensors_one_counts_first(
    model: Path,
) -> None:
    shutil.move(model / AUDIO_DIR, model.parent / AUDIO_DIR)
    beside = model.parent / AUDIO_DIR
    assert check(model).good
    tensors = torch.load(beside / "pytorch_model.bin", weights_only=True)
    save_file(tensors, beside / "model.safetensors")
    (beside / "pytorch_model.bin").write_bytes(b"left half done")
    assert check(model).good


def test_an_index_that_lacks_its_map_a_broken_config_and_a_missing_tokenizer_are_faults(model: Path) -> None:
    (model / INDEX).write_text("{}")
    (model / "google/umt5-xxl/tokenizer.json").unlink()
    (model / AUDIO_DIR / "config.json").write_text("{")
    faults = {(fault.network, fault.kind) for fault in check(model).faults}
    assert faults == {("dit", "config"), ("umt5", "file"), ("wav2vec2", "config")}


def test_a_config_that_cannot_be_is_a_fault_with_the_field(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"num_heads": 7}))
    assert "num_heads 7" in only(check(model)).text


def test_a_config_of_another_size_than_the_files_shows_as_shapes(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"ffn_dim": 200}))
    found = check(model).of("shape")
    assert len(found) == 2 * 3 and all(".ffn." in fault.tensor for fault in found)


def test_what_is_too_long_for_a_person_says_how_much_more_there_is(model: Path) -> None:
    rewrite(model / SECOND, lambda tensors: [tensors.pop(name) for name in list(tensors)[:40]])
    report = check(model)
    assert len(report.of("missing")) == 40
    assert any("and 20 more" in line for line in report.lines())


def test_no_such_directory_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="models pull flashtalk"):
        check(tmp_path / "nowhere")


# ── loading ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_loads_strictly_and_without_gradients(pristine: Path, network: str) -> None:
    module = weights.load_network(ModelDir(pristine), network, torch.float32)
    tensors = module.state_dict().values()
    assert tensors and not any(tensor.is_meta for tensor in tensors)
    assert all(tensor.dtype == torch.float32 for tensor in tensors if tensor.is_floating_point())
    assert not module.training and not any(parameter.requires_grad for parameter in module.parameters())


def test_loaded_numbers_are_the_stored_ones(pristine: Path) -> None:
    stored = load_file(pristine / SECOND)
    loaded = weights.load_network(ModelDir(pristine), "dit").state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in stored.items())
    old = torch.load(pristine / AUDIO_DIR / "pytorch_model.bin", weights_only=True)
    audio = weights.load_network(ModelDir(pristine), "wav2vec2").state_dict()
    kept = audio["encoder.pos_conv_embed.conv.parametrizations.weight.original0"]
    assert torch.equal(kept, old["wav2vec2.encoder.pos_conv_embed.conv.weight_g"])


def test_a_missing_and_a_foreign_tensor_are_refused_by_name(model: Path) -> None:
    rewrite(model / SECOND, lambda tensors: tensors.update({"lora.up": tensors.pop(Q)}))
    with pytest.raises(ConfigError, match=rf"missing: {Q}.*not of this network: lora.up"):
        weights.load_network(ModelDir(model), "dit")


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_a_truncated_file_is_refused_before_a_device_is_touched(
    model: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (model / name).read_bytes()
    (model / name).write_bytes(whole[:-1])
    monkeypatch.setattr(torch.Tensor, "to", lambda *_, **__: pytest.fail("a tensor was moved"))
    with pytest.raises(UnreadableWeights, match="cut short"):
        weights.load_network(ModelDir(model), "dit", torch.bfloat16, "cuda")


def test_a_file_whose_tensors_begin_at_an_odd_byte_loads_right(tmp_path: Path) -> None:
    path, values = tmp_path / "odd.safetensors", torch.arange(6, dtype=torch.float32)
    header = json.dumps({"weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
    header += b" " * (1 - len(header) % 2)
    path.write_bytes(len(header).to_bytes(8, "little") + header + values.numpy().tobytes())
    assert read_header(path).tensors["weight"].start % 2 == 1
    with torch.device("meta"):
        module = torch.nn.Linear(3, 2, bias=False)
    weights.load(module, [path])
    assert torch.equal(module.weight, values.view(2, 3))


BIG = """
import resource, sys, torch
from torch import nn
from pathlib import Path
from pipeline import weights
def anonymous_mb():
    return sum(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")) // 1024
for name in sys.argv[1:]:
    with torch.device("meta"):
        module = nn.Linear(8192, 8192, bias=False, dtype=torch.bfloat16)
    before = anonymous_mb()
    weights.load(module, [Path(name)])
    total = sum(float(part.sum()) for part in module.weight.split(64)) / 64
    print(anonymous_mb() - before, total)
"""


def test_loading_maps_the_file_and_takes_no_memory_of_its_own(tmp_path: Path) -> None:
    """128 MB of weights, all of them read: memory that is the process's own must not grow by them."""
    paths = [tmp_path / "big.safetensors", tmp_path / "big.pth"]
    tensors = {"weight": torch.ones(8192, 8192, dtype=torch.bfloat16)}
    save_file(tensors, paths[0])
    torch.save(tensors, paths[1])
    command = [sys.executable, "-c", BIG, *map(str, paths)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    for path, line in zip(paths, told, strict=True):
        grown, total = line.split()
        assert float(total) == 8192 * 8192 / 64 and int(grown) < 40, path


# ── the run-time file ────────────────────────────────────────────────────────────────────────────


def test_a_run_time_file_gives_the_same_networks_and_fingerprint_as_its_directory(
    pristine: Path, runtime: Path
) -> None:
    one, other = opened_at(pristine), opened_at(runtime)
    assert one.fingerprint == other.fingerprint
    for network in LIVE:
        assert other.config(network) == one.config(network)
        made, again = (weights.load_network(source, network) for source in (one, other))
        if isinstance(made, FlashTalk):
            made.fuse()
        held, kept = made.state_dict(), again.state_dict()
        assert sorted(held) == sorted(kept) and all(torch.equal(held[name], kept[name]) for name in held)
    assert check(runtime).good


def test_a_run_time_file_says_what_it_was_made_of(pristine: Path, runtime: Path) -> None:
    metadata = read_header(runtime).metadata
    digests = json.loads(metadata["broadcaster.sources"])
    told = subprocess.run(["sha256sum", pristine / VAE_FILE], capture_output=True, text=True, check=True).stdout
    assert digests[VAE_FILE] == told.split()[0] and FIRST in digests
    assert json.loads(metadata[CONFIG_KEY])["dit"]["dim"] == 80


def test_the_transformer_is_written_in_bfloat16_and_the_small_networks_as_released(pristine: Path, model: Path) -> None:
    rewrite(model / FIRST, lambda tensors: tensors.update({name: t.float() for name, t in tensors.items()}))
    out = converting.convert(model, model / "run.safetensors")
    tensors = read_header(out).tensors
    types = {network: {t.dtype for n, t in tensors.items() if n.startswith(f"{network}.")} for network in LIVE}
    assert types == {"dit": {"BF16"}, "vae": {"F32"}, "wav2vec2": {"F32"}}


def test_a_new_avatar_finds_its_encoders_beside_a_run_time_file(model: Path) -> None:
    source = opened_at(converting.convert(model, model / "run.safetensors"))
    assert weights.load_network(source, "umt5") and (source.tokenizer_dir / "tokenizer.json").is_file()


def test_a_run_time_file_alone_says_that_the_encoders_of_new_avatars_are_missing(runtime: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    alone.symlink_to(runtime)
    with pytest.raises(ConfigError, match="a new avatar is baked by the text and picture encoders"):
        weights.opened(alone).config("umt5")


def test_a_run_time_file_that_is_cut_or_foreign_or_of_another_schema_is_refused(runtime: Path, tmp_path: Path) -> None:
    whole = runtime.read_bytes()
    path = tmp_path / "run.safetensors"
    for content, words in (
        (whole[:-1], "cut short"),
        (whole[:100], "cut short"),
        (whole + b"x", "damaged"),
        (whole.replace(b'"broadcaster.schema": "1"', b'"broadcaster.schema": "9"'), "schema 9, not 1"),
        (b"<html>502 Bad Gateway</html>", "not a .safetensors file"),
        (b"", "empty"),
    ):
        path.write_bytes(content)
        with pytest.raises(UnreadableWeights, match=words):
            opened_at(path)
        assert "models convert" in only(check(path)).mend
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UnreadableWeights, match="did not make it"):
        opened_at(path)


def test_converting_what_is_not_whole_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    rewrite(model / SECOND, lambda tensors: tensors.pop(Q))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ConfigError, match=Q):
        converting.convert(model, out / "run.safetensors")
    with pytest.raises(ConfigError, match="ends with"):
        converting.convert(model, out / "run.pth")
    assert list(out.iterdir()) == []


def test_another_seed_or_another_config_is_another_fingerprint(pristine: Path, model: Path, tmp_path: Path) -> None:
    mine = ModelDir(model).fingerprint
    assert mine == ModelDir(pristine).fingerprint  # wherever it lies
    assert ModelDir(write_model_dir(tmp_path / "other", seed=1)).fingerprint != mine
    (model / TEXT_FILE).unlink()
    assert ModelDir(model).fingerprint == mine  # an avatar that is baked outlives its encoders
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"eps": 1e-5}))
    assert ModelDir(model).fingerprint != mine


# ── FlashHead's directory ────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def head_pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_head_dir(tmp_path_factory.mktemp("head") / "model")


@pytest.fixture
def head(head_pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(head_pristine, tmp_path / "model"))


def test_a_whole_flashhead_directory_is_good_with_a_teacher_or_without(head: Path) -> None:
    report = check(head)
    assert report.good, list(report.lines())
    assert [part.network for part in report.parts] == [*HeadDir.networks, "teacher"]
    shutil.rmtree(head / "teacher")
    assert check(head).good and [part.network for part in check(head).parts] == list(HeadDir.networks)


@pytest.mark.parametrize("network", [*HeadDir.networks, "teacher"])
def test_every_network_of_flashhead_loads_strictly(head_pristine: Path, network: str) -> None:
    module = weights.load_network(HeadDir(head_pristine), network, torch.float32)
    assert not any(tensor.is_meta for tensor in module.state_dict().values()) and not module.training


def test_what_is_wrong_with_a_flashhead_directory_is_named_with_what_mends_it(head: Path) -> None:
    file = head / "Model_Lite" / "diffusion_pytorch_model.safetensors"
    rewrite(file, lambda tensors: tensors.pop("blocks.1.cross_attn.norm_k.weight"))
    fault = only(check(head))
    assert (fault.kind, fault.network, fault.right) == ("missing", "lite", "[48]")
    assert f"models pull flashhead --to {head}" in fault.mend and "SoulX-FlashHead-1_3B" in fault.mend
    assert "Model_Lite/diffusion_pytorch_model.safetensors" in fault.mend
    file.write_bytes(file.read_bytes()[:-100])
    fault = only(check(head))
    assert fault.kind == "unreadable" and "cut short" in fault.text


def test_tensors_of_flashhead_that_nothing_computes_with_may_be_there_or_not(head: Path) -> None:
    file = head / "Model_Pro" / "diffusion_pytorch_model.safetensors"
    rewrite(file, lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("audio_emb.")])
    assert check(head).good
    rewrite(file, lambda tensors: tensors.update({"text_embeddings.0": torch.zeros(2)}))
    assert only(check(head)).kind == "extra"


def test_a_folder_that_is_missing_and_an_audio_encoder_beside_the_directory(head: Path) -> None:
    shutil.move(head / HEAD_AUDIO_DIR, head.parent / HEAD_AUDIO_DIR)
    assert check(head).good
    shutil.rmtree(head / "VAE_LTX")
    fault = only(check(head))
    assert (fault.network, fault.kind) == ("ltx", "config") and "VAE_LTX" in fault.text


def test_the_fingerprint_is_that_of_the_networks_that_are_meant(head: Path) -> None:
    before = HeadDir(head).fingerprint(("pro", "vae")), HeadDir(head).fingerprint(("lite", "ltx"))
    rewrite(
        head / "Model_Pro" / "diffusion_pytorch_model.safetensors",
        lambda tensors: tensors.update({"head.modulation": tensors["head.modulation"] + 1}),
    )
    assert HeadDir(head).fingerprint(("pro", "vae")) != before[0]
    assert HeadDir(head).fingerprint(("lite", "ltx")) == before[1]


@pytest.fixture(scope="module")
def head_runtime(head_pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converting.convert(head_pristine, tmp_path_factory.mktemp("runtime") / "head.safetensors")


def test_a_run_time_file_of_flashhead_holds_every_model_of_its_directory(
    head_pristine: Path, head_runtime: Path
) -> None:
    one, other = HeadDir(head_pristine), HeadFile.at(head_runtime)
    assert set(other.networks) == set(one.live) == {*HeadDir.networks, "teacher"}
    for engine, network in PLAYED.items():
        assert other.fingerprint(needed([engine])) == one.fingerprint(needed([engine])), network
    for network in other.networks:
        assert other.config(network) == one.config(network)
        made, again = (weights.load_network(source, network) for source in (one, other))
        if isinstance(made, FlashHead):
            made.to(torch.bfloat16).fuse()
        held, kept = made.state_dict(), again.state_dict()
        assert sorted(held) == sorted(kept) and all(torch.equal(held[name], kept[name]) for name in held)
    report = check(head_runtime)
    assert report.good and {part.network for part in report.parts} == set(other.networks), list(report.lines())


def test_the_sources_of_a_flashhead_file_are_told_apart_by_their_folders(
    head_pristine: Path, head_runtime: Path
) -> None:
    digests = json.loads(read_header(head_runtime).metadata["broadcaster.sources"])
    file = head_pristine / "Model_Lite" / "diffusion_pytorch_model.safetensors"
    told = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True).stdout
    assert digests["Model_Lite/diffusion_pytorch_model.safetensors"] == told.split()[0] and len(digests) == 6


def test_one_model_alone_is_converted_with_its_vae_and_says_what_it_lacks(head: Path, tmp_path: Path) -> None:
    for folder in ("Model_Pro", "VAE_Wan", "teacher"):
        shutil.rmtree(head / folder)
    out = converting.convert(head, tmp_path / "lite.safetensors")
    assert HeadFile.at(out).networks == ("lite", "ltx", "wav2vec2") and check(out).good
    assert {fault.network for fault in check(out, needed(["flashhead-pro", "flashhead-lite"])).faults} == {"pro", "vae"}
    with pytest.raises(ConfigError, match=r"holds lite, ltx, wav2vec2, and not pro: .*Model_Pro"):
        HeadFile.at(out).config("pro")
    shutil.rmtree(head / "Model_Lite")
    with pytest.raises(ConfigError, match="none of Model_Pro, Model_Lite, teacher is there"):
        converting.convert(head, tmp_path / "none.safetensors")


def test_a_file_of_one_model_is_refused_by_the_engines_of_the_other(runtime: Path, head_runtime: Path) -> None:
    with pytest.raises(UnreadableWeights, match="a run-time file of flashhead, not of flashtalk"):
        opened_at(head_runtime)
    with pytest.raises(UnreadableWeights, match="a run-time file of flashtalk, not of flashhead"):
        HeadFile.at(runtime)


def test_only_the_networks_that_are_meant_are_looked_at(head: Path) -> None:
    (head / "Model_Pro" / "config.json").unlink()
    assert check(head, needed(["flashhead-lite"])).good
    assert {fault.network for fault in check(head, needed(["flashhead-pro"])).faults} == {"pro"}


@pytest.mark.parametrize("gone", ["config.json", "diffusion_pytorch_model.safetensors", ""])
def test_a_teacher_that_is_missing_is_described_to_the_file(head: Path, gone: str) -> None:
    if gone:
        (head / "teacher" / gone).unlink()
    else:
        shutil.rmtree(head / "teacher")
    with pytest.raises(ConfigError) as caught:
        HeadDir(head).fingerprint(needed(["flashhead-pretrained"]))
    said = str(caught.value)
    assert said.startswith(f"{head}/teacher: flashhead-pretrained reads config.json and diffusion_pytorch_model")
    assert said.endswith(gone or "Not there: config.json and diffusion_pytorch_model.safetensors")
    assert "no pull fetches a teacher" in said and "Model_Pro" in said and "VAE_Wan" in said
