"""What became of comments, told to an operator: a flood of them is no flood of lines.

In: the counts that intake keeps, messages that are none. Out: one line of the log in ten seconds at most for each. It
knows no viewer's words.
"""

from __future__ import annotations

from collections import Counter

import structlog

from broadcaster.chat.model import Reason
from pipeline.clock import NS

EVERY_S = 10

log = structlog.get_logger()


class Tally:
    """counts: by reason, as the pool counts them."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._told: dict[str, int] = {}
        self._told_ns: int | None = None
        self._refused = 0  #: since it was told

    def refused(self, stream_id: str, reason: str) -> None:
        """An entry is no comment."""
        if not self._refused:
            log.warning("comments.refused", stream_id=stream_id, reason=reason)
        self._refused += 1
        self._counts[Reason.REFUSED] += 1

    def tell(self, now_ns: int, waiting: int) -> None:
        """Tell what came to nothing since it was told last, when that is long enough ago."""
        if self._told_ns is not None and now_ns < self._told_ns + EVERY_S * NS:
            return
        counts = {str(reason): self._counts[reason] for reason in Reason}
        why = {reason: new for reason, count in counts.items() if (new := count - self._told.get(reason, 0)) > 0}
        if why:
            log.info("comments.dropped", why=why, waiting=waiting)
        self._told, self._told_ns, self._refused = counts, now_ns, 0
