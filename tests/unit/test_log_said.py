"""`broadcaster log said`: what was said can be looked up by time and source, on air or off."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broadcaster.cli.app import app
from broadcaster.cli.log import moment
from broadcaster.saidlog import Keep, Said, SaidLog
from pipeline.errors import ConfigError

NOW = datetime(2026, 5, 3, 12, 0)


def said(seq: int, begin: datetime, text: str, source: str = "queue k", **more: object) -> Said:
    fields = {"whole": True, "ended": "", "lane": "command", "utterance": "u", "sentence": 0, "of": 1, "voice": "en"}
    fields |= {"provider": "espeak", "label": "AI-generated", "heard_s": 2.0} | more
    begin_s = begin.timestamp()
    when = begin.isoformat()
    return Said(seq=seq, begin=when, begin_s=begin_s, end=when, end_s=begin_s + 2, text=text, source=source, **fields)  # type: ignore[arg-type]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    log = SaidLog(tmp_path / "state" / "said", Keep())
    log.append([said(1, datetime(2026, 5, 1, 20), "Yesterday's words.", "script shop.md:12")], date(2026, 5, 1))
    log.append([said(2, datetime(2026, 5, 2, 9), "Good morning.")], date(2026, 5, 2))
    log.append([said(3, datetime(2026, 5, 2, 10), "Half a", whole=False, ended="cut")], date(2026, 5, 2))
    log.append([said(4, datetime(2026, 5, 2, 11), "", noted=False)], date(2026, 5, 2))
    path = tmp_path / "room.yaml"
    path.write_text(f"room: shop\nstate_dir: {tmp_path / 'state'}\nredis: ${{NO_SUCH_SECRET}}\n")
    return path


def run(*words: str) -> tuple[int, list[str]]:
    done = CliRunner().invoke(app, ["log", "said", *words], catch_exceptions=False, standalone_mode=False)
    return done.exit_code, done.output.splitlines()


def test_sentences_are_told_oldest_first_with_source_voice_and_what_was_cut(config: Path) -> None:
    _, lines = run("--since", "2026-05-01", "--config", str(config))
    assert len(lines) == 5
    assert lines[1].startswith("2026-05-01 20:00:00     2.0  command    script shop.md:12")
    assert lines[2].endswith("espeak/en                     Good morning.")
    assert lines[3].endswith("Half a  [cut]")
    assert lines[4].endswith("(its words are not known) u/0")


def test_time_and_source_choose(config: Path) -> None:
    _, lines = run("--since", "2026-05-02", "--until", "2026-05-02T10:30", "--config", str(config))
    assert [line.split()[-1] for line in lines[1:]] == ["morning.", "[cut]"]
    _, lines = run("--since", "2026-05-01", "--source", "SHOP.md", "--config", str(config))
    assert [line.split()[-1] for line in lines[1:]] == ["words."]


def test_programs_get_whole_records(config: Path) -> None:
    _, lines = run("--since", "2026-05-01", "--json", "--config", str(config))
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3, 4]
    assert json.loads(lines[0])["label"] == "AI-generated"


def test_nothing_said_in_that_time_is_said_so(config: Path) -> None:
    assert run("--since", "2030-01-01", "--config", str(config))[1] == ["nothing was said in that time"]


def test_a_room_that_never_spoke_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "room.yaml"
    path.write_text(f"room: shop\nstate_dir: {tmp_path / 'none'}\n")
    with pytest.raises(ConfigError, match="nothing was said there yet"):
        run("--config", str(path))


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("90s", datetime(2026, 5, 3, 11, 58, 30)),
        ("1h30m", datetime(2026, 5, 3, 10, 30)),
        ("2d", datetime(2026, 5, 1, 12, 0)),
        ("9:30", datetime(2026, 5, 3, 9, 30)),
        ("20:00:05", datetime(2026, 5, 3, 20, 0, 5)),
        ("2026-05-01", datetime(2026, 5, 1)),
        ("2026-05-01T20:00", datetime(2026, 5, 1, 20)),
    ],
)
def test_times_are_understood_as_people_write_them(text: str, when: datetime) -> None:
    assert moment("--since", text, NOW) == when.timestamp()


def test_a_time_with_an_offset_is_that_instant() -> None:
    assert moment("--since", "2026-05-01T20:00:00+08:00", NOW) == 1777636800


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-13-01", "1x", "99999999999d", "-1h"])
def test_what_is_no_time_is_told_with_what_would_be_one(text: str) -> None:
    with pytest.raises(ConfigError, match="write 30m, 1h"):
        moment("--since", text, NOW)
