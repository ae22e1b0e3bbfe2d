"""The configuration's section `evidence`: how long the log of what was said is kept.

In: values of a file. Out: a checked section. Every key: configs/reference.yaml.
"""

from __future__ import annotations

from pydantic import Field

from broadcaster.section import Section


class EvidenceSection(Section):
    keep_days: int = Field(default=90, ge=1, le=3660)
    max_mb: int = Field(default=1024, ge=1, le=1_000_000)
