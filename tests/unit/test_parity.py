"""`python -m pipeline.parity` says what agrees with the published numbers, for cases of any size; nothing fools it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline import framing, sampler
from pipeline.models.flashtalk import FlashTalk, FlashTalkConfig
from pipeline.models.wan_vae import WanVae, WanVaeConfig
from pipeline.parity.__main__ import compared, main
from pipeline.parity.golden import GoldenDir, allowance, first_match
from tests.golden import GOLDEN

CPU = torch.device("cpu")


def copied(case: str, into: Path) -> Path:
    """A directory with one golden case, its weights and the tolerances."""
    for file in (*GOLDEN.glob(f"{case}*"), GOLDEN / "tolerances.json"):
        shutil.copy(file, into)
    return into


def altered(path: Path, **changed: Tensor) -> None:
    save_file({**load_file(path), **changed}, path)


def test_every_golden_case_agrees_in_float32() -> None:
    outcomes = {outcome.case: outcome for outcome in compared(GoldenDir(GOLDEN), CPU)}
    assert [outcome.case for outcome in outcomes.values() if outcome.missed or outcome.reason or outcome.left] == []
    counts = {name: len(outcome.rows) for name, outcome in outcomes.items()}
    assert counts == {
        "audio": 32,
        "flashhead_dit_lite": 18,
        "flashhead_dit_pro": 18,
        "flashhead_pipeline_lite": 39,
        "flashhead_pipeline_pro": 39,
        "flashtalk_dit": 20,
        "flashtalk_pipeline": 37,
        "image_encoder": 3,
        "ltx_vae": 14,
        "misc": 26,
        "text_encoder": 2,
        "wan_vae": 9,
        "wan_vae_sliced": 4,
    }


def test_a_table_is_printed_and_the_exit_is_nought(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(copied("image_encoder", tmp_path))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["case", "tensor", "max", "abs", "rel", "L2", "tolerance", "verdict"]
    assert lines[1].split()[:2] == ["image_encoder", "pixels"]
    assert all(line.endswith(" ok") for line in lines[1:4])
    assert "3 tensors of 1 cases compared on cpu: 3 agree, 0 missed" in lines[-1]


@pytest.mark.parametrize("wrong", [6e-5, float("nan")], ids=["a little off", "not a number"])
def test_one_wrong_number_is_a_miss(wrong: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = copied("image_encoder", tmp_path) / "image_encoder.safetensors"
    out = load_file(file)["out"].clone()
    out[0, 3, 5] += wrong
    altered(file, out=out)
    assert main([str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "2 agree, 1 missed" in said
    assert "missed: image_encoder: out" in said


def test_a_wrong_weight_is_a_miss(tmp_path: Path) -> None:
    file = copied("text_encoder", tmp_path) / "text_encoder_weights.safetensors"
    altered(file, **{"norm.weight": load_file(file)["norm.weight"] * 1.01})
    assert main([str(tmp_path)]) == 1


def test_padding_rows_of_text_are_not_compared(tmp_path: Path) -> None:
    file = copied("text_encoder", tmp_path) / "text_encoder.safetensors"
    tensors = load_file(file)
    out = tensors["out"].clone()
    out[tensors["mask"] == 0] = 99.0
    altered(file, out=out)
    assert main([str(tmp_path)]) == 0


def test_another_shape_is_a_miss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = copied("image_encoder", tmp_path) / "image_encoder.safetensors"
    altered(file, out=load_file(file)["out"][:, :-1].contiguous())
    assert main([str(tmp_path)]) == 1
    assert "shape [1, 10, 48], golden [1, 9, 48]" in capsys.readouterr().out


@pytest.mark.parametrize("broken", ["image_encoder.safetensors", "image_encoder_weights.safetensors"])
def test_a_file_cut_short_fails_its_case(broken: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = copied("image_encoder", tmp_path) / broken
    file.write_bytes(file.read_bytes()[:-100])
    assert main([str(tmp_path)]) == 1
    assert f"FAILED: {broken}" in capsys.readouterr().out


def test_a_missing_weight_fails_its_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = copied("image_encoder", tmp_path) / "image_encoder_weights.safetensors"
    save_file({key: x for key, x in load_file(file).items() if key != "pre_norm.bias"}, file)
    assert main([str(tmp_path)]) == 1
    assert "pre_layrnorm.bias" in capsys.readouterr().out


def test_nothing_compared_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "no such directory" in capsys.readouterr().out
    copied("image_encoder", tmp_path)
    assert main([str(tmp_path), "--case", "audio*"]) == 2
    for given in (["--device", "tpu9"], ["--ranks", "0"]):
        assert main([str(tmp_path), *given]) == 2


def test_a_case_that_nothing_knows_is_named_and_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied("image_encoder", tmp_path)
    wrote(tmp_path, "wish", {"tensors": {"star": {}}}, {"star": torch.zeros(1)})
    assert main([str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert any(
        line.startswith("wish") and "skipped" in line and "no case of this name" in line for line in said.splitlines()
    )
    assert "0 cases failed, 1 skipped" in said


def test_a_case_of_another_name_is_known_by_its_tensors(tmp_path: Path) -> None:
    copied("image_encoder", tmp_path)
    for end in ("json", "safetensors"):
        (tmp_path / f"image_encoder.{end}").rename(tmp_path / f"portraits.{end}")
    about = json.loads((tmp_path / "portraits.json").read_text())
    (tmp_path / "portraits.json").write_text(json.dumps({**about, "file": "portraits.safetensors"}))
    outcomes = list(compared(GoldenDir(tmp_path), CPU))
    assert [(outcome.case, len(outcome.rows), outcome.missed) for outcome in outcomes] == [("portraits", 3, False)]
    assert [row.tolerance for row in outcomes[0].rows] == [1e-5, 5e-5, 5e-5]  # the published ones of its kind


def test_the_first_pattern_that_fits_gives_the_tolerance(tmp_path: Path) -> None:
    assert first_match({"a.*_lab": 1.0, "a.*": 2.0, "*": 3.0}, "a.x_lab") == 1.0
    assert first_match({"*": 3.0, "a.*": 2.0}, "a.x") == 3.0
    assert first_match({"a.*": 2.0}, "b") is None
    assert allowance(1e-5, CPU) == 1e-5
    assert allowance(1e-5, torch.device("cuda")) == pytest.approx(7e-5)
    copied("image_encoder", tmp_path)
    (tmp_path / "tolerances.json").write_text(json.dumps({"image_encoder": {"inter.*": 1e-9, "*": 5e-5}}))
    (outcome,) = compared(GoldenDir(tmp_path), CPU)
    assert {row.tensor: bool(row.said) for row in outcome.rows} == {"pixels": False, "out": False, "inter.block0": True}


# ── a directory of other sizes, written with our own networks ────────────────────────────────────


def randomised(net: nn.Module) -> dict[str, Tensor]:
    """Weights large enough that every part shows in the result; the module has them too."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, x in net.named_parameters():
            offset = 1.0 if name.endswith(("gamma", "norm.weight", "norm_q.weight", "norm_k.weight")) else 0.0
            x.copy_(torch.randn(x.shape) / max(1.0, x[0].numel() ** 0.5) + offset)
    return {name: x.detach().clone() for name, x in net.state_dict().items()}


