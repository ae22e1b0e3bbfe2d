"""Orders to the show by HTTP: pause, resume, skip, goto, a person, a script that is pasted, values of its variables.

In: requests that the door let in. Out: what became of each, as one line of text in JSON; an order that makes no sense
as things stand is 409, a name that is not there 404, a script with mistakes 422 with all of them. It decides nothing
and holds no state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from broadcaster.pasted import KINDS
from broadcaster.script.surroundings import NAME_MAX_CHARS, OUTSIDE_MAX, VALUE_MAX_CHARS
from broadcaster.takeover import Became, Outcome
from broadcaster.web.app import Trouble
from pipeline.errors import MessageError, ScriptError

STATUSES = {Became.DONE: 200, Became.CONFLICT: 409, Became.UNKNOWN: 404, Became.REFUSED: 503}
NAME_MAX = 200


class Hand(Protocol):
    """What the orders need of a director; called on its event loop."""

    def pause(self, now: bool) -> Outcome:
        """Lane live alone speaks from the end of this sentence on, or at once."""

    def resume(self) -> Outcome:
        """The show goes on where it was."""

    def skip(self, now: bool) -> Outcome:
        """What is on air ends with this sentence, or at once, and its rest is never said."""

    def goto(self, section: str, now: bool) -> Outcome:
        """The script goes on at this section."""

    def person(self, name: str) -> Outcome:
        """This person comes into the picture at the end of the sentence, in silence at once."""

    def persons(self) -> tuple[str, list[str]]:
        """Who is in the picture, "" where nobody else can be; and everybody who can be called."""

    def sections(self) -> list[str]:
        """Names of the script's sections."""

    async def paste(self, data: bytes, suffix: str) -> Outcome:
        """This text is the script from now on; ScriptError names every mistake in it."""

    async def unpaste(self) -> Outcome:
        """The script is that of the configuration again; ScriptError names every mistake in that one."""

    def variables(self) -> dict[str, str]:
        """What scripts were told from outside."""

    def tell(self, given: Mapping[str, str]) -> None:
        """These values count from the next line on; MessageError says what is wrong, and changes nothing."""


class When(BaseModel):
    """Left out: at the end of the sentence."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    now: bool = Field(default=False, description="At once: what is being said is faded out within 80 ms.")


class Where(When):
    section: str = Field(min_length=1, max_length=NAME_MAX, description="A name of GET /sections.")


class Who(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    person: str = Field(min_length=1, max_length=NAME_MAX, description="A name of GET /persons.")


class Done(BaseModel):
    done: str = Field(description="What the order led to.")


class Mistakes(Trouble):
    mistakes: list[str] = Field(default=[], description="Each with file, line and column.")


class Sections(BaseModel):
    sections: list[str]


class Persons(BaseModel):
    on_air: str = Field(description="Who is in the picture; empty where nobody else can be.")
    persons: list[str]


class Variables(BaseModel):
    variables: dict[str, str]


Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX_CHARS)]
Value = Annotated[str, Field(max_length=VALUE_MAX_CHARS, description="One line; empty: it has no value any more.")]
Given = Annotated[dict[Name, Value], Field(max_length=OUTSIDE_MAX)]


def _errors(*statuses: int, model: type[BaseModel] = Trouble) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": model} for status in statuses}


def serve_hand(app: FastAPI, hand: Hand) -> None:
    _serve_orders(app, hand)
    _serve_persons(app, hand)
    _serve_script(app, hand)
    _serve_variables(app, hand)


def _serve_orders(app: FastAPI, hand: Hand) -> None:
    @app.post("/pause", response_model=Done)
    async def pause(when: When | None = None) -> JSONResponse:
        """Lane live alone speaks from now on: a person's voice, and what a presenter pushes there."""
        return _answer(hand.pause((when or When()).now))

    @app.post("/resume", response_model=Done)
    async def resume() -> JSONResponse:
        """The show goes on; a sentence that was cut is said again from its start."""
        return _answer(hand.resume())

    @app.post("/skip", response_model=Done, responses=_errors(409))
    async def skip(when: When | None = None) -> JSONResponse:
        """Drop the rest of what is on air."""
        return _answer(hand.skip((when or When()).now))

    @app.post("/goto", response_model=Done, responses=_errors(404, 409))
    async def goto(where: Where) -> JSONResponse:
        """Go on with the script at a section."""
        return _answer(hand.goto(where.section, where.now))

    @app.get("/sections", response_model=Sections)
    async def sections() -> Sections:
        """What goto takes."""
        return Sections(sections=hand.sections())


def _serve_persons(app: FastAPI, hand: Hand) -> None:
    @app.post("/person", response_model=Done, responses=_errors(404, 409))
    async def person(who: Who) -> JSONResponse:
        """Have this person come into the picture: at the end of the sentence, in silence at once."""
        return _answer(hand.person(who.person))

    @app.get("/persons", response_model=Persons)
    async def persons() -> Persons:
        """Who is in the picture, and whom POST /person takes."""
        on_air, names = hand.persons()
        return Persons(on_air=on_air, persons=names)


def _serve_script(app: FastAPI, hand: Hand) -> None:
    content = {kind: {"schema": {"type": "string", "minLength": 1}} for kind in KINDS}

    @app.post(
        "/script",
        response_model=Done,
        responses={**_errors(415, 503), **_errors(422, model=Mistakes)},
        openapi_extra={"requestBody": {"required": True, "content": content}},
    )
    async def paste(request: Request) -> JSONResponse:
        """Replace the running script, if the text has no mistakes; kept until DELETE /script, over restarts as well."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in KINDS:
            return JSONResponse({"error": f"content-type: {kind[:60]!r} is none of {', '.join(KINDS)}"}, 415)
        try:
            return _answer(await hand.paste(await request.body(), KINDS[kind]))
        except ScriptError as error:
            return _mistaken(error)

    @app.delete("/script", response_model=Done, responses={**_errors(409, 503), **_errors(422, model=Mistakes)})
    async def unpaste() -> JSONResponse:
        """Go back to the script of the configuration."""
        try:
            return _answer(await hand.unpaste())
        except ScriptError as error:
            return _mistaken(error)


def _serve_variables(app: FastAPI, hand: Hand) -> None:
    @app.get("/variables", response_model=Variables)
    async def variables() -> Variables:
        """What scripts were told from outside."""
        return Variables(variables=hand.variables())

    @app.put("/variables", response_model=Variables)
    async def tell(given: Given) -> JSONResponse:
        """Give variables of scripts their values; others stay as they are. They are kept over restarts."""
        try:
            hand.tell(given)
        except MessageError as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse({"variables": hand.variables()})


def _mistaken(error: ScriptError) -> JSONResponse:
    mistakes = str(error).splitlines()
    return JSONResponse({"error": f"{len(mistakes)} mistakes", "mistakes": mistakes}, 422)


def _answer(outcome: Outcome) -> JSONResponse:
    return JSONResponse({"done" if outcome.done else "error": outcome.text}, STATUSES[outcome.became])
