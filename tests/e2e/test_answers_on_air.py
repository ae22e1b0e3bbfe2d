"""A room that answers: comments go in, answers are heard between two sentences of the script, whoever is killed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from pipeline.journal import JournalReader
from tests.station import Station, on_air, until

SCRIPT = "This is the first sentence. And this is the second one. Here comes the third one.\n"
LAST = 2  # of its sentences
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
FILES = {"script.md": SCRIPT, "faq.md": FAQ, "rules.txt": RULES, "products.csv": PRODUCTS}
FAST = {"chain": ["espeak"], "name": "en", "rate": 2.0}  # what is said takes half its time
ANSWERED_S = 60.0
KILLED = {"k0": "hello", "k1": "can it go into the dishwasher", "k2": "how much is the teapot?"}


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    directory = tmp_path_factory.mktemp("room")
    for name, text in FILES.items():
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
    with on_air(directory, outputs=outputs, script=script, chat=chat, voice=FAST) as made:
        until(lambda: made.facts("chat").get("reading"), 30, "somebody answers")
        yield made


@pytest.fixture(scope="module")
def asked(station: Station) -> Station:
    """Comments came, of which one can be answered; why the others were not is told every ten seconds."""
    write(station, "visit https://spam.example now", id="spam", user="Eve")
    write(station, "which way do the swallows fly in autumn over the third hill", id="nobody", user="Finn")
    write(station, "When will it arrive?", id="when", user="Anna")
    return station


@pytest.fixture(scope="module")
def killed(station: Station) -> tuple[Mapping[str, int], int]:
    """Who answers was killed with the first of three answers on its way, and again before it had read a word.

    The processes that were there before, and how many sentences had been heard.
    """
    before, said = station.pids(), len(heard(station))
    for number, (name, text) in enumerate(KILLED.items()):
        write(station, text, id=name, user=f"viewer{number}", user_id=str(number))
    until(lambda: on_its_way(station), ANSWERED_S, f"an answer is on its way; {station.tail()}")
    assert len(on_its_way(station)) < len(KILLED)
    for _ in range(2):
        station.kill("chat")
    until(lambda: all(answered(station, name) for name in KILLED), ANSWERED_S, f"all answers; {station.tail()}")
    until(lambda: station.facts("chat"), 30, "it is back")
    return before, said


def write(station: Station, text: str, **fields: str) -> None:
    """As a viewer."""
    with station.queue() as queue:
        queue.xadd("broadcaster:test:chat", {"text": text, **fields})


def told(station: Station, name: str) -> list[dict[str, str]]:
    return [event for event in station.events() if event["event"] == name]


def answered(station: Station, comment: str) -> dict[str, str] | None:
    """The word that the comment with this id was answered."""
    return next((event for event in told(station, "chat.answered") if event["id"] == comment), None)


def on_its_way(station: Station) -> set[str]:
    """Answers to the comments of `killed` that the director has accepted."""
    accepted = {event["id"].rpartition(":")[0] for event in told(station, "utterance.accepted")}
    return accepted & {f"answer:{name}" for name in KILLED}


def heard(station: Station) -> list[tuple[str, int]]:
    """Sentences that were sent to their end, in order."""
    reports = JournalReader(station.directory / "var" / "journal").read()
    return [(one.utterance, one.sentence) for one in reports if one.what == "sentence_aired"]


def test_a_question_is_read_and_answered_in_one_go_and_the_script_resumes(asked: Station) -> None:
    until(lambda: answered(asked, "when"), ANSWERED_S, f"an answer; {asked.tail()}")
    event = answered(asked, "when")
    assert event is not None
    assert (event["source"], event["became"]) == ("faq", "aired")
    assert "week" in event["answer"] and float(event["sure"]) > 0.5 and int(event["air_ms"]) > 0
    first = heard(asked).index(("answer:when:q", 0))
    until(lambda: len(heard(asked)) > first + 3, 30, "the script goes on")
    said = heard(asked)
    assert said[first : first + 3] == [("answer:when:q", 0), ("answer:when:0", 0), ("answer:when:0", 1)]
    assert first, "the script was not heard before"
    before, after = said[first - 1], said[first + 3]
    assert before[0].startswith("script:") and after[0].startswith("script:")
    assert after[1] == (before[1] + 1 if after[0] == before[0] else 0)
    assert after[0] == before[0] or before[1] == LAST


def test_what_nobody_answers_is_told_with_its_reason(asked: Station) -> None:
    until(lambda: "nobody" in {event["id"] for event in told(asked, "chat.dropped")}, 30, asked.tail())
    until(lambda: any(event["reason"] == "link" for event in told(asked, "chat.dropped")), 30, asked.tail())
    assert not any("swallows" in event["question"] for event in told(asked, "chat.answered"))
    assert not {"answer:spam:0", "answer:nobody:0"} & {name for name, _ in heard(asked)}


def test_nobody_is_answered_twice_when_who_answers_is_killed_and_nothing_else_is(
    station: Station, killed: tuple[Mapping[str, int], int]
) -> None:
    before, said = killed
    after = station.pids()
    assert {**after, "chat": 0} == {**before, "chat": 0}
    answers = [key for key in heard(station)[said:] if key[0].startswith("answer:k")]
    assert {name for name, _ in answers} == {f"answer:{name}:{part}" for name in KILLED for part in ("q", "0")}
    assert len(answers) == len(set(answers))
    events = told(station, "chat.answered")
    assert {event["became"] for event in events} == {"aired"}
    ids = [event["id"] for event in events]
    assert len(ids) == len(set(ids))
    assert station.facts("playout")["skipped"] == 0


def test_answers_come_from_the_rules_the_faq_and_the_products_file(
    station: Station, killed: tuple[Mapping[str, int], int]
) -> None:
    hello, dishwasher, price = (answered(station, name) or {} for name in KILLED)
    assert (hello["source"], hello["answer"]) == ("rule", "Hello, and welcome to the shop.")
    assert (dishwasher["source"], dishwasher["answer"]) == ("faq", "Yes, as often as you like.")
    assert "46" in price["answer"] and price["entry"].startswith("product:pot")
