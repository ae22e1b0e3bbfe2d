"""Names of children that others look up in the status, the names that outputs cannot have, and of a socket."""

from __future__ import annotations

PREVIEW = "preview"  # the output that the page shows
PROBE = "probe"  # the output that is decoded again
HOUSE = ".house"  # a house's own directory, beside those of its rooms
CONTROL_SOCKET = "control.sock"  # in the runtime directory: page and API for this user, without a token


def pusher_name(output: str) -> str:
    return f"pusher-{output}"
