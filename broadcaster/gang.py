"""Processes that are one child: an engine's ranks, which live and die together.

In: how many ranks, what is known of rank 0's progress. Out: what each rank is told beside its section, and whether it
is silent for too long. No process is started or ended here.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from broadcaster.watch import Progress

LOOPBACK = "127.0.0.1"  # ranks of one room are on one machine
THREADS = "OMP_NUM_THREADS"


def places(ranks: int) -> list[dict[str, Any]]:
    """What each rank is told: who it is, and where the ranks meet. Another meeting point at each start."""
    if ranks == 1:
        return [{}]
    meeting = {"world": ranks, "master_address": LOOPBACK, "master_port": _free_port()}
    return [{"rank": rank, **meeting} for rank in range(ranks)]


def surroundings(ranks: int) -> dict[str, str] | None:
    """The environment of a rank: together they use each core once. None = as ours."""
    if ranks == 1 or THREADS in os.environ:
        return None
    return {**os.environ, THREADS: str(max(1, len(os.sched_getaffinity(0)) // ranks))}


def overdue_s(rank: Progress, lead: Progress, now_s: float, phases: Mapping[str, float]) -> float:
    """Seconds that a rank has been silent beyond what rank 0's phase and step allow; ≤ 0 while all is well.

    Ranks are in step, so rank 0 knows best what they do. A follower beats after each call and each second in between,
    and has nothing to do while rank 0 loads: its silence counts from where rank 0 began or ended something.
    """
    if rank is lead:
        return lead.overdue_s(now_s, phases)
    turned_s = lead.beat_s if lead.working_since_s is None else lead.turned_s
    return now_s - max(rank.beat_s, turned_s) - lead.deadline_s(phases)


def _free_port() -> int:
    """It may be taken before rank 0 binds it: then the gang dies, and the next start takes another."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
