"""What makes one comment worth an answer before another. Pure.

In: a comment, whether it looks like a question, whether its viewer ordered or gave something lately. Out: a whole
number; a freshness below 1 is added to it elsewhere, so that of equals the newest goes first and age never outweighs a
reason.
"""

from __future__ import annotations

import math

from broadcaster.chat.model import Comment, Kind

READY = 10  # somebody wrote the answer already
PAID = 3  # it is an order or a gift, or comes from who made one lately
BOUGHT = 2
CALLED = 1
ASKED = 1
VALUE_MAX = 2  # what a gift's value adds, one for each factor of ten
STANDS_S = 600.0  # how long an order or gift is remembered


def weight(comment: Comment, *, asks: bool, stands: bool) -> int:
    paid = comment.kind in (Kind.GIFT, Kind.ORDER)
    return (
        READY * bool(comment.reply)
        + PAID * (paid or stands)
        + BOUGHT * comment.buyer
        + CALLED * comment.mention
        + ASKED * asks
        + (min(VALUE_MAX, int(math.log10(1 + comment.value))) if paid else 0)
    )
