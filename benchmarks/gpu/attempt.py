"""What fails is a row like any other, and the rest goes on.

In: a measurement. Out: its rows, or one that says what went wrong: no memory, no time, an error's last words.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator

import torch

from benchmarks.gpu.results import Row
from benchmarks.gpu.timing import OutOfTime

WORDS_MOST = 110  # of an error's text


class NotHere(Exception):
    """This machine has not got what was to be measured; no failure."""


def attempted(part: str, name: str, size: str, measure: Callable[[], Iterable[Row]]) -> Iterator[Row]:
    """The rows of `measure` as they come; after an error, a row of that name that says which."""
    try:
        yield from measure()
        return
    except NotHere as error:
        lost = Row(part, name, size=size, note=f"not here: {_words(error)}")
    except OutOfTime as error:
        lost = Row(part, name, size=size, note=f"{OutOfTime.WORD}, no time: {error}", failed=True)
    except torch.OutOfMemoryError as error:
        lost = Row(part, name, size=size, note=f"out of memory: {_words(error)}", failed=True)
    except Exception as error:  # noqa: BLE001  a foreign kernel fails in any way it likes
        lost = Row(part, name, size=size, note=f"{type(error).__name__}: {_words(error)}", failed=True)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    yield lost


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= WORDS_MOST else f"{text[:WORDS_MOST]} ..."
