"""The commands `chat …`: questions asked at the terminal, and a mapping of comments tried, before viewers are there."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from broadcaster.chat.spec import ChatSpec

PRESET = Path("chat.yaml")

app = typer.Typer(help="Try what viewers would be answered.", no_args_is_help=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The room's configuration file; default: the preset configs/chat.yaml.")
]
QuestionsArgument = Annotated[list[str] | None, typer.Argument(help="Comments; none: they are asked for.")]


@app.callback()
def chat() -> None:
    """Try what viewers would be answered."""


@app.command("try")
def try_(questions: QuestionsArgument = None, config: ConfigOption = None) -> None:
    """Answer comments here: which stage decides, how sure, how fast, and what the guard says. Nothing goes on air."""
    from broadcaster import log

    log.configure("chat")
    with _in_its_place(config) as path:
        asyncio.run(_answer(_spec(path), questions or []))


@app.command("map")
def map_(
    mapping: Annotated[Path, typer.Argument(help="The file of a mapping.")],
    sample: Annotated[Path | None, typer.Argument(help="JSON, or lines of it; default: standard input.")] = None,
) -> None:
    """Say what would become of each message that a program sends, by a connector's mapping."""
    from broadcaster.connectors.mapping_trial import tried

    try:
        text = sample.read_text(encoding="utf-8") if sample else sys.stdin.read()
    except OSError as error:
        raise ConfigError(f"{sample}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the sample is not UTF-8 text (byte {error.start})") from error
    for line in tried(mapping, text):
        typer.echo(line)


async def _answer(spec: ChatSpec, questions: list[str]) -> None:
    from broadcaster.chat.trial import Trial
    from pipeline.clock import RealClock

    trial = Trial(spec, RealClock())
    for line in trial.open():
        typer.echo(line)
    try:
        for question in questions or _typed():
            typer.echo(f"> {question}")
            async for line in trial.ask(question):
                typer.echo(line)
    finally:
        await trial.close()


def _typed() -> Iterator[str]:
    """Lines as they are typed, until there are no more."""
    if sys.stdin.isatty():
        typer.echo("Ask, one comment a line; Ctrl-D ends it.")
    for line in sys.stdin:
        if question := line.strip():
            yield question


def _spec(path: Path) -> ChatSpec:
    import msgspec

    from broadcaster import children
    from broadcaster.chat.spec import ChatSpec
    from broadcaster.config import load

    config = load(path)
    plan = next((plan for plan in children.plan(config, config.runtime_dir) if plan.kind == "chat"), None)
    if plan is None:
        raise ConfigError(f"{path}: there is no `chat:`, so that nobody answers; configs/chat.yaml shows one")
    return msgspec.convert(dict(plan.spec), ChatSpec)


@contextlib.contextmanager
def _in_its_place(config: Path | None) -> Iterator[Path]:
    """The configuration; the preset names its files from where it lies."""
    if config is not None:
        yield config
        return
    from pipeline.shipped import CONFIGS

    with contextlib.chdir(CONFIGS.parent):
        yield CONFIGS / PRESET
