"""Logging: structured lines on standard error, one owner each, without secrets.

A person at a terminal gets columns, everything else JSON. URLs lose all but scheme and host, since
what follows may be a stream key; what viewers wrote stands under keys that begin with `pii_`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,9})://(?:[^\s/@'\"]*@)?([^\s/?#'\"|\]]*)[^\s'\"|\]]*", re.IGNORECASE)


def configure(owner: str, verbose: bool = False) -> None:
    """Set the process up to log as `owner`; call it once, first."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f" if terminal else "iso", utc=not terminal),
            structlog.processors.format_exc_info,
            redact,
            structlog.dev.ConsoleRenderer(colors=True) if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("debug" if verbose else "info"),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(owner=owner)


def redacted(text: str) -> str:
    """The text with every URL cut down to `scheme://host/…`."""
    return URL.sub(lambda match: f"{match[1]}://{match[2]}/…", text)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str) and "://" in value:
            event[key] = redacted(value)
    return event
