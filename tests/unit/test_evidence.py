"""The evidence holds every sentence that viewers heard, once, whatever happened to the director or the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import structlog

from broadcaster import saidlog
from broadcaster.evidence import Evidence
from broadcaster.given import KEPT, Given, GivenNotes, given_of
from broadcaster.saidlog import Keep, Said, SaidLog, files, read
from broadcaster.timeline import Speech
from broadcaster.utterance import Lane, Utterance
from pipeline.journal import Journal
from pipeline.media import AIR_HZ
from pipeline.wire import Report
from tts.synthesizer import Piece

NOON_S = datetime(2026, 5, 1, 12).timestamp()
DAY = date(2026, 5, 1)


class Room:
    """A journal as playout writes it, and a director's evidence that may die at any moment."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journal = Journal(directory / "journal")
        self.journal.open()
        self.now_s = NOON_S
        self.evidence = self.director()

    def director(self, seen: int = 0) -> Evidence:
        """Another one; the last is forgotten as a kill would."""
        self.evidence = Evidence(self.directory, self.directory / "journal", "AI-generated", Keep())
        self.evidence.open(seen)
        return self.evidence

    def report(self, what: str, utterance: str, sentence: int = 0, sample: int = 0, samples: int = 0) -> None:
        self.now_s += 1
        frame = sample // 1_920
        self.journal.append(Report(0, what, utterance, frame, sample, self.now_s, sentence, samples))

    def give(self, utterance: str, sentence: int = 0, text: str = "Hello.", **more: Any) -> None:
        fields = {"source": "queue k", "lane": "command", "of": 1, "voice": "en", "provider": "espeak", **more}
        self.evidence.given(Given(utterance, sentence, text, **fields))

    def say(self, utterance: str, sentence: int = 0, text: str = "Hello.", **more: Any) -> None:
        self.give(utterance, sentence, text, **more)
        self.report("started", utterance, sentence)
        self.report("sentence", utterance, sentence, sample=AIR_HZ)
        self.report("sentence_aired", utterance, sentence, sample=3 * AIR_HZ, samples=2 * AIR_HZ)
        self.report("aired", utterance, sentence)

    @property
    def said(self) -> list[Said]:
        return list(read(self.directory / "said"))

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.said]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_a_sentence_is_told_with_its_times_source_voice_and_label(room: Room) -> None:
    room.say("u", text="Hello there.", source="script shop.md:12", voice="zh-CN-Xiaoxiao", provider="edge", of=3)
    room.evidence.follow()
    (one,) = room.said
    assert (one.text, one.source, one.lane, one.utterance, one.sentence, one.of) == (
        "Hello there.",
        "script shop.md:12",
        "command",
        "u",
        0,
        3,
    )
    assert (one.voice, one.provider, one.label) == ("zh-CN-Xiaoxiao", "edge", "AI-generated")
    assert (one.begin_s, one.end_s, one.heard_s, one.whole, one.ended) == (NOON_S + 2, NOON_S + 3, 2.0, True, "")
    assert datetime.fromisoformat(one.begin).timestamp() == one.begin_s
    assert datetime.fromisoformat(one.end).utcoffset() is not None
    assert one.seq == 3


