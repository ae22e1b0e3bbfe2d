"""Talk when nobody asks: seldom, never during a question, never the same, and thanks to whoever gave something."""

from __future__ import annotations

import itertools
import os
from datetime import datetime
from pathlib import Path

import pytest
import structlog

from broadcaster.chat.model import Comment, Kind
from broadcaster.chat.proactive import MET_FOR_S, PAUSE_S, WAITING_MAX, Proactive, Said, caller
from broadcaster.chat.remarks import OCCASIONS, OWN, PEOPLE, RemarkFiles, examined, load
from broadcaster.script.values import Values
from pipeline.clock import FakeClock
from pipeline.errors import ScriptError

FILE = """# of the tea shop
[welcome]
Welcome, {name}!
Somebody is new here.
[welcome several]
Welcome, {name} and {others} more!
[gift]
{Thank you|Many thanks} for the {value} roses, {name}!
Thank you for the gift!
[order]
Thank you for the order, {name}!
[follow]
Thank you for the follow, {name}!
[room]
What would you like to see?
Where are you watching from?
The mug is {mug.price} today.
"""


class Room:
    def __init__(self, path: Path, text: str = FILE, per_minute: float = 6.0, how: str = "full") -> None:
        path.write_text(text)
        self.clock = FakeClock()
        files = RemarkFiles((path,))
        values = Values(datetime(2026, 5, 1, 20, 5), products={"mug": {"price": "24"}})
        self.proactive = Proactive(files.current, caller(how), self.clock, "en", 45.0, per_minute, lambda: values)
        self._number = 0

    def met(self, kind: Kind, *users: str, value: float = 0.0) -> None:
        for user in users:
            self._number += 1
            comment = Comment(f"c{self._number}", "", user, user, "t", kind, value=value)
            self.proactive.met([comment])

    def said(self, after_s: float = 10.0, is_asked: bool = False) -> str:
        self.clock.advance(after_s)
        said = self.proactive.next(is_asked)
        return said.text if said else ""


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "remarks.txt")


# ── when ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_room_is_spoken_to_after_a_silence_and_not_before(room: Room) -> None:
    assert room.said(44) == ""
    assert room.said(2)
    assert room.said(44) == ""
    assert room.said(2)


def test_a_reply_breaks_the_silence(room: Room) -> None:
    room.clock.advance(40)
    room.proactive.replied()
    assert room.said(44) == "" and room.said(2)


def test_nothing_is_said_while_a_question_waits(room: Room) -> None:
    room.met(Kind.GIFT, "Anna")
    assert room.said(60, is_asked=True) == ""
    assert room.said(1) == "Thank you for the gift!"


def test_there_are_no_more_remarks_a_minute_than_told(tmp_path: Path) -> None:
    room = Room(tmp_path / "r.txt", per_minute=2)
    times = []
    for second in range(600):
        room.met(Kind.ENTER, f"v{second}")
        if room.said(1):
            times.append(second)
    assert 15 <= len(times) <= 20
    assert all(after - before >= 30 for before, after in itertools.pairwise(times))


def test_thanks_wait_a_moment_after_a_reply(room: Room) -> None:
    room.met(Kind.GIFT, "Anna")
    room.proactive.replied()
    assert room.said(PAUSE_S / 2) == "" and room.said(PAUSE_S)


# ── what ─────────────────────────────────────────────────────────────────────────────────────────


def test_no_remark_comes_again_before_the_others(room: Room) -> None:
    said = [room.said(46) for _ in range(9)]
    assert set(said) == {"What would you like to see?", "Where are you watching from?", "The mug is 24 today."}
    assert all(len(set(said[at : at + 3])) == 3 for at in (0, 3, 6))
    assert all(one != other for one, other in itertools.pairwise(said))


def test_a_single_remark_is_not_said_twice(tmp_path: Path) -> None:
    room = Room(tmp_path / "r.txt", "[room]\nHello, everybody.\n")
    assert [room.said(60) for _ in range(4)] == ["Hello, everybody.", "", "", ""]


def test_an_order_is_thanked_for_before_a_gift_and_a_gift_before_a_welcome(room: Room) -> None:
    room.met(Kind.ENTER, "Cid")
    room.met(Kind.GIFT, "Bob", value=3)
    room.met(Kind.ORDER, "Anna")
    assert room.said() == "Thank you for the order, Anna!"
    assert "gift" in (said := room.said()) or "3 roses, Bob" in said


def test_several_are_welcomed_at_once(room: Room) -> None:
    room.met(Kind.ENTER, "Anna", "Bob", "Cid")
    assert room.said() == "Welcome, Cid and 2 more!"
    assert room.said() == "" and room.proactive.missed() == []


def test_a_viewer_is_welcomed_once_in_a_while(room: Room) -> None:
    room.met(Kind.ENTER, "Anna")
    assert room.said()
    room.met(Kind.ENTER, "Anna")
    assert room.said() == "" and [one.user for one in room.proactive.missed()] == ["Anna"]
    room.clock.advance(2 * MET_FOR_S + 1)
    room.met(Kind.ENTER, "Anna")
    assert room.said(1)


