"""The GPU benchmark: runs with torch alone, says every figure as it comes, and goes on after what fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import results
from benchmarks.gpu.__main__ import PARTS, main
from benchmarks.gpu.attempt import NotHere, attempted
from benchmarks.gpu.results import Report, Row
from benchmarks.gpu.timing import Budget, OutOfTime, Stopwatch

ROOT = Path(__file__).parents[2]
# What torch 2.11, triton, numpy and safetensors need, and nothing more: any other import fails as if it were not there.
ALONE = """
import runpy, sys
ALLOWED = {"torch", "functorch", "torchgen", "triton", "numpy", "safetensors", "benchmarks", "pipeline",
           "typing_extensions", "sympy", "mpmath", "networkx", "jinja2", "markupsafe", "filelock", "fsspec",
           "setuptools", "packaging"}
class Only:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        here = top in ALLOWED or top in sys.stdlib_module_names or top.startswith("_")
        return self.finder.find_spec(name, path, target) if here else None
sys.meta_path = [Only(finder) for finder in sys.meta_path if hasattr(finder, "find_spec")]
for name in ("av", "zmq", "msgspec", "pydantic", "cv2", "PIL", "structlog", "transformers", "redis", "yaml", "scipy"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{name} can still be imported")
sys.argv[0] = "benchmarks.gpu"
runpy.run_module("benchmarks.gpu", run_name="__main__", alter_sys=True)
"""


def alone(*arguments: str, limit_s: int = 110) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", ALONE, *arguments],
        capture_output=True, text=True, cwd=ROOT, env=environment, timeout=limit_s, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A whole run of tiny networks on the CPU, with nothing installed but torch and its own needs."""
    kept = tmp_path_factory.mktemp("bench") / "rows.json"
    done = alone("--device", "cpu", "--tiny", "--sizes", "16x32", "--minutes", "2", "--json", str(kept), "--markdown")
    return done, kept


def test_it_runs_with_torch_alone_and_every_part_has_figures(
    tiny: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, kept = tiny
    assert done.returncode == 0, done.stdout + done.stderr
    _, rows = results.read(kept)
    measured = {row.part for row in rows if row.value is not None}
    assert measured == set(PARTS.split(","))
    assert not [row for row in rows if row.failed]


def test_a_chunk_is_told_stage_by_stage_and_the_stages_are_all_of_it(
    tiny: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    _, rows = results.read(tiny[1])
    values = {row.name: row.value for row in rows if row.part == "chunk" and row.value is not None}
    stages = {name: value for name, value in values.items() if name.startswith("· ") and "slowest" not in name}
    assert {f"· step {number}" for number in (1, 2, 3, 4)} | {"· decode", "· encode", "· audio K/V"} <= set(stages)
    assert sum(stages.values()) == pytest.approx(values["chunk: 8 s of sound to 28 frames on the host"], rel=0.02)


def test_the_rows_for_the_page_carry_hardware_commit_and_command(
    tiny: tuple[subprocess.CompletedProcess[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    done, kept = tiny
    assert main(["--show", str(kept)]) == 0
    page = capsys.readouterr().out
    assert page.strip() in done.stdout
    head = page.splitlines()[0]
    assert "hardware " in head and "commit " in head
    assert "`python3 -m benchmarks.gpu --device cpu --tiny" in head
    assert sum(line.startswith("| step | step, sdpa 16x32 |") for line in page.splitlines()) == 1


def test_without_a_gpu_it_prints_the_floor_of_an_h200_and_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    assert main([]) == 0
    page = capsys.readouterr().out
    assert "nothing is measured" in page
    lines = [line.split() for line in page.splitlines()]
    wide = lines.index(next(line for line in lines if line[:1] == ["448x768:"]))
    assert lines[wide + 2][:6] == ["bf16", "1", "592", "122.9", "11.7", "2503"]
    assert [line[5] for line in lines[wide + 10 : wide + 14]] == ["1382", "691", "345", "173"]


def test_the_floor_of_a_named_card_says_where_it_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--card", "rtx-4090", "--sizes", "416x720"]) == 0
    page = capsys.readouterr().out
    assert "416x720: 10530 tokens" in page and "448x768" not in page.partition("Published")[0]
    assert next(line for line in page.splitlines() if line.split()[:2] == ["bf16", "1"]).endswith("does not fit")


def test_a_card_without_fp8_has_no_fp8_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--card", "a100", "--sizes", "416x720"]) == 0
    assert capsys.readouterr().out.count("this card has no FP8 units") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--card", "abacus"], "known: h200"),
        (["--sizes", "417x720"], "multiples of 16 and 16"),
        (["--sizes", "big"], "416x720,448x768 would be right"),
        (["--device", "cpu"], "add --tiny"),
        (["--device", "cpu", "--tiny", "--parts", "step,stop"], "unknown stop"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_would_be_right(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_parts_for_which_the_time_is_up_are_named_and_the_run_says_it_failed() -> None:
    done = alone("--device", "cpu", "--tiny", "--sizes", "16x32", "--minutes", "0.001", "--parts", "card,conv")
    assert done.returncode == 1, done.stderr
    assert "DROPPED for want of time (0.001 minutes): card: card, conv: conv3d" in done.stdout


def failing(error: Exception) -> Iterator[Row]:
    yield Row("part", "before", 1.0)
    raise error


@pytest.mark.parametrize(
    ("error", "said", "failed"),
    [
        (torch.OutOfMemoryError("tried to allocate 37 GiB"), "out of memory: tried to allocate 37 GiB", True),
        (RuntimeError("no kernel\nimage"), "RuntimeError: no kernel image", True),
        (OutOfTime("needs about 9 s"), "DROPPED, no time: needs about 9 s", True),
        (NotHere("no such package"), "not here: no such package", False),
    ],
)
def test_what_fails_is_a_row_after_those_that_were_measured(error: Exception, said: str, failed: bool) -> None:
    rows = list(attempted("part", "name", "16x32", lambda: failing(error)))
    assert [row.name for row in rows] == ["before", "name"]
    assert (rows[1].note, rows[1].failed, rows[1].value) == (said, failed, None)


def test_a_row_is_printed_and_kept_before_the_next_one_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report({"hardware": "abacus"}, tmp_path / "rows.json")
    report.open()
    report.add(Row("part", "one", 12.34, "ms", "16x32", floor=1.0))
    assert "one 16x32" in capsys.readouterr().out
    assert json.loads((tmp_path / "rows.json").read_text(encoding="utf-8").splitlines()[-1])["value"] == 12.34
    report.open()
    report.add(Row("part", "two", failed=True))
    setting, rows = results.read(tmp_path / "rows.json")
    assert (setting, [row.name for row in rows]) == ({"hardware": "abacus"}, ["two"])  # the last run alone


def test_a_call_is_timed_until_the_budget_ends_and_not_begun_after_it() -> None:
    calls: list[float] = []

    def slow() -> None:
        time.sleep(0.02)
        calls.append(time.monotonic())

    watch = Stopwatch(torch.device("cpu"), Budget.of(0.2 / 60))
    taken = watch.times(slow, enough_s=10.0)
    assert 1 <= taken.calls <= 10 and taken.median >= 20 and len(calls) == taken.calls + 2
    with pytest.raises(OutOfTime):
        Stopwatch(torch.device("cpu"), Budget.of(0)).times(slow)
    assert len(calls) == taken.calls + 2
