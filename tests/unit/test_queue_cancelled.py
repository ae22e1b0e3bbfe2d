"""A task that talks to Redis ends when it is cancelled, whatever the library makes of that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from broadcaster.queue import translated
from pipeline.errors import RedisDown


def swallowed() -> None:
    """The cancellation is forgotten, and the command answered."""


def turned() -> None:
    raise TimeoutError


@pytest.mark.parametrize("outcome", [swallowed, turned])
async def test_a_loop_in_which_a_cancel_got_lost_kept_its_process_from_ending(outcome: Callable[[], None]) -> None:
    async def work() -> None:
        while True:
            try:
                with translated():
                    try:
                        await asyncio.sleep(10)
                    except asyncio.CancelledError:
                        outcome()
            except RedisDown:
                await asyncio.sleep(10)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done == {task} and task.cancelled()


async def test_a_time_limit_around_a_command_is_a_time_limit() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            with translated():
                await asyncio.sleep(10)
