"""Names of children that others look up in the status, and the names that outputs cannot have."""

from __future__ import annotations

PREVIEW = "preview"  # the output that the page shows
PROBE = "probe"  # the output that is decoded again


def pusher_name(output: str) -> str:
    return f"pusher-{output}"
