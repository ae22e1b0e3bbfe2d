"""A real director whose voices fail in every way there is, with another voice behind them, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests import espeak_faults
from tests.conftest import need
from tests.edge_service import FAULTS, EdgeService
from tests.process.director_floor import Floor, RedisServer
from tests.voices_server import FAULTS as SERVER_FAULTS
from tests.voices_server import KEY, SpeechServer

CHILD = "tests.process.director_edge_child"
TIMEOUT_S = 0.6  # of a voice
#: one of each kind: no line, no answer, half of one, a sound that is none, and a word why not; `make test-long` has all
SOME = ("refused", "silent", "half then hang", "noise", "too many")

Open = Callable[..., Floor]


@pytest.fixture
def service(short_dir: Path) -> Iterator[EdgeService]:
    made = EdgeService(short_dir)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def ailment(short_dir: Path) -> Path:
    """What ails the offline voice."""
    path = short_dir / "espeak-fault"
    path.write_text("")
    return path


@pytest.fixture
def open_floor(short_dir: Path, service: EdgeService, ailment: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    server = RedisServer(need("redis-server"), short_dir)
    queue: redis.Redis = server.start()
    floors: list[Floor] = []
    monkeypatch.setenv("EDGE_ADDRESS", str(service.address))
    monkeypatch.setenv("ESPEAK_FAULT", str(ailment))

    def make(**spec: Any) -> Floor:
        floor = Floor(short_dir, queue, server.url, voice_timeout_s=TIMEOUT_S, **spec)
        floors.append(floor)
        floor.start(CHILD)
        floor.until(lambda: any(beat.phase == "ready" for beat in floor.beats), what="ready")
        floor.tell()
        return floor

    yield make
    ailment.write_text("")
    for floor in floors:
        floor.close()
    queue.close()
    server.kill()


def is_well(floor: Floor, voice: str = "edge") -> bool:
    return bool(floor.beats[-1].facts["voices"][voice] == "well")


@pytest.mark.parametrize("faults", [SOME, pytest.param(FAULTS, marks=pytest.mark.long)], ids=["some", "all"])
def test_an_online_voice_failing_in_every_way_costs_no_sentence(
    open_floor: Open, service: EdgeService, faults: tuple[str, ...]
) -> None:
    floor = open_floor(voice_chain=["edge", "espeak"])
    expected: list[str] = []

    def say(name: str, *sentences: str) -> None:
        floor.say(" ".join(sentences), id=name)
        expected.extend(sentences)

    say("first", "Everything is well at the beginning.")
    floor.until(lambda: floor.texts == expected)
    for fault in faults:
        service.fail(fault)
        say(fault, f"Now it is {fault} and we speak.", f"This is still {fault} and we go on.")
        floor.until(lambda: floor.texts == expected and not is_well(floor), what=fault)
        assert not any(fault in text for text in service.said), f"{fault}: the offline voice said it"
        service.said.clear()
        service.fail("")
        floor.until(lambda: service.said and is_well(floor), what=f"a probe after {fault}")
        say(f"{fault}-over", f"The voice is back after {fault} now.")
        floor.until(lambda: floor.texts == expected, what=f"after {fault}")
        assert expected[-1] in service.said, "by the online voice again"
    floor.until(lambda: floor.pending() == 0, what="acknowledged")
    assert [event["id"] for event in floor.events("utterance.aired")] == list(
        dict.fromkeys(name for name, _ in floor.heard)
    )
    assert floor.events("utterance.dead_lettered") == []


@pytest.mark.long
def test_the_offline_voice_failing_in_every_way_costs_no_sentence(
    open_floor: Open, service: EdgeService, ailment: Path
) -> None:
    floor = open_floor(voice_chain=["espeak", "edge"])
    expected: list[str] = []

    def say(name: str, *sentences: str) -> None:
        floor.say(" ".join(sentences), id=name)
        expected.extend(sentences)

    say("first", "Everything is well at the beginning.")
    floor.until(lambda: floor.texts == expected)
    assert service.said == []
    for fault in espeak_faults.STAYING:
        ailment.write_text(fault)
        say(fault, f"Now it is {fault} and we speak.", f"This is still {fault} and we go on.")
        floor.until(lambda: floor.texts == expected, timeout_s=20, what=fault)
        assert {text for text in expected if fault in text} == {text for text in service.said if fault in text}
        ailment.write_text("")
        if fault != "no voice":  # it lacks this one, and is well
            floor.until(lambda: is_well(floor, "espeak"), timeout_s=20, what=f"a probe after {fault}")
        service.said.clear()
        say(f"{fault}-over", f"The voice is back after {fault} now.")
        floor.until(lambda: floor.texts == expected, what=f"after {fault}")
        assert service.said == [], "by the offline voice again"
    floor.until(lambda: floor.pending() == 0, what="acknowledged")
    assert [event["id"] for event in floor.events("utterance.aired")] == list(
        dict.fromkeys(name for name, _ in floor.heard)
    )
    assert floor.events("utterance.dead_lettered") == []


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_voice_of_a_server_failing_in_every_way_costs_no_sentence(open_floor: Open) -> None:
    server = SpeechServer()
    server.start()
    try:
        limits = {"first_byte_s": TIMEOUT_S, "idle_s": TIMEOUT_S}
        settings = {"http": {"url": server.url, "key": KEY, "voices": {"en": "af"}, **limits}}
        floor = open_floor(voice_chain=["http", "espeak"], voice_settings=settings)
        expected: list[str] = []

        def say(name: str, *sentences: str) -> None:
            floor.say(" ".join(sentences), id=name)
            expected.extend(sentences)

        say("first", "Everything is well at the beginning.")
        floor.until(lambda: floor.texts == expected)
        for fault in SERVER_FAULTS:
            server.fail(fault)
            say(fault, f"Now it is {fault} and we speak of it.", f"This is still {fault} and we go on.")
            floor.until(lambda: floor.texts == expected, timeout_s=40, what=fault)
            server.fail("")
            floor.until(lambda: is_well(floor, "http"), timeout_s=40, what=f"a probe after {fault}")
            asked = len(server.asked)
            say(f"{fault}-over", f"The voice is back after {fault} now.")
            floor.until(lambda: floor.texts == expected, timeout_s=40, what=f"after {fault}")
            assert len(server.asked) > asked, "by the server again"
        floor.until(lambda: floor.pending() == 0, what="acknowledged")
        assert [event["id"] for event in floor.events("utterance.aired")] == list(
            dict.fromkeys(name for name, _ in floor.heard)
        )
        assert floor.events("utterance.dead_lettered") == []
    finally:
        server.stop()


def test_while_no_voice_works_evergreen_speaks_and_all_words_are_said_afterwards(
    open_floor: Open, service: EdgeService, short_dir: Path
) -> None:
    lines = ["Stay with us for a moment.", "All is well here."]
    (short_dir / "evergreen.md").write_text("\n\n".join(lines))
    floor = open_floor(voice_chain=["edge"], evergreen_file=str(short_dir / "evergreen.md"), evergreen_after_s=0.5)
    floor.until(lambda: set(lines) <= set(service.said), what="evergreen lines made ahead")
    service.fail("refused")
    names = [f"u{number}" for number in range(6)]
    for name in names:
        floor.say(f"These are the words of {name}. And more of them.", id=name)
    floor.until(lambda: floor.texts[-6:] == 3 * lines or floor.texts[-6:] == 3 * lines[::-1], what="evergreen")
    assert not any(name in names for name, _ in floor.heard)
    service.fail("")
    floor.until(lambda: floor.pending() == 0, timeout_s=20, what="all that waited")
    real = [key for key in floor.heard if not key[0].startswith("evergreen:")]
    assert real == [(name, index) for name in names for index in range(2)]
    told = {event["id"] for event in floor.events("utterance.dead_lettered")}
    assert told == set()


def test_the_script_goes_on_in_its_own_voice_for_as_long_as_the_larder_lasts(
    open_floor: Open, service: EdgeService, short_dir: Path
) -> None:
    lines = [f"This is line {number} of the script." for number in range(12)]
    (short_dir / "script.txt").write_text("\n\n".join(lines))
    floor = open_floor(voice_chain=["edge"], script_file=str(short_dir / "script.txt"))
    floor.playing = False
    floor.until(lambda: len(set(service.said)) == len(lines), what="all of it made ahead")
    floor.playing = True
    service.fail("refused")
    floor.until(lambda: len(floor.texts) >= 2 * len(lines), timeout_s=30, what="two rounds without the service")
    assert floor.texts[: 2 * len(lines)] == 2 * lines


def test_a_kept_sentence_is_said_though_its_voice_is_down(open_floor: Open, service: EdgeService) -> None:
    floor = open_floor(voice_chain=["edge"])
    floor.say("The same words as before.", id="a")
    floor.until(lambda: floor.heard == [("a", 0)])
    service.fail("dns")
    floor.say("Other words.", id="b")
    floor.say("The same words as before.", id="c")
    floor.until(lambda: ("c", 0) in floor.heard)
    assert floor.heard == [("a", 0), ("c", 0)]
    service.fail("")
    floor.until(lambda: ("b", 0) in floor.heard)
