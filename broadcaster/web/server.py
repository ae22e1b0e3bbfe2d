"""Serves the control API on the director's event loop, for as long as it runs.

In: an address. Out: a server there; while the address is taken, a log line and another try. Signals are left alone:
the supervisor orders the shutdown.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import structlog
import uvicorn

from broadcaster.web.app import Desk, make_app
from broadcaster.web.door import Door

RETRY_S = 5.0
BACKLOG = 64
KEEP_ALIVE_S = 5
CONNECTIONS_MAX = 100  # beyond this 503; the API is for one operator and a few probes

log = structlog.get_logger()


class QuietServer(uvicorn.Server):
    """uvicorn without its hands on the process's signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_control(desk: Desk, host: str, port: int) -> None:
    """Serve for ever; a task of the director, ended by its cancellation."""
    while True:
        try:
            listener = _listen(host, port)
        except OSError as error:
            log.error("control.unavailable", host=host, port=port, reason=error.strerror or str(error))
            await asyncio.sleep(RETRY_S)
            continue
        with listener:
            log.info("control.listening", host=host, port=listener.getsockname()[1])
            await _serve(desk, host, listener)
        await asyncio.sleep(RETRY_S)


async def _serve(desk: Desk, host: str, listener: socket.socket) -> None:
    config = uvicorn.Config(
        Door(make_app(desk), host),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        limit_concurrency=CONNECTIONS_MAX,
    )
    await QuietServer(config).serve(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
    return socket.create_server(address, family=family, backlog=BACKLOG)
