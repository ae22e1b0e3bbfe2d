"""Tell systemd how we are: the sd_notify protocol, one datagram a message, silent without systemd.

Follows sd_notify(3): `$NOTIFY_SOCKET` is a path or, with a leading @, an abstract name.
"""

from __future__ import annotations

import os
import socket


class Notifier:
    def __init__(self, address: str | None = None) -> None:
        given = address if address is not None else os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + given[1:] if given.startswith("@") else given
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def send(self, **assignments: str | int) -> bool:
        """Send `KEY=value` lines; false when nobody took them. Never blocks, never raises."""
        if not self._address:
            return False
        text = "\n".join(f"{key}={value}" for key, value in assignments.items())
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:
            return False
        return True
