"""What of the schedule must outlive the director: how far each job is decided, what is on and what waits.

In and out: one small file in the state directory, written whole before the first word of a run leaves. It is not
synced: it must survive the process, and a power cut ends the air as well. Nothing in it says what a job is: jobs are
rebuilt from the configuration.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from broadcaster.schedule.jobs import Run
from pipeline.wholefile import write_whole

FILE = "schedule.json"


class Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """digest: of the times it was planned at. decided_s: runs up to here began or were skipped. began_s: the last one
    that began was planned then."""

    digest: str
    decided_s: float
    began_s: float | None = None


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """known: by job. on: the run on air. waiting: runs whose time has come. off: the channel was stopped."""

    known: dict[str, Known] = {}
    on: Run | None = None
    waiting: tuple[Run, ...] = ()
    off: bool = False


def load(state_dir: Path) -> Record:
    """What was kept; an empty one when there is none, or it cannot be read: then jobs count from now on."""
    try:
        return msgspec.json.decode((state_dir / FILE).read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return Record()


def save(state_dir: Path, record: Record) -> None:
    """OSError when the disk refuses."""
    state_dir.mkdir(parents=True, exist_ok=True)
    write_whole(state_dir / FILE, msgspec.json.encode(record))
