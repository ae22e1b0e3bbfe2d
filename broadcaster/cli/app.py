"""The command line. Each command loads what it needs when it runs, so that `--help` is instant."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broadcaster.cli import avatar, chat, dead, guard, models, offline, outputs, schedule, script, systemd, takeover
from broadcaster.cli import log as log_commands
from pipeline.errors import BroadcasterError, ConfigError

if TYPE_CHECKING:
    from pipeline.wire import Answer

UsageError: Any = typer.BadParameter.__base__  # what typer raises for all that is typed wrong; it has no public name
app = typer.Typer(help="Keep a live channel on air with a talking avatar.", no_args_is_help=True, add_completion=False)
config_app = typer.Typer(help="Look at a configuration.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(avatar.app, name="avatar")
app.command()(offline.render)
app.add_typer(dead.commands(lambda config, room, redis: _client(config, room, redis)), name="dead")
app.add_typer(systemd.app, name="systemd")
app.add_typer(outputs.app, name="outputs")
app.add_typer(models.app, name="models")
takeover.add_to(app)
app.add_typer(script.app, name="script")
app.add_typer(schedule.app, name="schedule")
app.add_typer(chat.app, name="chat")
app.add_typer(guard.app, name="guard")
app.add_typer(log_commands.app, name="log")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The room's configuration file.")]
RoomOption = Annotated[str | None, typer.Option("--room", help="The room's name, with --redis.")]
RedisOption = Annotated[str | None, typer.Option("--redis", help="The room's Redis, as redis://HOST:PORT/DB.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", help="Log more.")]


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="Configuration file.")],
    seconds: Annotated[float | None, typer.Option(min=1, help="Stop by itself after so long on air.")] = None,
    verbose: VerboseOption = False,
) -> None:
    """Go on air, and stay there until told to stop: a room, or a house of several."""
    from broadcaster import house, log, tenant
    from broadcaster.config import load_whole
    from broadcaster.config_house import is_house, load_house
    from broadcaster.notify import Notifier

    several = load_house(config) if is_house(config) else None
    if several is None:
        load_whole(config)
    _check_apart(config)
    log.configure("supervisor" if several is None else "house", verbose)
    if several is None:
        raise typer.Exit(tenant.supervise(config, Notifier(), seconds))
    raise typer.Exit(house.supervise(several, Notifier(), seconds))


@app.command()
def demo(
    seconds: Annotated[float | None, typer.Option(min=5, help="Stop by itself after so long on air.")] = None,
    out: Annotated[Path, typer.Option(help="Directory for the recording.")] = Path("out"),
) -> None:
    """Go on air on this machine alone: a presenter, a script, three viewers' answers, a recording."""
    from broadcaster.demo import Demo

    raise typer.Exit(Demo(out, seconds).run())


@config_app.command("check")
def config_check(config: Annotated[Path, typer.Argument(help="Configuration file.")]) -> None:
    """Say whether a room or a house can go on air, or what is wrong with it."""
    from broadcaster import checks
    from broadcaster.config_house import is_house, load_house

    if not is_house(config):
        _check_room(config)
        return
    house = load_house(config)
    for room in house.rooms:
        _check_room(room.path)
    for line in checks.check_house(house):
        typer.echo(line)
    typer.echo(f"{config}: good")


def _check_room(config: Path) -> None:
    from broadcaster import checks, outputs_kept
    from broadcaster.config import load_whole

    loaded = load_whole(config)
    for line in checks.check(loaded.config, str(config)):
        typer.echo(line)
    for line in outputs_kept.told(loaded.kept if not loaded.unfit else {}, loaded.void):
        typer.echo(line)
    if loaded.unfit:
        typer.echo(f"left out: what was changed on air does not fit: {loaded.unfit}", err=True)
    typer.echo(f"{config}: good")


