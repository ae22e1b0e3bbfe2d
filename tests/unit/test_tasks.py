from __future__ import annotations

import asyncio

from broadcaster.tasks import cancelled


async def test_a_loop_in_which_a_cancel_got_lost_kept_its_director_from_ending() -> None:
    asked = 0

    async def deaf() -> None:
        nonlocal asked
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                asked += 1
                if asked > 2:
                    raise

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await asyncio.wait_for(cancelled([task, None]), 10)
    assert task.cancelled() and asked == 3


async def test_tasks_that_failed_or_ended_are_no_trouble() -> None:
    async def fails() -> None:
        raise ValueError

    async def ends() -> None:
        pass

    tasks = [asyncio.create_task(fails()), asyncio.create_task(ends())]
    await asyncio.wait(tasks)
    await cancelled(tasks)
    assert isinstance(tasks[0].exception(), ValueError)
