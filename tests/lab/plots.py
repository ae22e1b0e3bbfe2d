"""Plots of a soak: how long gaps were, what processes held, and when what was broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.census import Count
from tests.lab.judge import Gap
from tests.lab.schedule import Fault

WIDE, HIGH = 11.0, 4.5  # inches
LIVES_MIN = 3  # samples of a process, below which its line is left out


def draw(directory: Path, gaps: Mapping[str, Sequence[Gap]], counts: Sequence[Count], faults: Sequence[Fault]) -> None:
    """gaps.png, memory.png, held.png; a note in their place where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        (directory / "no-plots.txt").write_text("matplotlib is not installed: pip install -e '.[lab]'\n")
        return
    matplotlib.use("Agg")
    _gaps(directory / "gaps.png", gaps, faults)
    _memory(directory / "memory.png", counts)
    _held(directory / "held.png", counts)


def _gaps(path: Path, gaps: Mapping[str, Sequence[Gap]], faults: Sequence[Fault]) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(WIDE, HIGH))
    for name, found in gaps.items():
        axes.plot(
            [gap.began_s / 60 for gap in found],
            [gap.seconds for gap in found],
            "o",
            markersize=4,
            label=f"{name}: {len(found)}",
        )
    for fault in faults:
        axes.axvline(fault.at_s / 60, color="0.85", linewidth=0.5, zorder=0)
    axes.axhline(0.25, color="tab:red", linewidth=0.8, linestyle="--")
    axes.axhline(2.0, color="tab:red", linewidth=0.8)
    axes.set(xlabel="minutes", ylabel="gap, s", yscale="log", title="Gaps of media beyond 0.1 s; grey: faults")
    axes.legend(loc="upper right")
    _write(figure, path)


def _memory(path: Path, counts: Sequence[Count]) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(WIDE, HIGH))
    colours = {name: f"C{index % 10}" for index, name in enumerate(sorted({one.name for one in counts}))}
    labelled: set[str] = set()
    for (name, _), lives in _lives(counts).items():
        label = name if name not in labelled else None
        labelled.add(name)
        axes.plot([one.at_s / 60 for one in lives], [one.rss_mb for one in lives], color=colours[name], label=label)
    axes.set(xlabel="minutes", ylabel="resident memory, MB", title="Memory; a line a life", ylim=(0, None))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    _write(figure, path)


def _held(path: Path, counts: Sequence[Count]) -> None:
    from matplotlib import pyplot

    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(WIDE, HIGH * 1.4), sharex=True)
    colours = {name: f"C{index % 10}" for index, name in enumerate(sorted({one.name for one in counts}))}
    labelled: set[str] = set()
    for (name, _), lives in _lives(counts).items():
        label = name if name not in labelled else None
        labelled.add(name)
        minutes = [one.at_s / 60 for one in lives]
        upper.plot(minutes, [one.descriptors for one in lives], color=colours[name], label=label)
        lower.plot(minutes, [one.threads for one in lives], color=colours[name])
    upper.set(ylabel="descriptors", title="Descriptors and threads; a line a life", ylim=(0, None))
    lower.set(xlabel="minutes", ylabel="threads", ylim=(0, None))
    upper.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    _write(figure, path)


def _lives(counts: Sequence[Count]) -> dict[tuple[str, int], list[Count]]:
    lives: dict[tuple[str, int], list[Count]] = {}
    for one in counts:
        lives.setdefault((one.name, one.pid), []).append(one)
    return {key: found for key, found in lives.items() if len(found) >= LIVES_MIN}


def _write(figure: object, path: Path) -> None:
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    assert isinstance(figure, Figure)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    pyplot.close(figure)
