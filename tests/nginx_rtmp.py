"""A real RTMP server for tests: Debian's nginx with libnginx-mod-rtmp, on free ports, in a directory of its own.

Applications: `live` records every session to a file of its own; `checked` does so too and tells a
callback, whose requests `callbacks()` returns (so that a test sees what arrived as name and query);
`refused` turns every publisher away; `bare` only relays.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.conftest import lack, need

MODULES = (
    "/usr/lib/nginx/modules/ngx_rtmp_module.so",
    "/usr/lib64/nginx/modules/ngx_rtmp_module.so",
    "/usr/share/nginx/modules/ngx_rtmp_module.so",
)
START_S = 5.0
CONF = """
load_module {module};
daemon off; master_process off; worker_processes 1; pid {root}/pid; error_log {root}/error.log info;
events {{ worker_connections 256; }}
rtmp {{
  server {{
    listen 127.0.0.1:{port}; chunk_size 65536; ping 30s; notify_method get; notify_update_timeout 1s;
    application live {{ live on; record all; record_path {root}/rec; record_unique on; idle_streams on; }}
    application checked {{
      live on; record all; record_path {root}/rec; record_unique on; on_publish http://127.0.0.1:{http}/seen;
    }}
    application refused {{ live on; on_publish http://127.0.0.1:{http}/no; }}
    application bare {{ live on; }}
  }}
}}
http {{
  log_format seen '$uri?$args'; access_log off; client_body_temp_path {root}/t; proxy_temp_path {root}/t;
  fastcgi_temp_path {root}/t; uwsgi_temp_path {root}/t; scgi_temp_path {root}/t;
  server {{
    listen 127.0.0.1:{http};
    location = /seen {{ access_log {root}/callbacks.log seen; return 200; }}
    location = /no {{ return 403; }}
    location = /stat {{ rtmp_stat all; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream as /stat shows it."""

    name: str
    publishing: bool
    clients: int
    bytes_in: int
    width: int
    height: int


class NginxRtmp:
    """`start` and `kill` may follow one another: the port and the recordings stay."""

    def __init__(self, root: Path, binary: str, module: str) -> None:
        self.root = root
        self._binary = binary
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self.port, self.http_port = free_port(), free_port()
        (root / "rec").mkdir()
        (root / "rec").chmod(0o777)

    def url(self, key: str, app: str = "live", scheme: str = "rtmp", port: int | None = None) -> str:
        return f"{scheme}://127.0.0.1:{port or self.port}/{app}/{key}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "nginx is not running"
        return self._process.pid

    def start(self) -> None:
        conf = self.root / "nginx.conf"
        conf.write_text(CONF.format(module=self._module, root=self.root, port=self.port, http=self.http_port))
        command = [self._binary, "-c", str(conf), "-p", str(self.root), "-e", str(self.root / "error.log")]
        with (self.root / "stderr").open("w") as stderr:
            self._process = subprocess.Popen(command, stderr=stderr, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while not (answers(self.port) and answers(self.http_port)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"nginx did not start: {(self.root / 'stderr').read_text()}")
            time.sleep(0.02)

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(10)
            self._process = None

    def recordings(self, key: str) -> list[Path]:
        """The sessions recorded under this key, oldest first."""
        return sorted((self.root / "rec").glob(f"{key}-*.flv"), key=lambda path: path.stat().st_ctime_ns)

    def callbacks(self) -> list[str]:
        path = self.root / "callbacks.log"
        return path.read_text().splitlines() if path.exists() else []

    def streams(self) -> dict[str, Stream]:
        """What is on the server now, by stream name."""
        with urlopen(f"http://127.0.0.1:{self.http_port}/stat", timeout=2) as answer:
            tree = ElementTree.fromstring(answer.read())
        found = (_stream(element) for element in tree.iter("stream"))
        return {stream.name: stream for stream in found}

    def publishes(self, key: str) -> bool:
        """Whether a publisher is on this key now."""
        stream = self.streams().get(key)
        return stream is not None and stream.publishing


@contextmanager
def nginx_rtmp() -> Iterator[NginxRtmp]:
    """A started server; a skip (a failure in CI) where nginx or its module is missing."""
    binary = need("nginx")
    module = next((path for path in MODULES if Path(path).exists()), None)
    if module is None:
        lack("libnginx-mod-rtmp is not installed; `make services` installs it")
    with tempfile.TemporaryDirectory(prefix="nginx") as name:
        Path(name).chmod(0o755)  # nginx may drop to another user
        server = NginxRtmp(Path(name), binary, module)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture
def nginx() -> Iterator[NginxRtmp]:
    with nginx_rtmp() as server:
        yield server


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(0.5)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _stream(element: ElementTree.Element) -> Stream:
    def number(path: str) -> int:
        return int(element.findtext(path) or 0)

    return Stream(
        name=element.findtext("name") or "",
        publishing=element.find("publishing") is not None,
        clients=number("nclients"),
        bytes_in=number("bytes_in"),
        width=number("meta/video/width"),
        height=number("meta/video/height"),
    )
