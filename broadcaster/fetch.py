"""One repository's files into a folder: each goes on at the byte where an earlier attempt ended, and is verified.

In: a repository at a revision, names with sizes and digests. Out: the files, by rename: what has its name is whole.
What is not whole yet waits beside it as `.NAME.DIGEST.part`, also when the process was killed (huggingface_hub itself
throws that away). Requests, redirects, retries and the progress bar are huggingface_hub's.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from pipeline.errors import ConfigError
from pipeline.weightfiles import sha256

AT_ONCE = 4  #: files


@dataclass(frozen=True, slots=True)
class Remote:
    """sha256: of the content, "" for small files, which the hub does not digest. mark: changes with the content."""

    size: int
    sha256: str
    mark: str


def fetch(repository: str, revision: str, files: Mapping[str, Remote], into: Path, endpoint: str) -> None:
    """Those that are not there yet. Raises what huggingface_hub raises, and ConfigError for a wrong digest."""
    stop = Event()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            jobs = [
                pool.submit(_one, _url(repository, name, revision, endpoint), remote, into / name, stop)
                for name, remote in files.items()
                if size_of(into / name) != remote.size
            ]
            for job in jobs:
                job.result()
        except BaseException:  # ctrl-C too: the others end at their next piece
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def size_of(path: Path) -> int:
    """-1 where there is no file."""
    return path.stat().st_size if path.is_file() else -1


def part_of(path: Path, remote: Remote) -> Path:
    """Where what has come of a file waits."""
    return path.with_name(f".{path.name}.{remote.mark[:16]}.part")


def _url(repository: str, name: str, revision: str, endpoint: str) -> str:
    from huggingface_hub import hf_hub_url

    return hf_hub_url(repository, name, revision=revision, endpoint=endpoint)


def _one(url: str, remote: Remote, path: Path, stop: Event) -> None:
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # it is public by its documentation

    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path, remote)
    part.touch()
    if part.stat().st_size > remote.size:
        part.write_bytes(b"")
    with _Stoppable(part, stop) as file:
        came = file.seek(0, io.SEEK_END)
        http_get(
            url,
            file,
            resume_size=came,
            headers=build_hf_headers(),
            expected_size=remote.size,
            displayed_filename=path.name,
        )
    if remote.sha256 and sha256(part) != remote.sha256:
        part.unlink()
        raise ConfigError(f"{path}: what came is not what {url} promises; give the same command again")
    part.replace(path)


class _Stoppable(io.BufferedRandom):
    """A file that takes no more once the event is set."""

    def __init__(self, path: Path, stop: Event) -> None:
        super().__init__(io.FileIO(path, "r+b"))
        self._stop = stop

    def write(self, data: Any, /) -> int:
        if self._stop.is_set():
            raise ConfigError("interrupted")
        return super().write(data)


Told = Callable[[str], None]
"""One line for a person."""


def drop_broken(into: Path, files: Mapping[str, Remote], told: Told) -> None:
    """Remove files of another length than released."""
    for name, remote in files.items():
        there = size_of(into / name)
        if there not in (-1, remote.size):
            told(f"{into / name}: {there} bytes instead of {remote.size}: fetched again")
            (into / name).unlink()
