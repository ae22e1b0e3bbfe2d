from __future__ import annotations

import contextlib
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import journal as journal_module
from pipeline.journal import Journal, JournalReader
from pipeline.wire import Report


def report(what: str = "aired", utterance: str = "u") -> Report:
    return Report(seq=0, what=what, utterance=utterance, frame=1, sample=1920, wall_s=0.0)


def test_a_follower_reads_each_report_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.open()
    reader = JournalReader(tmp_path)
    journal.append(report(utterance="a"))
    assert [r.utterance for r in reader.read()] == ["a"]
    assert reader.read() == []
    journal.append(report(utterance="b"))
    assert [(r.seq, r.utterance) for r in reader.read()] == [(2, "b")]


def test_numbers_rise_over_restarts_and_a_torn_line_is_skipped(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.open()
    journal.append(report())
    journal.close()
    path = next(tmp_path.glob("*.jsonl"))
    path.write_bytes(path.read_bytes() + b'{"type":"Report","seq":2,"wh')
    again = Journal(tmp_path)
    again.open()
    assert again.append(report(utterance="next")).seq == 2
    assert [r.utterance for r in JournalReader(tmp_path, after_seq=1).read()] == ["next"]


def test_a_journal_that_somebody_removed_is_followed_by_a_new_one(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    journal = Journal(directory)
    journal.open()
    reader = JournalReader(directory)
    journal.append(report(utterance="a"))
    assert len(reader.read()) == 1
    shutil.rmtree(directory)
    assert reader.read() == []
    journal.append(report(utterance="b"))
    assert [(r.seq, r.utterance) for r in reader.read()] == [(2, "b")]


def test_a_restart_without_reports_keeps_the_number(tmp_path: Path) -> None:
    for _ in range(3):
        journal = Journal(tmp_path)
        journal.open()
        journal.close()
    last = Journal(tmp_path)
    last.open()
    assert last.append(report()).seq == 1


def test_a_playout_that_dies_again_and_again_does_not_shorten_what_is_remembered(tmp_path: Path) -> None:
    follower = JournalReader(tmp_path)
    for life in range(50):
        journal = Journal(tmp_path)
        journal.open()
        journal.append(report(utterance=str(life)))
        journal.close()
        path = sorted(tmp_path.glob("*.jsonl"))[-1]
        path.write_bytes(path.read_bytes() + b'{"type":"Report","seq":')  # torn by its death
    assert [r.utterance for r in JournalReader(tmp_path).read()] == [str(life) for life in range(50)]
    assert [r.seq for r in follower.read()] == list(range(1, 51))


def test_a_follower_crosses_files_and_starts_after_what_it_knows(tmp_path: Path) -> None:
    journal_module.FILE_MAX_BYTES, kept = 400, journal_module.FILE_MAX_BYTES
    try:
        journal = Journal(tmp_path)
        journal.open()
        reader = JournalReader(tmp_path)
        for n in range(60):
            journal.append(report(utterance=str(n)))
            assert [r.utterance for r in reader.read()] == [str(n)]
    finally:
        journal_module.FILE_MAX_BYTES = kept
    assert len(list(tmp_path.glob("*.jsonl"))) == journal_module.KEEP_FILES
    assert [r.seq for r in JournalReader(tmp_path, after_seq=57).read()] == [58, 59, 60]


@contextlib.contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    """No file of this process grows beyond this: a write beyond it is cut short, and the next one refused."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_line_that_a_full_disk_cut_in_two_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.open()
    journal.append(report(utterance="a"))
    path = next(tmp_path.glob("*.jsonl"))
    size = path.stat().st_size
    with disk_with_room_for(size + 10):
        for _ in range(3):
            with pytest.raises(OSError):
                journal.append(report(utterance="b"))
    assert path.stat().st_size == size
    journal.append(report(utterance="b"))
    assert [(r.seq, r.utterance) for r in JournalReader(tmp_path).read()] == [(1, "a"), (2, "b")]


def test_a_full_disk_at_the_change_of_files_is_told_and_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "FILE_MAX_BYTES", 100)
    directory = tmp_path / "journal"
    journal = Journal(directory)
    journal.open()
    journal.append(report(utterance="a"))
    journal.append(report(utterance="b"))
    shutil.rmtree(directory)
    directory.write_bytes(b"")  # a disk that takes no new file
    for _ in range(3):
        with pytest.raises(OSError):
            journal.append(report(utterance="c"))
    directory.unlink()
    assert journal.append(report(utterance="c")).seq == 3
    assert [r.utterance for r in JournalReader(directory).read()] == ["c"]


def test_a_line_torn_inside_a_character_ends_neither_writer_nor_reader(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.open()
    journal.append(report(utterance="a"))
    journal.append(report(utterance="杯子"))
    journal.close()
    path = next(tmp_path.glob("*.jsonl"))
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rfind("杯".encode()) + 1] + b"\n")
    again = Journal(tmp_path)
    again.open()
    assert again.seq == 1
    assert [r.utterance for r in JournalReader(tmp_path).read()] == ["a"]
