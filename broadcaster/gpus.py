"""How many NVIDIA GPUs a child would see, without loading what could use them.

In: the environment, /proc, and `nvidia-smi` where /proc says nothing. Out: a number; 0 when there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
DRIVER = Path("/proc/driver/nvidia/gpus")  # a directory for each
TOOL_S = 5.0  # nvidia-smi starts the driver when nobody else has


def count() -> int:
    present = _present()
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return present
    named = []
    for name in (part.strip() for part in visible.split(",")):
        if not name or name.startswith("-"):
            break  # the driver's rule: what follows an invalid one is not seen
        named.append(name)
    return min(len(named), present) if present else len(named)


def _present() -> int:
    try:
        return sum(1 for _ in DRIVER.iterdir())
    except OSError:
        return _listed()


def _listed() -> int:
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        said = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=TOOL_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in said.splitlines())
