"""The time zone of a room, by its name or the machine's own: one answer for schedule, scripts and evidence.

In: a name as Europe/Berlin, "" is the machine's. Out: a zone that knows its summer time; a machine
whose own has no name keeps the offset that it has now.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzlocal

from pipeline.errors import ConfigError


def zone_of(name: str) -> tzinfo:
    """ConfigError when there is no zone of that name."""
    try:
        return ZoneInfo(name) if name else tzlocal.get_localzone()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if name:
            raise ConfigError(f"timezone: there is no {name!r}; write it as Europe/Berlin or Asia/Shanghai") from None
    return datetime.now(UTC).astimezone().tzinfo or UTC  # TZ names none: as its clock is set now
