"""A line to the other side of the world: every packet comes later, by a time that changes, and some are lost.

Run by tests.lab.netns. Frames are carried from one cable to another by this process, so no kernel module is needed.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import random
import select
import socket
import struct
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.lab.ingest import Ingest
from tests.lab.netns import FAR, Far, ip
from tests.lab.pushing import BITRATE, facts_of, first_s, gaps_end_at_keys, longest_sound_gap_ms
from tests.pusher_child import pusher, until
from tests.tagsource import Source, media

SIOCETHTOOL = 0x8946
OFFLOADS = (0x17, 0x1F, 0x24, 0x2C)  # ETHTOOL_STXCSUM, _STSO, _SGSO, _SGRO: frames must be whole to be carried
FRAME_BYTES = 65536
WINDOW_BYTES = 512 * 1024  # of the receiver: with less, a long line is a slow one


class LongFar(Far):
    """The far side of a line with a delay each way. jitter_s: up to so much more. loss: of frames, 0 … 1."""

    def __init__(self, delay_s: float, jitter_s: float = 0.0, loss: float = 0.0) -> None:
        self.delay_s, self.jitter_s, self.loss = delay_s, jitter_s, loss

    def __enter__(self) -> LongFar:
        super().__enter__()
        with self.there():
            ip("link set far0 down")
            ip("link delete far0")
        for name in ("here", "far"):
            ip(f"link add {name}0 type veth peer name {name}1")
        ip(f"link set far0 netns {self._holder.pid}")
        for command in (
            "address add 10.9.0.1/24 dev here0",
            "link set here0 up",
            "link set here1 up",
            "link set far1 up",
        ):
            ip(command)
        _plain("here0")
        with self.there():
            ip(f"address add {FAR}/24 dev far0")
            ip("link set far0 up")
            _plain("far0")
        threading.Thread(target=self._carry, name="line", daemon=True).start()
        return self

    def _carry(self) -> None:
        dice = random.Random(1)
        ends = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) for _ in range(2)]
        for end, name in zip(ends, ("here1", "far1"), strict=True):
            end.bind((name, 0))
        late: list[tuple[float, int, int, bytes]] = []  # when, in which order, to which end, what
        last_s, number = [0.0, 0.0], 0
        while True:
            wait_s = max(0.0, late[0][0] - time.monotonic()) if late else 1.0
            for end in select.select(ends, [], [], wait_s)[0]:
                data, (_, _, kind, _, _) = end.recvfrom(FRAME_BYTES)
                if kind == socket.PACKET_OUTGOING or dice.random() < self.loss:
                    continue
                to = 1 - ends.index(end)
                due_s = time.monotonic() + self.delay_s + dice.random() * self.jitter_s
                last_s[to] = max(last_s[to], due_s)  # a line keeps the order
                number += 1
                heapq.heappush(late, (last_s[to], number, to, data))
            while late and late[0][0] <= time.monotonic():
                _, _, to, data = heapq.heappop(late)
                with contextlib.suppress(OSError):
                    ends[to].send(data)


def long_line(delay_s: float, jitter_s: float, loss: float, seconds: float) -> dict[str, Any]:
    """Whether a good line that is long loses anything, and how late media comes."""
    with tempfile.TemporaryDirectory(prefix="b") as name, LongFar(delay_s, jitter_s, loss) as far:
        root = Path(name)
        with far.there():
            ingest = Ingest(root / "far", host=far.address)
            ingest.__enter__()
        ingest.widen(WINDOW_BYTES)
        with Source(root, ["main"], media(BITRATE, noise=True)) as source, pusher(root, ingest.url("main")) as child:
            since_s = time.monotonic()
            until(lambda: first_s(ingest, since_s) is not None, 20, f"{child.heard[-8:]}")
            begun_s = (first_s(ingest, since_s) or 0.0) - since_s
            ends_s = time.monotonic() + seconds
            until(lambda: time.monotonic() > ends_s, seconds + 5)
            publication = ingest.publications[-1]
            found = [one.at_s - one.ms / 1000 for one in publication.media()]
            steady = sorted(found[len(found) // 2 :])
            figures = {
                "media_after_s": round(begun_s, 2),
                "sessions": len(ingest.publications),
                "dropped": source.outputs.states()["main"].dropped,
                "sound_gap_ms": longest_sound_gap_ms(publication),
                "keys": gaps_end_at_keys(publication),
                "spread_s": round(steady[-1] - steady[0], 3),
                "queue_ms": max(f["queue_ms"] + f["waiting_ms"] for f in facts_of(child, since_s + 3)),
            }
        ingest.__exit__()
    return figures


def _plain(device: str) -> None:
    """Have the kernel make whole frames, as a cable would carry them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for command in OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            request = struct.pack("16sP", device.encode(), ctypes.addressof(value)) + bytes(16)
            with contextlib.suppress(OSError):  # what it cannot switch, it does not do
                fcntl.ioctl(sock, SIOCETHTOOL, request)
