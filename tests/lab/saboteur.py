"""Has the faults of a schedule happen to a stage, and end.

Faults of one target may overlap: what holds is what all of those that last say together. A process that is not there
just now cannot be signalled; that is told, and no fault.
"""

from __future__ import annotations

import heapq
import os
import signal
import time
from dataclasses import asdict
from typing import Any

from tests.lab.ingest import Behaviour
from tests.lab.schedule import Fault
from tests.lab.stage import Stage

SLOW_BYTES_PER_S = 40_000  # about half of a soak's bit rate
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
PROCESSES = {"engine": "engine-faulty", "director": "director", "redis": "redis", "preview": "pusher-preview"}
RECEIVER: dict[str, dict[str, Any]] = {
    "stalled": {"stalled": True},
    "silent": {"silent": True},
    "refusing": {"listening": False},
    "BadName": {"reject": "NetStream.Publish.BadName"},
    "slow": {"bytes_per_s": SLOW_BYTES_PER_S},
    "malformed": {"malformed": "amf"},
}
ANEW = ("silent", "refusing", "BadName", "malformed")  # what a connection that stands does not feel
ENGINE: dict[str, dict[str, Any]] = {
    "hang": {"hang": True},
    "raise": {"raise": "a fault of the soak"},
    "oom": {"oom": True},
    "slow": {"slow_factor": 1.5},
}


class Saboteur:
    """`run` blocks until the last fault is over."""

    def __init__(self, stage: Stage) -> None:
        self.missed: list[Fault] = []  #: whose process was not there
        self._stage = stage
        self._lasting: list[Fault] = []

    def run(self, faults: list[Fault], began_s: float) -> None:
        """began_s: CLOCK_MONOTONIC of the soak's beginning."""
        waiting: list[tuple[float, int, Fault, bool]] = []
        for number, fault in enumerate(faults):
            heapq.heappush(waiting, (fault.at_s, number, fault, True))
        while waiting:
            at_s, number, fault, begins = heapq.heappop(waiting)
            time.sleep(max(0.0, began_s + at_s - time.monotonic()))
            if begins:
                self._begin(fault)
                if fault.lasts_s:
                    heapq.heappush(waiting, (at_s + fault.lasts_s, number, fault, False))
            else:
                self._end(fault)

    def _begin(self, fault: Fault) -> None:
        if fault.target in PROCESSES and fault.kind in SIGNALS:
            self._signal(fault, SIGNALS[fault.kind])
            return
        third = self._stage.third
        if fault.kind == "reset":
            third.reset()
        elif fault.kind == "hang up":
            third.hang_up()
        else:
            self._lasting.append(fault)
            self._settle(fault.target)
            if fault.target == "receiver" and fault.kind in ANEW:
                third.reset()

    def _end(self, fault: Fault) -> None:
        if fault.target in PROCESSES and fault.kind in SIGNALS:
            self._signal(fault, signal.SIGCONT)
            return
        self._lasting.remove(fault)
        self._settle(fault.target)
        if fault.target == "receiver" and fault.kind in ("silent", "malformed"):
            self._stage.third.reset()  # its program was started anew

    def _settle(self, target: str) -> None:
        """Tell a target all that holds now."""
        kinds = [fault.kind for fault in self._lasting if fault.target == target]
        if target == "receiver":
            told = asdict(Behaviour())
            for kind in kinds:
                told |= RECEIVER[kind]
            self._stage.third.behave(**told)
        elif target == "engine":
            orders: dict[str, Any] = {}
            for kind in kinds:
                orders |= ENGINE[kind]
            self._stage.station.order("engine", **orders)
        else:
            self._stage.station.order("voice", **dict.fromkeys(kinds, True))

    def _signal(self, fault: Fault, number: signal.Signals) -> None:
        pid = self._stage.pids().get(PROCESSES[fault.target])
        try:
            if pid is None:
                raise ProcessLookupError
            os.kill(pid, number)
        except ProcessLookupError:
            self.missed.append(fault)
