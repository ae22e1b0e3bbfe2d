"""`pattern`: a picture that can be measured, to check order, loss and sync all the way to a viewer.

In: an avatar's size (its picture is ignored) and speech. Out: frames with a running counter drawn as
squares, and a white flash in each frame whose sound is loud. `read_counter` and `is_flash` read both
back from a decoded picture; `beep_track` makes the sound. It survives H.264 at 1 Mb/s.

The counter stands in the middle, where neither label nor subtitles go: a white square, 24 bits with the
highest first, a black square, in two rows. The hold loop has the outer two exchanged, so it reads as no
counter. A bar sweeps below the counter.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from pipeline.arrays import Frame, Frames, Pcm, silence
from pipeline.avatar import Avatar
from pipeline.color import Plane, planes
from pipeline.engine import Job, Made
from pipeline.errors import EngineError
from pipeline.media import AIR_HZ, AIR_SAMPLES, DRIVE_SAMPLES, FPS, MediaFormat

HOP_FRAMES = 5
HOLD_FRAMES = 50  #: one sweep of the bar
BITS = 24  #: 2^24 frames: a week and more without wrapping
COLUMNS, ROWS = 13, 2  #: 24 bits and a fixed square at both ends
BLACK, GREY, WHITE = 16, 90, 235  #: luma code values
NEUTRAL = 128
UNSURE = (96, 156)  #: luma means of a square between these are no bit
FLASH_Y = 170  #: luma mean of the ground above which it is a flash
BEEP_RMS = 1000.0  #: of int16: -30 dBFS, far above noise and far below the beep
BEEP_HZ, BEEP_PEAK = 1000, 16000
TOP_SHARE = 0.36  #: of the height: where the counter begins


class PatternState(msgspec.Struct, frozen=True):
    """index: of the next frame."""

    width: int
    height: int
    index: int


class PatternEngine:
    """See pipeline.engine.AvatarEngine. The counter goes on from the one in `after`."""

    hop_frames = HOP_FRAMES

    def format(self, avatar: Avatar) -> MediaFormat:
        return MediaFormat(avatar.size[0], avatar.size[1], self.hop_frames)

    def open(
        self, avatar: Avatar, seed: int, after: Frames | None = None, beside: PatternState | None = None
    ) -> PatternState:
        if beside is not None:
            return PatternState(*avatar.size, beside.index)
        shown = read_counter(after[-1]) if after is not None and len(after) else None
        return PatternState(*avatar.size, 0 if shown is None else (shown + 1) % (1 << BITS))

    def is_open(self, avatar: Avatar) -> bool:
        return True

    def step(self, jobs: Sequence[Job]) -> Sequence[Made]:
        return [_made(job, self.hop_frames) for job in jobs]

    def save(self, state: PatternState) -> bytes:
        return msgspec.msgpack.encode(state)

    def restore(self, avatar: Avatar, data: bytes) -> PatternState:
        try:
            state = msgspec.msgpack.decode(data, type=PatternState)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise EngineError(f"not a pattern state ({len(data)} bytes): {error}") from error
        return msgspec.structs.replace(state, width=avatar.size[0], height=avatar.size[1])

    def hold(self, avatar: Avatar, seed: int) -> Frames:
        return np.stack([_draw(*avatar.size, index, False, counted=False) for index in range(HOLD_FRAMES)])

    def close(self) -> None:
        """Nothing is held."""


def read_counter(frame: Frame) -> int | None:
    """The counter in a frame, uint8 [H * 3 // 2, W]; None when there is none (hold, slate, damage)."""
    luma = planes(np.ascontiguousarray(frame)).y
    means = [_inner(square).mean() for square in _squares(luma)]
    if any(UNSURE[0] <= mean <= UNSURE[1] for mean in means):
        return None
    bits = [bool(mean > UNSURE[1]) for mean in means]
    if not bits[0] or bits[-1]:
        return None
    return sum(bit << place for place, bit in enumerate(reversed(bits[1:-1])))


def is_flash(frame: Frame) -> bool:
    """Whether the ground beside the counter is white."""
    luma = planes(np.ascontiguousarray(frame)).y
    side = _side(luma.shape[1], luma.shape[0])
    top = _top(luma.shape[0])
    return bool(_inner(luma[max(top - 2 * side, 0) : top - side // 2]).mean() > FLASH_Y)


def beep_track(seconds: int) -> Pcm:
    """int16 [seconds * 48000]: silence with a beep of exactly one frame at the start of each second."""
    track = silence(seconds * AIR_HZ)
    place = np.arange(AIR_SAMPLES)
    beep = (BEEP_PEAK * np.sin(2 * np.pi * BEEP_HZ * place / AIR_HZ)).astype(np.int16)
    for second in range(seconds):
        track[second * AIR_HZ : second * AIR_HZ + AIR_SAMPLES] = beep
    return track


def _made(job: Job, hop_frames: int) -> Made:
    state: PatternState = job.state
    if len(job.audio) != hop_frames * DRIVE_SAMPLES:
        raise EngineError(f"a hop of {len(job.audio)} samples, not {hop_frames * DRIVE_SAMPLES}")
    sound = job.audio.astype(np.float64).reshape(hop_frames, DRIVE_SAMPLES)
    loud = np.sqrt((sound**2).mean(axis=1)) > BEEP_RMS
    indices = [(state.index + i) % (1 << BITS) for i in range(hop_frames + 1)]
    drawn = zip(indices[:-1], loud, strict=True)
    frames = np.stack([_draw(state.width, state.height, index, bool(flash)) for index, flash in drawn])
    return Made(frames, PatternState(state.width, state.height, indices[-1]), {"flashes": float(loud.sum())})


def _draw(width: int, height: int, index: int, flash: bool, counted: bool = True) -> Frame:
    frame = np.full((height * 3 // 2, width), NEUTRAL, np.uint8)
    luma = planes(frame).y
    luma[:] = WHITE if flash else GREY
    side = _side(width, height)
    bits = [counted, *(bool(index >> place & 1) for place in reversed(range(BITS))), not counted]
    for square, bit in zip(_squares(luma), bits, strict=True):
        square[:] = WHITE if bit else BLACK
    bar = index % (2 * FPS) * (width - side) // (2 * FPS)
    luma[_top(height) + (ROWS + 1) * side : _top(height) + (ROWS + 2) * side, bar : bar + side] = BLACK
    return frame


def _side(width: int, height: int) -> int:
    """Of a square, pixels."""
    return min(width // (COLUMNS + 1), height // 8)


def _top(height: int) -> int:
    return int(height * TOP_SHARE)


def _squares(luma: Plane) -> list[Plane]:
    """Views of the counter's squares in reading order."""
    height, width = luma.shape
    side = _side(width, height)
    left, top = (width - COLUMNS * side) // 2, _top(height)
    corners = [(top + row * side, left + column * side) for row in range(ROWS) for column in range(COLUMNS)]
    return [luma[y : y + side, x : x + side] for y, x in corners]


def _inner(square: Plane) -> Plane:
    """Without the edge, where coding rings and neighbours bleed."""
    edge_y, edge_x = square.shape[0] // 4, square.shape[1] // 4
    return square[edge_y : square.shape[0] - edge_y, edge_x : square.shape[1] - edge_x]
