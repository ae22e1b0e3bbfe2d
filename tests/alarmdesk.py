"""An operator's side of alarms: a web server that takes webhooks, and refuses, stalls or drips when it is told to."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Desk:
    """answers: HTTP statuses for the next requests, then 204. `silent`: it takes requests and answers nothing."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: list[int] = []
        self.silent = self.drips = False
        self.messages: list[dict[str, Any]] = []  # taken
        self.tries: list[tuple[float, str, dict[str, Any]]] = []  # when, path, message

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/T0K3N?room=shop"

    def named(self, alarm: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["alarm"] == alarm]


class _Handler(BaseHTTPRequestHandler):
    desk: Desk

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        desk = self.desk
        desk.tries.append((time.monotonic(), self.path, message))
        if desk.silent:
            time.sleep(30)
            return
        if desk.drips:
            with contextlib.suppress(OSError):
                self.wfile.write(b"HTTP/1.1 204 ")
                for _ in range(300):
                    self.wfile.write(b"x")
                    time.sleep(0.1)
            return
        status = desk.answers.pop(0) if desk.answers else 204
        if status < 300:
            desk.messages.append(message)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def desk_open() -> Iterator[Desk]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    desk = Desk(server.server_address[1])
    server.RequestHandlerClass = type("Handler", (_Handler,), {"desk": desk})
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield desk
    finally:
        server.shutdown()
        server.server_close()
