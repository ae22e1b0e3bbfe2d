"""`models pull | check | convert`: fetched from a hub that breaks off, examined, made into one file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broadcaster import download
from broadcaster.cli import app as cli
from pipeline.errors import ConfigError
from pipeline.modeldir import opened
from tests.hub import Hub, hub
from tests.tinymodel import AUDIO_DIR, CLIP, HEAD_AUDIO_DIR, INDEX, T5, VAE, write_head_dir, write_model_dir

ROOT = Path(__file__).parents[2]
DIT, AUDIO = (wanted.repository for wanted in download.FLASHTALK)
CHUNK = 10 * 1024 * 1024  # of the library: what it writes to disk at a time
BIG = "diffusion_pytorch_model-00001-of-00002.safetensors"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two repositories as released, with files that nobody needs."""
    folder = tmp_path_factory.mktemp("released")
    write_model_dir(folder / "dit")
    shutil.move(folder / "dit" / AUDIO_DIR, folder / "audio")
    (folder / "audio" / "chinese-wav2vec2-base-fairseq-ckpt.pt").write_bytes(b"not wanted")
    (folder / "dit" / "xlm-roberta-large").mkdir()
    (folder / "dit" / "xlm-roberta-large" / "tokenizer.json").write_text("{}")
    (folder / "dit" / "README.md").write_text("read me")
    return folder


