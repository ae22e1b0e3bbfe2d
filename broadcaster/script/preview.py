"""What a script would say from a moment on: each line with its time, as if nothing else were said.

In: a script, the room's clock, voice and dice, a moment. Out: lines for a person to read. Times are estimates: from the
number of characters, until a voice says how long they last. It speaks nothing and needs no room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from broadcaster.config import Config
from broadcaster.pace import Pace
from broadcaster.script.model import Script
from broadcaster.script.place import Place, seed_of
from broadcaster.script.products import Catalog
from broadcaster.script.reading import Reading
from broadcaster.script.surroundings import Surroundings
from broadcaster.timeline import SENTENCE_PAUSE_SAMPLES, UTTERANCE_PAUSE_SAMPLES
from broadcaster.utterance import Utterance
from broadcaster.zone import zone_of
from pipeline.clock import FakeClock
from pipeline.errors import ConfigError
from pipeline.media import AIR_HZ
from tts import markup
from tts.text import sentences

TICK_S = 0.001  # no time is known better
LOOK_S = 60.0  # while nothing may be said: dayparts begin at whole minutes


@dataclass(frozen=True, slots=True)
class Room:
    """What of a room decides how a script is read. timezone: "" is the machine's. rate: of its voice, 1.0 = normal."""

    timezone: str = ""
    voice: str = "en"
    rate: float = 1.0
    loop: bool = True
    seed: int = 0


def room_of(config: Config) -> Room:
    """The room of this configuration."""
    loop = config.script.loop if config.script else True
    return Room(config.timezone or "", config.voice.name, config.voice.rate, loop, seed_of(config.room))


@dataclass(frozen=True, slots=True)
class Row:
    """at_s: when its first word is said, Unix seconds. section: that it opens. text: "" when nothing may be said."""

    at_s: float
    text: str
    source: str = ""
    section: str = ""


def rows(script: Script, catalog: Catalog, room: Room, begin_s: float, hours: float) -> Iterator[Row]:
    """Line after line, until the time is over or the script has ended."""
    clock, pace = FakeClock(wall_s=begin_s), Pace()
    surroundings = Surroundings(clock, room.timezone, room.voice)
    reading = Reading(
        script, sentences, room.loop, Place(seed=room.seed), values=lambda: surroundings.values(script, catalog)
    )
    quiet, end_s = False, begin_s + hours * 3600 - TICK_S
    while clock.wall_s() < end_s:
        utterance = reading.next(clock.wall_s())
        if utterance is None:
            if not quiet:
                yield Row(clock.wall_s(), "")
            quiet = True
            clock.advance(LOOK_S - clock.wall_s() % LOOK_S)
            continue
        quiet = False
        yield Row(clock.wall_s(), _shown(utterance), utterance.source, utterance.section)
        clock.advance(_lasts_s(utterance, pace, room.rate))


def lines(script: Script, catalog: Catalog, room: Room, begin_s: float, hours: float) -> Iterator[str]:
    """The same for a terminal."""
    zone = zone_of(room.timezone)
    begin = datetime.fromtimestamp(begin_s, zone)
    order = f"shuffled by seed {room.seed}" if script.order == "shuffle" else "as listed"
    yield f"{script.path}: {order}, from {begin:%Y-%m-%d %H:%M} {room.timezone or begin.tzname()}; times are estimates"
    for row in rows(script, catalog, room, begin_s, hours):
        time = datetime.fromtimestamp(row.at_s, zone)
        if row.section:
            yield f"\n{time:%H:%M:%S}  # {row.section}"
        line = row.source.rpartition(":")[2]
        yield (
            f"{time:%H:%M:%S}  {line:>5}  {row.text}"
            if row.text
            else f"{time:%H:%M:%S}         (nothing is to be said)"
        )


def begin_s(at: str | None, timezone: str, now_s: float) -> float:
    """Unix seconds of a time of this day as 20:00, None: now. ConfigError when it is none."""
    if at is None:
        return now_s
    now = datetime.fromtimestamp(now_s, zone_of(timezone))
    hours, _, minutes = at.partition(":")
    if not (hours.isdigit() and minutes.isdigit() and len(minutes) == 2 and int(hours) < 24 and int(minutes) < 60):
        raise ConfigError(f"--at {at!r}: write a time of the day as 20:00")
    day = datetime(now.year, now.month, now.day, tzinfo=now.tzinfo)
    return (day + timedelta(hours=int(hours), minutes=int(minutes))).timestamp()


def _shown(utterance: Utterance) -> str:
    settings = [utterance.voice, f"×{utterance.speed:g}" if utterance.speed is not None else ""]
    told = ", ".join(filter(None, settings))
    text = " ".join(markup.plain(sentence) for sentence in utterance.sentences)
    return f"({told}) {text}" if told else text


def _lasts_s(utterance: Utterance, pace: Pace, rate: float) -> float:
    """From its first word to the next utterance's."""
    speed = rate if utterance.speed is None else utterance.speed
    spoken_s = sum(_sentence_s(sentence, pace) / speed for sentence in utterance.sentences)
    between_s = (len(utterance.sentences) - 1) * SENTENCE_PAUSE_SAMPLES / AIR_HZ
    return spoken_s + between_s + (UTTERANCE_PAUSE_SAMPLES / AIR_HZ if utterance.pause_s is None else utterance.pause_s)


def _sentence_s(sentence: str, pace: Pace) -> float:
    marked = markup.parse(sentence)
    chars = sum(len(span.text) for span in marked.spans) or 1
    slower = sum(len(span.text) / span.speed for span in marked.spans) / chars
    return pace.seconds(marked.plain) * (slower or 1.0) + sum(span.pause_s for span in marked.spans)
