"""The commands `script …`: what is wrong with a script file, and what it would say, before anybody hears it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look at script files.", no_args_is_help=True)

FilesArgument = Annotated[list[Path], typer.Argument(help="Script files: .md, .txt, .csv or .jsonl.")]
ProductsOption = Annotated[
    Path | None, typer.Option("--products", help="The products file, for scripts that name none.")
]


@app.callback()
def script() -> None:
    """Look at script files."""


@app.command()
def check(
    files: FilesArgument,
    products: ProductsOption = None,
    config: Annotated[
        Path | None, typer.Option(help="Of a room: persons it does not have, and lines that its guard would stop.")
    ] = None,
) -> None:
    """Name line and column of every mistake; exit status 1 when there is one that is no mere warning."""
    from broadcaster.cli.guard import of_config
    from broadcaster.script import products as product_files
    from broadcaster.script.check import check as check_script

    persons = _persons_of(config) if config else []
    guard = of_config(config) if config else None
    good = True
    for path in files:
        checked = check_script(path, products, persons)
        good = good and checked.good
        for mistake in checked.mistakes:
            typer.echo(mistake.told(path))
        if guard is not None and checked.script is not None and checked.good:
            from broadcaster.guard.manuscripts import warnings

            where = checked.script.products or products
            catalog = product_files.load(where) if where else {}
            for mistake in warnings(checked.script, catalog, guard):
                typer.echo(mistake.told(path))
        if checked.good and checked.script is not None:
            sections = len(checked.script.sections)
            lines = sum(1 for _ in checked.script.lines())
            typer.echo(f"{path}: good; {sections:,} sections, {lines:,} lines")
    if not good:
        raise typer.Exit(1)


@app.command()
def preview(
    file: Annotated[Path, typer.Argument(help="A script file.")],
    hours: Annotated[float, typer.Option(min=0.01, max=168, help="How far to look ahead.")] = 1.0,
    at: Annotated[str | None, typer.Option(help="From when on, this day, as 20:00. Default: now.")] = None,
    config: Annotated[Path | None, typer.Option(help="Of a room: its voice, time zone and dice.")] = None,
    products: ProductsOption = None,
    seed: Annotated[int | None, typer.Option(help="Of the dice. Default: the room's.")] = None,
) -> None:
    """Print what it would say and when: sections by daypart and weight, variables and alternatives filled in."""
    from broadcaster.config import load
    from broadcaster.script import load as script_files
    from broadcaster.script import preview as previewed
    from broadcaster.script import products as product_files
    from pipeline.clock import RealClock

    room = previewed.room_of(load(config)) if config else previewed.Room()
    room = room if seed is None else dataclasses.replace(room, seed=seed)
    script = script_files.load(file)
    where = script.products or products
    catalog = product_files.load(where) if where else {}
    begin_s = previewed.begin_s(at, room.timezone, RealClock().wall_s())
    for line in previewed.lines(script, catalog, room, begin_s, hours):
        typer.echo(line)


def _persons_of(config: Path) -> list[str]:
    """Who can be called into the picture of a room."""
    from broadcaster.config import load
    from pipeline.personfiles import persons

    avatar = load(config).avatar
    return list(persons(avatar.image, avatar.persons))
