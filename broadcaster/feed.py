"""The director's sockets: questions of engines in, hops of speech and cuts out.

In: SpeechDemand on a ROUTER that engines dial. Out: AudioChunk to the engine that asked, Cut to playout. It decides
nothing. Plain zmq on the event loop by its file descriptor, so that an answer leaves in the same turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
import zmq

from pipeline import link
from pipeline.arrays import Pcm
from pipeline.errors import WireError
from pipeline.wire import AudioChunk, Cut, SpeechDemand, decode

NAME = "director"

log = structlog.get_logger()


class Feed:
    """`on_demand(demand, sender)` is called on the loop for each question."""

    def __init__(self, runtime_dir: Path, on_demand: Callable[[SpeechDemand, bytes], None]) -> None:
        self._runtime_dir = runtime_dir
        self._on_demand = on_demand
        self._context: zmq.Context[Any] = zmq.Context()

    def open(self) -> None:
        self._speech = link.bind(self._context, self._runtime_dir, link.SPEECH)
        self._control = link.connect(self._context, self._runtime_dir, link.CONTROL, NAME)
        self._fd = self._speech.getsockopt(zmq.FD)
        asyncio.get_running_loop().add_reader(self._fd, self.poll)

    def poll(self) -> None:
        """Read all that has come. The descriptor tells of changes only, so this runs after each sending as well."""
        while parts := link.receive(self._speech):
            try:
                if len(parts) != 2:
                    raise WireError(f"{len(parts)} parts instead of 2")
                demand = decode(parts[1], SpeechDemand)
                if demand.hop_samples <= 0 or demand.ahead_samples < 0:
                    raise WireError(f"a hop of {demand.hop_samples} samples")
            except WireError as error:
                log.warning("demand.dropped", reason=str(error))
                continue
            self._on_demand(demand, bytes(parts[0]))

    def answer(self, to: bytes, chunk: AudioChunk, air: Pcm, drive: Pcm) -> bool:
        """Send a hop; false when the engine cannot take it."""
        taken = link.send(self._speech, chunk, air, drive, to=to)
        asyncio.get_running_loop().call_soon(self.poll)
        return taken

    def cut(self, cut: Cut) -> bool:
        return link.send(self._control, cut)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        self._context.destroy(linger=0)