@app.command()
def status(
    config: ConfigOption = None,
    room: RoomOption = None,
    redis: RedisOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """How a room is: what is on air, what waits, how its processes and outputs are."""
    from broadcaster.report import describe

    facts = _client(config, room, redis).status()
    if facts is None:
        raise ConfigError("the room is not on air: nobody has reported in the last 10 s")
    typer.echo(json.dumps(facts, indent=2) if as_json else describe(facts))


@app.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say.")],
    config: ConfigOption = None,
    room: RoomOption = None,
    redis: RedisOption = None,
    lane: Annotated[str | None, typer.Option(help="live | command | reply | scheduled | script")] = None,
    mode: Annotated[str | None, typer.Option(help="append | insert | now")] = None,
    identity: Annotated[str | None, typer.Option("--id", help="The same id is said once only.")] = None,
    ttl: Annotated[float | None, typer.Option(min=0, help="Seconds until it is stale.")] = None,
    at: Annotated[str | None, typer.Option(help="When to say it, as 2026-05-01T20:00:00+08:00")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it was aired.")] = False,
) -> None:
    """Push words to a room."""
    from broadcaster.utterance import check

    given = {"text": text, "lane": lane, "mode": mode, "id": identity, "ttl_s": ttl, "at": at}
    check({name: str(value) for name, value in given.items() if value is not None})
    client = _client(config, room, redis)
    since = client.newest_event()
    pushed = client.say(text, lane=lane, mode=mode, id=identity, ttl_s=ttl, at=at)
    typer.echo(pushed)
    if wait:
        ended = client.wait(pushed, since)
        if ended is None or ended["event"] not in ("utterance.aired", "utterance.duplicate"):
            raise ConfigError(f"{pushed}: {ended['event'] if ended else 'no answer'} {(ended or {}).get('reason', '')}")
        typer.echo(ended["event"].removeprefix("utterance."))


@app.command()
def ingest(
    url: Annotated[str, typer.Argument(help="Where to listen, as rtmp://127.0.0.1:1935/live/key")],
    out: Annotated[Path, typer.Argument(help="The MP4 to write; later sessions get a number.")],
) -> None:
    """Receive RTMP publishers on this machine, one file per session: for trying things out."""
    from broadcaster import log
    from streams.ingest import run as receive

    log.configure("ingest")
    receive(url, out)


@app.command()
def panic(
    text: Annotated[str, typer.Argument(help="A line for the slate.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Back to the programme.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show the slate and fall silent at once, without Redis or director; --off goes on with what was cut."""
    from broadcaster import orders
    from pipeline.wire import Panic

    order = Panic(on=not off, text=orders.slate_text(text, off))
    _told(orders.give(_runtime_dir(config), order, orders.PANIC_WAIT_S))


@app.command()
def reload(config: ConfigOption = None) -> None:
    """Have a room read its configuration again: script, voice, outputs and ack change on air."""
    from broadcaster import orders
    from pipeline.wire import Reload

    _told(orders.give(_runtime_dir(config), Reload(), orders.RELOAD_WAIT_S))


@app.command()
def upgrade(
    config: ConfigOption = None,
    outputs: Annotated[
        bool, typer.Option("--outputs", help="The pushers as well, one by one: each destination sees a reconnect.")
    ] = False,
) -> None:
    """Start a room's processes anew on air, with the code that is installed now; says each step."""
    from broadcaster import orders
    from pipeline.wire import Upgrade

    def tell(answer: Answer) -> None:
        for line in answer.lines:
            typer.echo(line)

    _told(orders.give(_runtime_dir(config), Upgrade(outputs), orders.STEP_WAIT_S, tell))


@app.command()
def doctor(
    config: Annotated[Path | None, typer.Argument(help="Configuration file; without one the machine alone.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    card: Annotated[
        str | None, typer.Option(help="Only say how flashtalk would do on this GPU, as h200; it need not be here.")
    ] = None,
) -> None:
    """Try all that a room needs of this machine and of others, and say what to do about what is wrong."""
    if card is not None:
        from broadcaster.doctor.gpu import forecasts

        for line in forecasts(card):
            typer.echo(line)
        return
    from broadcaster.doctor.examination import run as examine

    raise typer.Exit(examine(config, as_json=as_json))


def _runtime_dir(config: Path | None) -> Path:
    """Of the room of this configuration, or of the only one on air here."""
    from broadcaster import orders

    if config is None:
        return orders.the_room_on_air()
    from broadcaster import room

    return room.runtime_dir_of(config)


def _told(answer: Answer) -> None:
    """Print what became of an order; exit status 2 when it was refused."""
    if not answer.done:
        raise ConfigError("\n".join(answer.lines))
    for line in answer.lines:
        typer.echo(line)


def _check_apart(config: Path) -> None:
    """Check in a process of its own, which may load what the supervisor must not carry."""
    done = subprocess.run(
        [sys.executable, "-m", "broadcaster.cli", "config", "check", str(config)],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise typer.Exit(2)


def _client(config: Path | None, room: str | None, redis: str | None) -> Any:
    from broadcaster.client import Client

    if config is not None and room is None and redis is None:
        from broadcaster import room as rooms
        from broadcaster.config import load

        loaded = load(config)
        if loaded.redis is None and not (loaded.state_dir / rooms.RECORD).exists():
            raise ConfigError(f"room {loaded.room} is not on air: start it with `broadcaster run {config}`")
        return Client(loaded.room, rooms.redis_of(loaded))
    if config is None and room is not None and redis is not None:
        return Client(room, redis)
    raise ConfigError("say which room: either --config FILE, or --room NAME with --redis URL")


def main() -> None:
    """The program. Errors are one clear line each and exit status 2."""
    try:
        sys.exit(app(standalone_mode=False))
    except BroadcasterError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except UsageError as error:
        text = error.format_message().rstrip(".")
        if text:  # without a text it was help that was printed
            where = f"; see {error.ctx.command_path} --help" if error.ctx else ""
            typer.echo(f"error: {text}{where}", err=True)
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
