"""What a part of a room is to do wrong: a file of JSON that a test writes and the part reads before it works."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

DIRECTORY = "BROADCASTER_LAB"


def directory() -> Path:
    return Path(os.environ[DIRECTORY])


def read(part: str) -> dict[str, Any]:
    """The orders in force; none while there is no file."""
    try:
        return dict(json.loads((directory() / f"{part}.json").read_text()))
    except FileNotFoundError:
        return {}


def write(where: Path, part: str, **orders: Any) -> None:
    """Give orders; none = be well. Whole or not at all."""
    where.mkdir(parents=True, exist_ok=True)
    new = where / f"{part}.new"
    new.write_text(json.dumps(orders))
    new.replace(where / f"{part}.json")
