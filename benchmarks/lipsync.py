"""Lip-sync as a viewer gets it: measured in decoded pictures at the avatar's mouth points, never inside an engine.

In: I420 frames, the avatar's points, the sound and its PHONEME marks. Out: `LipSync`. The head's sway
is taken out by finding the bridge of the nose again in each frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
import numpy.typing as npt

from pipeline.arrays import Frames, Pcm
from pipeline.avatar import Avatar, Point, need_points
from pipeline.color import planes, to_i420
from pipeline.engines.portrait.mouth import closes_lips
from pipeline.media import AIR_SAMPLES, DRIVE_SAMPLES, FPS, PHONEME, Mark

BAND = 0.12  #: of half the mouth's width: the columns around its middle that are looked at
AREA = 0.8  #: of half the mouth's width: the columns that count for the mouth's area
DARK_Y = 24.0  #: luma of the inside of a mouth
SEARCH_PX = 14  #: how far the head may sway
LAGS = range(-5, 6)  #: frames; positive: the lips are late
SHUT_SHARE = 0.12  #: of the mean gap while speaking: lips this near are closed to the eye
LOUD_SHARE = 0.1  #: of the loudest frames' mean: above it somebody speaks
QUIET_FRAMES = 3  #: after the last sound, before silence is counted: 120 ms

Series = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LipSync:
    """r: Pearson correlation of lip gap and envelope at the best lag (frames; positive: lips late). closed: share of
    m, b, p with closed lips within one frame. silent: mouth area in silence ÷ while speaking."""

    r: float
    lag: int
    closed: float
    closures: int
    silent: float
    gap_px: float


def measure(frames: Frames, avatar: Avatar, drive: Pcm, marks: Sequence[Mark]) -> LipSync:
    """frames: uint8 [T, H * 3 // 2, W]; drive: int16 [T * 640], 16 kHz; marks: 48 kHz samples from its start."""
    gap, area = gaps(frames, avatar, BAND), gaps(frames, avatar, AREA)
    loud = envelope(drive)
    speaking = loud > LOUD_SHARE * np.sort(loud)[-max(1, len(loud) // 10) :].mean()
    near = np.convolve(speaking, np.ones(2 * QUIET_FRAMES + 1), "same") > 0
    mean = float(gap[speaking].mean())
    found = {lag: correlation(gap, loud, lag) for lag in LAGS}
    lag = max(found, key=lambda each: found[each])
    closed = closures(gap, marks, SHUT_SHARE * mean)
    silent = float(area[~near].mean() / area[speaking].mean()) if (~near).any() else math.nan
    return LipSync(found[lag], lag, float(np.mean(closed)) if closed else math.nan, len(closed), silent, mean)


def gaps(frames: Frames, avatar: Avatar, band: float) -> Series:
    """float64 [T]: mean height in pixels of what is dark between the lips, over a band of columns around the middle."""
    points = need_points(avatar)
    rest = planes(to_i420(avatar.picture)).y
    mouth = points.mouth
    half = (mouth.right[0] - mouth.left[0]) / 2
    x = (mouth.left[0] + mouth.right[0]) / 2
    columns = slice(round(x - band * half), round(x + band * half) + 1)
    rows = slice(round((points.nose[1] + mouth.upper_out[1]) / 2), round((mouth.lower_out[1] + points.chin[1]) / 2))
    lips = float(np.percentile(rest[rows, columns].astype(np.float64).min(axis=0), 50))
    heights = []
    for frame in frames:
        luma = planes(frame).y
        dx, dy = sway(luma, rest, avatar)
        moved = np.array([[1, 0, dx], [0, 1, dy]])
        size = (luma.shape[1], luma.shape[0])
        steady = cv2.warpAffine(luma, moved, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        darkness = np.clip((lips - steady[rows, columns].astype(np.float64)) / (lips - DARK_Y), 0, 1)
        heights.append(darkness.sum(axis=0).mean())
    return np.array(heights)


def sway(luma: npt.NDArray[np.uint8], rest: npt.NDArray[np.uint8], avatar: Avatar) -> tuple[float, float]:
    """How far the nose moved from the still picture, pixels right and down, to a fraction of one."""
    points = need_points(avatar)
    half = math.dist(points.eyes[0].iris, points.eyes[1].iris) * 0.28
    return found_again(luma, rest, (points.nose[0], points.nose[1] - 0.4 * half), half)


def found_again(
    luma: npt.NDArray[np.uint8], rest: npt.NDArray[np.uint8], place: Point, half: float
) -> tuple[float, float]:
    """How far the square of 2 `half` pixels around a place of the still picture has moved, pixels right and down."""
    x, y = place
    x0, y0, x1, y1 = (round(value) for value in (x - half, y - half, x + half, y + half))
    x0, y0 = max(x0, SEARCH_PX), max(y0, SEARCH_PX)
    region = luma[y0 - SEARCH_PX : y1 + SEARCH_PX, x0 - SEARCH_PX : x1 + SEARCH_PX]
    score = np.asarray(cv2.matchTemplate(region, rest[y0:y1, x0:x1], cv2.TM_CCOEFF_NORMED), np.float32)
    row, column = divmod(int(score.argmax()), score.shape[1])
    dy = row + _peak(score[:, column], row) - SEARCH_PX
    dx = column + _peak(score[row], column) - SEARCH_PX
    return dx, dy


def envelope(drive: Pcm) -> Series:
    """float64 [T]: rms of each frame's sound."""
    frames = drive[: len(drive) // DRIVE_SAMPLES * DRIVE_SAMPLES].astype(np.float64).reshape(-1, DRIVE_SAMPLES)
    rms: Series = np.sqrt((frames**2).mean(axis=1))
    return rms


def correlation(gap: Series, loud: Series, lag: int) -> float:
    """Pearson r when the gap is taken `lag` frames later than the sound."""
    count = min(len(gap), len(loud))
    late, early = gap[max(lag, 0) : count + min(lag, 0)], loud[max(-lag, 0) : count - max(lag, 0)]
    if late.std() == 0 or early.std() == 0:
        return 0.0
    return float(np.corrcoef(late, early)[0, 1])


def closures(gap: Series, marks: Sequence[Mark], shut_px: float) -> list[bool]:
    """For each m, b, p: were the lips closed in the frame of its middle or in one beside it?"""
    found = []
    for mark in marks:
        if mark.kind == PHONEME and closes_lips(mark.text):
            middle = (mark.at + mark.span // 2) // AIR_SAMPLES
            beside = gap[max(middle - 1, 0) : middle + 2]
            found.append(bool(len(beside) and beside.min() <= shut_px))
    return found


def through_h264(frames: Frames, kbps: int) -> Frames:
    """The frames as a viewer gets them: encoded (x264 veryfast, constant rate) and decoded again."""
    rows, width = frames.shape[1:]
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, rows * 2 // 3, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(FPS), Fraction(1, FPS)
    encoder.bit_rate, encoder.thread_count = kbps * 1000, 1
    rate = str(kbps * 1000)
    encoder.options = {"preset": "veryfast", "tune": "zerolatency", "maxrate": rate, "bufsize": rate}
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    seen: list[npt.NDArray[np.uint8]] = []
    for index, frame in enumerate([*frames, None]):
        picture = None
        if frame is not None:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="yuv420p")
            picture.pts = index
        for packet in encoder.encode(picture):
            seen.extend(np.asarray(shown.to_ndarray(), np.uint8) for shown in decoder.decode(packet))
    seen.extend(np.asarray(shown.to_ndarray(), np.uint8) for shown in decoder.decode(None))
    return np.stack(seen)


def _peak(score: npt.NDArray[np.float32], index: int) -> float:
    """Where between its neighbours the best score lies, -0.5 … 0.5."""
    if not 0 < index < len(score) - 1:
        return 0.0
    before, best, after = (float(value) for value in score[index - 1 : index + 2])
    bend = before - 2 * best + after
    return 0.0 if bend == 0 else 0.5 * (before - after) / bend