def test_only_its_owner_can_read_what_was_said(room: Room) -> None:
    room.say("u")
    room.evidence.follow()
    directory = room.directory / "said"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_what_was_cut_is_told_with_how_much_was_heard_and_again_when_it_is_said_again(room: Room) -> None:
    room.give("u")
    room.report("sentence", "u", sample=AIR_HZ)
    room.report("cut", "u", sample=AIR_HZ * 3 // 2, samples=AIR_HZ // 2)
    room.say("u")
    room.evidence.follow()
    assert [(one.whole, one.ended, one.heard_s) for one in room.said] == [(False, "cut", 0.5), (True, "", 2.0)]


def test_a_cut_in_the_pause_after_a_sentence_leaves_it_whole(room: Room) -> None:
    room.give("u")
    room.report("sentence", "u", sample=AIR_HZ)
    room.report(
        "cut", "u", sample=4 * AIR_HZ, samples=2 * AIR_HZ
    )  # reported when encoded: before the end, which was sent
    room.report("sentence_aired", "u", sample=3 * AIR_HZ, samples=2 * AIR_HZ)
    room.evidence.follow()
    assert [(one.whole, one.heard_s) for one in room.said] == [(True, 2.0)]


def test_a_cut_of_what_never_began_is_no_evidence(room: Room) -> None:
    room.give("u")
    room.report("cut", "u")
    room.report("cut", "")
    room.evidence.follow()
    assert room.said == []


def test_the_sentence_that_playout_died_in_is_told_as_broken_off(room: Room) -> None:
    room.give("u")
    room.report("sentence", "u", sample=AIR_HZ)
    room.report("opened", "")
    room.evidence.follow()
    assert [(one.whole, one.ended) for one in room.said] == [(False, "playout")]


def test_an_end_that_is_reported_twice_is_told_once(room: Room) -> None:
    room.say("u")
    room.report("sentence_aired", "u", samples=2 * AIR_HZ)
    room.evidence.follow()
    assert len(room.said) == 1


def test_sentences_that_overlap_in_the_journal_keep_their_own_beginnings(room: Room) -> None:
    room.give("u", 0, "One.")
    room.give("u", 1, "Two.")
    room.report("sentence", "u", 0)
    room.report("sentence", "u", 1)
    room.report("sentence_aired", "u", 0)
    room.report("sentence_aired", "u", 1)
    room.evidence.follow()
    assert [(one.text, one.begin_s - NOON_S, one.end_s - NOON_S) for one in room.said] == [
        ("One.", 1, 3),
        ("Two.", 2, 4),
    ]


# ── directors come and go ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("killed_after", range(12))
def test_a_director_killed_between_any_two_steps_costs_no_sentence_and_doubles_none(
    room: Room, killed_after: int
) -> None:
    steps: list[Callable[[], object]] = []
    for name in ("a", "b"):
        steps += [
            lambda name=name: room.give(name, text=name),
            lambda name=name: room.report("sentence", name),
            lambda: room.evidence.follow(),
            lambda name=name: room.report("sentence_aired", name, samples=AIR_HZ),
            lambda: room.evidence.follow(),
            lambda name=name: room.report("aired", name),
        ]
    for number, step in enumerate(steps):
        step()
        if number == killed_after:
            room.director()
    room.evidence.follow()
    assert [(one.text, one.noted) for one in room.said] == [("a", True), ("b", True)]


def test_what_was_aired_while_no_director_lived_is_told_by_the_next_one(room: Room) -> None:
    room.say("before")
    room.evidence.follow()
    room.give("a", text="A.")
    room.give("b", text="B.")
    for name in ("a", "b"):
        room.report("sentence", name)
        room.report("sentence_aired", name, samples=AIR_HZ)
    room.director()
    assert room.texts == ["Hello.", "A.", "B."]


def test_a_sentence_that_began_under_another_director_keeps_its_beginning(room: Room) -> None:
    room.say("before")
    room.give("u")
    room.report("sentence", "u")
    began_s = room.now_s
    room.evidence.follow()
    room.director()
    room.report("sentence_aired", "u", samples=2 * AIR_HZ)
    room.evidence.follow()
    assert room.said[-1].begin_s == began_s


def test_a_torn_last_record_is_told_again_whole(room: Room) -> None:
    room.say("a", text="A.")
    room.say("b", text="B.")
    room.evidence.follow()
    (path,) = files(room.directory / "said")
    path.write_bytes(path.read_bytes()[:-20])
    room.director()
    assert room.texts == ["A.", "B."]
    assert all(msgspec.json.decode(line) for line in path.read_bytes().splitlines())


def test_torn_notes_cost_the_words_of_that_sentence_alone(room: Room) -> None:
    room.give("a", text="A.")
    room.give("b", text="B.")
    notes = room.directory / "said" / "given.notes"
    notes.write_bytes(notes.read_bytes()[:-9])
    room.director()
    room.report("sentence_aired", "a", samples=1)
    room.report("sentence_aired", "b", samples=1)
    room.evidence.follow()
    assert [(one.text, one.utterance, one.noted) for one in room.said] == [("A.", "a", True), ("", "b", False)]


def test_a_journal_that_begins_anew_is_told_from_its_beginning(room: Room) -> None:
    for _ in range(5):
        room.say("old")
    room.evidence.follow()
    for path in (room.directory / "journal").iterdir():
        path.unlink()
    room.journal = Journal(room.directory / "journal")
    room.journal.open()
    room.director()
    room.say("new", text="New.")
    room.evidence.follow()
    room.director()
    assert room.texts == ["Hello."] * 5 + ["New."]


def test_a_journal_that_lost_its_end_with_the_power_tells_nothing_twice(room: Room) -> None:
    for number in range(6):
        room.say(f"u{number}", text=f"{number}.")
    room.evidence.follow()
    (path,) = (room.directory / "journal").iterdir()
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:14]))  # four, and the next one's beginning
    room.journal = Journal(room.directory / "journal")
    room.journal.open()
    room.now_s += 60
    room.director()
    for _ in range(3):
        room.say("v", text="After.")
    room.evidence.follow()
    room.director()
    assert [text for text in room.texts if text != "After."] == [f"{number}." for number in range(6)]
    assert room.texts.count("After.") == 3


