"""The director's notes: what survives a torn file and a directory that somebody removed."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from broadcaster import continuity
from broadcaster.continuity import Continuity
from broadcaster.utterance import Utterance
from pipeline.wire import Report

NOTES = Continuity(
    out=[("a", 1)],
    on_air=[Utterance("a", ("One.", "Two."))],
    heard={"a": 1},
    finished=[Report(7, "aired", "b", 1, 1_920, 1.5)],
    seen=7,
    seen_s=1_764_000_000.1234567,
    timeline=3,
)


def test_notes_are_read_as_they_were_written(tmp_path: Path) -> None:
    continuity.save(tmp_path / "n.json", NOTES)
    assert continuity.load(tmp_path / "n.json") == NOTES


@pytest.mark.parametrize("size", [0, 1, 40])
def test_torn_notes_are_none(tmp_path: Path, size: int) -> None:
    (tmp_path / "n.json").write_bytes(msgspec.json.encode(NOTES)[:size])
    assert continuity.load(tmp_path / "n.json") == Continuity()


def test_notes_are_written_into_a_directory_that_somebody_removed(tmp_path: Path) -> None:
    path = tmp_path / "state" / "n.json"
    path.parent.mkdir()
    continuity.save(path, NOTES)
    shutil.rmtree(path.parent)
    continuity.save(path, NOTES)
    assert continuity.load(path) == NOTES
