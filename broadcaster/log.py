"""Logging: structured lines on standard error, one owner each, without secrets, and never waited for.

A person at a terminal gets columns, everything else JSON. URLs lose all but scheme and host, since
what follows may be a stream key; what viewers wrote stands under keys that begin with `pii_`.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

from broadcaster import outlet

ROOM = "BROADCASTER_ROOM"  # names the room in the environment of what belongs to one of several
URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,9})://(?:[^\s/@'\"]*@)?([^\s/?#'\"|\]]*)[^\s'\"|\]]*", re.IGNORECASE)


def configure(owner: str, verbose: bool = False) -> None:
    """Set the process up to log as `owner`; call it once, first."""
    fd = outlet.opened()
    terminal = os.isatty(fd)
    structlog.configure(
        processors=[
            _owned(owner),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f" if terminal else "iso", utc=not terminal),
            structlog.processors.format_exc_info,
            redact,
            structlog.dev.ConsoleRenderer(colors=True) if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("debug" if verbose else "info"),
        logger_factory=structlog.WriteLoggerFactory(outlet.Outlet(fd, _left_out)),  # type: ignore[arg-type]  # it has write and flush
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Library()], level=logging.WARNING, format="%(message)s", force=True)


class _Library(logging.Handler):
    """What libraries have to say goes the same way: it would be waited for otherwise, and could hold a key."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().warning("library.warned", library=record.name, text=self.format(record))


def _owned(owner: str) -> structlog.typing.Processor:
    def own(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["owner"] = owner
        if room := os.environ.get(ROOM):
            event.setdefault("room", room)
        return event

    return own


def _left_out(lines: int) -> str:
    """What stands for lines that nobody read in time, rendered as any other."""
    rendered = structlog.wrap_logger(structlog.ReturnLogger()).warning("log.dropped", lines=lines)
    return f"{rendered}\n"


def redacted(text: str) -> str:
    """The text with every URL cut down to `scheme://host/…`."""
    return URL.sub(lambda match: f"{match[1]}://{match[2]}/…", text)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str) and "://" in value:
            event[key] = redacted(value)
    return event
