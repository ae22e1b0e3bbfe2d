"""Noise as a function of (seed, segment, draw): there is no generator whose state could be lost or fall out of step.

In: three numbers and a shape. Out: standard normal numbers, the same on every device, rank and restart. The numbers
are made on the host by a counter-based generator (Philox 4x64, NumPy's ziggurat; D. E. Shaw Research, SC'11): the seed
and the segment are its key, the draw is the top word of its counter, so no two draws share a number. Device generators
are not used: each device type has another stream, and none can be entered in its middle.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_WORD = 1 << 64


def draw(
    seed: int,
    segment: int,
    draw: int,
    shape: Sequence[int],
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Standard normal numbers of that shape. `seed` may be any integer; segment and draw count from 0.

    The copy to a GPU is queued and not waited for, so drawing runs beside the network.
    """
    assert segment >= 0 and draw >= 0, (segment, draw)
    key = np.array([seed % _WORD, segment], np.uint64)
    bits = np.random.Philox(key=key, counter=np.array([0, 0, 0, draw], np.uint64))
    numbers = torch.from_numpy(np.random.Generator(bits).standard_normal(tuple(shape), dtype=np.float32))
    if torch.device(device).type == "cuda":
        numbers = numbers.pin_memory()
    return numbers.to(device=device, dtype=dtype, non_blocking=True)
