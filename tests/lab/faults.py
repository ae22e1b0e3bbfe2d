"""Rows of the chaos table: what destinations do to us. Judged by what the broken receiver and the healthy two got."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from statistics import median

from benchmarks.figures import Figure
from tests.lab import amf, chunks, netns
from tests.lab.census import Census
from tests.lab.chaos import Lab
from tests.lab.ingest import MALFORMED, Arrival, Ingest
from tests.lab.judge import growth
from tests.lab.stage import (
    HEALTHY,
    THIRD,
    Stage,
    back_s,
    begins_well,
    is_flowing,
    most_tries_within,
    on_stage,
    sessions_after,
    wait,
)
from tests.station import until

OTHERS_S = 0.25
BACK_S = 2.0  # after a destination returned
ACCEPTED_S = 6.0
TRIES_PER_S = 2
HOLDS_S = (8.0, 11.3, 14.7)  # three lengths, so that the return comes at different moments of a try
AUDIO_GAP_MS = 25  # between AAC frames; one missing makes 43
FLAT_MB = 5.0  # of one process, from the first tenth of a watch to its last
BAD_NAME = "NetStream.Publish.BadName"
BUFFERED_BYTES = 64 * 1024  # what the receiver's own kernel takes before the link is felt


def reset(lab: Lab) -> list[Figure]:
    """RST in the middle of a message."""
    stage, began_s = lab.stage(), time.monotonic()
    took_s = []
    for _ in range(lab.times(3, 1)):
        time.sleep(lab.seconds(4.0, 1.0))
        at_s = time.monotonic()
        stage.third.reset()
        took_s.append(back_s(stage.third, at_s))
    sessions = sessions_after(stage.third, began_s)
    return [
        lab.most(f"TCP reset by the ingest: media again, worst of {len(took_s)}", max(took_s), 1.5),
        lab.exactly(
            "  sessions that begin with headers, a key frame, 0 ms", sum(map(begins_well, sessions)), len(took_s)
        ),
        _others(lab, stage, began_s),
    ]


def hung(lab: Lab) -> list[Figure]:
    """The peer's program stops reading; its kernel still answers. Then it is thawed."""
    stage, began_s = lab.stage(), time.monotonic()
    dead_s, again_s = [], []
    for hold_s in HOLDS_S[: lab.times(3, 1)]:
        time.sleep(2.0)
        at_s = time.monotonic()
        stage.third.behave(stalled=True)
        dead_s.append(_next_try_s(stage.third, at_s))
        time.sleep(max(0.0, at_s + lab.seconds(hold_s, 5.0) - time.monotonic()))
        at_s = time.monotonic()
        stage.third.behave(stalled=False)
        again_s.append(back_s(stage.third, at_s))
    return [
        lab.most(f"peer hung: declared dead (it is dialled anew), worst of {len(dead_s)}", max(dead_s), 4.0),
        lab.most("  media again after it was thawed, worst", max(again_s), BACK_S),
        _others(lab, stage, began_s),
    ]


def silent(lab: Lab) -> list[Figure]:
    """It accepts, takes what is sent, and answers nothing; then its program is started anew."""
    stage, began_s = lab.stage(), time.monotonic()
    held_s, again_s = [], []
    for hold_s in HOLDS_S[: lab.times(3, 1)]:
        time.sleep(2.0)
        stage.third.behave(silent=True)
        stage.third.reset()
        until(lambda: not stage.third.connections(), 5, "the old one is gone")
        held_s.append(_longest_connection_s(stage.third, lab.seconds(hold_s, 7.0)))
        at_s = time.monotonic()
        stage.third.behave(silent=False)
        stage.third.reset()
        again_s.append(back_s(stage.third, at_s))
    return [
        lab.most(f"accepts and stays silent: given up, worst of {len(held_s)}", max(held_s), 5.0),
        lab.most("  media again after it was started anew, worst", max(again_s), BACK_S),
        _others(lab, stage, began_s),
    ]


