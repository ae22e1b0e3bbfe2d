"""`broadcaster panic`: from the operator's order to slate and silence at the tag line, while the avatar speaks."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, percentile
from broadcaster import orders
from broadcaster.config import load
from pipeline.wire import Panic
from tests.onlooker import Onlooker, is_like, silent_since_s
from tests.station import ROOT, Station, on_air, until

TRIES = 20
BY_COMMAND = 5
SETTLED_S = 0.6  # of slate, after which what is seen and heard stays so
WORST_S = 0.2
LONG_TEXT = "This is a long sentence, which goes on and on for a good while, so that there is time to break something. "


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        script = Path(name) / "script.md"
        script.write_text(LONG_TEXT * 20)
        with on_air(Path(name), script={"file": str(script)}) as station:
            onlooker = Onlooker(load(station.config_path).runtime_dir)
            took = [_try(station, onlooker, index, by_command=False) for index in range(TRIES)]
            typed = [_try(station, onlooker, index, by_command=True) for index in range(BY_COMMAND)]
            onlooker.close()
    mute_s, slate_s = [mute for mute, _ in took], [slate for _, slate in took]
    both_s = [max(pair) for pair in took]
    started_s = percentile([max(pair) for pair in typed], 0.5) - percentile(both_s, 0.5)
    return [
        Figure(
            f"panic: order → slate and silence at the tag line, worst of {TRIES}",
            f"{max(both_s):.3f} s (p50 {percentile(both_s, 0.5):.3f})",
            f"≤ {WORST_S} s",
            max(both_s) <= WORST_S,
        ),
        Figure("  silence alone, slate alone, worst", f"{max(mute_s):.3f} s, {max(slate_s):.3f} s"),
        Figure(f"  start of the command line, before the order, p50 of {BY_COMMAND}", f"{started_s:.2f} s"),
    ]


def _try(station: Station, onlooker: Onlooker, index: int, by_command: bool) -> tuple[float, float]:
    """(seconds to silence, seconds to the slate), then the programme again."""
    heard_s = time.monotonic()
    until(lambda: any(one.peak > 1000 for one in onlooker.sounds(heard_s)), 30, "a voice")
    time.sleep(0.05 + 0.037 * index % 0.2)  # not always at the same place of a hop
    ordered_s = time.monotonic()
    _order(station, True, by_command)
    ended_s = time.monotonic() + SETTLED_S
    until(lambda: onlooker.pictures(ended_s) and onlooker.sounds(ended_s), 10, "pictures go on")
    pictures, silent_s = onlooker.pictures(ordered_s), silent_since_s(onlooker.sounds(ordered_s))
    slate = pictures[-1].luma
    assert slate is not None and silent_s is not None
    strangers = [position for position, one in enumerate(pictures) if not is_like(one, slate)]
    shown_s = pictures[strangers[-1] + 1 if strangers else 0].at_s
    _order(station, False, by_command)
    return silent_s - ordered_s, shown_s - ordered_s


def _order(station: Station, on: bool, by_command: bool) -> None:
    if by_command:
        command = [sys.executable, "-m", "broadcaster.cli", "panic", "--config", str(station.config_path)]
        subprocess.run([*command, *([] if on else ["--off"])], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return
    answer = orders.give(load(station.config_path).runtime_dir, Panic(on=on), orders.PANIC_WAIT_S)
    assert answer.done, answer.lines
