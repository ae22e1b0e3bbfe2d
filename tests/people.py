"""Persons for tests: the shipped presenter in other light, each with points, so that every engine can draw them.

In: a folder, and how much of the presenter's light each has. Out: pictures and points there, and the files by name.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from pipeline.avatar import points_path
from pipeline.shipped import PRESENTER

LIGHT: Mapping[str, float] = {"host": 1.0, "anna": 0.55, "bert": 0.75}


def write_people(folder: Path, light: Mapping[str, float] = LIGHT) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    whole = Image.open(PRESENTER).convert("RGB")
    for name, share in light.items():
        scaled = whole.point([round(value * share) for value in range(256)] * 3)
        scaled.save(folder / f"{name}.png", compress_level=1)
        shutil.copy(points_path(PRESENTER), folder / f"{name}.json")
    return {name: str(folder / f"{name}.png") for name in light}
