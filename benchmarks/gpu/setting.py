"""What every part of a run is given, and what there is to say about the machine it runs on."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch

from benchmarks.gpu.networks import Networks
from benchmarks.gpu.timing import Stopwatch
from pipeline.cards import Card, card_found

ROOT = Path(__file__).parents[2]


@dataclass
class Bench:
    """sizes: (width, height). card: as in the table, until the part `card` has measured this one."""

    device: torch.device
    sizes: tuple[tuple[int, int], ...]
    watch: Stopwatch
    networks: Networks
    card: Card
    import_s: float = 0.0  # from the start of the process until torch was imported
    device_s: float = 0.0  # the first tensor on the device

    peak_note = "all networks that are loaded, and its activations"

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def full(self) -> bool:
        return self.networks.configs.full

    def floor_ms(self, flops: float) -> float | None:
        """At the rate of this card's product; None where that is not known."""
        return flops / self.card.bf16_tflops / 1e9 if self.card.bf16_tflops else None

    def moving_ms(self, moved: float) -> float | None:
        """So many bytes at the rate of this card's copy."""
        return moved / self.card.bandwidth_gbs / 1e6 if self.card.bandwidth_gbs else None

    def start_peak(self) -> None:
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_gb(self) -> float | None:
        """Most memory that was allocated since `start_peak`; None without a GPU."""
        return torch.cuda.max_memory_allocated(self.device) / 1e9 if self.on_gpu else None


def times_name(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def card_of(device: torch.device) -> Card:
    """From the table; for a card not in it, rates are 0 until they are measured."""
    if device.type != "cuda":
        return Card(platform.machine(), 0, 0, 0, 0)
    properties = torch.cuda.get_device_properties(device)
    found = card_found(properties.name)
    return found or Card(properties.name, 0, 0, 0, properties.total_memory / 1e9)


def machine(device: torch.device, command: str) -> dict[str, str]:
    """For the head of the page, in the order of its printing."""
    told = {"hardware": platform.processor() or platform.machine()}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        told["hardware"] = f"{properties.name}, {properties.total_memory / 1e9:.0f} GB"
        told["CUDA"] = str(torch.version.cuda)
        told["cuDNN"] = str(torch.backends.cudnn.version())
    told["torch"] = str(torch.__version__)
    told["triton"] = _triton()
    told["Python"] = platform.python_version()
    told["cores"] = str(os.cpu_count())
    told["commit"] = commit()
    told["date"] = time.strftime("%Y-%m-%d")
    told["command"] = command
    return told


def commit() -> str:
    """Of the checkout, with -dirty when files differ from it; "unknown" where there is no git or no repository."""
    call = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        found = subprocess.run(call, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return found.stdout.strip() or "unknown"


def since_start_s() -> float:
    """Seconds since this process began; 0 where the system does not tell."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        began = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - began)
    except (OSError, AttributeError, IndexError, ValueError):
        return 0.0


def _triton() -> str:
    try:
        return str(import_module("triton").__version__)
    except ImportError:
        return "none"
