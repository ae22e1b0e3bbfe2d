"""What is said to have been heard, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.clock import FakeClock
from pipeline.journal import Journal, JournalReader
from pipeline.media import AIR_SAMPLES, PERSON, SENTENCE, SENTENCE_END, UTTERANCE, UTTERANCE_END, WORD, Mark
from pipeline.wire import Report
from streams.chronicle import MARGIN_FRAMES, Chronicle, beginning
from streams.feed import Lineage
from streams.outputs import OutputState
from streams.pending import Pending
from streams.reports import PENDING_MAX, Reporter

A = Lineage("a", 1, 1)
FOREVER = 10**12


def told(reporter: Reporter, encoded: int = FOREVER, heard: int = FOREVER) -> list[tuple[str, str, int]]:
    return [(one.what, one.utterance, one.sample) for one in reporter.due(encoded, heard)]


def speaking(start_slot: int = 10) -> Reporter:
    reporter = Reporter(timeline=4)
    reporter.slot(start_slot, [Mark(100, UTTERANCE, "u"), Mark(100, SENTENCE, "u", 0, "Hello")], A)
    return reporter


def test_a_sentence_is_started_when_encoded_and_aired_when_sent() -> None:
    reporter = speaking()
    reporter.slot(12, [Mark(50, SENTENCE_END, "u", 0), Mark(50, UTTERANCE_END, "u")], A)
    start, end = 10 * AIR_SAMPLES + 100, 12 * AIR_SAMPLES + 50
    assert told(reporter, start, 0) == []
    assert told(reporter, start + 1, 0) == [("started", "u", start), ("sentence", "u", start)]
    assert told(reporter, FOREVER, end - 1) == []
    (sentence, whole) = reporter.due(FOREVER, end)
    assert (sentence.what, sentence.sample, sentence.samples, sentence.frame) == (
        "sentence_aired",
        end,
        end - start,
        12,
    )
    assert (whole.what, whole.timeline) == ("aired", 4)
    assert reporter.speaking == ""


def test_a_cut_tells_how_much_of_the_sentence_was_heard() -> None:
    reporter = speaking()
    reporter.slot(11, [Mark(0, WORD, "u", 0, "Hello")], A)
    reporter.cut(13, "u")
    *_, cut = reporter.due(FOREVER, 0)
    assert (cut.what, cut.utterance, cut.samples) == ("cut", "u", 3 * AIR_SAMPLES - 100)
    assert reporter.speaking == ""


def test_a_cut_between_sentences_tells_of_the_last_one() -> None:
    reporter = speaking()
    reporter.slot(11, [Mark(0, SENTENCE_END, "u", 0)], A)
    reporter.cut(13, "u")
    (cut,) = [one for one in reporter.due(FOREVER, 0) if one.what == "cut"]
    assert (cut.sentence, cut.samples) == (0, AIR_SAMPLES - 100)


def test_what_is_cut_before_it_began_is_reported_too() -> None:
    reporter = speaking()
    reporter.cut(13, "v")
    assert told(reporter)[-2:] == [("cut", "u", 13 * AIR_SAMPLES), ("cut", "v", 13 * AIR_SAMPLES)]


def test_what_ended_on_air_is_aired_and_not_cut() -> None:
    reporter = speaking()
    reporter.slot(12, [Mark(0, SENTENCE_END, "u", 0), Mark(0, UTTERANCE_END, "u")], A)
    reporter.cut(13, "u")
    assert [what for what, _, _ in told(reporter)] == ["started", "sentence", "sentence_aired", "aired"]


def test_an_utterance_that_cannot_go_on_is_lost_once() -> None:
    reporter = speaking()
    assert reporter.lineage == A
    reporter.broken(20)
    reporter.broken(21)
    assert told(reporter)[-1] == ("lost", "u", 20 * AIR_SAMPLES)
    assert reporter.lineage is None


def test_a_sentence_said_again_alone_starts_its_utterance() -> None:
    reporter = Reporter(0)
    reporter.slot(1, [Mark(0, SENTENCE, "u", 3, "Again")], A)
    assert [what for what, _, _ in told(reporter)] == ["started", "sentence"]


def test_what_nobody_receives_is_bounded() -> None:
    reporter = Reporter(0)
    for slot in range(PENDING_MAX + 5):
        reporter.slot(slot, [Mark(0, SENTENCE_END, "u", slot)], A)
    assert reporter.forgotten == 5
    assert len(told(reporter)) == PENDING_MAX


# ── the journal's side ───────────────────────────────────────────────────────────────────────────


class FakeOutputs:
    def __init__(self, **states: OutputState) -> None:
        self.all = states
        self.none_live_s = 0.0

    def states(self) -> dict[str, OutputState]:
        return self.all

    def none_live_for_s(self) -> float:
        return self.none_live_s


def test_aired_waits_for_the_outputs_and_started_does_not(tmp_path: Path) -> None:
    reporter = speaking()
    reporter.slot(12, [Mark(0, SENTENCE_END, "u", 0), Mark(0, UTTERANCE_END, "u")], A)
    chronicle = Chronicle(Journal(tmp_path), Pending(tmp_path / "pending"), reporter, FakeClock())
    chronicle.open()
    outputs = FakeOutputs(main=OutputState("live", 479, 1, 0, True))
    reader = JournalReader(tmp_path)
    chronicle.write_due(outputs, "any", "pause", FOREVER)
    assert [one.what for one in reader.read()] == ["started", "sentence"]
    outputs.all = {"main": OutputState("live", 480, 1, 0, True)}  # slot 12
    chronicle.write_due(outputs, "any", "pause", FOREVER)
    assert [one.what for one in reader.read()] == ["sentence_aired", "aired"]


def test_without_any_output_live_for_5_s_what_is_encoded_is_heard(tmp_path: Path) -> None:
    reporter = speaking()
    reporter.slot(12, [Mark(0, UTTERANCE_END, "u")], A)
    chronicle = Chronicle(Journal(tmp_path), Pending(tmp_path / "pending"), reporter, FakeClock())
    chronicle.open()
    outputs = FakeOutputs(main=OutputState())
    reader = JournalReader(tmp_path)
    outputs.none_live_s = 6.0
    chronicle.write_due(outputs, "any", "pause", 13 * AIR_SAMPLES)
    assert [one.what for one in reader.read()] == ["started", "sentence"]
    chronicle.write_due(outputs, "any", "go_on", 13 * AIR_SAMPLES)
    assert [one.what for one in reader.read()] == ["aired"]


def test_a_disk_that_refuses_is_tried_again_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    chronicle = Chronicle(journal, Pending(tmp_path / "pending"), Reporter(0), FakeClock())
    chronicle.open()
    real = Journal.append

    def full(_journal: Journal, _report: Report) -> Report:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "append", full)
    for slot in range(3):
        chronicle.put(Report(0, "opened", "", slot, 0, 0.0))
    assert chronicle.failed == 3
    monkeypatch.setattr(Journal, "append", real)
    chronicle.write_due(FakeOutputs(), "any", "go_on", 0)
    assert [one.frame for one in JournalReader(tmp_path).read()] == [0, 1, 2]


def test_a_state_directory_that_cannot_be_made_does_not_keep_us_off_air(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    chronicle = Chronicle(
        Journal(tmp_path / "file" / "journal"), Pending(tmp_path / "pending"), Reporter(0), FakeClock()
    )
    assert chronicle.open().slot == 1
    chronicle.put(Report(0, "opened", "", 1, 0, 0.0))
    assert chronicle.failed == 2
    (tmp_path / "file").unlink()
    chronicle.write_due(FakeOutputs(), "any", "go_on", 0)
    assert len(JournalReader(tmp_path / "file" / "journal").read()) == 1


def test_slots_never_come_twice_over_restarts() -> None:
    assert beginning(None, 0).slot == 1
    last = Report(9, "aired", "u", frame=1000, sample=0, wall_s=500.0, timeline=6)
    assert beginning(last, 560.0).slot == 1000 + MARGIN_FRAMES + 60 * 25
    assert beginning(last, 400.0).slot == 1000 + MARGIN_FRAMES  # the wall clock was set back
    assert beginning(last, 560.0).timeline == 6


def test_a_sentence_ended_again_by_a_director_that_took_over_at_its_last_sample_is_told_once() -> None:
    reporter = speaking()
    ends = [Mark(50, SENTENCE_END, "u", 0), Mark(50, UTTERANCE_END, "u")]
    reporter.slot(12, ends, A)
    reporter.slot(15, ends, A)
    assert [what for what, _, _ in told(reporter)] == ["started", "sentence", "sentence_aired", "aired"]
    reporter.slot(20, [Mark(0, UTTERANCE, "u"), Mark(0, SENTENCE, "u", 0, "Hello")], A)
    reporter.slot(22, ends, A)
    assert [what for what, _, _ in told(reporter)] == ["started", "sentence", "sentence_aired", "aired"]


def dying(tmp_path: Path, heard_ms: int = 0) -> int:
    """A playout has the end of an utterance on air, and is killed; the sample of the end."""
    reporter = speaking()
    reporter.slot(12, [Mark(0, SENTENCE_END, "u", 0), Mark(0, UTTERANCE_END, "u")], A)
    chronicle = Chronicle(Journal(tmp_path), Pending(tmp_path / "pending"), reporter, FakeClock())
    chronicle.open()
    chronicle.write_due(FakeOutputs(main=OutputState("live", heard_ms, 1, 0, True)), "any", "pause", FOREVER)
    return 12 * AIR_SAMPLES


def inherited(tmp_path: Path, outputs: FakeOutputs, ack: str = "any") -> list[str]:
    chronicle = Chronicle(Journal(tmp_path), Pending(tmp_path / "pending"), Reporter(0), FakeClock())
    chronicle.open()
    before = JournalReader(tmp_path).read()
    chronicle.inherit(outputs, ack, "pause")
    return [one.what for one in JournalReader(tmp_path, before[-1].seq if before else 0).read()]


def test_a_sentence_that_was_sent_before_playout_died_is_not_said_twice(tmp_path: Path) -> None:
    end_ms = dying(tmp_path) // 48
    last_tag = OutputState("live", end_ms - 20, 1, 0, True, told=True)  # 21 ms long
    assert inherited(tmp_path, FakeOutputs(main=last_tag)) == ["sentence_aired", "aired"]
    assert inherited(tmp_path, FakeOutputs(main=last_tag)) == [], "and told once"


def test_a_sentence_that_was_not_sent_to_its_end_is_left_to_be_said_again(tmp_path: Path) -> None:
    end_ms = dying(tmp_path) // 48
    short = OutputState("live", end_ms - 22, 1, 0, True, told=True)
    whole = OutputState("live", end_ms, 1, 0, True, told=True)
    assert inherited(tmp_path, FakeOutputs(main=short)) == []
    assert inherited(tmp_path, FakeOutputs(a=short, b=whole), "all") == []
    assert inherited(tmp_path, FakeOutputs(main=OutputState())) == [], "nobody tells"
    assert inherited(tmp_path, FakeOutputs(a=short, b=whole), "b") == ["sentence_aired", "aired"]


def test_without_outputs_what_was_on_air_was_heard(tmp_path: Path) -> None:
    dying(tmp_path)
    assert inherited(tmp_path, FakeOutputs()) == ["sentence_aired", "aired"]


def test_what_was_reported_is_not_kept_as_pending(tmp_path: Path) -> None:
    dying(tmp_path, heard_ms=10_000)
    assert Pending(tmp_path / "pending").load() == []
    assert inherited(tmp_path, FakeOutputs(main=OutputState("live", 10_000, 1, 0, True, told=True))) == []


def test_pending_ends_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    dying(tmp_path)
    (tmp_path / "pending").write_bytes(b"[{torn")
    assert inherited(tmp_path, FakeOutputs(main=OutputState("live", 10_000, 1, 0, True, told=True))) == []


def test_who_is_in_the_picture_is_told_when_it_changes_and_a_call_always() -> None:
    reporter = Reporter(timeline=0)
    reporter.slot(10, [Mark(0, PERSON, text="host")], A)
    reporter.slot(11, [Mark(0, PERSON, text="host")], A)  # of a new epoch
    reporter.slot(12, [Mark(7, PERSON, "u", 1, "anna")], A)
    reporter.slot(13, [Mark(0, PERSON, "order:3", 0, "anna")], A)
    assert reporter.due(12 * AIR_SAMPLES, FOREVER)[-1].text == "host", "not before it is encoded"
    seen = [(one.what, one.utterance, one.sentence, one.frame, one.text) for one in reporter.due(FOREVER, 0)]
    assert seen == [("person", "u", 1, 12, "anna"), ("person", "order:3", 0, 13, "anna")]
