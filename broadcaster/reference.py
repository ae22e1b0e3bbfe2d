"""The configuration's reference as data, and as a page of documentation.

In: configs/reference.yaml and that of houses, whose comments say what each key does. Out: their entries in order, and
Markdown for docs/configuration.md (`python -m broadcaster.reference`). Pure but for reading those files.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.shipped import CONFIGS

REFERENCE = CONFIGS / "reference.yaml"
HOUSE_REFERENCE = CONFIGS / "houses" / "reference.yaml"
KEY = re.compile(r"^( *)(- )?([a-z_]+):(?: +(.*))?$")
HEAD = """# Configuration

What `broadcaster run FILE` reads. This page is [configs/reference.yaml](../configs/reference.yaml) in another form
(`make docs` writes it); that file is itself a configuration and a good one to start from.

{intro}
"""
HOUSE_HEAD = """
# A house of several rooms

What `broadcaster run HOUSE.yaml` reads: [configs/houses/reference.yaml](../configs/houses/reference.yaml) in another
form.

{intro}
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key. name: dotted. text: its comment. example: what stands there, "" for a section."""

    name: str
    text: str
    example: str = ""

    @property
    def section(self) -> str:
        return self.name.rpartition(".")[0]


def intro(text: str) -> list[str]:
    """The lines of comment before the first empty line: what holds for all keys."""
    lines = text.partition("\n\n")[0].splitlines()
    return [line.strip("# ") for line in lines if line.startswith("#")]


def entries(text: str) -> Iterator[Entry]:
    """Every key with the comment above it, in the file's order; those of a list's items as often as they stand."""
    comment: list[str] = []
    path: list[tuple[int, str]] = []  # how far in each part of the name stands
    for line in text.partition("\n\n")[2].splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.strip(" #"))
        elif match := KEY.match(line):
            indent, item, key, value = match.groups()
            depth = len(indent + (item or ""))
            path = [*((at, part) for at, part in path if at < depth), (depth, key)]
            yield Entry(".".join(part for _, part in path), " ".join(comment), value or "")
            comment = []


def document() -> str:
    """docs/configuration.md."""
    room, house = (path.read_text(encoding="utf-8") for path in (REFERENCE, HOUSE_REFERENCE))
    return page(room) + page(house, HOUSE_HEAD)


def page(text: str, head: str = HEAD) -> str:
    """A reference as Markdown. head: what comes first, with a place for the intro."""
    blocks = [head.format(intro="\n".join(intro(text)))]
    seen: set[str] = set()
    open_table = False
    for entry in entries(text):
        if entry.name in seen or (entry.section and not entry.text):
            continue
        seen.add(entry.name)
        if not entry.section:
            blocks.append(_heading(entry))
            open_table = False
            continue
        if not open_table:
            gap = "" if blocks[-1].endswith("\n\n") else "\n"
            blocks.append(f"{gap}| key | as in the reference | |\n|---|---|---|\n")
            open_table = True
        blocks.append(f"| `{entry.name}` | {_code(entry.example)} | {_cell(entry.text)} |\n")
    return "".join(blocks)


def _heading(entry: Entry) -> str:
    example = f"```yaml\n{entry.name}: {entry.example}\n```\n" if entry.example else ""
    return f"\n## {entry.name}\n\n" + "\n".join(part for part in (entry.text and f"{entry.text}\n", example) if part)


def _code(example: str) -> str:
    return f"`{_cell(example)}`" if example else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    sys.stdout.write(document())


if __name__ == "__main__":
    main()
