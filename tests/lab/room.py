"""A room of the laboratory: `broadcaster run` as it is, with an engine and a voice that fail as they are told.

Engine and voice are called `faulty` in its configuration. They are entered in the tables of every process of the room
by a sitecustomize below the product, so that a reload, an upgrade and the command line know them as well.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline import engine, follower
from tests.lab import orders, table
from tests.station import ROOT, Station
from tts import synthesizer

BELOW = Path(__file__).parent / "below"

# for this process, which reads configurations
engine.ENGINES.update(table.ENGINES)  # type: ignore[attr-defined]
engine.MODELS.update(table.MODELS)  # type: ignore[attr-defined]
follower.RANKED.update(table.RANKED)  # type: ignore[attr-defined]
synthesizer.PROVIDERS.update(table.PROVIDERS)  # type: ignore[attr-defined]


class LabStation(Station):
    #: seconds in the place of the minute after which a tier is tried again, and counts as steady
    haste_s: float | None = None

    def __init__(self, directory: Path, **config: Any) -> None:
        self.faults = directory / "faults"
        self.faults.mkdir(parents=True, exist_ok=True)
        config.setdefault("avatar", {"engine": "faulty", "size": [192, 320]})
        config.setdefault("voice", {"chain": ["faulty"], "name": "en", "cache_mb": 0})
        super().__init__(directory, **config)

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(BELOW), str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        haste = {"BROADCASTER_LAB_HASTE_S": str(self.haste_s)} if self.haste_s is not None else {}
        return {**super().environment(), "PYTHONPATH": path, orders.DIRECTORY: str(self.faults), **haste}

    def order(self, part: str, **faults: Any) -> None:
        """Have engine or voice fail so; nothing = be well."""
        orders.write(self.faults, part, **faults)
