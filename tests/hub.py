"""A small hub for models: enough of its protocol that huggingface_hub downloads from it, and faults on demand.

It serves folders as repositories: description, HEAD and GET with ranges. `cut` breaks connections in the middle
of a file; `taken` notes each range that was asked for.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LFS_FROM_BYTES = 50_000
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """repositories: name → its folder. cut: file name → bytes after which its next connections break, one each.

    broken: names of files whose rest cannot be had: a request that begins in their middle is answered with 500.
    stall: file name → bytes after which it goes silent, once; `stalled` is set then. forged: names of files whose
    content is not what the description promises.
    """

    url: str
    repositories: Mapping[str, Path]
    cut: dict[str, list[int]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    stall: dict[str, int] = field(default_factory=dict)
    stalled: threading.Event = field(default_factory=threading.Event)
    forged: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)  #: set when the hub ends
    taken: list[tuple[str, int]] = field(default_factory=list)  #: file name, first byte

    def files(self, repository: str) -> dict[str, Path]:
        home = self.repositories[repository]
        return {path.relative_to(home).as_posix(): path for path in sorted(home.rglob("*")) if path.is_file()}


@contextmanager
def hub(repositories: Mapping[str, Path]) -> Iterator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    state = Hub(f"http://127.0.0.1:{server.server_address[1]}", repositories)
    server.hub = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        thread.join(5)
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> Hub:
        return self.server.hub  # type: ignore[attr-defined,no-any-return]

    def log_message(self, *_: Any) -> None: ...

    def do_HEAD(self) -> None:
        self._file(with_body=False)

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if not path.startswith("/api/models/"):
            self._file(with_body=True)
            return
        repository = "/".join(path.split("/")[3:5])
        if repository not in self.hub.repositories:
            self._refuse()
            return
        files = self.hub.files(repository)
        siblings = [_described(name, file) for name, file in files.items()]
        self._json({"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings})

    def _file(self, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        repository, _, rest = path[1:].partition("/resolve/")
        name = rest.partition("/")[2]
        if repository not in self.hub.repositories or name not in self.hub.files(repository):
            self._refuse()
            return
        file = self.hub.files(repository)[name]
        content = file.read_bytes()
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if start and name in self.hub.broken:
            self._refuse(500)
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{_etag(file)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if not with_body:
            return
        self.hub.taken.append((name, start))
        if name in self.hub.forged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        if (after := self.hub.stall.pop(name, 0)) > 0:
            self.wfile.write(content[start : start + after])
            self.wfile.flush()
            self.hub.stalled.set()
            self.hub.over.wait(60)
            self.close_connection = True
            return
        cuts = self.hub.cut.get(name, [])
        self.wfile.write(content[start : start + cuts[0]] if cuts else content[start:])
        if cuts:
            cuts.pop(0)
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()

    def _json(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int = 404) -> None:
        self.send_response(status)
        if status == 404:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()


def _etag(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _described(name: str, file: Path) -> dict[str, Any]:
    """Large files are kept by git-lfs, with a digest; small ones by git itself."""
    size = file.stat().st_size
    described: dict[str, Any] = {"rfilename": name, "size": size, "blobId": _etag(file)[:40]}
    if size > LFS_FROM_BYTES:
        described["lfs"] = {"size": size, "sha256": _etag(file), "pointerSize": 134}
    return described
