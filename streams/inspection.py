"""What a recording holds, told by its packets alone: how many pictures, how long, in order, how far apart.

In: a media file. Out: a `Summary`. It decodes nothing, so an hour takes a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av

from pipeline.errors import BadInput


@dataclass(frozen=True, slots=True)
class Summary:
    """frames: pictures. monotone: all DTS rise. drift_ms: end of the sound less end of the pictures."""

    width: int
    height: int
    frames: int
    seconds: float
    monotone: bool
    drift_ms: float
    longest_gap_ms: float


def inspect(path: Path) -> Summary:
    """BadInput when the file cannot be read or lacks pictures or sound."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video or not container.streams.audio:
                raise BadInput(f"{path}: no pictures or no sound")
            video, audio = container.streams.video[0], container.streams.audio[0]
            times: dict[str, list[float]] = {"video": [], "audio": []}
            ends = {"video": 0.0, "audio": 0.0}
            for packet in container.demux(video, audio):
                if packet.dts is None or packet.time_base is None:
                    continue
                kind = packet.stream.type
                times[kind].append(float(packet.dts * packet.time_base))
                ends[kind] = times[kind][-1] + float((packet.duration or 0) * packet.time_base)
            width, height = video.width, video.height
    except (av.error.FFmpegError, OSError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error
    pictures = times["video"]
    return Summary(
        width=width,
        height=height,
        frames=len(pictures),
        seconds=ends["video"] - pictures[0] if pictures else 0.0,
        monotone=all(after > before for stream in times.values() for before, after in pairwise(stream)),
        drift_ms=1000 * (ends["audio"] - ends["video"]),
        longest_gap_ms=1000 * max((after - before for before, after in pairwise(pictures)), default=0.0),
    )
