"""Comments by HTTP, for whatever grabs them and cannot speak to Redis: one, or a list of them.

In: requests that the door let in. Out: the ids under which they lie in the `chat` stream; what a comment cannot be is
refused in the words of who reads that stream, and then none of a list is taken. It decides nothing about answers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol

import structlog
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from broadcaster.chat.message import check
from broadcaster.web.app import Trouble
from pipeline.errors import MessageError, RedisDown

COMMENTS_MAX = 500  # in one request

log = structlog.get_logger()


class Letterbox(Protocol):
    """What comments need of a director; called on its event loop."""

    @property
    def answers(self) -> bool:
        """Whether anybody here reads comments."""

    async def hear(self, messages: Sequence[Mapping[str, str]]) -> None:
        """Add them to the `chat` stream; RedisDown when they cannot be."""


class Comment(BaseModel):
    """The fields mean what they mean in the `chat` stream, and are judged by the same rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str | None = None
    id: str | None = None
    user: str | None = None
    user_id: str | None = None
    platform: str | None = None
    kind: str | None = Field(default=None, description="comment, gift, follow, enter, like or order.")
    buyer: bool | None = None
    mention: bool | None = None
    value: float | None = None
    reply: str | None = Field(default=None, description="Ready words, spoken as they are.")
    sent: float | str | None = Field(default=None, description="Unix seconds or RFC 3339.")

    def fields(self) -> dict[str, str]:
        """As the stream has them; with an id in any case, so that a request may be repeated."""
        given = self.model_dump(exclude_none=True)
        text = {name: str(int(value) if isinstance(value, bool) else value) for name, value in given.items()}
        return {"id": uuid.uuid4().hex[:16], **text}


class Heard(BaseModel):
    ids: list[str]


def _shape(body: Any) -> str:
    return "list" if isinstance(body, list) else "comment"


Comments = Annotated[
    Annotated[Comment, Tag("comment")]
    | Annotated[list[Comment], Field(min_length=1, max_length=COMMENTS_MAX), Tag("list")],
    Discriminator(_shape),
]


def serve_chat(app: FastAPI, letterbox: Letterbox) -> None:
    trouble: dict[int | str, dict[str, Any]] = {status: {"model": Trouble} for status in (409, 503)}

    @app.post("/chat", status_code=202, response_model=Heard, responses=trouble)
    async def chat(comments: Comments) -> JSONResponse:
        """Comments of viewers, as a grabber has them."""
        if not letterbox.answers:
            return JSONResponse({"error": "nobody is answered here: the configuration has no `chat`"}, 409)
        messages = [one.fields() for one in (comments if isinstance(comments, list) else [comments])]
        for number, message in enumerate(messages):
            try:
                check(message)
            except MessageError as error:
                where = f"list.{number}: " if isinstance(comments, list) else ""
                return JSONResponse({"error": f"{where}{error}"}, 422)
        try:
            await letterbox.hear(messages)
        except RedisDown as error:
            log.warning("chat.refused", reason=str(error))
            return JSONResponse({"error": "the message queue does not answer; try again"}, 503)
        return JSONResponse({"ids": [message["id"] for message in messages]}, 202)
