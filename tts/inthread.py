"""A voice whose library blocks, spoken from a thread: pieces come to the event loop as they are made.

In: what speaks, in a thread of one. Out: its pieces, in order; SpeechError when none comes, or none for too long. A
consumer that stops iterating sets `stop`, which the speaker looks at between its pieces.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from pipeline.errors import SpeechError
from tts.synthesizer import Piece

HandOver: TypeAlias = Callable[[Piece | None], None]
"""Takes a piece from the thread; None is no piece."""


async def pieces(
    thread: ThreadPoolExecutor, say: Callable[[HandOver, threading.Event], None], name: str, wait_s: float
) -> AsyncGenerator[Piece, None]:
    """name: of the provider, for errors. wait_s: the longest silence."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Piece | None] = asyncio.Queue()  # bounded by the sentence
    stop = threading.Event()

    def hand_over(piece: Piece | None) -> None:
        if piece:
            loop.call_soon_threadsafe(queue.put_nowait, piece)

    job = loop.run_in_executor(thread, say, hand_over, stop)
    job.add_done_callback(lambda _: queue.put_nowait(None))
    spoken = False
    try:
        while piece := await asyncio.wait_for(queue.get(), wait_s):
            spoken = True
            yield piece
        await job
        if not spoken:
            raise SpeechError(f"{name}: no sound")
    except TimeoutError as error:
        raise SpeechError(f"{name}: nothing for {wait_s:g} s") from error
    finally:
        stop.set()
        job.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody else may look at it
