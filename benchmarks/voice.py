"""Voices: how fast a kept sentence is there, how loud everybody is on air, and voices that fail in every way.

The service is tests/edge_service.py; the daemon is whole, with a recording as its output.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np

from benchmarks.figures import Figure, percentile
from pipeline.arrays import Pcm
from pipeline.clock import RealClock
from pipeline.media import AIR_HZ
from tests import espeak_faults
from tests.edge_service import FAULTS, EdgeService
from tests.station import ROOT, Station, on_air, until
from tts.fallback import make_chain
from tts.loudness import TARGET_LUFS, measure
from tts.synthesizer import Voice

HITS = 50
TEN_SECONDS = (
    "This mug is turned by hand in a small workshop, and no two of them are alike, which is why we would like you to "
    "take your time with it, to look at each one from every side, and to choose the one that feels right."
)
AILMENT = "espeak-fault"  # the file that names what ails the offline voice
LOUD, QUIET = 32_000, 800  # peaks of the service's voice
#: Runs in every process of a room before all else; only the director's voice is changed.
SITE = """
import sys
if "director" in sys.orig_argv:
    sys.path.insert(0, {root!r})
    from pathlib import Path
    from tests import edge_service, espeak_faults
    from tts import fallback
    edge_service.patch(Path({address!r}))
    espeak_faults.patch(Path({ailment!r}))
    fallback.make_chain.__defaults__ = (*fallback.make_chain.__defaults__[:-1], 1.0)  # a provider's rest, s
