"""The commands `guard …`: whether a text may be said, and what of a file may not, before anybody hears it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from broadcaster.guard.guard import Guard
    from broadcaster.guard.settings import GuardSpec

app = typer.Typer(help="Try what the guard would stop.", no_args_is_help=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="A room's configuration file: its `guard` section.")
]
ListOption = Annotated[list[Path] | None, typer.Option("--list", help="A list of words; may be given again.")]
PlatformOption = Annotated[str | None, typer.Option("--platform", help="Whose own list counts besides, as douyin.")]
ProductsOption = Annotated[Path | None, typer.Option("--products", help="The products file to check against.")]


@app.callback()
def guard() -> None:
    """Try what the guard would stop."""


@app.command("try")
def try_(
    text: Annotated[list[str] | None, typer.Argument(help="Texts; none: lines of standard input.")] = None,
    config: ConfigOption = None,
    lists: ListOption = None,
    platform: PlatformOption = None,
    products: ProductsOption = None,
    lane: Annotated[str, typer.Option(help="reply | command | live | scheduled | script")] = "reply",
) -> None:
    """Say what would be stopped of a text, by which rule and why; exit status 1 when something would be."""
    judge = _guard(config, lists, platform, products)
    stopped = False
    for one in text or (line.strip() for line in sys.stdin if line.strip()):
        verdict = judge.judge(one, lane=lane)
        stopped = stopped or not verdict.passed
        typer.echo(f"{'passed' if verdict.passed else 'stopped'}: {one}")
        for found, shown in judge.findings(one) if not verdict.passed else ():
            typer.echo(f"  {found.rule}: {shown!r}: {found.why}")
        if verdict.rule == "guard":
            typer.echo(f"  {verdict.reason}")
        if verdict.instead:
            typer.echo(f"  instead: {verdict.instead}")
    if stopped:
        raise typer.Exit(1)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Scripts (.md, .txt, .csv, .jsonl), or lists of the guard.")],
    config: ConfigOption = None,
    lists: ListOption = None,
    platform: PlatformOption = None,
    products: ProductsOption = None,
    as_list: Annotated[bool, typer.Option("--as-list", help="They are lists: say what is wrong with them.")] = False,
) -> None:
    """Name line and column of all that would be stopped of scripts; exit status 1 when there is any."""
    from broadcaster.guard.lists import examined
    from broadcaster.guard.manuscripts import warnings
    from broadcaster.script import products as product_files
    from broadcaster.script.load import load

    judge = None if as_list else _guard(config, lists, platform, products)
    good = True
    for path in files:
        if judge is None:
            entries, mistakes = examined(path)
            said = f"{len(entries):,} words"
        else:
            script = load(path)
            where = script.products or products
            mistakes = list(warnings(script, product_files.load(where) if where else {}, judge))
            said = f"{sum(1 for _ in script.lines()):,} lines"
        good = good and not mistakes
        for mistake in mistakes:
            typer.echo(mistake.told(path))
        if not mistakes:
            typer.echo(f"{path}: good; {said}")
    if not good:
        raise typer.Exit(1)


def of_config(config: Path) -> Guard | None:
    """The guard of a room; None when it has none."""
    from broadcaster.config import load
    from broadcaster.guard.settings import GuardSpec

    section = load(config).guard
    return _made(GuardSpec(**section.spec()), load(config).voice.name) if section else None


def _guard(config: Path | None, lists: list[Path] | None, platform: str | None, products: Path | None) -> Guard:
    from broadcaster.config_guard import GuardSection
    from broadcaster.guard.settings import GuardSpec

    if config is not None:
        found = of_config(config)
        if found is None:
            raise ConfigError(f"{config}: it has no `guard:`, so that whatever comes is said")
        return found
    try:
        section = GuardSection(lists=tuple(lists or ()), platform=platform, products=products)
    except ValueError as error:
        raise ConfigError(f"--platform {platform}: {str(error).splitlines()[2].strip().partition(', ')[2]}") from error
    return _made(GuardSpec(**section.spec()), "zh")


def _made(spec: GuardSpec, voice: str) -> Guard:
    from broadcaster.guard.guard import Guard
    from tts.text import language_of

    return Guard(spec, "zh" if language_of("", voice) == "zh" else "en")
