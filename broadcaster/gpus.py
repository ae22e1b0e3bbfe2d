"""How many NVIDIA GPUs a child would see, and how much it may fill, without loading what could use them.

In: the environment, /proc, and `nvidia-smi` where /proc says nothing. Out: numbers; 0 when there is no GPU.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
DRIVER = Path("/proc/driver/nvidia/gpus")  # a directory for each
TOOL_S = 5.0  # nvidia-smi starts the driver when nobody else has
GB, MIB = 1e9, 2**20


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


def memory_gb(device: str) -> float:
    """Memory of the smallest GPU of this machine, or of the host where engines with weights compute there, 10⁹ bytes.

    device: as in a configuration. 0 when nobody says how much a GPU has.
    """
    if device == "cpu" or not count():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GB
    sizes = [int(line) for line in _told("--query-gpu=memory.total", "--format=csv,noheader,nounits") if line.isdigit()]
    return min(sizes, default=0) * MIB / GB


def _present() -> int:
    try:
        return sum(1 for _ in DRIVER.iterdir())
    except OSError:
        return sum(line.startswith("GPU ") for line in _told("-L"))


def _told(*arguments: str) -> list[str]:
    """What nvidia-smi says, by lines; none when it is not there or does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        said = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=TOOL_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in said.splitlines()]
