"""Rows of the chaos table: what is foreseen. A second address, session limits, the borders of time stamps."""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from pathlib import Path

from benchmarks.figures import Figure
from pipeline.clock import RealClock
from pipeline.wire import Tag
from streams import flv
from streams.destination import PusherSpec
from streams.rtmp.destination import RtmpDestination
from streams.session import Fate, Session
from tests.lab.chaos import Lab
from tests.lab.ingest import Ingest
from tests.lab.pushing import Pushing, begins_well, is_monotone
from tests.pusher_child import until
from tests.tagsource import media

REFUSALS = 3
PLANNED_S = 1.5
SESSION_S = 3.0  # in the place of hours
BORDERS_MS = (2**24, 2**31)
AROUND_MS = 10_000
STEP_MS = 40
BAD_NAME = "NetStream.Publish.BadName"
OTHERS_S = 0.25


def backup(lab: Lab) -> list[Figure]:
    """The first address refuses; the second one takes over after three tries, and leaves when it fails in turn."""
    with (
        tempfile.TemporaryDirectory() as name,
        Ingest(Path(name)) as second,
        Pushing(what=media(), backup=second.url("main", "spare")) as pushing,
    ):
        pushing.until_flowing()
        first = pushing.ingest
        began_s = time.monotonic()
        first.behave(reject=BAD_NAME)
        first.reset()
        until(lambda: second.is_live(0.5), 30, "the backup is live")
        refusals = len([at_s for at_s in first.attempts if at_s > began_s])
        to_backup_s = second.media()[0].at_s - began_s
        first.behave(reject="")
        second.behave(listening=False)
        second.reset()
        at_s = time.monotonic()
        back_s = pushing.back_s(at_s)
        return [
            lab.exactly("refused: tries before the backup address is used", refusals, REFUSALS),
            Figure("  media at the backup address", f"{to_backup_s:.2f} s after the first refusal"),
            lab.exactly("  it begins with headers, a key frame, 0 ms", begins_well(second.publications[0]), True),
            lab.most("  the backup closes its port: media at the first address again", back_s, 6.0),
            lab.most("  the others: longest gap", pushing.others_gap_s(began_s), OTHERS_S),
        ]


def session(lab: Lab) -> list[Figure]:
    """A planned end before the platform's own."""
    gaps_s, ends, at_once, good = [], set(), 0, True
    for _ in range(lab.times(3, 1)):
        with Pushing(session_s=SESSION_S) as pushing:
            ingest = pushing.ingest
            until(lambda ingest=ingest: len(ingest.publications) == 2 and len(ingest.publications[1].media()) > 100, 30)
            first, second = ingest.publications[:2]
            gaps_s.append(second.media()[0].at_s - first.media()[-1].at_s)
            ends.add(first.end)
            at_once = max(at_once, ingest.sessions_at_once())
            good &= begins_well(second) and is_monotone(first) and is_monotone(second)
    return [
        lab.most(f"planned reconnect: longest gap of {len(gaps_s)}", max(gaps_s), PLANNED_S),
        lab.exactly(
            "  ended by; sessions at once, most; headers, key, 0 ms first", (ends, at_once, good), ({"fin"}, 1, True)
        ),
    ]


def borders(lab: Lab) -> list[Figure]:
    """One session, through real RTMP, over 2^24 and 2^31 ms: what stands in between is left out."""
    found = media()
    key = next(tag for tag in found.tags if tag.key)
    sound = next(tag for tag in found.tags if tag.kind == flv.AUDIO)
    times = [0, *(ms for border in BORDERS_MS for ms in range(border - AROUND_MS, border + AROUND_MS, STEP_MS))]
    with tempfile.TemporaryDirectory() as name, Ingest(Path(name)) as ingest:
        spec = PusherSpec("main", ingest.url("key"), name)
        pushed = Session(RtmpDestination(spec, lambda *_, **__: None), RealClock())
        pushed.open(found.headers)
        until(pushed.is_ready)
        for ms in times:
            for tag in (Tag(key.kind, ms, True, flv.retimed(key.data, ms)), Tag(sound.kind, ms + 5, False, sound.data)):
                until(lambda tag=tag: pushed.write(tag) is Fate.SENT)
        pushed.close()
        until(lambda: ingest.publications[0].end, 20)
        (publication,) = ingest.publications
        video = [one.ms for one in publication.media() if one.kind == "video"]
        audio = [one.ms for one in publication.media() if one.kind == "audio"]
    kept = video == [ms + video[0] for ms in times] and [b - a for a, b in zip(video, audio, strict=True)] == [5] * len(
        times
    )
    back = sum(after < before for before, after in pairwise(video))
    return [
        lab.exactly(
            "time stamps over 2^24 and 2^31 ms: as sent, steps back, sessions",
            (kept, back, len(ingest.publications)),
            (True, 0, 1),
        )
    ]
