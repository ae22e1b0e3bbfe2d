"""N ranks on gloo for tests: a function runs on every rank of one gang, and the results come back in order.

    def double(gang: Gang, x: torch.Tensor) -> torch.Tensor:      # at module level: it travels by name
        return 2 * x + gang.rank

    def test_something() -> None:
        with Ranks(4) as ranks:                  # spawned once (about 1 s); used for as many calls as you like
            results = ranks.run(double, x)       # [result of rank 0, … of rank 3], or RankFailed

torch.distributed's default group is up in every rank. Each rank computes with one thread. A rank that raises in `run`
closes its gang with the error as reason; these ranks cannot be used again. `kill`, `stop` are for tests of failure.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import socket
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

LOOPBACK = "127.0.0.1"
READY_S = 60.0
RUN_S = 60.0

# Plain pickle on the pipes: torch's own would share memory with a process that may be killed.
# Forked from a server that has read what ranks run and done nothing else: eight imports of torch on two cores take
# 10 s, those of the networks and of what tests of them need some more.
_CONTEXT = multiprocessing.get_context("forkserver")
_READ = ("torch", "torch.distributed", "numpy", "pytest", "msgspec", "safetensors.torch")
_READ += ("pipeline.parallel.gang", "pipeline.parallel.strategy", "pipeline.attention")
_READ += ("pipeline.models.flashtalk", "pipeline.models.wan_tiles", "tests.golden")
_CONTEXT.set_forkserver_preload(list(_READ))


class RankFailed(AssertionError):
    """A rank raised. `rank`, `kind` (the class's name), `text` (the message); the traceback is in the text shown."""

    def __init__(self, rank: int, kind: str, text: str, trace: str) -> None:
        super().__init__(f"rank {rank}: {kind}: {text}\n{trace}")
        self.rank = rank
        self.kind = kind
        self.text = text


class Ranks:
    """A gang of `world` processes. timeout_s: the gang's, for collectives and answers."""

    def __init__(self, world: int, timeout_s: float = 20.0) -> None:
        self.world = world
        self._timeout_s = timeout_s
        self._stopped: list[int] = []

    def __enter__(self) -> Ranks:
        port = free_port()
        self._pipes: list[Connection] = []
        self.processes: list[Any] = []
        for rank in range(self.world):
            ours, theirs = _CONTEXT.Pipe()
            process = _CONTEXT.Process(
                target=_serve, args=(theirs, rank, self.world, port, self._timeout_s), daemon=True, name=f"rank{rank}"
            )
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self.processes.append(process)
        try:
            self.collect(READY_S)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    def run(self, function: Callable[..., Any], *args: Any, within_s: float = RUN_S) -> list[Any]:
        """Call function(gang, *args) on every rank; the results by rank, or RankFailed."""
        self.begin(function, *args)
        return self.collect(within_s)

    def begin(self, function: Callable[..., Any], *args: Any, only: list[int] | None = None) -> None:
        """Start function(gang, *args) on all ranks, or on some, and do not wait."""
        for rank in range(self.world) if only is None else only:
            self._pipes[rank].send_bytes(pickle.dumps((function, args)))

    def collect(self, within_s: float = RUN_S, only: list[int] | None = None) -> list[Any]:
        """The results of what was begun; RankFailed (the first that came) when a rank raised or died."""
        results: dict[int, Any] = {}
        expected = set(range(self.world) if only is None else only)
        until = time.monotonic() + within_s
        while expected:
            ready = wait([self._pipes[rank] for rank in expected], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError(f"ranks {sorted(expected)} gave no result within {within_s} s")
            for rank in [rank for rank in expected if self._pipes[rank] in ready]:
                results[rank] = self._result(rank)
                expected.discard(rank)
        return [results[rank] for rank in sorted(results)]

    def outcome(self, rank: int, within_s: float = RUN_S) -> Any:
        """What one rank's call gave: its result, or the RankFailed that `collect` would raise."""
        if not self._pipes[rank].poll(within_s):
            raise TimeoutError(f"rank {rank} gave no result within {within_s} s")
        try:
            return self._result(rank)
        except RankFailed as error:
            return error

    def kill(self, rank: int) -> None:
        self.processes[rank].kill()
        self.processes[rank].join()

    def stop(self, rank: int) -> None:
        os.kill(self.processes[rank].pid, signal.SIGSTOP)
        self._stopped.append(rank)

    def _result(self, rank: int) -> Any:
        try:
            good, value = pickle.loads(self._pipes[rank].recv_bytes())
        except (EOFError, ConnectionResetError):
            raise RankFailed(rank, "died", "its process ended", "") from None
        if not good:
            raise RankFailed(rank, *value)
        return value

    def _end(self) -> None:
        for rank in self._stopped:
            self.kill(rank)  # it hears nothing else
        for pipe in self._pipes:
            try:
                pipe.send_bytes(pickle.dumps(None))
            except OSError:
                pass  # it died
        until = time.monotonic() + 5
        for process in self.processes:
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        for pipe in self._pipes:
            pipe.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _serve(pipe: Connection, rank: int, world: int, port: int, timeout_s: float) -> None:
    import torch

    from pipeline.parallel import gang as gangs

    torch.set_num_threads(1)
    gang = None
    reason = ""
    try:
        gang = gangs.start(rank, world, LOOPBACK, port, torch.device("cpu"), timeout_s, join_s=READY_S)
        pipe.send_bytes(pickle.dumps((True, None)))
        while (order := pickle.loads(pipe.recv_bytes())) is not None:
            function, args = order
            pipe.send_bytes(pickle.dumps((True, function(gang, *args))))
    except EOFError:
        pass  # the test is gone
    except Exception as error:  # noqa: BLE001 - the top of a rank's loop
        reason = str(error) or type(error).__name__
        pipe.send_bytes(pickle.dumps((False, (type(error).__name__, str(error), traceback.format_exc()))))
    finally:
        if gang is not None:
            gang.close(reason)
