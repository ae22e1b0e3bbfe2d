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
from typing import Protocol

import structlog
import uvicorn
from fastapi import FastAPI

from broadcaster.microphone import Microphone
from broadcaster.names import CONTROL_SOCKET as SOCKET
from broadcaster.web.app import Desk, make_app
from broadcaster.web.chat import Letterbox, serve_chat
from broadcaster.web.door import Door
from broadcaster.web.hand import Hand, serve_hand
from broadcaster.web.voice import serve_voice
from pipeline.clock import Clock
from tts.voicein import MESSAGE_MAX_BYTES

RETRY_S = 5.0
BACKLOG = 64
KEEP_ALIVE_S = 5
PING_S = 5.0  # a microphone whose network is gone
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


class Office(Desk, Hand, Letterbox, Protocol):
    """A director, as page and API see it."""

    microphone: Microphone


def make_office(office: Office, runtime_dir: Path, clock: Clock) -> FastAPI:
    """All that is served."""
    app = make_app(office, runtime_dir, clock)
    serve_hand(app, office)
    serve_chat(app, office)
    serve_voice(app, office.microphone)
    return app


async def serve_control(office: Office, address: Address, runtime_dir: Path, clock: Clock) -> None:
    """Serve for ever; a task of the director, ended by its cancellation."""
    app = make_office(office, runtime_dir, clock)
    await asyncio.gather(_serve_network(app, address), _serve_local(app, runtime_dir / SOCKET))


async def _serve_local(app: FastAPI, path: Path) -> None:
    """For the command line of this user, who alone may enter the directory: without a token."""
    while True:
        try:
            path.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(str(path))
            listener.listen(BACKLOG)
        except OSError as error:
            log.error("control.unavailable", host=SOCKET, port=0, reason=error.strerror or str(error))
            await asyncio.sleep(RETRY_S)
            continue
        with listener:
            await _serve(Door(app, "localhost"), listener)
        await asyncio.sleep(RETRY_S)


async def _serve_network(inner: FastAPI, address: Address) -> None:
    app = Door(inner, address.host, address.token)
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
        ws_max_size=MESSAGE_MAX_BYTES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # sound does not get smaller, and a small message could become a huge one
    )
    await QuietServer(config).serve(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
    return socket.create_server(address, family=family, backlog=BACKLOG)
