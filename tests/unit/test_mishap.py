"""What libraries say of memory and cards, and what it means for the choice of an engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import follower
from pipeline.errors import CardLost, EngineError, OutOfMemory
from pipeline.lifeline import Lifeline
from pipeline.mishap import LAST_WORDS, meaning
from pipeline.worker import WorkerSpec


def of_torch() -> RuntimeError:
    """What torch itself says when the machine has not that much."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**14)
    return caught.value


def of_numpy() -> MemoryError:
    with pytest.raises(MemoryError) as caught:
        np.empty(10**15)
    return caught.value


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), OutOfMemory),
        (of_torch(), OutOfMemory),
        (of_numpy(), OutOfMemory),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), OutOfMemory),
        (EngineError("rank 1 gave up: CUDA out of memory. Tried to allocate"), OutOfMemory),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), CardLost),
        (RuntimeError("No CUDA GPUs are available"), CardLost),
        (RuntimeError("CUDA error: invalid device ordinal"), CardLost),
        (CardLost("4 ranks need as many GPUs, and 3 can be used"), CardLost),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), None),
        (RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"), None),
        (EngineError("rank 1 is gone"), None),
    ],
)
def test_an_exception_says_whether_a_lighter_engine_or_fewer_cards_may_help(
    error: Exception, means: type[EngineError] | None
) -> None:
    found = meaning(error)
    assert found is None if means is None else type(found) is means
    if found is not None:
        assert str(error)[:40] in str(found)


def test_a_page_of_advice_is_cut_short() -> None:
    assert len(str(meaning(MemoryError("x" * 5000)))) < LAST_WORDS + 40


@pytest.mark.parametrize(
    ("raised", "means"),
    [(MemoryError("no room"), OutOfMemory), (KeyError("x"), KeyError), (EngineError("y"), EngineError)],
)
def test_whatever_comes_through_an_engine_ends_its_process_with_what_it_means(
    raised: Exception, means: type[Exception], tmp_path: Path
) -> None:
    line, _theirs = Lifeline.pair()
    spec = WorkerSpec("a", "pattern", str(tmp_path), str(tmp_path), image="", width=128, height=128, seed=0)
    with pytest.raises(means) as caught, follower.equipped(spec, follower.Pulse(line)):
        raise raised
    assert type(caught.value) is means