def black_hole(lab: Lab) -> list[Figure]:
    """A link that is taken down: no byte, no ACK, no RST; and a name server that dies. In network namespaces."""
    if why := netns.refused():
        return [Figure("black hole", why, "namespaces", False)]
    dark_s = [3.6, 6.1, 9.0, 14.5][: lab.times(4, 1)]
    link = netns.run("tests.lab.blackhole:black_hole", dark_s=dark_s)
    names = netns.run("tests.lab.blackhole:names_dead")
    return [
        lab.most(f"black hole: declared dead, worst of {len(dark_s)}", max(link["dead_s"]), 3.0),
        lab.most("  media again after the link returned, worst", max(link["back_s"]), BACK_S),
        lab.exactly("  headers, then a key frame, from 0 ms on", link["begins_well"], True),
        lab.most("  the others: longest gap", link["others_gap_s"], OTHERS_S),
        lab.most("names dead while connected: longest gap", names["gap_s"], OTHERS_S),
        lab.most("  reset meanwhile: media again, by the last address", max(names["back_0_s"], names["back_1_s"]), 1.5),
        lab.most("  never connected: media after the name server is back", names["found_s"], BACK_S),
    ]


def refused(lab: Lab) -> list[Figure]:
    """For a minute and a half one port is closed, one says BadName, one's key is taken by somebody else."""
    names = (*HEALTHY, "closed", "rejecting", "busy")
    with Stage(names=names) as stage:
        closed, rejecting, busy = (stage.ingests[name] for name in names[2:])
        closed.behave(listening=False)
        rejecting.behave(reject=BAD_NAME)
        busy.behave(exclusive=True)
        with _publisher(busy, "key-busy") as holder:
            stage.wait_well(HEALTHY)
            began_s = time.monotonic()
            time.sleep(lab.seconds(90.0, 5.0))
            failures = int(stage.station.facts("pusher-closed").get("failures", 0))
            held_s = time.monotonic() - began_s
            tries = max(most_tries_within(one.attempts) for one in (rejecting, busy))
            at_s = time.monotonic()
            holder.close()
            closed.behave(listening=True)
            rejecting.behave(reject="")
            took_s = [back_s(one, at_s) for one in (closed, rejecting, busy)]
        return [
            lab.most(f"refused for {held_s:.0f} s: media after release", took_s[0], ACCEPTED_S),
            lab.most("  BadName: media after release", took_s[1], ACCEPTED_S),
            lab.most("  busy, the key held by somebody else: media after release", took_s[2], ACCEPTED_S),
            Figure("  most tries within any second", str(tries), f"≤ {TRIES_PER_S}", tries <= TRIES_PER_S),
            lab.most("  refused tries a second", failures / held_s, TRIES_PER_S, "/s"),
            _others(lab, stage, began_s),
        ]


def slow(lab: Lab) -> list[Figure]:
    """The link takes half of what is sent, for a minute."""
    stage, began_s = lab.stage(), time.monotonic()
    third = stage.third
    time.sleep(lab.seconds(5.0, 3.0))
    rate = _bytes_per_s(third, began_s) / 2
    before_s = time.monotonic()
    third.behave(bytes_per_s=rate)
    time.sleep(lab.seconds(60.0, 8.0))
    after_s = time.monotonic()
    third.behave(bytes_per_s=None)
    until(lambda: len(third.media(after_s)) > 150, 20, "media at full speed")
    arrivals = third.publications[-1].media()
    late_s = _lateness_s(arrivals, before_s, after_s)
    sound = [one.ms for one in arrivals if one.kind == "audio"]
    pictures = [one for one in arrivals if one.kind == "video"]
    resumed = [after for before, after in pairwise(pictures) if after.ms - before.ms > 60]
    bar_s = lab.bar(1.0) + BUFFERED_BYTES / rate
    calm = min(later.ms - earlier.ms for earlier, later in pairwise(pictures)) > 0
    return [
        Figure(
            "link at half the bitrate for a minute: media is late by at most",
            f"{late_s:.2f} s",
            f"≤ {lab.bar(1.0):g} s + {BUFFERED_BYTES / rate:.2f} s ¹",
            late_s <= bar_s,
        ),
        lab.exactly("  of what was dropped, the next picture is a key frame", all(one.key for one in resumed), True),
        Figure("  drops", str(len(resumed)), "> 0", bool(resumed)),
        Figure(
            "  longest step of the sound",
            f"{max(b - a for a, b in pairwise(sound))} ms",
            f"≤ {AUDIO_GAP_MS} ms",
            max(b - a for a, b in pairwise(sound)) <= AUDIO_GAP_MS,
        ),
        lab.exactly("  sessions; no step back", (len(sessions_after(third, began_s)), calm), (0, True)),
        _others(lab, stage, began_s),
    ]


