"""What the first card here can do, measured in a second: a large product, a large copy, a copy from the host.

In: nothing. Out: a `Machine`. Nothing is left on the card; what other programs do there meanwhile makes it look slower.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.attention import available
from pipeline.cards import Card
from pipeline.errors import EngineError

PRODUCT_SIDE = 8192  #: of the square matrices multiplied
COPY_BYTES = 1 << 30
LINK_BYTES = 1 << 28
TRIES = 5  #: the best one counts: others may use the card as well


@dataclass(frozen=True, slots=True)
class Machine:
    """The first card. free_gb: not taken by other programs. link_gbs: from the host. host_gb: memory of the host."""

    card: Card
    free_gb: float
    link_gbs: float
    cards: int
    kernels: tuple[str, ...]
    host_gb: float


def kernels() -> tuple[str, ...]:
    """Of attention, those that work here, the best one first."""
    return tuple(available())


def probed(cards: int) -> Machine:
    """cards: how many there are. EngineError: torch sees none, or the first one does not work."""
    if not torch.cuda.is_available():
        raise EngineError(f"torch {torch.__version__} sees no GPU")
    device = torch.device("cuda", 0)
    try:
        free, total = torch.cuda.mem_get_info(device)
        copied, linked = _copies_gbs(device)
        name = torch.cuda.get_device_properties(device).name
        card = Card(name, _product_tflops(device), 0.0, copied, round(total / 1e9, 1), measured=True)
        return Machine(card, free / 1e9, linked, cards, kernels(), _host_gb())
    except RuntimeError as error:
        raise EngineError(f"the card does not work: {str(error).splitlines()[0]}") from None


def _product_tflops(device: torch.device) -> float:
    one = torch.randn(PRODUCT_SIDE, PRODUCT_SIDE, device=device, dtype=torch.bfloat16)
    out = torch.empty_like(one)
    return round(2 * PRODUCT_SIDE**3 / _best(lambda: torch.mm(one, one, out=out)) / 1e12, 1)


def _copies_gbs(device: torch.device) -> tuple[float, float]:
    """On the card, read and written counted; from the host's pinned memory."""
    here = torch.empty(COPY_BYTES, dtype=torch.uint8, device=device)
    there = torch.empty_like(here)
    host = torch.empty(LINK_BYTES, dtype=torch.uint8).pin_memory()
    copy_s = _best(lambda: there.copy_(here))
    link_s = _best(lambda: here[:LINK_BYTES].copy_(host, non_blocking=True))
    return round(2 * COPY_BYTES / copy_s / 1e9), round(LINK_BYTES / link_s / 1e9, 1)


def _best(work: Callable[[], Any]) -> float:
    """Seconds of the quickest of some tries, after one that does not count."""
    times = []
    for _ in range(TRIES + 1):
        torch.cuda.synchronize()
        began_s = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began_s)
    return min(times[1:])


def _host_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
