"""The configuration's section `schedule`: programmes and hours of the channel.

In: values of a file. Out: checked sections, one a job; times and files are looked at by `broadcaster config check`
(broadcaster.schedule.jobs). Every key: configs/reference.yaml.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from broadcaster.section import Section

JOBS_MAX = 500


class JobSection(Section):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")
    script: Path | None = None
    action: Literal["start", "stop"] | None = None
    cron: str | None = None
    date: str | None = None
    every: str | None = None
    between: str | None = None
    timezone: str | None = None
    priority: int = Field(default=0, ge=0, le=9)
    overlap: Literal["queue", "skip", "replace"] = "queue"
    misfire_s: float = Field(default=300, ge=1, le=86400)

    @field_validator("date", mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        """YAML makes a time of it by itself."""
        return value.isoformat() if isinstance(value, datetime) else value

    @model_validator(mode="after")
    def _whole(self) -> JobSection:
        if self.script is None and self.action is None:
            raise ValueError("nothing to do: give script, action or both")
        given = [key for key in ("cron", "date", "every") if getattr(self, key)]
        if len(given) != 1:
            raise ValueError(f"{' and '.join(given) or 'no time'}: give one of cron, date and every")
        if self.between and not self.every:
            raise ValueError("between: only with every")
        return self
