"""The commands `schedule ls | next | add | rm | restore | run`: what is planned, and changes to it, on air or not."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broadcaster.cli import outputs
from pipeline.errors import ConfigError
from pipeline.wire import ChangeSchedule

if TYPE_CHECKING:
    from broadcaster.config import Config
    from broadcaster.schedule.jobs import Job

app = typer.Typer(help="What is planned to be said, and when.", no_args_is_help=True)

TheConfigOption = Annotated[Path, typer.Option("--config", help="The room's configuration file.")]
NameArgument = Annotated[str, typer.Argument(help="The job's name.")]


@app.command()
def ls(config: TheConfigOption) -> None:
    """The jobs of a room: when, what, the next run and the last; those that were changed by hand are marked."""
    from broadcaster.config import load
    from broadcaster.schedule import kept, record

    loaded = load(config)
    known = record.load(loaded.state_dir)
    jobs, standing = kept.jobs(_filed(loaded), kept.load(loaded.state_dir), loaded.timezone or "")
    now_s = time.time()
    for job in jobs:
        last = known.known.get(job.name)
        began = f", last {_local(job, last.began_s)}" if last and last.began_s else ""
        coming = job.trigger().after(now_s)
        typer.echo(f"{job.name:<16} {job.when():<28} {job.what()}{'  (added by hand)' if job.added else ''}")
        typer.echo(f"{'':<16} {f'next {_local(job, coming)}' if coming else 'no further run'}{began}")
    for name, change in standing.items():
        if change.what == "remove":
            typer.echo(f"{name:<16} removed by hand; `broadcaster schedule restore {name}` brings it back")
    if known.on is not None:
        typer.echo(f"on: {known.on.job.name}, planned for {_local(known.on.job, known.on.planned_s)}")
    if known.off:
        typer.echo("the channel is stopped")
    if not jobs and not standing:
        typer.echo("the schedule is empty")


@app.command("next")
def coming(
    config: TheConfigOption,
    count: Annotated[int, typer.Option("-n", min=1, max=1000, help="So many runs.")] = 10,
) -> None:
    """The coming runs of all jobs, in order, each in its own zone."""
    from broadcaster.config import load
    from broadcaster.schedule import kept

    loaded = load(config)
    jobs, _ = kept.jobs(_filed(loaded), kept.load(loaded.state_dir), loaded.timezone or "")
    found: list[tuple[float, str, Job]] = []
    for job in jobs:
        trigger, moment_s = job.trigger(), time.time()
        for _ in range(count):
            following = trigger.after(moment_s)
            if following is None:
                break
            moment_s = following
            found.append((moment_s, job.name, job))
    for moment_s, name, job in sorted(found, key=lambda one: one[:2])[:count]:
        typer.echo(f"{_local(job, moment_s)}  {name:<16} {job.what()}")


@app.command()
def add(
    name: NameArgument,
    script: Annotated[Path | None, typer.Option(help="File of the programme.")] = None,
    action: Annotated[str | None, typer.Option(help="start | stop: of the channel.")] = None,
    cron: Annotated[str | None, typer.Option(help="As '0 20 * * mon-fri'.")] = None,
    date: Annotated[str | None, typer.Option(help="As 2026-12-24T20:00:00.")] = None,
    every: Annotated[str | None, typer.Option(help="As 30m.")] = None,
    between: Annotated[str | None, typer.Option(help="With --every, as 10:00-22:00.")] = None,
    timezone: Annotated[str | None, typer.Option(help="As Europe/Berlin; otherwise the room's.")] = None,
    priority: Annotated[int | None, typer.Option(help="0 to 9.")] = None,
    overlap: Annotated[str | None, typer.Option(help="queue | skip | replace")] = None,
    misfire_s: Annotated[float | None, typer.Option("--misfire-s", help="How late it may still begin.")] = None,
    config: outputs.ConfigOption = None,
) -> None:
    """Plan one more job, whatever the file says; it stays over restarts."""
    from broadcaster.config import checked_job

    given: dict[str, Any] = {
        "script": str(script.resolve()) if script else None,  # the room may run in another directory
        "action": action,
        "cron": cron,
        "date": date,
        "every": every,
        "between": between,
        "timezone": timezone,
        "priority": priority,
        "overlap": overlap,
        "misfire_s": misfire_s,
    }
    typed = {key: value for key, value in given.items() if value is not None}
    job = checked_job({"name": name, **typed}, "schedule add").model_dump(mode="json", exclude_none=True)
    _check(job)
    _order(config, ChangeSchedule("add", name, job))


@app.command()
def rm(name: NameArgument, config: outputs.ConfigOption = None) -> None:
    """Run this job no more; what of it is on air is finished."""
    _order(config, ChangeSchedule("remove", name))


@app.command()
def restore(name: NameArgument, config: outputs.ConfigOption = None) -> None:
    """Forget what was changed by hand: the configuration file alone counts again for this job."""
    _order(config, ChangeSchedule("restore", name))


@app.command()
def run(name: NameArgument, config: outputs.ConfigOption = None) -> None:
    """Run this job now, at the next sentence end; its own times stay as they are."""
    _order(config, ChangeSchedule("run", name))


def _check(section: dict[str, Any]) -> None:
    """Say what is wrong with its time or its file, before a room is asked."""
    from broadcaster.schedule.jobs import job_of, verify
    from broadcaster.script.load import load

    job = job_of(section, "")
    verify(job)
    if job.script:
        load(Path(job.script))


def _order(config: Path | None, order: ChangeSchedule) -> None:
    """Have the room do it; where it is off air, have it begin so."""
    from broadcaster import orders

    runtime_dir = outputs.on_air(config) if config is not None else orders.the_room_on_air()
    if runtime_dir is None:
        assert config is not None
        _change_off_air(config, order)
        return
    answer = orders.give(runtime_dir, order, orders.ERRAND_WAIT_S)
    if not answer.done:
        raise ConfigError("\n".join(answer.lines))
    for line in answer.lines:
        typer.echo(line)


def _change_off_air(config: Path, order: ChangeSchedule) -> None:
    from broadcaster import room
    from broadcaster.config import load
    from broadcaster.schedule import kept
    from broadcaster.schedule.jobs import job_of, verify_new

    if order.what == "run":
        raise ConfigError("the room is off air: nothing can be run now")
    with room.state_held(load(config).state_dir):
        loaded = load(config)
        filed = _filed(loaded)
        if order.what == "add":
            verify_new(job_of({**order.given, "name": order.name}, loaded.timezone or ""), time.time())
        changes = kept.changed(kept.load(loaded.state_dir), filed, order.what, order.name, order.given)
        _, standing = kept.jobs(filed, changes, loaded.timezone or "")
        try:
            kept.save(loaded.state_dir, standing)
        except OSError as error:
            raise ConfigError(f"{loaded.state_dir / kept.FILE}: {error.strerror}") from error
    typer.echo(kept.told(order.what, order.name))
    typer.echo("the room is off air: it begins with this")


def _filed(loaded: Config) -> list[dict[str, Any]]:
    return [job.model_dump(mode="json", exclude_none=True) for job in loaded.schedule]


def _local(job: Job, moment_s: float) -> str:
    from broadcaster.zone import zone_of

    return datetime.fromtimestamp(moment_s, zone_of(job.timezone)).strftime("%Y-%m-%d %H:%M:%S %Z")