def wrote(into: Path, name: str, about: dict[str, object], tensors: dict[str, Tensor]) -> None:
    save_file({key: x.detach().clone().contiguous() for key, x in tensors.items()}, into / f"{name}.safetensors")
    (into / f"{name}.json").write_text(json.dumps({"file": f"{name}.safetensors", **about}))


@pytest.fixture(scope="module")
def other_sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 blocks of 6 heads of 16; 9 frames of 48x16; audio 6 layers of 8; 8 words; a VAE of base 4."""
    path = tmp_path_factory.mktemp("other")
    sizes = {
        "dim": 96,
        "num_heads": 6,
        "num_layers": 2,
        "ffn_dim": 120,
        "freq_dim": 64,
        "text_dim": 20,
        "text_len": 8,
        "intermediate_dim": 5,
        "output_dim": 24,
        "context_tokens": 4,
        "in_dim": 36,
        "out_dim": 16,
    }
    net = FlashTalk(FlashTalkConfig.from_json({**sizes, "picture_dim": 40, "audio_layers": 6, "audio_dim": 8})).eval()
    vae_sizes = {"dim": 4, "temperal_downsample": [False, True, True]}
    vae = WanVae(WanVaeConfig.from_json(vae_sizes)).eval()
    wrote(path, "net_weights", {"config": sizes}, randomised(net))
    wrote(path, "vae_weights", {"config": vae_sizes}, randomised(vae))
    torch.manual_seed(2)
    with torch.no_grad():
        words, seen, bank = torch.randn(5, 20), torch.randn(1, 7, 40), torch.randn(9, 6, 8)
        index = torch.randint(0, 9, (9, 5))
        x, y = torch.randn(16, 3, 2, 6), torch.randn(1, 20, 3, 2, 6)
        context, heard = net.context(words, seen), net.hear(bank[index][None])
        tensors = {"x": x, "y": y, "context": words, "clip_fea": seen, "audio_bank": bank, "audio_index": index}
        trace: dict[str, Tensor] = {}
        tensors |= {"t": torch.tensor([900.0]), "out.t0": net(x, 900.0, y, context, heard, trace)}
        tensors |= {"inter.block1": trace["block1"]}
        about: dict[str, object] = {"config": sizes, "weights": "net_weights.safetensors", "notes": "stages of t[0]"}
        wrote(path, "flashtalk_dit", about, tensors)

        video = torch.rand(1, 3, 9, 16, 48) * 2 - 1
        latent = vae.encode(video)
        tensors = {"enc_in_9f": video, "enc_out_9f": latent, "dec_in": latent, "dec_out_raw": vae.decode(latent)}
        wrote(path, "wan_vae", {"config": vae_sizes, "weights": "vae_weights.safetensors"}, tensors)

        whole = torch.randint(0, 256, (31, 77, 3), dtype=torch.uint8)
        picture = framing.picture_tensor(whole.numpy(), (48, 16))
        y, motion = sampler.prepare(vae, picture, 9)
        tensors = {"image_uint8": whole, "cond_image": picture, "y": y, "motion0": motion}
        conditions = sampler.Conditions(y, context, picture, motion)
        for chunk in range(2):
            noise, index = torch.randn(3, 16, 3, 2, 6), torch.randint(0, 9, (9, 5))
            trace = {}
            given = (bank[index][None], motion, noise.__getitem__, 2, 3.0, 0.5, trace)
            _, motion = sampler.chunk(net, vae, conditions, *given)
            tensors |= {f"chunk{chunk}.audio_index": index} | {f"chunk{chunk}.noise{i}": noise[i] for i in range(3)}
            tensors |= {f"chunk{chunk}.{name}": made for name, made in trace.items() if name != "heard"}
        params = {"frame_num": 9, "motion": 5, "h": 16, "w": 48, "steps": 2, "shift": 3.0}
        about = {"params": {**params, "color_correction_strength": 0.5}, "other_inputs": "of flashtalk_dit.safetensors"}
        wrote(
            path,
            "flashtalk_pipeline",
            {**about, "weights": ["net_weights.safetensors", "vae_weights.safetensors"]},
            tensors,
        )
    return path


def test_sizes_come_from_the_directory(other_sizes: Path) -> None:
    outcomes = {outcome.case: outcome for outcome in compared(GoldenDir(other_sizes), CPU)}
    assert [(name, outcome.reason, outcome.missed) for name, outcome in outcomes.items()] == [
        ("flashtalk_dit", "", False),
        ("flashtalk_pipeline", "", False),
        ("wan_vae", "", False),
    ]
    assert {name: len(outcome.rows) for name, outcome in outcomes.items()} == {
        "flashtalk_dit": 2,
        "flashtalk_pipeline": 3 + 2 * 8,
        "wan_vae": 2,
    }


def test_ranks_share_a_case_and_give_the_same(
    other_sizes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """9 tokens on 2 ranks; the VAE's only row of latents on one of them, the other idle."""
    shutil.copytree(other_sizes, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "wan_vae.safetensors"
    altered(file, enc_out_9f=load_file(file)["enc_out_9f"] + 1e-3)
    assert main([str(tmp_path), "--ranks", "2"]) == 1
    said = capsys.readouterr().out
    rows = {tuple(line.split()[:3]): line.split()[-1] for line in said.splitlines() if " /2 " in line}
    assert rows.pop(("wan_vae", "/2", "enc_out_9f")) == "MISS"
    assert len(rows) == 22
    assert set(rows.values()) == {"ok"}
