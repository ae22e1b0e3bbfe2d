"""Ending asyncio tasks for certain.

A task that is cancelled while redis-py sends may go on as if nothing were: asyncio.wait_for of Python 3.11, which the
library sends with, forgets it. So it is asked again until it has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

ASK_AGAIN_S = 0.1


async def cancelled(tasks: Iterable[asyncio.Task[None] | None]) -> None:
    """Wait until all of them have ended; what they ended with is nobody's concern any more."""
    left = {task for task in tasks if task is not None}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ASK_AGAIN_S)
