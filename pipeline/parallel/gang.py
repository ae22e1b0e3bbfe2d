"""The ranks that live and die together: how they find each other, agree, take calls and end.

Goes in: this process's rank, the number of ranks, where rank 0 is met, the device. Comes out: a Gang whose
torch.distributed default group is up (gloo on a CPU, NCCL on a GPU), with rank 0's line to every follower.
Two channels, because they wait differently: collectives end after `timeout_s` (15-30 s: a hung rank is noticed now,
not next week), while a follower may wait for rank 0's next call as long as nobody asks for a picture. A rank that
is gone or stands elsewhere in the programme is an EngineError that names it; nothing here retries. One thread per rank.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from pipeline.errors import ConfigError, EngineError
from pipeline.parallel import control
from pipeline.parallel.control import Gone, Kind, Line, Silent, ranks
from pipeline.parallel.members import TIMEOUT_S
from pipeline.parallel.record import packed, words

JOIN_S = 120.0  # processes that start together import torch at different speeds
ALIVE_EVERY_S = 1.0  # how often rank 0 says that it is there while nothing is to be done
FAREWELL_S = 0.5  # what an ending rank spends on telling the others
STORE_KEY = "gang/control"


def start(
    rank: int,
    world: int,
    address: str,
    port: int,
    device: torch.device,
    timeout_s: float = TIMEOUT_S,
    join_s: float = JOIN_S,
) -> Gang:
    """Meet the other ranks and start the process group. All ranks call it, rank 0 owns (address, port).

    device: this rank's; its type picks the backend. timeout_s: for collectives and answers. join_s: for the meeting.
    Raises ConfigError for a rank or device that cannot be, EngineError when the ranks do not come together.
    """
    if not 0 <= rank < world:
        raise ConfigError(f"rank {rank} of {world}: ranks count from 0 to {world - 1}")
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {device}: ranks work together on cpu (gloo) or cuda (NCCL)")
    if world == 1:
        return Gang(0, 1, device, timeout_s, {})
    if device.type == "cuda":
        torch.cuda.set_device(device)
    elif _is_loopback(address):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # else gloo looks up this machine's name, which may fail
    with _translated(f"rank {rank} of {world} cannot meet the others at {address}:{port}"):
        store = TCPStore(address, port, world, rank == 0, datetime.timedelta(seconds=join_s), wait_for_workers=False)
        lines = _connect(store, rank, world, address, join_s)
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            store=PrefixStore("gang/group", store),
            rank=rank,
            world_size=world,
            timeout=datetime.timedelta(seconds=timeout_s),
            device_id=device if device.type == "cuda" else None,
        )
    return Gang(rank, world, device, timeout_s, lines)


class Gang:
    """One rank's view of its gang. Used by one thread; made by `start`."""

    def __init__(
        self, rank: int, world: int, device: torch.device, timeout_s: float, lines: Mapping[int, Line]
    ) -> None:
        self.rank = rank
        self.world = world
        self.device = device
        self.timeout_s = timeout_s
        self._lines = dict(lines)  # by the rank at the other end: rank 0 has all, a follower only rank 0's
        self._told = time.monotonic()

    # ── rank 0 calls, followers obey ─────────────────────────────────────────────────────────────

    def tell(self, call: bytes) -> None:
        """Rank 0: hand a call to every follower. EngineError names a follower that is gone or takes nothing."""
        self._need(rank_0=True, what="tell")
        self._send_all(Kind.CALL, call)

    def alive(self) -> None:
        """Rank 0, from its idle loop: say that it is there (at most once a second); EngineError for a lost follower."""
        self._need(rank_0=True, what="alive")
        for rank, line in self._lines.items():
            while line.waiting():
                self._unexpected(rank, self._receive(rank, 0.0), "rank 0 is idle")
        if time.monotonic() - self._told >= ALIVE_EVERY_S:
            self._send_all(Kind.ALIVE, b"")

    def hear(self, silence_s: float | None = None, beat: Callable[[], None] | None = None) -> bytes | None:
        """A follower: wait for rank 0's next call; None when rank 0 ended in order.

        silence_s: how long rank 0 may say nothing, not even `alive`; None: as long as its line is open (a dead
        process closes it, a stopped one does not). beat: called at each `alive`. EngineError when rank 0 is gone,
        silent, or gave up for a reason.
        """
        self._need(rank_0=False, what="hear")
        while True:
            frame = self._receive(0, silence_s)
            if frame.kind is Kind.CALL:
                return frame.body
            if frame.kind is Kind.FAREWELL and not frame.body:
                return None
            if frame.kind is not Kind.ALIVE:
                self._unexpected(0, frame, f"rank {self.rank} waits for a call")
            if beat is not None:
                beat()

    # ── all ranks ────────────────────────────────────────────────────────────────────────────────

    def agree(self, step: int, what: str, digest: bytes, patience_s: float | None = None) -> None:
        """All ranks: go on only when every rank is at the same step, call and state; it is a meeting point as well.

        digest: a short hash of the state (see record.digest). patience_s: how long the others may take, timeout_s when
        None; loading weights may take longer. EngineError names the rank and both values, or who did not come.
        """
        if self.world == 1:
            return
        record = packed(step, what, digest)
        patience = self.timeout_s if patience_s is None else patience_s
        if self.rank == 0:
            self._judge(record, patience)
        else:
            self._be_judged(record, patience)

    def close(self, reason: str = "") -> None:
        """End this rank's part; the others read `reason` as the cause ("" = an orderly end). Never raises."""
        for line in self._lines.values():
            try:
                line.send(Kind.FAREWELL, reason.encode(), FAREWELL_S)
            except (Gone, Silent):
                pass  # it ended before us
            line.close()
        self._lines = {}
        # with a rank lost, NCCL would wait for it here: the process ends instead, and the driver clears up
        if self.world > 1 and dist.is_initialized() and not (reason and self.device.type == "cuda"):
            try:
                dist.destroy_process_group()
            except RuntimeError:
                pass  # the group is what failed

    # ── below ────────────────────────────────────────────────────────────────────────────────────

    def _judge(self, ours: bytes, patience_s: float) -> None:
        try:
            self._compare(ours, patience_s)
        except EngineError as error:
            for line in self._lines.values():
                try:
                    line.send(Kind.VERDICT, str(error).encode(), FAREWELL_S)
                except (Gone, Silent):
                    pass  # that one is the cause, or knows
            raise
        self._send_all(Kind.VERDICT, b"")

    def _compare(self, ours: bytes, patience_s: float) -> None:
        missing = set(self._lines)
        until = time.monotonic() + patience_s
        while missing:
            for rank in self._ready(missing, until):
                frame = self._receive(rank, self.timeout_s)
                if frame.kind is not Kind.RECORD:
                    self._unexpected(rank, frame, f"rank 0 is at {words(ours)}")
                if frame.body != ours:
                    raise EngineError(
                        f"the ranks do not agree: rank 0 is at {words(ours)}, rank {rank} at {words(frame.body)}"
                    )
                missing.discard(rank)
            if missing and time.monotonic() >= until:
                raise EngineError(f"{ranks(missing)} did not come to {words(ours)} within {patience_s:g} s")

    def _ready(self, missing: set[int], until: float) -> list[int]:
        """The missing ranks that have something to say, or are gone."""
        found = [rank for rank in sorted(missing) if self._lines[rank].waiting()]
        if not found:
            left = max(0.0, until - time.monotonic())
            lines = [self._lines[rank] for rank in missing]
            select.select(lines, [], [], left)
        return found

    def _be_judged(self, ours: bytes, patience_s: float) -> None:
        self._send(0, Kind.RECORD, ours)
        # rank 0 waits as long for the last rank: it speaks first, and its words are better than ours
        until = time.monotonic() + patience_s + self.timeout_s
        while True:
            frame = self._receive(0, max(0.0, until - time.monotonic()))
            if frame.kind is Kind.VERDICT:
                break
            if frame.kind is not Kind.ALIVE:
                self._unexpected(0, frame, f"rank {self.rank} is at {words(ours)}")
        if frame.body:
            raise EngineError(frame.body.decode(errors="replace"))

    def _unexpected(self, rank: int, frame: control.Frame, where: str) -> None:
        if frame.kind is Kind.FAREWELL:
            reason = frame.body.decode(errors="replace")
            raise EngineError(f"rank {rank} ended{': ' + reason if reason else ''}; {where}")
        if frame.kind is Kind.VERDICT and frame.body:
            raise EngineError(frame.body.decode(errors="replace"))
        said = f"stands at {words(frame.body)}" if frame.kind is Kind.RECORD else f"sent {frame.kind.name.lower()}"
        raise EngineError(f"the ranks do not agree: rank {rank} {said}, {where}")

    def _send_all(self, kind: Kind, body: bytes) -> None:
        for rank in self._lines:
            self._send(rank, kind, body)
        self._told = time.monotonic()

    def _send(self, rank: int, kind: Kind, body: bytes) -> None:
        try:
            self._lines[rank].send(kind, body, self.timeout_s)
        except Gone as error:
            raise EngineError(f"rank {rank} of {self.world} is gone ({self._lastwords(rank) or error})") from error
        except Silent:
            raise EngineError(f"rank {rank} of {self.world} took nothing for {self.timeout_s:g} s") from None

    def _receive(self, rank: int, wait_s: float | None) -> control.Frame:
        try:
            return self._lines[rank].receive(wait_s)
        except Gone as error:
            raise EngineError(f"rank {rank} of {self.world} is gone ({error})") from error
        except Silent:
            raise EngineError(f"rank {rank} of {self.world} was silent for {wait_s or 0:g} s") from None

    def _lastwords(self, rank: int) -> str:
        """The reason that a rank left in its line before it closed it."""
        try:
            while (frame := self._lines[rank].receive(0.0)).kind is not Kind.FAREWELL:
                pass
        except (Gone, Silent):
            return ""
        return frame.body.decode(errors="replace")

    def _need(self, rank_0: bool, what: str) -> None:
        if (self.rank == 0) is not rank_0:
            raise EngineError(f"{what} is {'rank 0' if rank_0 else 'a follower'}'s call; this is rank {self.rank}")


def _connect(store: TCPStore, rank: int, world: int, address: str, join_s: float) -> dict[int, Line]:
    """The control lines of this rank. Port and token go over the store, which all ranks reach."""
    if rank:
        port, token = store.get(STORE_KEY).decode().split()
        return {0: control.join(address, int(port), rank, world, bytes.fromhex(token), join_s)}
    ours = secrets.token_bytes(control.TOKEN_BYTES)
    with control.listen(address) as listener:
        store.set(STORE_KEY, f"{listener.getsockname()[1]} {ours.hex()}")
        return control.gather(listener, world, ours, join_s)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(socket.gethostbyname(address)).is_loopback
    except OSError:
        return False


@contextmanager
def _translated(text: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, OSError) as error:  # torch's distributed errors are RuntimeErrors
        raise EngineError(f"{text}: {error}") from error