def test_gifts_of_one_viewer_are_thanked_for_each_time(room: Room) -> None:
    room.met(Kind.GIFT, "Anna", value=3)
    first = room.said()
    room.met(Kind.GIFT, "Anna", value=4)
    assert first and room.said() not in ("", first)


def test_a_welcome_that_comes_too_late_is_left_out(room: Room) -> None:
    room.met(Kind.ENTER, "Anna")
    assert room.said(25) == "" and [one.user for one in room.proactive.missed()] == ["Anna"]


def test_what_waits_is_bounded(room: Room) -> None:
    room.met(Kind.ENTER, *(f"v{number}" for number in range(500)))
    assert len(room.proactive.missed()) == 500 - WAITING_MAX
    assert room.said(PAUSE_S) == f"Welcome, v499 and {WAITING_MAX - 1} more!"


def test_nobody_is_named_who_is_not_to_be(tmp_path: Path) -> None:
    room = Room(tmp_path / "r.txt", how="none")
    room.met(Kind.ENTER, "Anna")
    assert room.said() == "Somebody is new here."
    room.met(Kind.FOLLOW, "Anna")
    assert room.said() == ""


def test_a_name_that_is_a_way_out_of_the_room_is_not_said(room: Room) -> None:
    room.met(Kind.ENTER, "wechat12345678")
    assert room.said() == "Somebody is new here."


def test_a_remark_gives_no_orders_in_a_viewers_name(room: Room) -> None:
    room.met(Kind.ENTER, "[pause 9]Anna**")
    assert "[pause 9]" not in room.said()


def test_whom_a_remark_thanks_is_told_with_it(room: Room) -> None:
    room.met(Kind.ENTER, "Anna", "Bob")
    room.clock.advance(PAUSE_S)
    said = room.proactive.next(False)
    assert isinstance(said, Said) and [one.user for one in said.thanked] == ["Bob", "Anna"]
    assert (said.occasion, said.language) == ("welcome several", "en")


def test_a_room_in_another_language_is_not_spoken_to_in_this_one(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text(FILE)
    clock = FakeClock()
    proactive = Proactive(RemarkFiles((tmp_path / "r.txt",)).current, caller("full"), clock, "zh", 45.0, 6.0)
    clock.advance(60)
    assert proactive.next(False) is None


# ── the files ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_the_remarks_that_come_with_the_project_have_no_mistakes(path: Path) -> None:
    remarks, mistakes = examined(path)
    language = path.stem[-2:]
    assert mistakes == [] and set(remarks.by_occasion) == set(OCCASIONS)
    assert {one.language for some in remarks.by_occasion.values() for one in some} == {language}
    nameless = [name for name in PEOPLE if any("{name}" not in one.text for one in remarks.of(name, language))]
    assert nameless == list(PEOPLE)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_our_own_remarks_are_said_in_both_languages_for_an_hour_without_a_repeat(language: str) -> None:
    clock = FakeClock()
    values = Values(datetime(2026, 5, 1, 20, 5), language=language)
    proactive = Proactive(RemarkFiles().current, caller("full"), clock, language, 45.0, 2.0, lambda: values)
    said = []
    for _ in range(3600):
        clock.advance(1)
        if one := proactive.next(False):
            said.append(one.text)
    assert len(said) > 60 and all(one != other for one, other in itertools.pairwise(said))
    assert all(len(set(said[at : at + 10])) == 10 for at in range(len(said) - 10))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Hello.\n", ":1:1: a remark before its occasion"),
        ("[welcom]\nHello.\n", r":1:1: \[welcom\] is no occasion; did you mean \[welcome\]"),
        ("[room]\nHello {name}!\n", r":2:7: {name} stands for nothing here"),
        ("[gift]\nThank you {others}!\n", r":2:11: {others} stands for nothing here"),
        ("[room]\n  It is {a|b.\n", ":2:9: this brace is not closed"),
        ("[room]\n[smil] Hello.\n", ":2:1:"),
        ("[room]\n" + "y" * 301, ":2:1: 301 characters"),
        ("# nothing\n", "there is no remark in it"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "r.txt"
    path.write_text(text)
    with pytest.raises(ScriptError, match=told) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_edited_remarks_are_taken_up_and_broken_ones_are_not(tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text("[room]\nHello.\n")
    files = RemarkFiles((path,))
    assert [one.text for one in files.current().of("room", "en")] == ["Hello."]
    path.write_text("[room]\nGood evening.\n")
    os.utime(path, ns=(1, 1))
    assert [one.text for one in files.current().of("room", "en")] == ["Good evening."]
    path.write_text("Good night.\n")
    with structlog.testing.capture_logs() as logs:
        assert files.current() is files.current()
    assert [one.text for one in files.current().of("room", "en")] == ["Good evening."]
    assert [one["event"] for one in logs] == ["chat.unusable"]