"""


def run() -> list[Figure]:
    return [*asyncio.run(_hits()), *_loudness(), *_faults(), *_offline_faults()]


async def _hits() -> list[Figure]:
    """The same sentence again: until its first sound, and until all of it."""
    with tempfile.TemporaryDirectory() as name:
        chain = make_chain(["espeak"], 8.0, RealClock(), Path(name), 1 << 26)
        first_ms: list[float] = []
        whole_ms: list[float] = []
        seconds = 0.0
        for _ in range(HITS + 1):
            began_s, samples = time.perf_counter(), 0
            async for piece in chain.speak(TEN_SECONDS, Voice("en")):
                if not samples:
                    first_ms.append(1000 * (time.perf_counter() - began_s))
                samples += len(piece.air)
            whole_ms.append(1000 * (time.perf_counter() - began_s))
            seconds = samples / AIR_HZ
            await asyncio.sleep(0.05)  # for the first one to be written
            assert chain.keeps(TEN_SECONDS, Voice("en"))
        kept_mb = sum(path.stat().st_size for path in Path(name).glob("*.speech")) / 1e6
        await chain.close()
    p50, p95 = percentile(whole_ms[1:], 0.5), percentile(whole_ms[1:], 0.95)
    return [
        Figure(f"speech cache hit, a sentence of {seconds:.1f} s: all of it, p50", f"{p50:.1f} ms", "< 5 ms", p50 < 5),
        Figure("  p95", f"{p95:.1f} ms of {HITS}"),
        Figure("  first sound of it, p50", f"{percentile(first_ms[1:], 0.5):.1f} ms"),
        Figure("  spoken by espeak instead", f"{whole_ms[0]:.0f} ms, first sound {first_ms[0]:.0f} ms"),
        Figure("  on disk", f"{60 * kept_mb / seconds:.1f} MB a minute"),
    ]


def _loudness() -> list[Figure]:
    """What viewers get of the offline voice, of a loud one and of a quiet one, out of a recording."""
    figures = []
    for name, level in (("espeak", 0), ("a loud voice", LOUD), ("a quiet voice", QUIET)):
        with _room(["edge"] if level else ["espeak"], level or LOUD) as (station, _):
            for number in range(4):
                text = f"This is sentence {number}, and it goes on for a while, so that it can be measured."
                assert station.client.wait(station.client.say(text), "0", 30)
            sound = _recorded(station)
        lufs, peak_db = measure([sound]), 20 * float(np.log10(np.abs(sound.astype(int)).max() / 32768))
        figures.append(
            Figure(f"loudness on air: {name}", f"{lufs:.1f} LUFS", "-16 ± 1 LUFS", abs(lufs - TARGET_LUFS) <= 1)
        )
        figures.append(Figure("  highest sample of the recording", f"{peak_db:.1f} dBFS", "≤ -1 dBFS", peak_db <= -1))
    return figures


def _offline_faults() -> list[Figure]:
    """Every fault of the offline voice while on air, a crash of its library with the director around it among them."""
    said: list[str] = []
    by_espeak = 0
    with _room(["espeak", "edge"], LOUD) as (station, service):
        ailment = station.directory / AILMENT
        for fault in espeak_faults.FAULTS:
            ailment.write_text(fault)
            _say(station, f"Now the voice is {fault}. And it is still {fault}.", fault)
            ailment.write_text("")
            until(lambda: _is_well(station, "espeak"), 30, "the voice is tried again")
            text = f"It is over with {fault}."
            _say(station, text, f"after {fault}")
            said += [fault, f"after {fault}"]
            by_espeak += text not in service.said
        return _judged("offline", len(espeak_faults.FAULTS), station, said, by_espeak)


def _faults() -> list[Figure]:
    """Every fault of the online voice while on air; after each, the voice is back."""
    said: list[str] = []
    by_edge = 0
    with _room(["edge", "espeak"], LOUD) as (station, service):
        for fault in FAULTS:
            service.fail(fault)
            _say(station, f"Now the voice is {fault}. And it is still {fault}.", fault)
            service.fail("")
            service.said.clear()
            until(lambda: service.said and _is_well(station), 30, "the voice is tried again")
            text = f"It is over with {fault}."
            _say(station, text, f"after {fault}")
            said += [fault, f"after {fault}"]
            by_edge += text in service.said
        return _judged("online", len(FAULTS), station, said, by_edge)


def _judged(voice: str, faults: int, station: Station, said: list[str], back: int) -> list[Figure]:
    aired, skipped = station.aired(), int(station.facts("playout")["skipped"])
    sessions = int(station.facts("playout")["outputs"]["file"]["connects"])
    return [
        Figure(f"{faults} faults of the {voice} voice on air: slots missed", f"{skipped}", "0", skipped == 0),
        Figure("  utterances aired once, in order", f"{len(aired)}", f"{len(said)}", aired == said),
        Figure(f"  back on the {voice} voice after it", f"{back}", f"{faults}", back == faults),
        Figure("  sessions of the output", f"{sessions}", "1", sessions == 1),
    ]


def _say(station: Station, text: str, name: str) -> None:
    station.client.say(text, id=name)
    until(lambda: name in station.aired(), 60, f"{name} was said")


def _is_well(station: Station, voice: str = "edge") -> bool:
    return bool(station.status().get("director", {}).get("voices", {}).get(voice) == "well")


@contextmanager
def _room(chain: Sequence[str], level: int) -> Iterator[tuple[Station, EdgeService]]:
    """A station that records itself, with a voice service of ours."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        service = EdgeService(directory, level)
        service.start()
        ailment = directory / AILMENT
        ailment.write_text("")
        site = SITE.format(root=str(ROOT), address=str(service.address), ailment=str(ailment))
        (directory / "sitecustomize.py").write_text(site)
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = str(directory)
        voice = {"chain": list(chain), "name": "en", "timeout_s": 2}
        outputs = [{"name": "file", "url": f"file:{directory}/heard.mp4"}]
        try:
            with on_air(directory, voice=voice, outputs=outputs) as station:
                yield station, service
        finally:
            service.stop()
            if before is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = before


def _recorded(station: Station) -> Pcm:
    """All sound of a room that is still on air, as its recording has it by now."""
    station.stop()
    (path,) = station.directory.glob("heard-*.mp4")
    resampler = av.AudioResampler(format="s16", layout="mono", rate=AIR_HZ)
    with av.open(str(path)) as container:
        frames = [made for frame in container.decode(audio=0) for made in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])
