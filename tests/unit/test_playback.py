"""Looks at playbacks: when, how many, and what follows from them. What looks is a program that says what it is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from broadcaster.monitor import playback
from broadcaster.monitor.playback import LOOK_S, Playbacks
from tests.station import until

EVERY_S, SETTLE_S = 20.0, 60.0
URL = "https://cdn.example/live/T0K3N.m3u8"
PLAYS, OFF = '{"plays":true}', '{"plays":false,"why":"stalled"}'


class Platform:
    """A far end, and the time."""

    def __init__(self, directory: Path, *names: str) -> None:
        self.directory = directory
        self.program = directory / "look.py"
        self.now_s = 1000.0
        self.looks = 0
        self.says(PLAYS)
        urls = dict.fromkeys(names or ("main",), URL)
        self.playbacks = Playbacks(urls, EVERY_S, SETTLE_S, self.now_s, [sys.executable, "-S", str(self.program)])
        self.phase = "live"

    def says(self, answer: str) -> None:
        text = (
            f"import sys\nurl = sys.stdin.readline()\nassert 'T0K3N' not in str(sys.argv)\n"
            f"open({str(self.directory / 'urls')!r}, 'a').write(url)\nprint({answer!r})\n"
        )
        self.program.write_text(text)

    def urls(self) -> list[str]:
        path = self.directory / "urls"
        return path.read_text().split() if path.exists() else []

    def run(self, seconds: float) -> None:
        """Turn each second; a look that began ends before the next one."""
        for _ in range(int(seconds)):
            self.now_s += 1.0
            self.turn()
            until(self._has_answered, 5)

    def turn(self) -> None:
        status: dict[str, Any] = {"children": {f"pusher-{name}": {"phase": self.phase} for name in ("main", "web")}}
        self.playbacks.turn(self.now_s, status)

    def _has_answered(self) -> bool:
        self.turn()
        return all(output.process is None for output in self.playbacks._outputs.values())

    def finding(self, name: str = "main") -> str | None:
        return self.playbacks.findings()["off_air_far_end", name]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def test_a_playback_is_looked_at_every_so_often_by_its_address_on_standard_input(platform: Platform) -> None:
    platform.run(101)
    assert platform.finding() == "" and platform.urls() == [URL] * 6


def test_f22_a_platform_that_ended_the_broadcast_is_found_out_within_a_minute(platform: Platform) -> None:
    platform.run(100)
    platform.says(OFF)
    ended_s = platform.now_s
    while not platform.finding():
        platform.run(1)
    assert "playback does not show it (stalled)" in str(platform.finding())
    # here a look takes no time; the longest one twice still fits
    assert platform.now_s - ended_s + 2 * LOOK_S <= 60
    platform.says(PLAYS)
    platform.run(EVERY_S + 1)
    assert platform.finding() == ""


def test_one_look_that_failed_is_no_alarm_and_is_followed_by_another_at_once(platform: Platform) -> None:
    platform.run(100)
    platform.says(OFF)
    looked = len(platform.urls())
    while len(platform.urls()) == looked:
        platform.run(1)
    platform.says(PLAYS)
    platform.run(3)
    assert len(platform.urls()) == looked + 2 and platform.finding() == ""


def test_what_a_platform_does_not_show_yet_does_not_count(platform: Platform) -> None:
    platform.says(OFF)
    platform.run(SETTLE_S - 1)
    assert platform.finding() is None
    platform.run(2 * EVERY_S)
    assert platform.finding()


def test_an_output_that_is_not_live_is_not_looked_at(platform: Platform) -> None:
    platform.run(100)
    looked = len(platform.urls())
    platform.phase = "backing-off"
    platform.says(OFF)
    platform.run(300)
    assert len(platform.urls()) == looked and platform.finding() == ""
    platform.phase = "live"  # and begins anew
    platform.run(SETTLE_S - 1)
    assert platform.finding() == ""


@pytest.mark.parametrize("answer", ["", "nonsense", '{"plays": "yes"}'])
def test_a_look_that_says_nothing_says_nothing_of_the_platform(platform: Platform, answer: str) -> None:
    platform.says(answer)
    platform.run(200)
    assert platform.finding() is None


def test_several_playbacks_are_not_looked_at_all_at_once(tmp_path: Path) -> None:
    platform = Platform(tmp_path, "main", "web")
    platform.run(2)
    assert len(platform.urls()) == 1
    platform.run(EVERY_S / 2)
    assert len(platform.urls()) == 2


def test_a_look_that_never_ends_is_ended(platform: Platform) -> None:
    platform.program.write_text("import time\ntime.sleep(60)\n")
    platform.turn()
    process = platform.playbacks._outputs["main"].process
    assert process is not None
    platform.now_s += LOOK_S + playback.GRACE_S + 1
    platform.turn()
    process.wait(5)
    until(platform._has_answered, 5)
    assert platform.finding() is None
