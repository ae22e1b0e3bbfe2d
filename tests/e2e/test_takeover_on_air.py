"""A script that is edited, paused, skipped and taken over by a person while it is on air, seen at the receiver."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest

from broadcaster.saidlog import DIRECTORY, read
from pipeline.media import FPS
from tests.lab.ingest import Ingest
from tests.recording import inspect
from tests.station import Station, on_air, until
from tests.terminal import typed

SCRIPT = """# Welcome

Good evening, and welcome.

This is the second line of the welcome, and it is here to be heard.

# Mugs

These mugs are made by hand, no two alike.

They are fired twice.

# Goodbye

That was all for now, thank you.
"""
TALK_S = 2.0
HASTY = {"chain": ["espeak"], "name": "en", "rate": 1.5}
HOLE_S = 0.25  # at the receiver: a takeover never interrupts the stream


@pytest.fixture(scope="module")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    with Ingest(tmp_path_factory.mktemp("got")) as made:
        yield made


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory, ingest: Ingest) -> Iterator[Station]:
    directory = tmp_path_factory.mktemp("room")
    script = directory / "script.md"
    script.write_text(SCRIPT)
    outputs = [{"name": "main", "url": ingest.url()}]
    with on_air(directory, outputs=outputs, script={"file": str(script)}, voice=HASTY) as made:
        yield made


def command(station: Station, *arguments: str, given: bytes = b"") -> str:
    """What a command of the program says; it must succeed."""
    done = typed(*arguments, "--config", str(station.config_path), given=given)
    assert done.returncode == 0, done.stderr
    return done.stdout


def said(station: Station) -> list[dict[str, Any]]:
    """The evidence so far, as the command tells it; read in this process, since it is asked for many times."""
    return [msgspec.to_builtins(one) for one in read(station.directory / "var" / DIRECTORY)]


def dropped(station: Station) -> list[str]:
    """Ids that were skipped, as was told."""
    return [event["id"] for event in station.events() if event["event"] == "utterance.skipped"]


def heard(station: Station, text: str, since: int = 0) -> bool:
    return any(text in line.get("text", "") for line in said(station)[since:])


def talks(station: Station, since: int) -> list[dict[str, Any]]:
    """What a person said."""
    return [line for line in said(station)[since:] if line["utterance"].startswith("person:")]


def voice(seconds: float) -> bytes:
    """A person's voice as a microphone gives it: a tone that swells as syllables do. s16le, 48 kHz."""
    at = np.arange(int(seconds * 48_000)) / 48_000
    loud = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * at)
    return (np.sin(2 * np.pi * 180 * at) * loud * 12_000).astype("<i2").tobytes()


def test_an_edit_is_read_on_in_without_losing_the_place(station: Station) -> None:
    until(lambda: heard(station, "Good evening"), 40, f"the script begins; log:\n{station.tail()}")
    script = station.directory / "script.md"
    script.write_text(SCRIPT.replace("fired twice", "fired three times"))
    until(lambda: any(event["event"] == "script.changed" for event in station.events()), 10, "the edit is taken up")
    until(lambda: heard(station, "fired three times"), 60, f"the edited line is said; log:\n{station.tail()}")
    texts = [json.loads(line)["text"] for line in command(station, "log", "said", "--json").splitlines()]
    places = ("Good evening", "second line", "three times")
    told = [next((place for place in places if place in text), "") for text in texts]
    lap = [word for word in told[: told.index("three times") + 1] if word]
    assert lap == list(places), "in its place, and nothing of before it again"


def test_a_paused_room_waits_and_goes_on_where_it_was(station: Station) -> None:
    command(station, "pause")
    until(lambda: not station.facts("director").get("on_air"), 30, "the sentence on air ends")
    before = len(said(station))
    began_s = time.monotonic()
    until(lambda: time.monotonic() - began_s > 3.0, 10, "nothing is said meanwhile")
    assert len(said(station)) == before
    command(station, "resume")
    until(lambda: len(said(station)) > before, 30, f"it goes on; log:\n{station.tail()}")


def test_goto_and_skip_change_what_comes_next_and_nothing_that_was_dropped_is_said(station: Station) -> None:
    assert command(station, "sections").split("\n")[:3] == ["Welcome", "Mugs", "Goodbye"]
    before = len(said(station))
    command(station, "goto", "Goodbye", "--now")
    until(lambda: heard(station, "That was all", before), 30, f"the section is said; log:\n{station.tail()}")
    until(lambda: station.facts("director").get("on_air"), 30, "something is on air")
    skipped = command(station, "skip", "--now").partition(": cut")[0]
    until(lambda: skipped in dropped(station), 20, f"the skip is told; log:\n{station.tail()}")
    assert not set(dropped(station)) & set(station.aired())


def test_a_person_takes_over_and_hands_back_without_a_cut_in_the_stream(station: Station, ingest: Ingest) -> None:
    before, since_s = len(said(station)), time.monotonic()
    told = command(station, "takeover", "talk", "--now", given=voice(TALK_S))
    assert "live" in told and "ended" in told
    until(lambda: talks(station, before), 20, f"evidence of the talk; log:\n{station.tail()}")
    talk = talks(station, before)[0]
    assert talk["source"] == "person" and talk["whole"] and abs(talk["heard_s"] - TALK_S) < 0.6
    after = len(said(station))
    until(lambda: len(said(station)) > after, 30, f"the script goes on; log:\n{station.tail()}")
    arrivals = [one.at_s for one in ingest.media(since_s)]
    assert max(later - earlier for earlier, later in pairwise(arrivals)) < 3 * HOLE_S


def test_all_of_it_was_one_session_that_decodes_whole(station: Station, ingest: Ingest) -> None:
    assert station.facts("playout")["skipped"] <= 3 * HOLE_S * FPS
    assert len(ingest.publications) == 1
    found = inspect(ingest.publications[0].path)
    assert found.decode_errors == 0 and found.monotone and found.black_frames == 0
