"""The commands `models pull`, `models check`, `models convert`: weights fetched, examined, made into one file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from broadcaster.render.progress import Progress

app = typer.Typer(help="Fetch and examine the weights of neural engines.", no_args_is_help=True)

MODELS_DIR = Path("models")  #: where a model is put and looked for, under its own name
NEEDS = "pip install 'broadcaster[flashtalk]'"


@app.command()
def pull(
    model: Annotated[str, typer.Argument(help="flashtalk | flashhead")],
    to: Annotated[Path | None, typer.Option("--to", help="The model directory to fill; else models/MODEL.")] = None,
) -> None:
    """Fetch the released weights, 55 or 15 GB; the same command goes on where it broke off. HF_ENDPOINT: a mirror."""
    from broadcaster import download

    place = MODELS_DIR / model if to is None else to
    download.pull(model, place, lambda line: typer.echo(line, err=True))
    _report(place, as_json=False)


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="A model directory, a run-time file, or a model's name: models/NAME.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what is missing, too much, misshapen or cut short, and what mends it; exit status 1 when something is."""
    named = MODELS_DIR / path
    _report(named if not path.exists() and len(path.parts) == 1 and named.exists() else path, as_json)


@app.command()
def convert(
    directory: Annotated[Path, typer.Argument(help="The model directory.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The run-time file to write, NAME.safetensors.")],
) -> None:
    """Make one file that an engine maps at its start; the encoders for new avatars stay in the directory."""
    try:
        from pipeline import convert as converting
    except ImportError as error:
        raise _needs(error) from None
    from broadcaster.render.progress import progress

    shown = progress()
    try:
        converting.convert(directory, out, _shown_by(shown))
    finally:
        shown.close()
    typer.echo(f"{out}: {out.stat().st_size / 1e9:.2f} GB")


def _report(path: Path, as_json: bool) -> None:
    try:
        from pipeline import weightcheck
    except ImportError as error:
        raise _needs(error) from None
    report = weightcheck.check(path)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        for line in report.lines():
            typer.echo(line)
        typer.echo(f"{path}: {'whole' if report.good else f'not whole ({len(report.faults)} found)'}")
    raise typer.Exit(0 if report.good else 1)


def _shown_by(shown: Progress) -> Callable[[str, int, int], None]:
    begun: set[str] = set()

    def reach(what: str, done: int, size: int) -> None:
        if what not in begun:
            begun.add(what)
            shown.begin(what, size / 1e9, unit="GB")
        shown.reach(done / 1e9)

    return reach


def _needs(error: ImportError) -> ConfigError:
    return ConfigError(f"{error.name or error} cannot be imported: {NEEDS}")