def test_the_first_evidence_of_a_room_does_not_tell_of_a_past_it_knows_nothing_of(room: Room) -> None:
    for _ in range(3):
        room.report("sentence_aired", "old", samples=1)
    room.director(seen=3)
    assert room.said == []


# ── the disk ─────────────────────────────────────────────────────────────────────────────────────


def test_a_full_disk_stops_nothing_and_costs_no_sentence(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.say("a", text="A.")
    room.evidence.follow()

    def refuse(log: SaidLog, records: Any, day: date) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SaidLog, "append", refuse)
    monkeypatch.setattr(GivenNotes, "add", refuse_notes(GivenNotes.add))
    with structlog.testing.capture_logs() as logs:
        for number in range(300):
            room.say("u", number, text=f"{number}.")
            room.evidence.follow()
    assert [one["event"] for one in logs].count("state.unwritten") <= 2
    monkeypatch.undo()
    room.evidence.follow()
    room.evidence.follow()
    assert room.texts == ["A.", *(f"{number}." for number in range(300))]


def refuse_notes(add: Callable[[GivenNotes, Given], None]) -> Callable[[GivenNotes, Given], None]:
    """As it is when the file cannot be written anew."""

    def refuse(notes: GivenNotes, given: Given) -> None:
        notes.close()
        notes._path = Path("/proc/none/given.notes")
        add(notes, given)

    return refuse


def test_a_disk_that_takes_half_a_line_is_left_with_whole_ones(tmp_path: Path) -> None:
    log = SaidLog(tmp_path, Keep())
    log.append([record(1)], DAY)
    (path,) = files(tmp_path)
    before = path.read_bytes()
    half: list[int] = []

    class Full(saidlog.FileIO):
        def write(self, data: Any) -> int:
            if half:
                raise OSError(28, "No space left on device")
            half.append(1)
            return super().write(bytes(data)[:10])

    file = Full(path, "r+")
    file.seek(0, os.SEEK_END)
    log._file = file
    with pytest.raises(OSError, match="No space"):
        log.append([record(2)], DAY)
    assert path.read_bytes() == before


def record(seq: int, begin_s: float = NOON_S, text: str = "x") -> Said:
    when = datetime.fromtimestamp(begin_s).astimezone().isoformat()
    return Said(
        seq, when, begin_s, when, begin_s + 1, 1.0, True, "", text, "queue 1", "reply", "u", 0, 1, "en", "", "AI"
    )


