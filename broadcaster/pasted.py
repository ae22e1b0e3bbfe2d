"""A script that came through the API: it stands in the state directory, and before the configuration's own.

In: the text that was pasted. Out: its path, for as long as it stands; ScriptError when it has mistakes, and then
nothing has changed. It is checked beside the old one and takes its place whole, so that a reader sees one or the other.
"""

from __future__ import annotations

from pathlib import Path

from broadcaster.script.check import check
from pipeline.errors import ScriptError
from pipeline.wholefile import write_whole

KINDS = {
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/x-ndjson": ".jsonl",
}
SUFFIXES = tuple(KINDS.values())


def path_in(state_dir: Path) -> Path | None:
    """The script that was pasted, if one stands."""
    found = [path for suffix in SUFFIXES if (path := state_dir / f"script{suffix}").is_file()]
    return max(found, key=lambda path: path.stat().st_mtime_ns) if found else None


def keep(state_dir: Path, data: bytes, suffix: str) -> Path:
    """Check it and put it in the place of any other; OSError when the disk refuses."""
    path, new = state_dir / f"script{suffix}", state_dir / f".script-new{suffix}"
    try:
        write_whole(new, data, durable=True)
        verify(new, Path(path.name))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    for other in SUFFIXES:
        if other != suffix:
            (state_dir / f"script{other}").unlink(missing_ok=True)
    return path


def verify(path: Path, name: Path | None = None) -> None:
    """ScriptError when this file has mistakes. name: what it is called there."""
    checked = check(path)
    if not checked.good or checked.script is None:
        wrong = [mistake.told(name or path) for mistake in checked.mistakes if not mistake.warning]
        raise ScriptError("\n".join(wrong) or f"{name or path}: there is nothing to say in it")


def forget(state_dir: Path) -> bool:
    """Whether there was one; OSError when the disk refuses."""
    had = path_in(state_dir) is not None
    for suffix in SUFFIXES:
        (state_dir / f"script{suffix}").unlink(missing_ok=True)
    return had
