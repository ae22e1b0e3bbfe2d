"""What a library's exception says of the machine: out of memory, or a card that is gone. Pure.

In: an exception that came through an engine. Out: the EngineError that it means, with the library's last words, or None
when it means neither. torch is not imported: its exceptions are known by name and text.
"""

from __future__ import annotations

from pipeline.errors import CardLost, EngineError, OutOfMemory

OUT_OF_MEMORY = ("out of memory", "cublas_status_alloc_failed", "cudnn_status_alloc_failed", "cannot allocate memory")
LOST = (
    "gpu is lost",
    "fallen off the bus",
    "uncorrectable",  # ECC
    "device unavailable",
    "devices are busy or unavailable",
    "no cuda-capable device",
    "no cuda gpus are available",
    "invalid device ordinal",
    "hardware stack error",
)  # an illegal access or a failed launch is a fault of a programme more often than of a card: it is started again
FROM_CARDS = ("cuda", "nccl", "cudnn", "nvml", "gpu")
LAST_WORDS = 300  # characters; torch adds a page of advice


def meaning(error: BaseException) -> EngineError | None:
    """What an exception means for the choice of an engine; one of ours that already says so is returned as it is."""
    if isinstance(error, OutOfMemory | CardLost):
        return error
    said = str(error).strip()
    text = said.lower()
    words = f"{type(error).__name__}: {said[:LAST_WORDS]}"
    if isinstance(error, MemoryError) or any(phrase in text for phrase in OUT_OF_MEMORY):
        return OutOfMemory(words)
    is_lost = any(word in text for word in FROM_CARDS) and any(phrase in text for phrase in LOST)
    return CardLost(words) if is_lost else None
