"""The command line, typed in this process: what it prints and how it ends, without the second that a Python needs.

Not for `run`, `demo` and `ingest`, which make a process theirs. That the program starts as one is test_command_line's.
"""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest.mock import patch

from broadcaster.cli.app import main


@dataclass(frozen=True, slots=True)
class Done:
    """As of a process that has ended."""

    returncode: int
    stdout: str
    stderr: str


def typed(*arguments: str, given: bytes = b"") -> Done:
    """Run the program with these words. given: its standard input."""
    ours, out, err = (io.TextIOWrapper(io.BytesIO(data), "utf-8", write_through=True) for data in (given, b"", b""))
    with (
        patch.object(sys, "argv", ["broadcaster", *arguments]),
        patch.object(sys, "stdin", ours),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
    said = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return Done(code, *said)
