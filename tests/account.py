"""What became of every sentence of a script and of pushed words, by the journal and the events of a room.

In: what was to be said, what was reported and told. Out: counts of what is lost, repeated, out of order or not whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from broadcaster.utterance import SCRIPT_PREFIX
from pipeline.clock import RealClock
from pipeline.media import AIR_HZ
from pipeline.wire import Report
from tts.fallback import make_chain
from tts.synthesizer import Voice

ALIKE = AIR_HZ // 50  # a voice's level decides where its silence ends, to some 10 ms
PAUSE = AIR_HZ // 10


@dataclass(slots=True)
class Pushed:
    """What was pushed: texts of its sentences by id, in the order of pushing; and of `now`, when (Unix seconds)."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    lanes: dict[str, tuple[str, str]] = field(default_factory=dict)
    now_s: dict[str, float] = field(default_factory=dict)


class Account:
    """What the journal and the events say became of every sentence."""

    def __init__(
        self, reports: Sequence[Report], pushed: Pushed, script: Sequence[Sequence[str]], told: Sequence[str]
    ) -> None:
        aired = [report for report in reports if report.what == "sentence_aired"]
        self.heard = [(report.utterance, report.sentence) for report in aired]
        expected = {(name, index) for name, texts in pushed.texts.items() for index in range(len(texts))}
        said = set(self.heard)
        self.lost = len(expected - said)
        self.repeated = len(self.heard) - len(said)
        self.disordered = _disordered(self.heard, pushed)
        self.untold = len(pushed.texts.keys() - set(told))
        self.told_twice = len(told) - len(set(told))
        texts = [_text(report, pushed, script) for report in aired]
        whole = spoken(set(texts))
        beyond = [report.samples - whole[text] for report, text in zip(aired, texts, strict=True)]
        self.short = sum(samples < -ALIKE for samples in beyond)
        self.paused = sum(samples > PAUSE for samples in beyond)


def spoken(texts: Iterable[str]) -> dict[str, int]:
    """How many samples of 48 kHz each text is, said by espeak."""

    async def speak() -> dict[str, int]:
        voice = make_chain(["espeak"], 8.0, RealClock())
        try:
            return {text: sum([len(piece.air) async for piece in voice.speak(text, Voice("en"))]) for text in texts}
        finally:
            await voice.close()

    return asyncio.run(speak())


def _disordered(heard: Sequence[tuple[str, int]], pushed: Pushed) -> int:
    """Sentences that came before one that goes first: within an utterance, the script, the queue of a lane."""
    script = [(*_place(name), index) for name, index in heard if name.startswith(SCRIPT_PREFIX)]
    count = sum(before > after for before, after in pairwise(script))
    for name in pushed.texts:
        own = [index for other, index in heard if other == name]
        count += own != sorted(own)
    for lane in {lane for lane in pushed.lanes.values() if lane[1] == "append"}:
        queue = [name for name in pushed.texts if pushed.lanes[name] == lane]
        begun = [name for name, index in heard if index == 0 and name in queue]
        count += begun != queue
    return count


def _place(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.removeprefix(SCRIPT_PREFIX).split(":"))


def _text(report: Report, pushed: Pushed, script: Sequence[Sequence[str]]) -> str:
    if report.utterance.startswith(SCRIPT_PREFIX):
        return script[_place(report.utterance)[1]][report.sentence]
    return pushed.texts[report.utterance][report.sentence]
