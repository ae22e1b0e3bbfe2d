from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import heap
from pipeline.clock import FakeClock

HOLES = """
from pathlib import Path
from pipeline.heap import give_back
def mb(): return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
kept = [bytes(20_000) for _ in range(4_000)]
del kept[::2], kept[::2], kept[::2]
before = mb()
give_back()
print(before - mb())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc")
def test_what_lies_between_pieces_in_use_goes_back_to_the_system() -> None:
    environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "MALLOC_MMAP_THRESHOLD_": "1000000"}
    done = subprocess.run([sys.executable, "-c", HOLES], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 30.0, "of the 70 MB that were freed"


def test_a_c_library_that_cannot_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_trim", lambda: None)
    heap.give_back()


def test_a_process_that_is_busy_gives_back_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    clock = FakeClock()
    monkeypatch.setattr(heap, "give_back", lambda: given.append(clock.now_ns()))
    began_ns, tidy = clock.now_ns(), heap.Tidy(clock)
    for _ in range(3 * 60 * 25 + 1):
        tidy()
        clock.advance(0.04)
    assert [round((at_ns - began_ns) / 1e9) for at_ns in given] == [60, 120, 180]
