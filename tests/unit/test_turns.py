from __future__ import annotations

from pathlib import Path

from pipeline.clock import NS
from streams import turns


def test_a_minute_lies_between_two_turns(tmp_path: Path) -> None:
    assert turns.take(tmp_path, 1000 * NS)
    assert not turns.take(tmp_path, 1000 * NS)
    assert not turns.take(tmp_path, 1059 * NS)
    assert turns.take(tmp_path, 1060 * NS)
    assert not turns.take(tmp_path, 1100 * NS)


def test_a_turn_of_another_boot_counts_no_more(tmp_path: Path) -> None:
    assert turns.take(tmp_path, 100_000 * NS)
    assert turns.take(tmp_path, 50 * NS)


def test_outputs_of_a_room_all_come_to_their_turn_a_minute_apart(tmp_path: Path) -> None:
    waiting, taken = {f"output-{number}" for number in range(5)}, []
    for now_s in range(0, 600, 2):
        for name in sorted(waiting):
            if turns.take(tmp_path, (now_s + 1000) * NS):
                taken.append(now_s)
                waiting.discard(name)
                break
    assert taken == [0, 60, 120, 180, 240]


def test_a_directory_that_takes_no_file_stops_nobody(tmp_path: Path) -> None:
    assert turns.take(tmp_path / "missing", NS)
