"""What is installed is all there is: no package, and no file that one of them reads, is missing in pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def files() -> Iterator[Path]:
    for top in sorted({package.partition(".")[0] for package in SETUP["packages"]}):
        for path in sorted((ROOT / top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT)


def test_a_package_that_was_not_listed_was_missing_where_it_was_installed() -> None:
    there = {".".join(path.parent.parts) for path in files() if path.suffix == ".py"}
    assert there - {"configs.avatars"} <= set(SETUP["packages"])  # it draws the presenter, as a script


def test_a_file_that_was_not_listed_was_missing_where_it_was_installed() -> None:
    listed = {
        path.relative_to(ROOT)
        for package, patterns in SETUP["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    assert [str(path) for path in files() if path.suffix != ".py" and path not in listed] == []
