"""The commands about dead letters: `dead ls`, `dead again`, `dead rm`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import ConfigError, MessageError

if TYPE_CHECKING:
    from broadcaster.client import Client
    from broadcaster.dead import Letter

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The room's configuration file.")]
RoomOption = Annotated[str | None, typer.Option("--room", help="The room's name, with --redis.")]
RedisOption = Annotated[str | None, typer.Option("--redis", help="The room's Redis, as redis://HOST:PORT/DB.")]
EntriesArgument = Annotated[list[str] | None, typer.Argument(help="Entries, as `dead ls` names them.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every dead letter of the room.")]


def commands(client_of: Callable[[Path | None, str | None, str | None], Client]) -> typer.Typer:
    """The group of commands. client_of: a client from --config, --room and --redis."""
    app = typer.Typer(help="Look at messages that could not be said.", no_args_is_help=True)

    @app.command()
    def ls(
        config: ConfigOption = None,
        room: RoomOption = None,
        redis: RedisOption = None,
        count: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 20,
        as_json: Annotated[bool, typer.Option("--json", help="For programs: one object a line, texts whole.")] = False,
    ) -> None:
        """The newest dead letters, newest first: entry, time, id, reason, text."""
        for letter in client_of(config, room, redis).dead_letters(count):
            told = json.dumps({"entry": letter.entry, **letter.fields}, ensure_ascii=False)
            typer.echo(told if as_json else letter.line())

    @app.command()
    def again(
        entries: EntriesArgument = None,
        config: ConfigOption = None,
        room: RoomOption = None,
        redis: RedisOption = None,
        everything: AllOption = False,
    ) -> None:
        """Push messages again, as they were; their letters are removed in the same step."""
        client = client_of(config, room, redis)
        refused = 0
        for letter in _chosen(client, entries, everything):
            try:
                typer.echo(client.push_again(letter) or f"{letter.entry}: somebody was faster")
            except MessageError as error:
                refused += 1
                typer.echo(f"{letter.entry}: {error}", err=True)
        if refused:
            raise ConfigError(f"{refused} would be refused again; push them corrected, and remove them with `dead rm`")

    @app.command()
    def rm(
        entries: EntriesArgument = None,
        config: ConfigOption = None,
        room: RoomOption = None,
        redis: RedisOption = None,
        everything: AllOption = False,
    ) -> None:
        """Remove dead letters."""
        client = client_of(config, room, redis)
        typer.echo(f"{client.remove_dead(_chosen(client, entries, everything))} removed")

    return app


def _chosen(client: Client, entries: Sequence[str] | None, everything: bool) -> list[Letter]:
    """The letters meant, oldest first; ConfigError when one is not there."""
    if bool(entries) == everything:
        raise ConfigError("say which: entries as `dead ls` names them, or --all")
    letters = {letter.entry: letter for letter in reversed(client.dead_letters(None))}
    if everything:
        return list(letters.values())
    missing = [entry for entry in entries or () if entry not in letters]
    if missing:
        raise ConfigError(f"{missing[0]}: there is no such dead letter")
    return [letters[entry] for entry in entries or ()]
