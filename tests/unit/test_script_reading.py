"""A script read aloud: dayparts, order, words that vary, and a place that survives restarts, edits and orders."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from broadcaster.continuity import Continuity
from broadcaster.script.load import parse
from broadcaster.script.model import Daypart, Line, Script, Section
from broadcaster.script.place import Place
from broadcaster.script.reading import Reading
from broadcaster.script.values import Values
from broadcaster.utterance import Lane, Utterance

PATH = Path("shop.md")


def split(text: str) -> list[str]:
    return [part.strip() for part in text.split(".") if part.strip()]


def script(*sections: Section, order: str = "listed", digest: str = "d", **more: object) -> Script:
    return Script(PATH, sections, digest, order=order, **more)  # type: ignore[arg-type]


def section(name: str, *texts: str, **more: object) -> Section:
    lines = tuple(Line(text, number + 1) for number, text in enumerate(texts or (f"{name} words",)))
    return Section(name, lines, 1, **more)  # type: ignore[arg-type]


def reading(
    words: Script, place: Place | None = None, loop: bool = True, values: Callable[[], Values] = Values
) -> Reading:
    return Reading(words, split, loop, place or Place(), values=values)


def take(words: Reading, count: int) -> list[Utterance]:
    return [one for _ in range(count) if (one := words.next(0.0))]


def texts(words: Reading, count: int) -> list[str]:
    return [" ".join(one.sentences) for one in take(words, count)]


def at(hour: int, minute: int = 0) -> Callable[[], Values]:
    return lambda: Values(datetime(2026, 5, 1, hour, minute))


def kept(place: Place) -> Place:
    """As it comes back from the disk."""
    return msgspec.json.decode(msgspec.json.encode(place), type=Place)


# ── what an utterance is told ────────────────────────────────────────────────────────────────────


def test_voice_speed_and_pause_of_a_line_go_before_those_of_its_section_and_the_script() -> None:
    plain, own = Line("one", 3), Line("two", 4, voice="zh", speed=0.9, pause_s=0.0)
    words = script(
        Section("A", (plain, own), 2, voice="en", speed=1.1), section("B"), voice="fr", speed=1.2, pause_s=3.0
    )
    said = [(one.voice, one.speed, one.pause_s, one.source) for one in take(reading(words), 3)]
    assert said == [
        ("en", 1.1, 3.0, "shop.md:3"),
        ("zh", 0.9, 0.0, "shop.md:4"),
        ("fr", 1.2, 3.0, "shop.md:1"),
    ]


def test_what_is_spoken_ahead_is_spoken_in_the_voice_of_its_line() -> None:
    words = script(Section("A", (Line("one", 3), Line("two", 4, voice="zh", speed=0.9)), 2, speed=1.1))
    assert reading(words).coming(2) == [("one", "", 1.1), ("two", "zh", 0.9)]


def test_a_script_that_asks_for_nothing_leaves_all_to_the_room() -> None:
    one = take(reading(script(section("A"))), 1)[0]
    assert (one.voice, one.speed, one.pause_s) == ("", None, None)


def test_a_programme_has_ids_and_a_lane_of_its_own() -> None:
    words = Reading(script(section("A")), split, True, Place(), prefix="schedule:x:", lane=Lane.SCHEDULED)
    one = take(words, 1)[0]
    assert (one.id, one.lane) == ("schedule:x:0:0", Lane.SCHEDULED)
    words.seek("schedule:x:4:0")
    assert take(words, 1)[0].id == "schedule:x:4:0"


def test_notes_of_an_earlier_release_are_read() -> None:
    place = b'{"lap":2,"index":1,"section":"A","number":1,"digest":"d"}'
    old = b'{"on_air":[{"id":"a","sentences":["x"],"lane":3}],"place":' + place + b"}"
    saved = msgspec.json.decode(old, type=Continuity)
    assert saved.on_air[0].pause_s is None
    assert take(reading(script(section("A", "a", "b")), saved.place), 1)[0].id == "script:2:1"


# ── dayparts and order ───────────────────────────────────────────────────────────────────────────


def test_a_section_is_read_in_its_dayparts_alone() -> None:
    night = section("night", dayparts=(Daypart(22 * 60, 6 * 60),))
    day = section("day", dayparts=(Daypart(6 * 60, 22 * 60),))
    words = script(section("all"), night, day)
    assert texts(reading(words, values=at(23)), 4) == ["all words", "night words"] * 2
    assert texts(reading(words, values=at(12)), 4) == ["all words", "day words"] * 2


def test_a_section_whose_daypart_ends_is_left_at_the_next_line() -> None:
    now = [at(11, 59)]
    words = reading(
        script(section("noon", "a", "b", dayparts=(Daypart(0, 720),)), section("rest")), values=lambda: now[0]()
    )
    assert texts(words, 1) == ["a"]
    now[0] = at(12)
    assert texts(words, 1) == ["rest words"]


def test_when_nothing_may_be_said_now_the_reading_waits_and_goes_on_later() -> None:
    now = [at(3)]
    words = reading(script(section("day", dayparts=(Daypart(360, 720),))), values=lambda: now[0]())
    assert words.next(0.0) is None and words.coming(5) == []
    now[0] = at(6)
    assert take(words, 1)[0].id == "script:0:0"


@pytest.mark.parametrize("loop", [True, False])
def test_a_shuffled_script_says_each_section_whole(loop: bool) -> None:
    words = reading(script(*(section(name, f"{name}1", f"{name}2") for name in "ABCDEF"), order="shuffle"), loop=loop)
    said = texts(words, 36)
    assert len(said) == (36 if loop else 12)
    assert all((a[0], a[1], b[1]) == (b[0], "1", "2") for a, b in zip(said[::2], said[1::2], strict=True))
    assert {one[0] for one in said} == set("ABCDEF")
    assert words.next(0.0) is None or loop


def test_the_file_decides_over_the_configuration_whether_it_loops() -> None:
    assert len(take(reading(script(section("A"), loop=False), loop=True), 5)) == 1
    assert len(take(reading(script(section("A"), loop=True), loop=False), 5)) == 5


def test_shuffled_ids_rise_and_none_comes_twice() -> None:
    words = reading(script(*(section(name, weight=float(n + 1)) for n, name in enumerate("ABCDE")), order="shuffle"))
    ids = [tuple(int(part) for part in one.id.split(":")[1:]) for one in take(words, 400)]
    assert ids == sorted(set(ids)) and ids[-1][0] > 10


def test_restarts_change_nothing_of_a_shuffled_reading_with_alternatives() -> None:
    words = script(
        *(
            section(name, f"{{a|b|c}} {name}", "{d|e} {f|g|h}", weight=w)
            for name, w in zip("ABCDEFG", [1, 2, 1, 0.5, 1, 3, 1], strict=True)
        ),
        order="shuffle",
    )
    whole = [(one.id, one.sentences) for one in take(reading(words, Place(seed=9)), 300)]
    dice, place, said = random.Random(1), Place(seed=9), list[tuple[str, tuple[str, ...]]]()
    while len(said) < 300:
        some = reading(words, place)
        ahead = take(some, dice.randint(1, 9))
        number = dice.randrange(len(ahead))  # from here on they were not begun: they are read again
        said += [(one.id, one.sentences) for one in ahead[:number]]
        place = kept(some.place_of(ahead[number].id))
    assert said[:300] == whole[: len(said[:300])]
    assert [one[1] for one in whole] != [one.sentences for one in take(reading(words, Place(seed=8)), 300)]


def test_looking_ahead_gives_the_words_that_come_and_takes_none() -> None:
    words = reading(script(*(section(name, "{a|b|c}. {d|e} x") for name in "ABCDE"), order="shuffle"))
    for _ in range(20):
        ahead = [one.text for one in words.coming(9)]
        assert [one.text for one in words.coming(9)] == ahead
        said = [sentence for one in take(words, 4) for sentence in one.sentences]
        assert said == ahead[: len(said)] and len(said) == 8


# ── words that vary ──────────────────────────────────────────────────────────────────────────────


def test_a_line_is_not_said_as_in_the_lap_before() -> None:
    said = texts(reading(script(section("A", "{Hello|Hi|Welcome} all {now|today}"))), 40)
    for part in (0, 2):
        chosen = [one.split()[part] for one in said]
        assert all(a != b for a, b in itertools.pairwise(chosen))
    assert len(set(said)) == 6


def test_variables_are_those_of_the_moment_a_line_is_taken() -> None:
    now = [at(20, 4)]
    words = reading(script(section("A", "it is {time}")), values=lambda: now[0]())
    assert texts(words, 1) == ["it is 20:04"]
    now[0] = at(20, 5)
    assert texts(words, 1) == ["it is 20:05"]


def test_a_line_whose_variable_has_no_value_is_passed_over_until_it_has() -> None:
    values = Values()
    words = reading(script(section("A", "costs {mug.price}", "plain")), values=lambda: values)
    assert texts(words, 2) == ["plain", "plain"]
    values = Values(products={"mug": {"price": "12"}})
    assert texts(words, 2) == ["costs 12", "plain"]


def test_a_script_that_can_say_nothing_holds_nobody_up() -> None:
    words = reading(script(section("A", *["{nothing}"] * 5_000)))
    assert words.next(0.0) is None and words.coming(10) == []


# ── orders ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("order", ["listed", "shuffle"])
def test_goto_reads_a_section_from_its_start_under_new_ids_whatever_its_dayparts(order: str) -> None:
    words = reading(
        script(section("A", "a"), section("B", "b1", "b2", dayparts=(Daypart(0, 1),)), section("C"), order=order),
        values=at(12),
    )
    before = take(words, 3)
    assert words.sections() == ["A", "B", "C"]
    assert not words.goto("D") and words.goto("B")
    place = kept(words.place_of(None))
    said = take(words, 3)
    assert [" ".join(one.sentences) for one in said[:2]] == ["b1", "b2"] and said[2].sentences[0] in ("C words", "a")
    assert said[0].section == "B"
    assert not {one.id for one in said} & {one.id for one in before}
    assert texts(reading(script(*words.script.sections, order=order), place, values=at(12)), 2) == ["b1", "b2"]
    assert words.goto("B") and words.goto("B"), "again while it is asked for"


def test_two_sections_of_one_name_can_both_be_reached() -> None:
    words = reading(script(section("A", "one"), section("B"), section("A", "two")))
    assert words.sections() == ["A", "B", "A #2"]
    assert words.goto("A #2") and texts(words, 1) == ["two"]


def test_leave_goes_on_after_the_section() -> None:
    words = reading(script(section("A", "1", "2", "3"), section("B")))
    take(words, 1)
    words.leave()
    assert take(words, 1)[0].id == "script:0:3"


# ── edits ────────────────────────────────────────────────────────────────────────────────────────


def edited(text: str, count: int, new: str) -> list[str]:
    """Read so many lines, then edit the file: what comes next."""
    words = reading(parse(text, PATH))
    take(words, count)
    return texts(words.revised(parse(new, PATH), kept(words.place_of(None))), 3)


def test_after_an_edit_the_same_line_comes_next() -> None:
    old = "# A\n\na1\n\n# B\n\nb1\n\nb2\n\nb3\n"
    assert edited(old, 2, old.replace("b3", "B3"))[0] == "b2", "a later line"
    assert edited(old, 2, old.replace("a1", "new\n\na1"))[0] == "b2", "another section"
    assert edited(old, 2, old.replace("b1", "new\n\nb0\n\nb1"))[0] == "b2", "lines before it"
    assert edited(old, 2, old.replace("b1\n\n", ""))[0] == "b2", "the line on air is gone"
    assert edited(old, 2, old.replace("b2", "B2!"))[0] == "B2!", "the line itself"
    assert edited(old, 2, old.replace("b1", "x\n\nb1").replace("b2", "B2!"))[0] == "B2!", "both"
    assert edited(old, 2, old.replace("# B", "# C"))[0] == "b2", "its section has another name"
    assert edited(old, 2, old.replace("b2\n\nb3\n", ""))[0] == "a1", "nothing of the section is left"
    assert edited(old, 4, old + "\nb4\n")[0] == "b4", "a line behind the last one"


def test_ids_after_an_edit_are_new_and_rise() -> None:
    words = reading(parse("# A\n\na\n\nb\n\nc\n", PATH))
    ids = [one.id for one in take(words, 4)]
    for number in range(5):
        words = words.revised(parse(f"# A\n\na\n\nb{number}\n\nc\n", PATH), kept(words.place_of(None)))
        ids += [one.id for one in take(words, 2)]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids, key=lambda name: [int(part) for part in name.split(":")[1:]])


def test_an_edit_in_the_middle_of_a_shuffled_section_goes_on_in_it_and_remembers_what_was_said() -> None:
    def version(word: str, names: str = "ABCDEF") -> Script:
        return script(*(section(name, f"{name}1", f"{name}2 {word}") for name in names), order="shuffle", digest=word)

    words = reading(version("old"))
    said = texts(words, 7)
    for number in range(30):
        words = words.revised(version(f"new{number}", "ABCDEFG"), kept(words.place_of(None)))
        assert texts(words, 1) == [f"{said[-1][0]}2 new{number}"]
        said.append(texts(words, 1)[0])
    begun = [one[0] for one in said[:7:2]] + [one[0] for one in said[7:]]
    assert not any(name in begun[max(0, at - 3) : at] for at, name in enumerate(begun))
    assert "G" in begun


def test_a_script_that_ends_and_is_lengthened_goes_on() -> None:
    words = reading(script(section("A", "a"), digest="1"), loop=False)
    take(words, 3)
    longer = words.revised(script(section("A", "a"), section("B", "b"), digest="2"), kept(words.place_of(None)))
    assert texts(longer, 3) == ["b"]


def test_without_notes_a_shuffled_reading_begins_another_section_under_a_new_id() -> None:
    words = reading(script(*(section(name, "1", "2") for name in "ABC"), order="shuffle"))
    words.seek("script:5:3")
    one = take(words, 1)[0]
    assert one.id == "script:6:0" and one.sentences == ("1",)


def test_a_line_is_taken_in_a_millisecond_from_a_script_of_ten_thousand() -> None:
    for order in ("listed", "shuffle"):
        words = reading(
            script(*(section(f"s{n}", *[f"{{a|b}} {n}.{m}" for m in range(10)]) for n in range(1_000)), order=order)
        )
        take(words, 50)
        began = time.perf_counter()
        take(words, 200)
        assert (time.perf_counter() - began) / 200 < 0.003, "three times the bar"


def test_a_line_that_is_left_out_for_want_of_a_value_is_told_of_until_it_is_said_again() -> None:
    own: dict[str, str | None] = {"offer": None}
    told: list[tuple[str, tuple[str, ...]]] = []
    words = Reading(
        script(section("a", "Only {offer}", "Hello")),
        split,
        True,
        Place(),
        values=lambda: Values(own=own),
        left_out=lambda source, missing: told.append((source, tuple(missing))),
    )
    assert texts(words, 3) == ["Hello"] * 3 and told == [("shop.md:1", ("offer",))]
    own["offer"] = "today"
    assert texts(words, 2) == ["Only today", "Hello"]
    own["offer"] = None
    words.coming(5)
    assert texts(words, 2) == ["Hello"] * 2 and len(told) == 2
