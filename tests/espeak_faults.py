"""The offline voice's library, failing in every way that a library in our own process can.

`patch` stands between tts.espeak and libespeak-ng; what it does is in a file, so that a test outside may change it:
the name of a fault, or nothing for health.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np

from tts import espeak

GONE = "gone"  # the library cannot be opened any more
CRASH = "crash"  # it takes the process with it, once
FAULTS = (GONE, "no voice", "error", "dies", "hang", "half then hang", "empty", "silence", "noise", CRASH)
STAYING = tuple(fault for fault in FAULTS if fault != CRASH)  #: those that last until they are taken away
GOOD_BUFFERS = 4  # a quarter of a second
NOT_FOUND, INTERNAL_ERROR = 2, -1


class FaultyLibrary:
    """libespeak-ng as tts.espeak calls it."""

    def __init__(self, library: ctypes.CDLL, fault: Path) -> None:
        self._library = library
        self._fault = fault
        self._buffers = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def espeak_SetSynthCallback(self, callback: Any) -> None:
        self._taker = callback
        self._between = espeak._Callback(self._take)
        self._library.espeak_SetSynthCallback(self._between)

    def espeak_SetVoiceByName(self, name: bytes) -> int:
        return NOT_FOUND if self._is("no voice") else int(self._library.espeak_SetVoiceByName(name))

    def espeak_Synth(self, *arguments: Any) -> int:
        self._buffers = 0
        if self._is(CRASH):
            self._fault.write_text("")
            os.kill(os.getpid(), signal.SIGSEGV)
        if self._is("error"):
            return INTERNAL_ERROR
        if self._is("hang"):
            self._hang()
        code = int(self._library.espeak_Synth(*arguments))
        return INTERNAL_ERROR if self._is("dies") else code

    def _take(self, wave: Any, count: int, events: Any) -> int:
        self._buffers += 1
        if self._is("empty") or (self._is("dies") and self._buffers > GOOD_BUFFERS):
            return 0
        if self._is("half then hang") and self._buffers > GOOD_BUFFERS:
            self._hang()
        if wave and count and (self._is("silence") or self._is("noise")):
            loud = 20_000 * self._is("noise")
            sound = np.random.default_rng(count).integers(-loud, loud + 1, count).astype(np.int16)
            return int(self._taker(sound.ctypes.data_as(ctypes.POINTER(ctypes.c_short)), count, events))
        return int(self._taker(wave, count, events))

    def _is(self, fault: str) -> bool:
        return self._fault.read_text() == fault

    def _hang(self) -> None:
        hanging = self._fault.read_text()
        while self._is(hanging):
            time.sleep(0.01)


def patch(fault: Path) -> None:
    """Have the library of this process fail as the file says, from its first call on."""
    found, made = espeakng_loader.get_library_path, espeak._Library.__init__

    def path() -> str:
        if fault.read_text() == GONE:
            raise RuntimeError("no such library")
        return str(found())

    def between(library: espeak._Library) -> None:
        made(library)
        library._lib = FaultyLibrary(library._lib, fault)  # type: ignore[assignment]

    opened = espeak._library

    def reopened() -> espeak._Library:
        if fault.read_text() == GONE:
            opened.cache_clear()
        return opened()

    setattr(espeakng_loader, "get_library_path", path)  # noqa: B010
    setattr(espeak._Library, "__init__", between)  # noqa: B010
    setattr(espeak, "_library", reopened)  # noqa: B010