def test_each_day_has_files_of_its_own_and_old_ones_go(tmp_path: Path) -> None:
    log = SaidLog(tmp_path, Keep(days=3))
    for day in range(10):
        log.append([record(day, NOON_S + 86_400 * day)], DAY + timedelta(days=day))
    assert [path.name for path in files(tmp_path)] == [
        "00000007-2026-05-07.jsonl",
        "00000008-2026-05-08.jsonl",
        "00000009-2026-05-09.jsonl",
        "00000010-2026-05-10.jsonl",
    ]


def test_all_files_together_stay_within_their_bound(tmp_path: Path) -> None:
    log = SaidLog(tmp_path, Keep(max_bytes=40_000))
    for seq in range(1, 1_000):
        log.append([record(seq, text="y" * 50)], DAY)
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 41_000
    assert log.newest(1)[0].seq == 999
    log.sync()
    log.close()


def test_a_clock_that_goes_back_a_day_does_not_hide_the_newest_record(tmp_path: Path) -> None:
    log = SaidLog(tmp_path, Keep())
    log.append([record(1)], DAY)
    log.append([record(2, NOON_S - 86_400)], DAY - timedelta(days=1))
    log.close()
    assert SaidLog(tmp_path, Keep()).newest(5)[0].seq == 2


def test_a_file_that_somebody_removed_is_followed_by_another(tmp_path: Path) -> None:
    log = SaidLog(tmp_path, Keep())
    log.append([record(1)], DAY)
    files(tmp_path)[0].unlink()
    log.append([record(2)], DAY)
    assert [one.seq for one in read(tmp_path)] == [2]


def test_a_stretch_of_time_is_read_out_of_many_days(tmp_path: Path) -> None:
    log = SaidLog(tmp_path, Keep())
    for day in range(5):
        log.append([record(day, NOON_S + 86_400 * day)], DAY + timedelta(days=day))
    since_s, until_s = NOON_S + 86_400, NOON_S + 3 * 86_400
    assert [one.seq for one in read(tmp_path, since_s, until_s)] == [1, 2]


# ── the notes ────────────────────────────────────────────────────────────────────────────────────


def test_the_notes_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broadcaster.given.FILE_MAX_BYTES", 100_000)
    notes = GivenNotes(tmp_path)
    notes.open()
    for number in range(3_000):
        notes.add(Given("u", number, "z" * 100))
    notes.close()
    again = GivenNotes(tmp_path)
    again.open()
    again.add(Given("u", 3_000))
    assert again.get(("u", 2_999)) is not None and again.get(("u", 3_000 - KEPT)) is None
    assert (tmp_path / "given.notes").stat().st_size <= 101_000


def test_who_spoke_is_known_of_the_sound() -> None:
    speech = Speech()
    speech.add(Piece(np.zeros(9, np.int16), np.zeros(3, np.int16), provider="edge"))
    speech.add(Piece(np.zeros(0, np.int16), np.zeros(0, np.int16)))
    assert speech.provider == "edge"


@pytest.mark.parametrize(
    ("utterance", "source"),
    [
        (Utterance("k", ("x",), stream_id="1-0"), "queue k"),
        (Utterance("evergreen:1:0", ("x",)), "evergreen"),
        (Utterance("script:0:4", ("x",), source="script shop.md:12"), "script shop.md:12"),
        (Utterance("person:7", ()), "person"),
    ],
)
def test_every_sentence_has_a_source(utterance: Utterance, source: str) -> None:
    assert given_of(utterance, 0, "en", "espeak").source == source


def test_directions_are_not_part_of_what_was_said() -> None:
    utterance = Utterance("k", ("[smile]Only **today** [pause 0.5]here.",), lane=Lane.LIVE)
    given = given_of(utterance, 0, "en", "espeak")
    assert (given.text, given.lane, given.of) == ("Only today here.", "live", 1)


def test_a_log_that_cannot_be_read_does_not_end_the_show(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_log: SaidLog, _count: int) -> list[Said]:
        raise PermissionError("not ours")

    room.say("u")
    monkeypatch.setattr(SaidLog, "newest", refuse)
    room.director()
    assert room.texts == ["Hello."]
