"""A stretch of frames becomes a loop: cut where its ends look alike, and dissolved over the cut.

In: frames, I420. Out: frames that can be shown round and round. Pure.
"""

from __future__ import annotations

import numpy as np

from pipeline.arrays import Frames

SMALL = 8  #: every eighth pixel decides how alike two frames look


def seamless(frames: Frames, shortest: int, fade: int) -> Frames:
    """uint8 [T, rows, W] → [shortest ≤ n ≤ T - fade, rows, W]; T must be at least shortest + fade.

    The loop's first `fade` frames are mixed out of what follows its last frame and what they were, so the step from
    the last frame to the first one is a step that was in the stretch.
    """
    total = len(frames)
    assert 0 < fade <= shortest <= total - fade, (total, shortest, fade)
    first, length = _cut(frames, shortest, fade)
    loop = frames[first : first + length].copy()
    following = frames[first + length : first + length + fade].astype(np.float32)
    share = (np.arange(1, fade + 1, dtype=np.float32) / (fade + 1))[:, None, None]
    loop[:fade] = np.rint(following + share * (loop[:fade] - following)).astype(np.uint8)
    return loop


def _cut(frames: Frames, shortest: int, fade: int) -> tuple[int, int]:
    """Where to begin and how long to go on: where the frames that are mixed are most alike, so move alike, too."""
    small = frames[:, ::SMALL, ::SMALL].astype(np.float32).reshape(len(frames), -1)
    best = (np.inf, 0, 0)
    for first in range(len(frames) - shortest - fade + 1):
        for length in range(shortest, len(frames) - fade - first + 1):
            ahead = small[first + length : first + length + fade]
            apart = float(np.abs(ahead - small[first : first + fade]).mean())
            best = min(best, (apart, first, length))
    return best[1], best[2]
