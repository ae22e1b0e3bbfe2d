"""A child that does nothing but what a test asks of it: `python -m tests.process.dummy_child DIR BEHAVIOUR`."""

from __future__ import annotations

import faulthandler
import json
import os
import select
import signal
import sys
import time
from pathlib import Path

from pipeline.lifeline import Lifeline, LineClosed
from pipeline.wire import Act, Drain, Panic, Retarget, Status


def main() -> int:
    directory, behaviour = Path(sys.argv[1]), sys.argv[2]
    faulthandler.register(signal.SIGUSR1, file=(directory / f"stacks.{os.getpid()}").open("w"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = Lifeline.of_child()
    section = line.spec()
    name, rank = section.child, section.spec.get("rank", 0)
    _note(directory, f"{name} {rank} {os.getpid()} {section.spec.get('master_port', 0)}", "started")
    if behaviour == "crash" or (behaviour == "crash-1" and rank == 1):
        return 1
    beats, source, paused = 0, "live", False
    while True:
        select.select([line], [], [], 0.05)
        try:
            messages = line.poll()
        except LineClosed:
            return 1
        for message in messages:
            if isinstance(message, Status):
                if paused != bool(message.facts.get("hush")):
                    paused = not paused
                    _note(directory, f"{name} hush {paused}")
                part = directory / f"status.{os.getpid()}"
                part.write_text(json.dumps(message.facts))
                part.replace(directory / "status.json")
            if isinstance(message, Panic):
                source = "slate" if message.on else "live"
                _note(directory, f"{name} panic {message.on} {message.text}")
            if isinstance(message, Retarget):
                _note(directory, f"{name} retarget {','.join(message.outputs)} {message.ack}")
            if isinstance(message, Drain) and message.follows:
                _note(directory, f"{name} replaced")
            if isinstance(message, Drain):
                with (directory / "drained").open("a") as file:
                    file.write(f"{name}\n")
                if behaviour != "stubborn":
                    return 0
        if behaviour == "act" and (directory / f"act.{name}").exists():
            line.send(Act((directory / f"act.{name}").read_text(), "a test wants it"))
            (directory / f"act.{name}").unlink()
        beats += 1
        encoded = min(beats, 5) if behaviour == "starve" else beats
        lease = {"lease": (directory / "lease").read_text()} if (directory / "lease").exists() else {}
        told = {"encoded": encoded, "source": source, "paused": paused, **lease}
        line.beat("loading" if behaviour == "load" else "ready", **told)
        if (behaviour == "hang" or (behaviour == "hang-1" and rank == 1)) and not (directory / "hung").exists():
            (directory / "hung").touch()
            time.sleep(3600)


def _note(directory: Path, text: str, file_name: str = "orders") -> None:
    with (directory / file_name).open("a") as file:
        file.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
