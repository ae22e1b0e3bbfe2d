"""The page and the control API: how the room is, its live picture, and words pushed by HTTP.

In: requests that the door let in. Out: the page's files, FLV, server-sent events, and JSON, also for errors. Words go
through Redis as anyone else's do, so that they survive us. It decides nothing and holds no state; who may ask at all is
decided in broadcaster.web.door.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.types import Scope

from broadcaster.utterance import check
from broadcaster.web.news import News
from broadcaster.web.picture import NoPicture, open_picture
from broadcaster.web.stream import Seats, Stream
from pipeline.clock import Clock
from pipeline.errors import MessageError, RedisDown

STATIC = Path(__file__).parent / "static"
VERSION = "1"  # of the API
REFUSALS = (400, 401, 403, 408, 413, 422)  # that any request may meet
VIEWERS_MAX = 16  # each costs a connection to the preview pusher; an audience belongs on a platform
LISTENERS_MAX = 32

log = structlog.get_logger()


class Desk(Protocol):
    """What the API needs of a director; called on its event loop."""

    def status(self) -> dict[str, Any]:
        """How everything is."""

    def overview(self) -> dict[str, Any]:
        """What the page shows."""

    def unready(self) -> list[str]:
        """Why the room is not ready; empty when it is."""

    async def say(self, fields: Mapping[str, str]) -> str:
        """Push a message of the `say` stream; RedisDown when it cannot be."""


class Say(BaseModel):
    """POST /say. The fields mean what they mean in the `say` stream, and are judged by the same rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    lane: str | None = None
    mode: str | None = None
    id: str | None = None
    ttl_s: float | None = None
    at: str | None = None
    voice: str | None = None


def make_app(desk: Desk, runtime_dir: Path, clock: Clock) -> FastAPI:
    """`runtime_dir`: where the preview pusher's socket is."""
    refusals: dict[int | str, dict[str, Any]] = {status: {"model": Trouble} for status in REFUSALS}
    # no pages of documentation: they load code from elsewhere
    app = FastAPI(title="broadcaster", version=VERSION, docs_url=None, redoc_url=None, responses=refusals)
    _serve_page(app, desk, runtime_dir, clock)
    _serve_api(app, desk)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": "; ".join(_explain(one) for one in error.errors())}, 422)

    @app.exception_handler(HTTPException)
    async def refused(_request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    return app


class Trouble(BaseModel):
    """Any answer that is not what was asked for."""

    error: str


class Ready(BaseModel):
    ready: bool
    reasons: list[str]


class Taken(BaseModel):
    id: str


class Fresh(StaticFiles):
    """Files that a browser asks about each time, so that page and script are always of one version."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = "no-cache"
        return answer


def _serve_page(app: FastAPI, desk: Desk, runtime_dir: Path, clock: Clock) -> None:
    app.mount("/static", Fresh(directory=STATIC))
    viewers, listeners = Seats(VIEWERS_MAX), Seats(LISTENERS_MAX)
    news = News(desk.overview, clock)

    @app.get("/", response_class=HTMLResponse)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "page.html", headers={"cache-control": "no-cache"})

    @app.get("/live.flv", responses={200: {"content": {"video/x-flv": {}}}, 503: {"model": Trouble}})
    async def live() -> Response:
        if not viewers.take():
            return JSONResponse({"error": f"{VIEWERS_MAX} are watching already"}, 503)
        try:
            picture = await open_picture(runtime_dir)
        except NoPicture as error:
            viewers.leave()
            return JSONResponse({"error": f"there is no live picture: {error}"}, 503)

        def close() -> None:
            picture.close()
            viewers.leave()

        return Stream(picture.flv(), "video/x-flv", close)

    @app.get("/events", responses={200: {"content": {"text/event-stream": {}}}, 503: {"model": Trouble}})
    async def events() -> Response:
        if not listeners.take():
            return JSONResponse({"error": f"{LISTENERS_MAX} are listening already"}, 503)
        return Stream(news.events(), "text/event-stream", listeners.leave)


def _serve_api(app: FastAPI, desk: Desk) -> None:
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", response_model=Ready, responses={503: {"model": Ready}})
    async def readyz() -> JSONResponse:
        reasons = desk.unready()
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    @app.get("/status")
    async def status() -> dict[str, Any]:
        return desk.status()

    @app.post("/say", status_code=202, response_model=Taken, responses={503: {"model": Trouble}})
    async def say(words: Say) -> JSONResponse:
        fields = {name: str(value) for name, value in words.model_dump(exclude_none=True).items()}
        identity = fields.setdefault("id", uuid.uuid4().hex[:12])
        try:
            check(fields)
        except MessageError as error:
            return JSONResponse({"error": str(error)}, 422)
        try:
            await desk.say(fields)
        except RedisDown as error:
            log.warning("say.refused", reason=str(error))
            return JSONResponse({"error": "the message queue does not answer; try again"}, 503)
        return JSONResponse({"id": identity}, 202)


def _explain(error: Any) -> str:
    """`field: what is wrong`, without what was given."""
    where = ".".join(str(part) for part in error["loc"] if part != "body")
    return f"{where}: {error['msg']}" if where else str(error["msg"])
