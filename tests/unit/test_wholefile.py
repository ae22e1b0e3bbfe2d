from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.wholefile import write_whole


def test_writers_that_are_killed_again_and_again_leave_nothing_behind_for_good(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for _ in range(5):
        if (child := os.fork()) == 0:
            Path.replace = lambda *_: os._exit(0)  # type: ignore[assignment,method-assign]
            write_whole(path, b"torn")
        os.waitpid(child, 0)
        assert not path.exists()
    write_whole(path, b"whole")
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"] and path.read_bytes() == b"whole"


def test_what_is_kept_for_us_alone_is_so_though_a_rest_was_not(tmp_path: Path) -> None:
    path = tmp_path / "outputs.json"
    path.with_name("outputs.json.part").write_bytes(b"an older rest, for all to read")
    write_whole(path, b"a key", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600 and path.read_bytes() == b"a key"


def test_a_disk_that_refuses_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_whole(path, b"before")
    path.with_name("state.json.part").mkdir()
    with pytest.raises(OSError):
        write_whole(path, b"after")
    assert path.read_bytes() == b"before"
