"""The command `systemd install`: a room as a systemd unit."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import ConfigError

app = typer.Typer(help="Have systemd keep a room on air.", no_args_is_help=True)

SETTLE = (
    ["systemd-sysusers", "broadcaster.conf"],
    ["systemd-tmpfiles", "--create", "broadcaster.conf"],
    ["systemctl", "daemon-reload"],
)


@app.callback()
def _group() -> None:
    """Keeps `install` a word of its own."""


@app.command()
def install(
    room: Annotated[str, typer.Argument(help="The room's name: the unit is broadcaster@ROOM.")],
    config: Annotated[
        Path | None, typer.Option("--config", help="Its configuration. Default: /etc/broadcaster/ROOM.yaml.")
    ] = None,
    user: Annotated[
        bool, typer.Option("--user", help="For your own systemd, without root and with less shut off.")
    ] = False,
    gpu: Annotated[
        bool | None,
        typer.Option("--gpu/--no-gpu", help="Whether it may use NVIDIA cards. Default: if its engine needs one."),
    ] = None,
    root: Annotated[
        Path, typer.Option(help="Put the files below this directory, and run nothing: for packages.")
    ] = Path("/"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the files, write none.")] = False,
) -> None:
    """Put the unit of a room in place; again after outputs or secrets changed."""
    from broadcaster import units

    plan = units.plan(room, config, units.this_program(), user, gpu)
    if dry_run:
        for file in plan.files:
            typer.echo(f"── {file.path}\n{file.text}")
        return
    changed = units.write(plan, root)
    for path in changed:
        typer.echo(f"wrote {path}")
    if root == Path("/"):
        _settle(user)
    for path in plan.missing:
        typer.echo(f"put the secret into {path} (mode 0600): the unit does not start without it")
    start = f"systemctl {'--user ' if user else ''}enable --now {plan.name}"
    typer.echo(f"{'in place' if changed else 'nothing changed'}; `{start}` goes on air")


def _settle(user: bool) -> None:
    """Make the user and the directories, and have systemd read its units."""
    for command in [["systemctl", "--user", "daemon-reload"]] if user else SETTLE:
        if shutil.which(command[0]) is None:
            raise ConfigError(f"{command[0]}: not found; the files are in place, but this machine has no systemd")
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ConfigError(f"`{' '.join(command)}` failed: {done.stderr.strip() or done.returncode}")
