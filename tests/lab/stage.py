"""A room on air to real ingests, and what they got: where the rows of the chaos table take place.

`main` and `second` are healthy for good; what is broken is the third, or a process of the room. All that is measured
comes from the receivers, the journal and /proc; the room is asked for nothing but whether it is well again.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import av
import numpy as np

from broadcaster.utterance import EVERGREEN_PREFIX
from pipeline.journal import JournalReader
from pipeline.wire import Report
from tests.account import Account, Pushed
from tests.avsync import av_offset_ms
from tests.lab.census import pids
from tests.lab.ingest import Arrival, Behaviour, Ingest, Publication
from tests.lab.judge import longest_s
from tests.lab.room import LabStation
from tests.recording import Recording, inspect
from tests.station import until

HEALTHY = ("main", "second")
THIRD = "third"
SIZE = (448, 768)
WELL_S = 40.0  # until a room that was broken counts as spoilt, and the next row gets a new one
LINES = 60
SENTENCES = (
    "This mug is made by hand.",
    "It is one of twelve, and no two of them are alike.",
    "The glaze comes from a small pottery by the sea.",
    "Ask me anything you like.",
    "We send it on the same day, in a box that nothing can break.",
    "Thank you.",
)


class Stage:
    """`with` brings it on air."""

    station_type: Callable[..., LabStation] = LabStation

    def __init__(self, names: Sequence[str] = (*HEALTHY, THIRD), **config: Any) -> None:
        self._names = names
        self._config = config
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Stage:
        try:
            self._open()
            return self
        except BaseException:
            self._stack.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self) -> None:
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="b")))
        self.ingests = {name: self._stack.enter_context(Ingest(self.directory / f"got-{name}")) for name in self._names}
        self.script = lines(self._config.pop("seed", 7))
        config = {"avatar": {"engine": "faulty", "size": list(SIZE)}, "voice": ESPEAK, **self._config}
        if config.get("script", True) is None:
            del config["script"]
        elif "script" not in config:
            path = self.directory / "script.md"
            path.write_text("\n\n".join(map(" ".join, self.script)) + "\n")
            config["script"] = {"file": str(path)}
        config.setdefault("outputs", [self.output(name) for name in self._names])
        self.station = self.station_type(self.directory, **config)
        self.pushed = Pushed()
        self.begun_s = time.monotonic()
        self.station.start()
        self._stack.callback(self.station.stop)

    def output(self, name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "url": self.ingests[name].url(f"key-{name}"), **more}

    @property
    def third(self) -> Ingest:
        return self.ingests[THIRD]

    # ── is it well? ──────────────────────────────────────────────────────────────────────────────

    def is_well(self, names: Sequence[str] | None = None) -> bool:
        """Media flows to these ingests (all), and the engine's pictures are on air."""
        flowing = all(is_flowing(self.ingests[name]) for name in names or self._names)
        return flowing and self.station.facts("playout").get("source") == "live"

    def wait_well(self, names: Sequence[str] | None = None, timeout_s: float = WELL_S) -> None:
        until(lambda: self.is_well(names), timeout_s, f"the stage is well; log:\n{self.station.tail()}")

    def pids(self) -> dict[str, int]:
        """By /proc, so also while the queue is away."""
        process = self.station.process
        return pids(process.pid) if process is not None else {}

    def renew_third(self) -> None:
        """Have the broken receiver well, and its pusher begin anew: no row inherits the waits of the last one."""
        self.third.behave(**asdict(Behaviour()))
        if pid := self.pids().get(f"pusher-{THIRD}"):
            os.kill(pid, signal.SIGKILL)
            until(lambda: self.pids().get(f"pusher-{THIRD}", pid) != pid, 10, "another pusher")

    def skipped(self) -> int:
        """Slots that were missed since playout started."""
        until(lambda: "skipped" in self.station.facts("playout"), 15, "playout's facts")
        return int(self.station.facts("playout")["skipped"])

    # ── words ────────────────────────────────────────────────────────────────────────────────────

    def say(self, name: str, texts: Sequence[str], mode: str = "append", lane: str = "command") -> None:
        self.pushed.texts[name], self.pushed.lanes[name] = list(texts), (lane, mode)
        if mode == "now":
            self.pushed.now_s[name] = time.time()
        self.station.client.say(" ".join(texts), id=name, mode=mode, lane=lane)

    def wait_aired(self, timeout_s: float = 90.0) -> None:
        until(lambda: self.pushed.texts.keys() <= set(self.station.aired()), timeout_s, "all that was pushed is aired")

    def reports(self) -> list[Report]:
        return JournalReader(self.directory / "var" / "journal").read()

    def account(self) -> Account:
        reports = [report for report in self.reports() if not report.utterance.startswith(EVERGREEN_PREFIX)]
        return Account(reports, self.pushed, self.script, self.station.aired())

    def kill(self, name: str, number: int = signal.SIGKILL) -> float:
        """Signal a process of the room; when that was."""
        until(lambda: name in self.pids(), 20, f"{name} runs")
        os.kill(self.pids()[name], number)
        return time.monotonic()

    # ── what receivers got ───────────────────────────────────────────────────────────────────────

    def others_gap_s(self, since_s: float, until_s: float | None = None) -> float:
        """The longest gap of the healthy two."""
        end_s = time.monotonic() if until_s is None else until_s
        return max(longest_s(times(self.ingests[name]), since_s, end_s) for name in HEALTHY if name in self.ingests)

    def sessions(self, name: str) -> int:
        return len(self.ingests[name].publications)

    def recording(self, name: str = "main", pictures: bool = True) -> Recording:
        return inspect(self.ingests[name].publications[-1].path, pictures=pictures, sound=pictures)

    def sound(self, name: str = "main") -> list[tuple[float, float]]:
        """When each AAC frame of the last session came, and how loud it is (RMS of int16)."""
        publication = self.ingests[name].publications[-1]
        came_s = {one.ms: one.at_s for one in publication.media() if one.kind == "audio"}
        found = []
        with av.open(str(publication.path)) as container:
            stream = container.streams.audio[0]
            for packet in container.demux(stream):
                if packet.pts is None:
                    continue
                at_s = came_s.get(round(packet.pts * float(packet.time_base) * 1000))
                for frame in stream.codec_context.decode(packet):
                    if at_s is not None:
                        found.append((at_s, float(np.sqrt(np.mean(frame.to_ndarray() ** 2))) * 32768))
        return found

    def av_offset_ms(self, name: str = "main", last_s: float = 20.0) -> float:
        """Sound against picture at the end of what this ingest got."""
        publication = self.ingests[name].publications[-1]
        end_s = publication.media()[-1].ms / 1000
        return av_offset_ms(publication.path, limit_s=end_s, begin_s=max(0.0, end_s - last_s))


