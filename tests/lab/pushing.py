"""A scripted playout, two pushers and two ingests: one is healthy, the other is where a fault happens.

`with Pushing(...)` both are live. All figures are of what the ingests got, but `queue_ms`, which is the pusher's own.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.wire import Beat
from tests.lab.ingest import Ingest, Publication
from tests.pusher_child import PusherChild, pusher, until
from tests.tagsource import Media, Source, media

BITRATE = 3_000_000


class Pushing:
    def __init__(self, url: Callable[[Ingest], str] | None = None, what: Media | None = None, **spec: Any) -> None:
        """url: of the pusher that meets the fault, when not the ingest's own. spec: more of its section."""
        self._url = url or (lambda ingest: ingest.url("main"))
        self._media = what or media(BITRATE, noise=True)
        self._spec = spec
        self._stack = contextlib.ExitStack()
        self.wait_live = True

    def __enter__(self) -> Pushing:
        enter = self._stack.enter_context
        try:
            self.directory = Path(enter(tempfile.TemporaryDirectory(prefix="b")))
            self.ingest = enter(Ingest(self.directory / "got"))
            self.healthy = enter(Ingest(self.directory / "healthy"))
            self.source = enter(Source(self.directory, ["main", "other"], self._media))
            self.other = enter(pusher(self.directory, self.healthy.url("other"), "other"))
            until(lambda: self.other.phase == "live", what="the healthy one is live")
            self.child = enter(pusher(self.directory, self._url(self.ingest), **self._spec))
            self.begun_s = time.monotonic()
            return self
        except BaseException:
            self._stack.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def until_flowing(self, timeout_s: float = 15.0) -> None:
        """Both get media, with half a second of it each."""
        for ingest in (self.ingest, self.healthy):
            until(lambda ingest=ingest: ingest.is_live(0.5), timeout_s, f"media; notes: {self.child.heard[-8:]}")
        since_s = time.monotonic()
        until(lambda: len(self.ingest.media(since_s)) > 30, timeout_s, "half a second of media")

    def others_gap_s(self, since_s: float) -> float:
        return self.healthy.longest_gap_s(since_s)

    def back_s(self, since_s: float, timeout_s: float = 20.0) -> float:
        """Seconds from a moment until the media of a connection that was published after it."""
        until(lambda: first_s(self.ingest, since_s) is not None, timeout_s, f"back: {self.child.heard[-12:]}")
        return (first_s(self.ingest, since_s) or 0.0) - since_s

    def noted_s(self, event: str, since_s: float, timeout_s: float = 15.0) -> float:
        """Seconds from a moment until the pusher said this."""

        def times() -> list[float]:
            return [at for at in self.child.note_times(event) if at > since_s]

        until(lambda: times(), timeout_s, f"{event}: {self.child.heard[-8:]}")
        return times()[0] - since_s

    def longest_without_a_beat_s(self) -> float:
        times = [at for at, _ in self.child.beats()]
        return max((after - before for before, after in pairwise(times[1:])), default=0.0)

    def queue_ms(self, since_s: float) -> int:
        """The most media that was handed to nobody, or to the kernel and not acknowledged."""
        return max((facts["waiting_ms"] + facts["queue_ms"] for facts in facts_of(self.child, since_s)), default=0)


def first_s(ingest: Ingest, since_s: float) -> float | None:
    """When the first media came of a publication that began after this moment."""
    for publication in list(ingest.publications):
        if publication.began_s > since_s and (media := publication.media()):
            return media[0].at_s
    return None


def facts_of(child: PusherChild, since_s: float) -> list[dict[str, Any]]:
    return [
        said.facts
        for at, said in list(child.heard)
        if isinstance(said, Beat) and at > since_s and "queue_ms" in said.facts
    ]


def begins_well(publication: Publication) -> bool:
    """Headers, then a key frame, within 40 ms of 0."""
    kinds = [one.kind for one in publication.arrivals[:4]]
    first = publication.media()[0]
    return kinds[:3] == ["meta", "avc", "aac"] and first.kind == "video" and first.key and first.ms <= 40


def is_monotone(publication: Publication) -> bool:
    """Time stamps of each kind never step back."""
    return all(
        before.ms <= after.ms
        for kind in ("audio", "video")
        for before, after in pairwise([one for one in publication.media() if one.kind == kind])
    )


def longest_sound_gap_ms(publication: Publication) -> int:
    times = [one.ms for one in publication.media() if one.kind == "audio"]
    return max((after - before for before, after in pairwise(times)), default=0)


def gaps_end_at_keys(publication: Publication) -> bool:
    """Whether after each hole in the pictures a key frame comes."""
    video = [one for one in publication.media() if one.kind == "video"]
    return all(after.key for before, after in pairwise(video) if after.ms - before.ms > 60)
