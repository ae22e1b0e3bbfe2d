"""The control API: how the room is, and words pushed by HTTP.

In: requests of this machine. Out: JSON, also for errors. Words go through Redis as anyone else's do, so that they
survive us. It decides nothing and holds no state; who may ask at all is decided in broadcaster.web.door.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from broadcaster.utterance import check
from pipeline.errors import MessageError, RedisDown

log = structlog.get_logger()


class Desk(Protocol):
    """What the API needs of a director; called on its event loop."""

    def status(self) -> dict[str, Any]:
        """How everything is."""

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


def make_app(desk: Desk) -> FastAPI:
    app = FastAPI(title="broadcaster", docs_url=None, redoc_url=None)  # their pages load code from elsewhere

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        reasons = desk.unready()
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    @app.get("/status")
    async def status() -> dict[str, Any]:
        return desk.status()

    @app.post("/say", status_code=202)
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

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": "; ".join(_explain(one) for one in error.errors())}, 422)

    return app


def _explain(error: Any) -> str:
    """`field: what is wrong`, without what was given."""
    where = ".".join(str(part) for part in error["loc"] if part != "body")
    return f"{where}: {error['msg']}" if where else str(error["msg"])
