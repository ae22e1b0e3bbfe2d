"""Where the golden cases lie: tensors that the published implementations gave for tiny random weights."""

from __future__ import annotations

from pathlib import Path

GOLDEN = Path(__file__).parent / "data" / "golden"