def hangs_up(lab: Lab) -> list[Figure]:
    """It accepts the publication and ends the connection at once, for minutes."""
    stage, began_s = lab.stage(), time.monotonic()
    pid = stage.pids()[f"pusher-{THIRD}"]
    stage.third.behave(close_after_s=0.0)
    stage.third.hang_up()
    since_s = time.monotonic()
    time.sleep(lab.seconds(120.0, 4.0))
    attempts = [at_s for at_s in stage.third.attempts if at_s >= since_s]
    at_s = time.monotonic()
    stage.third.behave(close_after_s=None)
    took_s = wait(lambda: _stands(stage.third, at_s), 30, "media for a second")
    return [
        Figure(
            f"hangs up right after publish, {len(attempts)} times: most tries within any second",
            str(most_tries_within(attempts)),
            f"≤ {TRIES_PER_S}",
            most_tries_within(attempts) <= TRIES_PER_S,
        ),
        lab.most("  media for good after it behaves", took_s - 1.0, ACCEPTED_S),
        lab.exactly("  the same pusher", stage.pids().get(f"pusher-{THIRD}") == pid, True),
        _others(lab, stage, began_s),
    ]


def malformed(lab: Lab) -> list[Figure]:
    """It says things that no server may say."""
    stage, began_s = lab.stage(), time.monotonic()
    third, pid = stage.third, stage.pids()[f"pusher-{THIRD}"]
    attempts, took_s = [], []
    supervisor = stage.pids()["supervisor"]
    with Census(supervisor, 0.5) as census:
        for name in MALFORMED:
            third.behave(malformed=name)
            third.reset()
            since_s = time.monotonic()
            time.sleep(lab.seconds(8.0, 1.0))
            attempts.append(most_tries_within([at_s for at_s in third.attempts if at_s >= since_s]))
            at_s = time.monotonic()
            third.behave(malformed="")
            third.reset()
            took_s.append(back_s(third, at_s))
        used = census.of(f"pusher-{THIRD}", pid)
    grown_mb = growth([one.at_s for one in used], [one.rss_mb for one in used])
    return [
        lab.most(f"{len(took_s)} malformed answers: media after release, worst", max(took_s), ACCEPTED_S),
        Figure("  most tries within any second", str(max(attempts)), f"≤ {TRIES_PER_S}", max(attempts) <= TRIES_PER_S),
        lab.exactly("  the same pusher", stage.pids().get(f"pusher-{THIRD}") == pid, True),
        lab.most("  its memory grew by", grown_mb, FLAT_MB, "MB", 1),
        _others(lab, stage, began_s),
    ]


