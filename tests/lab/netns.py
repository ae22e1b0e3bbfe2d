"""Two machines on this one: namespaces with a cable between them that can be pulled, and a name server that can die.

In: the name of a function, `module:function`. Out: what it returned, a dictionary, from a process in namespaces of its
own; nothing outside of them is touched, and no root is needed where users may have namespaces.

    figures = netns.run("tests.lab.blackhole:black_hole")

Within such a process `Far` is the other machine: what is bound inside `there()` is bound on its side of the cable.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
UNSHARE = ("unshare", "--map-root-user", "--net", "--mount")
LIMIT_S = 120.0
CLONE_NEWNET = 0x40000000
HERE, FAR = "10.9.0.1", "10.9.0.2"
TRY = "ip link add here0 type veth peer name far0 && mount -t tmpfs none /mnt"


def refused() -> str:
    """Why such namespaces cannot be had here; "" when they can."""
    try:
        tried = subprocess.run([*UNSHARE, "sh", "-c", TRY], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"namespaces: {error}"
    words = tried.stderr.decode(errors="replace").strip().splitlines()
    return "" if tried.returncode == 0 else f"namespaces are not permitted here: {words[-1] if words else '?'}"


def run(function: str, **arguments: Any) -> dict[str, Any]:
    """Call `module:function` in namespaces of its own; AssertionError with its words when it failed."""
    command = [*UNSHARE, sys.executable, "-m", "tests.lab.netns", function, json.dumps(arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, f"{function}: {done.stderr.decode(errors='replace')[-4000:]}"
    return dict(json.loads(done.stdout.decode().splitlines()[-1]))


class Far:
    """The other machine. A context manager, made in a process that `run` started."""

    address = FAR

    def __enter__(self) -> Far:
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self._ours = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._theirs = self._namespace()
        ip("link add here0 type veth peer name far0")
        ip(f"link set far0 netns {self._holder.pid}")
        for command in (f"address add {HERE}/24 dev here0", "link set here0 up", "link set lo up"):
            ip(command)
        with self.there():
            for command in (f"address add {FAR}/24 dev far0", "link set far0 up", "link set lo up"):
                ip(command)
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.kill()
        self._holder.wait()
        os.close(self._ours)
        os.close(self._theirs)

    @contextmanager
    def there(self) -> Iterator[None]:
        """What this thread opens within the block is on the far side."""
        _enter(self._theirs)
        try:
            yield
        finally:
            _enter(self._ours)

    def link(self, up: bool) -> None:
        """Pull the cable at the far end, or plug it in: packets vanish, and nobody is told."""
        with self.there():
            ip(f"link set far0 {'up' if up else 'down'}")

    def drop(self, dropping: bool) -> None:
        """Have the far end lose every packet while its link stays up, as a firewall or a router that died does."""
        with self.there():
            ip("route add blackhole 10.9.0.1/32" if dropping else "route del blackhole 10.9.0.1/32")

    def _namespace(self) -> int:
        """That of the holder, once it has one of its own."""
        ours = Path("/proc/self/ns/net").readlink()
        path = Path(f"/proc/{self._holder.pid}/ns/net")
        while path.readlink() == ours:
            time.sleep(0.005)
        return os.open(path, os.O_RDONLY)


class Names(threading.Thread):
    """A name server on the far side that knows one name; `dead` = it hears and says nothing."""

    def __init__(self, far: Far, name: str) -> None:
        super().__init__(name="names", daemon=True)
        self._name = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
        self.dead = False
        self.asked = 0
        with far.there():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.bind((FAR, 53))
        self._ask_us()

    def run(self) -> None:
        while True:
            question, whom = self._socket.recvfrom(512)
            self.asked += 1
            if self.dead:
                continue
            asked = question[12:]
            kind = asked[len(self._name) : len(self._name) + 4]
            head = question[:2] + b"\x81\x80\0\1"
            if asked.startswith(self._name) and kind == b"\0\1\0\1":  # A, Internet
                answer = b"\xc0\x0c\0\1\0\1\0\0\0\x05\0\4" + socket.inet_aton(FAR)
                self._socket.sendto(head + b"\0\1\0\0\0\0" + self._name + kind + answer, whom)
            else:
                self._socket.sendto(head + b"\0\0\0\0\0\0" + self._name + kind, whom)

    def _ask_us(self) -> None:
        """Have this process and its children ask this server, and no file."""
        directory = Path(tempfile.mkdtemp(prefix="names"))
        for name, text in (
            ("resolv.conf", f"nameserver {FAR}\noptions timeout:5 attempts:2\n"),
            ("nsswitch.conf", "hosts: files dns\n"),
        ):
            (directory / name).write_text(text)
            subprocess.run(["mount", "--bind", str(directory / name), f"/etc/{name}"], check=True)


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True, capture_output=True)


def main() -> int:
    module, _, name = sys.argv[1].partition(":")
    found = getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
