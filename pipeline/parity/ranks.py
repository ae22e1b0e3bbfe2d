"""Golden cases spread over ranks of this machine: a gang of processes for one comparison.

In: a directory and names of its cases. Out: an `Outcome` for each, as rank 0 found it; that all ranks found the same is
part of it. On a CPU the ranks talk by gloo, on GPUs by NCCL, one GPU each. All processes end with the comparison.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import EngineError
from pipeline.parity.cases import kind_of
from pipeline.parity.golden import Case, GoldenDir
from pipeline.parity.run import Outcome, Row, run
from pipeline.parity.seat import Seat

LOOPBACK = "127.0.0.1"
PATIENCE_S = 60.0  #: for the slowest rank of a case
END_S = 10.0  #: what processes may take to end after the last case


def run_spread(
    directory: Path, names: Sequence[str], world: int, device: torch.device, strategy: str
) -> Iterator[Outcome]:
    """Outcomes as they come. A rank that dies fails the case it was at and all after it."""
    context = multiprocessing.get_context("forkserver")  # torch is imported once, not once a rank
    context.set_forkserver_preload(["torch", "torch.distributed", __name__])
    port = _free_port()
    ours, theirs = context.Pipe(duplex=False)
    processes = [
        context.Process(
            target=_serve,
            args=(rank, world, port, str(directory), list(names), str(device), strategy, theirs if rank == 0 else None),
            daemon=True,
        )
        for rank in range(world)
    ]
    for process in processes:
        process.start()
    theirs.close()
    left = list(names)
    broken = ""
    try:
        while left and not broken:
            try:
                wait([ours, *(process.sentinel for process in processes)])
                said: dict[str, Any] = json.loads(ours.recv_bytes()) if ours.poll(PATIENCE_S) else {}
            except EOFError:
                said = {}
            broken = str(said.get("broken", "")) or ("" if said else "a rank died")
            if not broken:
                rows = tuple(Row(**row) for row in said.pop("rows"))
                yield Outcome(**{**said, "rows": rows, "left": tuple(said["left"])})
                left.remove(said["case"])
    finally:
        for process in processes:
            process.join(0 if broken else END_S)
            if process.is_alive():
                process.kill()
                process.join()
        ours.close()
    for name in left:
        yield Outcome(name, world, reason=broken, failed=True)


def _serve(
    rank: int,
    world: int,
    port: int,
    directory: str,
    names: list[str],
    device: str,
    strategy: str,
    pipe: Connection | None,
) -> None:
    """One rank; rank 0 has the pipe."""
    from pipeline.parallel import gang as gangs
    from pipeline.parallel.members import Members

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // world))
    own = torch.device("cuda", rank) if device.startswith("cuda") else torch.device(device)
    gang = None
    reason = ""
    try:
        gang = gangs.start(rank, world, LOOPBACK, port, own)
        seat = Seat(own, Members(), strategy)
        for index, case in enumerate(_named(GoldenDir(Path(directory)), names)):
            kind = kind_of(case)
            assert kind is not None
            outcome = run(case, kind, seat)
            gang.agree(index, case.name, b"failed" if outcome.failed else b"run", PATIENCE_S)
            if pipe is not None:
                pipe.send_bytes(json.dumps(asdict(outcome)).encode())
    except EngineError as error:
        reason = str(error)
        if pipe is not None:
            pipe.send_bytes(json.dumps({"broken": reason}).encode())
    finally:
        if gang is not None:
            gang.close(reason)


def _named(directory: GoldenDir, names: Sequence[str]) -> Iterator[Case]:
    for case in directory.cases():
        if isinstance(case, Case) and case.name in names:
            yield case


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
