"""What was measured: rows that are printed as they come, and kept in a file of JSON lines.

In: rows. Out: the page, the file. A run that is cut off has said and kept all it had found until then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. value: None where there is none, `note` says why then. floor: of the card, in the same unit."""

    part: str
    name: str
    value: float | None = None
    unit: str = "ms"
    size: str = ""  # width x height where it matters
    floor: float | None = None
    published: str = ""
    note: str = ""
    failed: bool = False  # an error or no time, rather than a figure

    @property
    def reached(self) -> str:
        return "" if self.value is None else f"{number(self.value)} {self.unit}".strip()


@dataclass
class Report:
    """Where rows go. `path`: a file of JSON lines to append to; the first line of a run tells of the machine."""

    setting: dict[str, str]
    path: Path | None = None
    rows: list[Row] = field(default_factory=list)

    def open(self) -> None:
        print(" · ".join(f"{name} {value}" for name, value in self.setting.items()), flush=True)
        self._keep({"setting": self.setting})

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(line(row), flush=True)
        self._keep(asdict(row))

    def heading(self, text: str) -> None:
        print(f"{text}:", flush=True)

    def _keep(self, entry: object) -> None:
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")


def line(row: Row) -> str:
    """As on the terminal."""
    name = f"{row.name} {row.size}".strip()
    floor = f"floor {number(row.floor)}" if row.floor is not None else ""
    text = f"  {name:<52} {row.reached:<16} {floor:<14} {row.published:<34} {row.note}".rstrip()
    return f"{text}  FAILED" if row.failed else text


def markdown(setting: dict[str, str], rows: list[Row]) -> Iterator[str]:
    """Lines for docs/benchmarks.md: where it was measured, then the table."""
    told = ", ".join(f"{name} {value}" for name, value in setting.items() if name != "command")
    yield f"Measured on: {told}. Command: `{setting.get('command', '')}`."
    yield ""
    yield "| part | figure | reached | floor of this card | published | note |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        floor = "" if row.floor is None else f"{number(row.floor)} {row.unit}"
        reached = "failed" if row.failed else row.reached
        cells = (row.part, f"{row.name} {row.size}".strip(), reached, floor, row.published, row.note)
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def read(path: Path) -> tuple[dict[str, str], list[Row]]:
    """The last run in a file of JSON lines."""
    setting: dict[str, str] = {}
    rows: list[Row] = []
    for text in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(text)
        if "setting" in entry:
            setting, rows = entry["setting"], []
        else:
            rows.append(Row(**entry))
    return setting, rows


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"
