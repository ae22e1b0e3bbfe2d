"""Serves the page and the control API on the director's event loop, for as long as it runs.

In: an address. Out: a server there; while the address is taken, a log line and another try. Signals are left alone:
the supervisor orders the shutdown.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import uvicorn

from broadcaster.web.app import Desk, make_app
from broadcaster.web.door import Door
from pipeline.clock import Clock

RETRY_S = 5.0
BACKLOG = 64
KEEP_ALIVE_S = 5
CONNECTIONS_MAX = 100  # beyond this 503; page and API are for a few operators and probes

log = structlog.get_logger()


class QuietServer(uvicorn.Server):
    """uvicorn without its hands on the process's signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `token`: what to ask for, "" = nothing; never logged."""

    host: str
    port: int
    token: str = field(default="", repr=False)


async def serve_control(desk: Desk, address: Address, runtime_dir: Path, clock: Clock) -> None:
    """Serve for ever; a task of the director, ended by its cancellation."""
    app = Door(make_app(desk, runtime_dir, clock), address.host, address.token)
    while True:
        try:
            listener = _listen(address.host, address.port)
        except OSError as error:
            log.error("control.unavailable", host=address.host, port=address.port, reason=error.strerror or str(error))
            await asyncio.sleep(RETRY_S)
            continue
        with listener:
            log.info("control.listening", host=address.host, port=listener.getsockname()[1])
            await _serve(app, listener)
        await asyncio.sleep(RETRY_S)


async def _serve(app: Door, listener: socket.socket) -> None:
    config = uvicorn.Config(
        app,
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