@pytest.fixture
def served(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The same, on a hub that this process talks to; the files may be changed."""
    folder = Path(shutil.copytree(released, tmp_path / "released"))
    with hub({DIT: folder / "dit", AUDIO: folder / "audio"}) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def command(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "broadcaster.cli", "models", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def pull(to: Path) -> list[str]:
    lines: list[str] = []
    download.pull("flashtalk", to, lines.append)
    return lines


def run(*arguments: str | Path) -> int:
    """In this process; the exit status."""
    return int(cli.app(["models", *map(str, arguments)], standalone_mode=False) or 0)


# ── pull ─────────────────────────────────────────────────────────────────────────────────────────


def test_pull_by_a_mirror_makes_a_directory_that_is_whole(released: Path, tmp_path: Path) -> None:
    to = tmp_path / "models" / "flashtalk"
    with hub({DIT: released / "dit", AUDIO: released / "audio"}) as mirror:
        done = command("pull", "flashtalk", "--to", to, HF_ENDPOINT=mirror.url, HF_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    assert f"{to}: whole" in done.stdout and DIT in done.stderr and AUDIO in done.stderr
    names = {path.relative_to(to).as_posix() for path in to.rglob("*") if path.is_file()}
    assert {"config.json", INDEX, BIG, VAE, T5, CLIP, f"{AUDIO_DIR}/pytorch_model.bin"} <= names
    assert not any("fairseq" in name or "roberta-large/" in name for name in names)


def test_a_broken_connection_is_taken_up_at_the_byte_where_it_broke(served: Hub, tmp_path: Path) -> None:
    big = served.repositories[DIT] / BIG
    big.write_bytes(os.urandom(3 * CHUNK))
    served.cut[BIG] = [CHUNK + 1000]
    pull(tmp_path / "got")
    assert (tmp_path / "got" / BIG).read_bytes() == big.read_bytes()
    assert [start for name, start in served.taken if name == BIG] == [0, CHUNK]


def test_an_interrupted_pull_goes_on_where_it_was_when_the_command_is_given_again(served: Hub, tmp_path: Path) -> None:
    big = served.repositories[DIT] / BIG
    big.write_bytes(os.urandom(3 * CHUNK))
    served.cut[BIG], served.broken = [2 * CHUNK + 1000], {BIG}
    with pytest.raises(ConfigError, match="give the same command again"):
        pull(tmp_path / "got")
    assert not (tmp_path / "got" / BIG).exists()
    served.broken = set()
    served.taken.clear()
    pull(tmp_path / "got")
    assert (tmp_path / "got" / BIG).read_bytes() == big.read_bytes()
    assert [start for name, start in served.taken if name == BIG] == [2 * CHUNK]


def test_a_second_pull_fetches_nothing_and_a_file_cut_short_is_fetched_again(served: Hub, tmp_path: Path) -> None:
    to = tmp_path / "got"
    pull(to)
    served.taken.clear()
    assert any("0.0 of" in line for line in pull(to)) and served.taken == []
    whole = (to / VAE).read_bytes()
    (to / VAE).write_bytes(whole[:5000])
    assert any(f"5000 bytes instead of {len(whole)}" in line for line in pull(to))
    assert (to / VAE).read_bytes() == whole and [name for name, _ in served.taken] == [VAE]


def test_a_pull_that_is_killed_keeps_what_came(served: Hub, tmp_path: Path) -> None:
    """The hub stalls in the middle of a file; the process dies without a word."""
    big = served.repositories[DIT] / BIG
    big.write_bytes(os.urandom(3 * CHUNK))
    served.stall[BIG] = 2 * CHUNK + 1000
    to = tmp_path / "got"
    running = subprocess.Popen(
        [sys.executable, "-m", "broadcaster.cli", "models", "pull", "flashtalk", "--to", to],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert served.stalled.wait(60)
    while not any(part.stat().st_size >= 2 * CHUNK for part in to.glob(".*.part")):
        assert running.poll() is None
        os.sched_yield()
    running.kill()
    running.wait(10)
    served.taken.clear()
    pull(to)
    assert (to / BIG).read_bytes() == big.read_bytes() and not list(to.glob(".*.part"))
    assert [start for name, start in served.taken if name == BIG] == [2 * CHUNK]


def test_what_comes_with_other_bytes_than_promised_is_refused(served: Hub, tmp_path: Path) -> None:
    served.forged.add(VAE)
    with pytest.raises(ConfigError, match="not what"):
        pull(tmp_path / "got")
    assert not (tmp_path / "got" / VAE).exists()
    served.forged.clear()
    pull(tmp_path / "got")
    assert (tmp_path / "got" / VAE).read_bytes() == (served.repositories[DIT] / VAE).read_bytes()


def test_an_audio_encoder_that_lies_beside_the_directory_is_not_fetched_twice(served: Hub, tmp_path: Path) -> None:
    to = tmp_path / "models" / "flashtalk"
    shutil.copytree(served.repositories[AUDIO], to.parent / AUDIO_DIR)
    pull(to)
    assert not (to / AUDIO_DIR).exists() and "pytorch_model.bin" not in {name for name, _ in served.taken}


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(2 * 10**9, 10**9, 10**9))
    with pytest.raises(ConfigError, match=r"1\.0 GB free, 1\.0 GB are needed: name another disk"):
        pull(tmp_path / "got")
    assert served.taken == []


def test_without_a_network_the_endpoint_and_the_way_out_are_named(tmp_path: Path) -> None:
    done = command("pull", "flashtalk", "--to", tmp_path / "got", HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr and "HF_ENDPOINT" in done.stderr


def test_a_hub_that_is_forbidden_or_lacks_the_repository_or_a_file_is_named(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (served.repositories[DIT] / VAE).unlink()
    with pytest.raises(ConfigError, match=f"has no {VAE}"):
        pull(tmp_path / "got")
    served.repositories = {}
    with pytest.raises(ConfigError, match="has no such repository"):
        pull(tmp_path / "got")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match="HF_HUB_OFFLINE"):
        pull(tmp_path / "got")


def test_without_the_package_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"pip install 'broadcaster\[flashtalk\]'"):
        pull(tmp_path / "got")
    with pytest.raises(ConfigError, match="there are: flashtalk"):
        download.pull("flashtok", tmp_path, print)


# ── check and convert ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model_dir(tmp_path / "model")


def test_check_says_whole_and_exits_with_0_or_names_the_fault_and_exits_with_1(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", model) == 0
    assert f"{model}: whole" in capsys.readouterr().out
    (model / VAE).write_bytes((model / VAE).read_bytes()[:-100])
    assert run("check", model) == 1
    printed = capsys.readouterr().out
    assert f"{model / VAE}: cut short" in printed and f"models pull flashtalk --to {model}" in printed
    assert run("check", model, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["good"] is False and [fault["kind"] for fault in told["faults"]] == ["unreadable"]
    assert {part["network"] for part in told["parts"]} == {"dit", "wav2vec2", "umt5", "clip"}


def test_convert_makes_a_file_that_check_calls_whole(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = model.parent / "flashtalk.safetensors"
    assert run("convert", model, "-o", out) == 0
    assert run("check", out) == 0 and f"{out}: whole" in capsys.readouterr().out
    assert opened(out).fingerprint == opened(model).fingerprint


def test_without_torch_the_commands_name_what_to_install(model: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from broadcaster.cli.app import main; main()"
    for words in (("check", model), ("convert", model, "-o", model.parent / "run.safetensors")):
        done = subprocess.run(
            [sys.executable, "-c", code, "models", *map(str, words)], capture_output=True, text=True, cwd=ROOT
        )
        assert done.returncode == 2
        assert done.stderr == "error: torch cannot be imported: pip install 'broadcaster[flashtalk]'\n"


# ── flashhead ────────────────────────────────────────────────────────────────────────────────────


def test_flashhead_is_pulled_without_what_is_not_needed_and_checked_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    released = write_head_dir(tmp_path / "released")
    shutil.move(released / HEAD_AUDIO_DIR, tmp_path / "audio")
    repository, audio = (wanted.repository for wanted in download.FLASHHEAD)
    to = tmp_path / "models" / "flashhead"
    with hub({repository: released, audio: tmp_path / "audio"}) as mirror:
        monkeypatch.setenv("HF_ENDPOINT", mirror.url)
        download.pull("flashhead", to, lambda _: None)
    assert {path.name for path in to.iterdir()} == {"Model_Pro", "Model_Lite", "VAE_Wan", "VAE_LTX", HEAD_AUDIO_DIR}
    shutil.copy(released / "VAE_Wan" / "config.json", to / "VAE_Wan")  # the sizes of this tiny one
    monkeypatch.chdir(tmp_path)
    assert run("check", "flashhead") == 0
    assert "models/flashhead: whole" in capsys.readouterr().out
