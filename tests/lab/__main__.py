"""`python -m tests.lab chaos | soak | days | evening …`: the laboratory's programs."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys

PROGRAMS = ("chaos", "soak", "days", "evening")


def main() -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the receivers share the machine with the room
    if len(sys.argv) < 2 or sys.argv[1] not in PROGRAMS:
        print(f"usage: python -m tests.lab {' | '.join(PROGRAMS)} [--help]")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no room stays on air
    gc.disable()  # a collection among a million arrivals would take longer than the gaps that are looked for
    return int(importlib.import_module(f"tests.lab.{sys.argv[1]}").main(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