def blackout(lab: Lab) -> list[Figure]:
    """All destinations refuse, for ten minutes."""
    with on_stage() as stage:
        before = stage.pids()
        with Census(before["supervisor"], 2.0) as census:
            for one in stage.ingests.values():
                one.behave(listening=False)
                one.reset()
            time.sleep(lab.seconds(600.0, 5.0))
            grown_mb = {}
            for name, pid in before.items():
                used = census.of(name, pid)
                used = used[len(used) // 5 :]  # caches fill first
                grown_mb[name] = growth([one.at_s for one in used], [one.rss_mb for one in used])
        at_s = time.monotonic()
        for one in stage.ingests.values():
            one.behave(listening=True)
        took_s = [back_s(one, at_s) for one in stage.ingests.values()]
        worst = max(grown_mb, key=lambda name: grown_mb[name])
        return [
            lab.most(f"all destinations down for {lab.seconds(600.0, 5.0):.0f} s: all back", max(took_s), ACCEPTED_S),
            lab.exactly("  the same processes", stage.pids() == before, True),
            lab.most(f"  memory: most growth ({worst})", grown_mb[worst], FLAT_MB, "MB", 1),
        ]


# ── how it is measured ───────────────────────────────────────────────────────────────────────────


def _others(lab: Lab, stage: Stage, since_s: float) -> Figure:
    return lab.most("  the others: longest gap", stage.others_gap_s(since_s), OTHERS_S)


def _next_try_s(ingest: Ingest, since_s: float) -> float:
    """Until a new connection came."""
    return wait(lambda: any(at_s > since_s for at_s in ingest.attempts), 30, "another try")


def _longest_connection_s(ingest: Ingest, seconds: float) -> float:
    """How long the longest connection stood, of those that ended while watched."""
    began_s: dict[object, float] = {}
    longest, end_s = 0.0, time.monotonic() + seconds
    while time.monotonic() < end_s:
        now_s, standing = time.monotonic(), set(ingest.connections())
        for gone in began_s.keys() - standing:
            longest = max(longest, now_s - began_s.pop(gone))
        for one in standing:
            began_s.setdefault(one, now_s)
        time.sleep(0.01)
    return max([longest, *(time.monotonic() - at_s for at_s in began_s.values())])


def _bytes_per_s(ingest: Ingest, since_s: float) -> float:
    got = ingest.media(since_s)
    return sum(one.size for one in got) / (got[-1].at_s - got[0].at_s)


def _lateness_s(arrivals: list[Arrival], since_s: float, until_s: float) -> float:
    """By how much media came later, of the 99 % between two moments, than it did before them."""
    before = [one.at_s - one.ms / 1000 for one in arrivals if one.at_s < since_s]
    within = sorted(one.at_s - one.ms / 1000 for one in arrivals if since_s <= one.at_s < until_s)
    return within[int(len(within) * 0.99)] - median(before)


def _stands(ingest: Ingest, since_s: float) -> bool:
    """Media has flowed for a second in a session that began after this moment."""
    sessions = sessions_after(ingest, since_s)
    media = sessions[-1].media() if sessions and not sessions[-1].end else []
    return len(media) > 1 and media[-1].at_s - media[0].at_s > 1.0 and is_flowing(ingest)


@contextlib.contextmanager
def _publisher(ingest: Ingest, key: str) -> Iterator[socket.socket]:
    """Somebody else who publishes under this key, and says nothing more."""
    with socket.create_connection((ingest.host, ingest.port)) as other:
        other.sendall(b"\x03" + bytes(1536))
        _read(other, 1 + 1536)
        other.sendall(_read(other, 1536))
        for message in (
            chunks.chunked(chunks.COMMAND, amf.encode("connect", 1, {"app": "live"})),
            chunks.chunked(chunks.COMMAND, amf.encode("createStream", 2, None)),
            chunks.chunked(chunks.COMMAND, amf.encode("publish", 3, None, key, "live"), 1),
        ):
            other.sendall(message)
        until(lambda: ingest.is_taken(key), 5, "the key is taken")
        ingest.attempts.clear()
        yield other


def _read(link: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += link.recv(size - len(data)) or b"\0"
    return data
