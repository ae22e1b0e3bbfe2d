"""The page on which a person places the points of a face: for this machine alone, and whoever has its address.

In: `Pointing`. Out: a page at an address with a token that is good until the server ends. It knows no room.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from broadcaster.pointing import Pointing
from broadcaster.web.app import STATIC, Fresh
from broadcaster.web.door import Door
from pipeline.errors import BroadcasterError, ConfigError

HOST = "127.0.0.1"
TOKEN_BYTES = 18
CLOSING_S = 2  # for an answer that is being drawn when it is to end


def make_page(pointing: Pointing) -> FastAPI:
    app = FastAPI(title="points", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", Fresh(directory=STATIC))

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(STATIC / "points.html", headers={"cache-control": "no-cache"})

    @app.get("/about")
    async def about() -> JSONResponse:
        return JSONResponse(pointing.about, headers={"cache-control": "no-store"})

    @app.get("/picture")
    async def picture() -> Response:
        data = await asyncio.to_thread(pointing.picture)
        return Response(data, media_type="image/jpeg", headers={"cache-control": "no-store"})

    @app.post("/look")
    async def look(request: Request) -> Response:
        return Response(await asyncio.to_thread(pointing.look, await request.body()), media_type="image/jpeg")

    @app.post("/save")
    async def save(request: Request, bake: bool = False) -> JSONResponse:
        points = await request.body()
        return JSONResponse({"told": await asyncio.to_thread(pointing.save, points, baked=bake)})

    @app.exception_handler(BroadcasterError)
    async def refused(_request: Request, error: BroadcasterError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 422)

    return app


class PointsServer:
    """`open` makes the address, `run` serves until `close` (of any thread) or Ctrl-C."""

    def __init__(self, pointing: Pointing, port: int) -> None:
        self._pointing = pointing
        self._port = port

    def open(self) -> str:
        """The address, with the token. BadInput when the picture cannot be used, ConfigError when the port cannot."""
        self._pointing.open()
        token = secrets.token_urlsafe(TOKEN_BYTES)
        try:
            self._listener = socket.create_server((HOST, self._port))
        except OSError as error:
            raise ConfigError(f"--port {self._port}: {error.strerror}") from error
        app = Door(make_page(self._pointing), HOST, token)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=CLOSING_S,
        )
        self._server = uvicorn.Server(config)
        return f"http://{HOST}:{self._listener.getsockname()[1]}/?token={token}"

    def run(self) -> None:
        with self._listener:
            self._server.run(sockets=[self._listener])

    def close(self) -> None:
        self._server.should_exit = True


def serve_points(pointing: Pointing, port: int, tell: Callable[[str], None]) -> None:
    """Until Ctrl-C."""
    server = PointsServer(pointing, port)
    tell(server.open())
    tell("open it in a browser on this machine, drag the points into place and save; Ctrl-C ends it")
    server.run()
