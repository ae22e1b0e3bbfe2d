"""A room that answers: comments go in, answers are heard between two sentences of the script, whoever is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from broadcaster.config import load
from broadcaster.room import redis_of
from pipeline.journal import JournalReader
from pipeline.wire import Report
from tests.station import Station, on_air, until

SCRIPT = "This is the first sentence of the script. And this is the second one. Here comes the third one.\n"
FAQ = """---
language: en
---
## How long does delivery take?
- when will it arrive

We pack within two working days. From there it takes a week.

## Is the mug dishwasher safe?
- can it go into the dishwasher

Yes, as often as you like.
"""
RULES = "hello, good evening | Hello, and welcome to the shop.\n"
PRODUCTS = "id,name,price,stock\nmug,Ferry Mug,24.00,33\npot,Little Teapot,46.00,12\n"
ANSWERED_S = 60.0


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    directory = tmp_path_factory.mktemp("room")
    written = {"script.md": SCRIPT, "faq.md": FAQ, "rules.txt": RULES, "products.csv": PRODUCTS}
    for name, text in written.items():
        (directory / name).write_text(text)
    chat = {
        "rules": str(directory / "rules.txt"),
        "faq": [str(directory / "faq.md")],
        "products": str(directory / "products.csv"),
        "per_minute": 120,
        "user_per_minute": 600,
    }
    outputs = [{"name": "main", "url": f"file:{directory}/a.mp4"}]
    script = {"file": str(directory / "script.md")}
    with on_air(directory, outputs=outputs, script=script, chat=chat) as made:
        until(lambda: made.facts("chat"), 30, "somebody answers")
        yield made


@pytest.fixture
def comment(station: Station) -> Iterator[Callable[..., str]]:
    config = load(station.config_path)
    with redis.Redis.from_url(redis_of(config), decode_responses=True, protocol=2) as queue:

        def add(text: str, **fields: str) -> str:
            return str(queue.xadd(f"broadcaster:{config.room}:chat", {"text": text, **fields}))

        yield add


def told(station: Station, name: str) -> list[dict[str, str]]:
    return [event for event in station.events() if event["event"] == name]


def answered(station: Station, comment: str) -> dict[str, str] | None:
    """The word that the comment with this id was answered."""
    return next((event for event in told(station, "chat.answered") if event["id"] == comment), None)


def reports(station: Station) -> list[Report]:
    return JournalReader(Path(load(station.config_path).state_dir) / "journal", 0).read()


def heard(station: Station) -> list[tuple[str, int]]:
    return [(one.utterance, one.sentence) for one in reports(station) if one.what == "sentence_aired"]


def test_a_question_is_read_and_answered_in_one_go_and_the_script_resumes(
    station: Station, comment: Callable[..., str]
) -> None:
    comment("When will it arrive?", id="when", user="Anna")
    until(lambda: answered(station, "when"), ANSWERED_S, f"an answer; {station.tail()}")
    event = answered(station, "when")
    assert event is not None
    assert (event["source"], event["became"]) == ("faq", "aired")
    assert "week" in event["answer"] and float(event["sure"]) > 0.5 and int(event["air_ms"]) > 0
    said = heard(station)
    first = said.index(("answer:when:q", 0))
    assert said[first : first + 3] == [("answer:when:q", 0), ("answer:when:0", 0), ("answer:when:0", 1)]
    until(lambda: len(heard(station)) > first + 4, 30, "the script goes on")
    before, after = said[first - 1] if first else None, heard(station)[first + 3]
    assert after[0].startswith("script:")
    if before is not None and before[0] == after[0]:
        assert after[1] == before[1] + 1


def test_prices_come_from_the_products_file(station: Station, comment: Callable[..., str]) -> None:
    comment("how much is the teapot?", id="price", user="Ben")
    until(lambda: answered(station, "price"), ANSWERED_S, f"an answer; {station.tail()}")
    event = answered(station, "price")
    assert event is not None and "46" in event["answer"] and event["entry"].startswith("product:pot")


def test_nobody_is_answered_twice_when_who_answers_is_killed_and_nothing_else_is(
    station: Station, comment: Callable[..., str]
) -> None:
    before = station.pids()
    said = len(heard(station))
    names = []
    for number, text in enumerate(("hello", "can it go into the dishwasher", "how much is the Ferry Mug")):
        names.append(f"k{number}")
        comment(text, id=names[-1], user=f"viewer{number}", user_id=str(number))
        station.kill("chat")
    until(lambda: all(answered(station, name) for name in names), ANSWERED_S, f"all answers; {station.tail()}")
    until(lambda: station.facts("chat"), 30, "it is back")
    after = station.pids()
    assert {**after, "chat": 0} == {**before, "chat": 0}
    answers = [key for key in heard(station)[said:] if key[0].startswith("answer:k")]
    assert len(answers) == len(set(answers))
    ids = [event["id"] for event in told(station, "chat.answered")]
    assert len(ids) == len(set(ids))
    assert station.facts("playout")["skipped"] == 0


def test_what_nobody_answers_is_told_with_its_reason(station: Station, comment: Callable[..., str]) -> None:
    comment("visit https://spam.example now", id="spam", user="Eve")
    comment("which way do the swallows fly in autumn over the third hill", id="nobody", user="Finn")
    until(lambda: "nobody" in {event["id"] for event in told(station, "chat.dropped")}, 30, station.tail())
    until(lambda: any(event["reason"] == "link" for event in told(station, "chat.dropped")), 30, station.tail())
    assert not any("swallows" in event["question"] for event in told(station, "chat.answered"))
    assert not {"answer:spam:0", "answer:nobody:0"} & {name for name, _ in heard(station)}
