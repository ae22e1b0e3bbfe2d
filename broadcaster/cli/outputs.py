"""The commands `outputs add | remove | refresh-url | restore | list`: outputs changed while the room is on air, or not.

URLs hold stream keys, so they come on standard input, or as a reference that the room resolves: argv is for everybody
on the machine to read.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from broadcaster import outputs_kept
from broadcaster.handmade import URL_KEYS
from pipeline.errors import ConfigError
from pipeline.wire import ChangeOutput

app = typer.Typer(help="Change where a room pushes to, on air, whatever its file says.", no_args_is_help=True)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The room's configuration file.")]
NameArgument = Annotated[str, typer.Argument(help="The output's name.")]
UrlArgument = Annotated[
    str | None,
    typer.Argument(
        help="A reference, as '${STREAM_URL}' or '${file:PATH}'. Left out: the URL is read from standard input."
    ),
]
BackupOption = Annotated[bool, typer.Option("--backup", help="A second line of standard input is the backup URL.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Another key of the output, as keep_days=3.")]


@app.command()
def add(
    name: NameArgument,
    url: UrlArgument = None,
    backup: BackupOption = False,
    settings: SetOption = None,
    config: ConfigOption = None,
) -> None:
    """Push to one more destination."""
    given = dict(_setting(one) for one in settings or ())
    _order(config, ChangeOutput("add", name, {**_urls(url, backup), **given}))


@app.command()
def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Push to this destination no more."""
    _order(config, ChangeOutput("remove", name))


@app.command()
def refresh_url(
    name: NameArgument, url: UrlArgument = None, backup: BackupOption = False, config: ConfigOption = None
) -> None:
    """Push to another URL under the same name, as when a platform gave a new key."""
    _order(config, ChangeOutput("url", name, _urls(url, backup)))


@app.command()
def restore(
    name: Annotated[str | None, typer.Argument(help="The output's name.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every output.")] = False,
    config: ConfigOption = None,
) -> None:
    """Forget what was changed on air: the configuration file alone counts again."""
    if (name is not None) == everything:
        raise ConfigError("say which: the name of an output, or --all")
    _order(config, ChangeOutput("restore", name or ""))


@app.command("list")
def list_outputs(config: Annotated[Path, typer.Option("--config", help="The room's configuration file.")]) -> None:
    """The outputs of a room, where each pushes to, and which were changed on air. No key is shown."""
    from broadcaster.config import load_whole
    from streams.destination import endpoint

    loaded = load_whole(config)
    if loaded.unfit:
        raise ConfigError(f"what was changed on air does not fit: {loaded.unfit}")
    words = {"add": "added on air", "url": "another URL, on air"}
    for output in loaded.config.outputs:
        change = loaded.kept.get(output.name)
        line = f"{output.name:<16} {endpoint(output.url.get_secret_value())}"
        typer.echo(f"{line}  ({words[change.what]})" if change else line)
    for name, change in loaded.kept.items():
        if change.what == "remove":
            typer.echo(f"{name:<16} removed on air; `broadcaster outputs restore {name}` brings it back")
    for line in outputs_kept.told({}, loaded.void):
        typer.echo(line)


def _order(config: Path | None, order: ChangeOutput) -> None:
    """Have the room do it; where it is off air, have it begin so."""
    from broadcaster import orders

    if config is None:
        runtime_dir = orders.the_room_on_air()
    elif (found := on_air(config)) is not None:
        runtime_dir = found
    else:
        _change_off_air(config, order)
        return
    answer = orders.give(runtime_dir, order, orders.RELOAD_WAIT_S)
    if not answer.done:
        raise ConfigError("\n".join(answer.lines))
    for line in answer.lines:
        typer.echo(line)


def on_air(config: Path) -> Path | None:
    """Where the room takes orders; None when it does not: a room that was killed leaves its record behind."""
    from broadcaster import orders, room

    try:
        found = room.runtime_dir_of(config)
    except room.OffAir:
        return None
    return found if orders.listens(found) else None


def _change_off_air(config: Path, order: ChangeOutput) -> None:
    from broadcaster import room
    from broadcaster.config import load_whole
    from broadcaster.reload import Question, change_output, in_force

    with room.state_held(load_whole(config).config.state_dir):
        loaded = load_whole(config)
        if loaded.unfit and order != ChangeOutput("restore", ""):
            raise ConfigError(
                f"{loaded.unfit}; `broadcaster outputs restore --all` forgets all that was changed on air"
            )
        known = in_force(loaded.config, loaded.filed, loaded.kept)
        found = change_output(Path(), Question("", known), order)
    for line in [*found.lines(), "the room is off air: it begins with this"]:
        typer.echo(line)


def _urls(url: str | None, backup: bool) -> dict[str, Any]:
    """The URL, and the backup's, from where no other user can read them."""
    if url is not None:
        from broadcaster.references import REFERENCE

        if backup:
            raise ConfigError("with --backup both URLs come on standard input, a line each")
        if not REFERENCE.fullmatch(url):
            raise ConfigError(
                "a URL as an argument can be read by every user of this machine: give it on standard input"
            )
        return {"url": url}
    given = {"url": _line("URL: ", "the URL is missing: give it on standard input, as `… < FILE`")}
    if backup:
        given["backup"] = _line("Backup URL: ", "the backup URL is missing: it is the second line of standard input")
    return given


def _line(prompt: str, missing: str) -> str:
    line = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()
    if not line.strip():
        raise ConfigError(missing)
    return line.strip()


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or key in (*URL_KEYS, "name"):
        raise ConfigError(f"--set {key}: write KEY=VALUE, as keep_days=3; URLs come on standard input")
    return key, yaml.safe_load(value)
