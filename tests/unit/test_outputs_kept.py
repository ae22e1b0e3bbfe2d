"""Outputs changed on air: how changes lie over the file, when the file has the last word, and that no key is shown."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from broadcaster import outputs_kept
from broadcaster.config import load_whole
from broadcaster.handmade import Change, laid_over
from broadcaster.outputs_kept import changed
from broadcaster.reload import settled
from pipeline.errors import ConfigError

KEY = "sk_live_9f3"
MAIN = {"name": "main", "url": "rtmp://h/live/one", "keep_days": 3}
OTHER = {"name": "other", "url": "rtmp://h/live/two"}
FILED = [MAIN, OTHER]


def over(kept: dict[str, Change], filed: list[dict[str, Any]] = FILED) -> tuple[list[dict[str, Any]], list[str]]:
    """The outputs, and the names of the changes that stand."""
    outputs, standing = laid_over(filed, kept, lambda given: given)
    return outputs, sorted(standing)


def test_a_new_url_leaves_the_other_keys_and_the_other_outputs_alone() -> None:
    kept = changed({}, FILED, "url", "main", {"url": "rtmp://h/live/new"})
    assert over(kept) == ([{**MAIN, "url": "rtmp://h/live/new"}, OTHER], ["main"])


def test_what_was_removed_is_gone_and_may_be_added_anew() -> None:
    kept = changed({}, FILED, "remove", "main", {})
    assert over(kept) == ([OTHER], ["main"])
    kept = changed(kept, FILED, "add", "main", {"url": "rtmp://h/live/3"})
    assert over(kept) == ([{"name": "main", "url": "rtmp://h/live/3"}, OTHER], ["main"])


def test_what_was_added_and_removed_leaves_no_trace() -> None:
    kept = changed({}, FILED, "add", "more", {"url": "rtmp://h/live/3"})
    kept = changed(kept, FILED, "url", "more", {"url": "rtmp://h/live/4"})
    assert over(kept)[0][-1] == {"name": "more", "url": "rtmp://h/live/4"}
    assert changed(kept, FILED, "remove", "more", {}) == {}


def test_a_new_url_stands_until_the_file_has_another_one() -> None:
    kept = changed({}, FILED, "url", "main", {"url": "rtmp://h/live/new"})
    edited = [{**MAIN, "keep_days": 9}, OTHER]
    assert over(kept, edited) == ([{**edited[0], "url": "rtmp://h/live/new"}, OTHER], ["main"])
    again = [{**MAIN, "url": "rtmp://h/live/filed"}, OTHER]
    assert over(kept, again) == (again, [])
    assert over(kept, [OTHER]) == ([OTHER], [])


def test_the_file_has_the_last_word_on_an_output_that_it_names_or_changes_later() -> None:
    added = changed({}, FILED, "add", "more", {"url": "rtmp://h/live/3"})
    named = [*FILED, {"name": "more", "url": "rtmp://h/live/filed"}]
    assert over(added, named) == (named, [])
    removed = changed({}, FILED, "remove", "main", {})
    edited = [{**MAIN, "keep_days": 9}, OTHER]
    assert over(removed, edited) == (edited, [])


@pytest.mark.parametrize(
    ("what", "name", "words"),
    [
        ("add", "main", "already"),
        ("remove", "mian", "choose from main, other"),
        ("url", "mian", "choose from main, other"),
        ("restore", "main", "nothing was changed"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused_with_what_would_be_right(what: str, name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        changed({}, FILED, what, name, {"url": "rtmp://h/live/3"})


def test_restore_forgets_one_change_or_all() -> None:
    kept = changed(changed({}, FILED, "remove", "main", {}), FILED, "remove", "other", {})
    assert sorted(changed(kept, FILED, "restore", "main", {})) == ["other"]
    assert changed(kept, FILED, "restore", "", {}) == {}


def test_it_is_kept_for_us_alone_and_shown_without_keys(tmp_path: Path) -> None:
    kept = changed({}, FILED, "url", "main", {"url": f"rtmp://h/live/{KEY}"})
    outputs_kept.save(tmp_path, kept)
    path = tmp_path / outputs_kept.FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert outputs_kept.load(tmp_path) == kept
    assert KEY not in "\n".join(outputs_kept.told(kept, kept)) and KEY not in repr(kept)
    outputs_kept.save(tmp_path, {})
    assert not path.exists() and outputs_kept.load(tmp_path) == {}


def test_a_torn_file_is_named_and_not_quoted(tmp_path: Path) -> None:
    (tmp_path / outputs_kept.FILE).write_text(f'{{"main": {{"given": {{"url": "rtmp://h/live/{KEY}"')
    with pytest.raises(ConfigError, match=r"outputs\.json") as caught:
        outputs_kept.load(tmp_path)
    assert KEY not in str(caught.value)


class Room:
    def __init__(self, directory: Path) -> None:
        self.path = directory / "room.yaml"
        self.state_dir = directory / "var"
        self.state_dir.mkdir()
        self.write(outputs=FILED)

    def write(self, **tree: Any) -> None:
        self.path.write_text(yaml.safe_dump({"room": "shop", "state_dir": str(self.state_dir), **tree}))

    def keep(self, what: str, name: str, **given: Any) -> None:
        outputs_kept.save(self.state_dir, changed(outputs_kept.load(self.state_dir), FILED, what, name, given))

    def urls(self) -> dict[str, str]:
        return {output.name: output.url.get_secret_value() for output in load_whole(self.path).config.outputs}


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_a_start_takes_up_what_was_changed_and_forgets_for_good_what_the_file_has_overtaken(room: Room) -> None:
    room.keep("add", "more", url="rtmp://h/live/3")
    room.keep("remove", "other")
    assert room.urls() == {"main": MAIN["url"], "more": "rtmp://h/live/3"}
    room.write(outputs=[*FILED, {"name": "more", "url": "rtmp://h/live/filed"}])
    loaded = settled(room.path)
    assert sorted(loaded.void) == ["more"] and sorted(outputs_kept.load(room.state_dir)) == ["other"]
    assert room.urls() == {"main": MAIN["url"], "more": "rtmp://h/live/filed"}


def test_a_room_goes_on_air_without_changes_that_do_not_fit_any_more(room: Room) -> None:
    room.keep("remove", "main")
    room.write(outputs=FILED, ack="main")
    loaded = load_whole(room.path)
    assert "ack" in loaded.unfit and [output.name for output in loaded.config.outputs] == ["main", "other"]
    (room.state_dir / outputs_kept.FILE).write_text("{")
    assert "outputs.json" in settled(room.path).unfit


def test_a_reference_is_kept_as_a_reference(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.keep("url", "main", url="${MAIN_URL}")
    assert KEY not in (room.state_dir / outputs_kept.FILE).read_text()
    monkeypatch.setenv("MAIN_URL", f"rtmp://h/live/{KEY}")
    assert room.urls()["main"].endswith(KEY)
    monkeypatch.setenv("MAIN_URL", "rtmp://h/live/rotated")
    assert room.urls()["main"].endswith("rotated")
    monkeypatch.delenv("MAIN_URL")
    assert "MAIN_URL" in load_whole(room.path).unfit and room.urls()["main"] == MAIN["url"]


def test_a_file_that_cannot_be_read_is_told_of(room: Room) -> None:
    (room.state_dir / outputs_kept.FILE).mkdir()
    assert "outputs.json: Is a directory" in load_whole(room.path).unfit
