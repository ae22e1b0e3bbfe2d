"""The log is never waited for, whatever becomes of the one who reads it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from broadcaster.outlet import Outlet
from tests.station import ROOT

LINE = "x" * 200 + "\n"
MANY = 5000  # a megabyte: far more than any pipe or socket takes


def told(lines: int) -> str:
    return f"{lines} lines were left out\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:  # the test did
            pass


def flooded(outlet: Outlet) -> None:
    """Many lines, from a thread, so that an outlet that waits fails the test instead of hanging it."""
    work = threading.Thread(target=lambda: [outlet.write(LINE) for _ in range(MANY)], daemon=True)
    work.start()
    work.join(10)
    assert not work.is_alive(), "it waits for its reader"


def drained(fd: int) -> str:
    os.set_blocking(fd, False)
    data = b""
    while True:
        try:
            data += os.read(fd, 1 << 20)
        except BlockingIOError:
            return data.decode()


def test_a_pipe_that_nobody_reads_costs_lines_and_no_time(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1], told)
    flooded(outlet)
    got = drained(pipe[0]).splitlines(keepends=True)
    assert set(got) == {LINE} and 100 < len(got) < MANY
    outlet.write("well again\n")
    assert drained(pipe[0]) == told(MANY - len(got)) + "well again\n"
    outlet.write("and on\n")
    assert drained(pipe[0]) == "and on\n"


def test_those_who_share_the_pipe_still_wait_as_they_did(pipe: tuple[int, int]) -> None:
    Outlet(pipe[1], told)
    assert not fcntl.fcntl(pipe[1], fcntl.F_GETFL) & os.O_NONBLOCK


def test_a_long_line_that_was_half_taken_ends_before_the_next_one(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1], told)
    long = "y" * 300_000 + "\n"
    outlet.write(long)
    got = drained(pipe[0])
    outlet.write("next\n")  # there is room for some of the rest only
    while not got.endswith("\n"):
        got += drained(pipe[0])
        outlet.write("last\n")
    assert got.startswith(long) and got.removeprefix(long).splitlines()[-1] in ("next", "last")


def test_a_reader_that_hung_up_is_no_error(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1], told)
    os.close(pipe[0])
    flooded(outlet)


def test_the_journal_of_systemd_that_does_not_read_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    outlet = Outlet(ours.fileno(), told)
    flooded(outlet)
    theirs.setblocking(False)
    assert len(theirs.recv(1 << 22)) > 0
    theirs.close()
    flooded(outlet)
    ours.close()


def test_a_terminal_that_was_stopped_is_not_waited_for() -> None:
    reader, terminal = pty.openpty()
    outlet = Outlet(terminal, told)
    termios.tcflow(terminal, termios.TCOOFF)  # as Ctrl-S does
    flooded(outlet)
    termios.tcflow(terminal, termios.TCOON)
    os.close(terminal)
    os.close(reader)


def test_a_full_disk_costs_lines_and_no_error(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        flooded(Outlet(full.fileno(), told))


def test_a_file_gets_every_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("ab") as file:
        flooded(Outlet(file.fileno(), told))
    assert path.read_text() == LINE * MANY


PROGRAM = """
import structlog
from broadcaster import log
log.configure("test")
for number in range(5000):
    structlog.get_logger().info("line.said", number=number, text="x" * 100)
"""


LIBRARY = """
import logging, threading
from broadcaster import log
log.configure("test")
say = lambda: logging.getLogger("aiohttp").warning("no answer from rtmp://host/live/secret-key")
thread = threading.Thread(target=say)
thread.start()
thread.join()
"""


def test_what_a_library_says_is_an_event_without_the_key_and_with_its_owner() -> None:
    done = subprocess.run([sys.executable, "-c", LIBRARY], cwd=ROOT, capture_output=True, timeout=30, check=True)
    said = json.loads(done.stderr)
    assert (said["event"], said["library"], said["owner"]) == ("library.warned", "aiohttp", "test")
    assert said["text"] == "no answer from rtmp://host/…"


def test_a_process_whose_standard_error_is_closed_goes_on() -> None:
    shell = f"exec {sys.executable} -c '{PROGRAM}' 2>&-"
    assert subprocess.run(["sh", "-c", shell], cwd=ROOT, timeout=30, check=False).returncode == 0


def test_a_process_whose_log_nobody_reads_goes_on() -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, stderr=subprocess.PIPE)
    assert process.wait(30) == 0
    assert process.stderr is not None
    lines = process.stderr.read().splitlines()
    assert 100 < len(lines) < 5000
    process.stderr.close()