ESPEAK = {"chain": ["espeak"], "name": "en"}


def lines(seed: int) -> list[list[str]]:
    """A script: paragraphs of sentences."""
    dice = random.Random(seed)
    return [[dice.choice(SENTENCES) for _ in range(dice.randint(1, 4))] for _ in range(LINES)]


def is_flowing(ingest: Ingest, within_s: float = 1.0) -> bool:
    """Cheap, however long the publication is."""
    standing = [one for one in ingest.publications[-3:] if not one.end and one.arrivals]
    return bool(standing) and time.monotonic() - standing[-1].arrivals[-1].at_s < within_s


def times(ingest: Ingest) -> list[float]:
    return [one.at_s for one in ingest.media()]


def sessions_after(ingest: Ingest, since_s: float) -> list[Publication]:
    return [one for one in list(ingest.publications) if one.began_s > since_s]


def first_media(ingest: Ingest, since_s: float) -> Arrival | None:
    """The first media of a session that began after this moment."""
    found = [publication.media()[:1] for publication in sessions_after(ingest, since_s)]
    return next((arrivals[0] for arrivals in found if arrivals), None)


def back_s(ingest: Ingest, since_s: float, timeout_s: float = 30.0) -> float:
    """Seconds from a moment until a new session's first media came."""
    until(lambda: first_media(ingest, since_s) is not None, timeout_s, "media again")
    arrival = first_media(ingest, since_s)
    assert arrival is not None
    return arrival.at_s - since_s


def begins_well(publication: Publication) -> bool:
    """Headers, then a key frame, and the line begins at 0 … 40 ms."""
    kinds = [one.kind for one in publication.arrivals]
    media = publication.media()
    before = kinds[: next((index for index, kind in enumerate(kinds) if kind in ("video", "audio")), 0)]
    return {"avc", "aac"} <= set(before) and bool(media) and media[0].key and media[0].ms <= 40


def most_tries_within(attempts: Sequence[float], window_s: float = 1.0) -> int:
    """The most connections that came within any window."""
    return max((sum(at <= other < at + window_s for other in attempts) for at in attempts), default=0)


@contextlib.contextmanager
def on_stage(**config: Any) -> Iterator[Stage]:
    """A stage of its own for one row, well when the block begins."""
    with Stage(**config) as stage:
        stage.wait_well()
        yield stage


def wait(condition: Callable[[], object], timeout_s: float, what: str) -> float:
    """Seconds until it came true."""
    began_s = time.monotonic()
    until(condition, timeout_s, what)
    return time.monotonic() - began_s
