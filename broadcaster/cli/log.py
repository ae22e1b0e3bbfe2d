"""The command `log said`: what viewers heard, when, and where it came from, whether the room is on air or not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from broadcaster.saidlog import Said

AGO = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?")
CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
SOURCE_SHOWN = 36  # columns; the end of it tells more than its beginning
HEAD = f"{'began':<19}  {'s':>6}  {'lane':<9}  {'source':<{SOURCE_SHOWN}}  {'voice':<28}  words"

app = typer.Typer(help="Look at what a room has kept of its past.", no_args_is_help=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The room's configuration file; default: the state directory ./var.")
]
SinceOption = Annotated[
    str, typer.Option("--since", help="From then on: 90s, 30m, 1h, 2d ago, 20:00 today, 2026-05-01, or RFC 3339.")
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Up to then, written as --since is.")]
SourceOption = Annotated[
    str | None, typer.Option("--source", help="Only what comes from here: part of a source, as shop.md:12 or queue.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: one object a line, texts whole.")]


@app.command()
def said(
    since: SinceOption = "1h",
    until: UntilOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Every sentence that viewers heard, oldest first; its time is local, its length in seconds."""
    import msgspec

    from broadcaster.saidlog import DIRECTORY, read

    state_dir, zone = _room(config)
    directory = state_dir / DIRECTORY
    if not directory.is_dir():
        hint = "nothing was said there yet" if config else "name the room with --config FILE"
        raise ConfigError(f"{directory}: not there; {hint}")
    now = datetime.now(zone)
    since_s, until_s = moment("--since", since, now), moment("--until", until, now) if until else float("inf")
    found = (one for one in read(directory, since_s, until_s) if _is_from(one, source))
    if as_json:
        for one in found:
            typer.echo(msgspec.json.encode(one).decode())
        return
    for line in table(found):
        typer.echo(line)


def moment(option: str, text: str, now: datetime) -> float:
    """Unix seconds of a time as people write it, ago or of the calendar; by the clock of `now` without an offset."""
    ago = AGO.fullmatch(text)
    try:
        if text and ago:
            days, hours, minutes, seconds = (int(part or 0) for part in ago.groups())
            ago_s = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
            return now.timestamp() - ago_s
        if CLOCK.fullmatch(text):
            hour, _, rest = text.partition(":")
            return datetime.combine(now.date(), time.fromisoformat(f"{hour:0>2}:{rest}"), now.tzinfo).timestamp()
        if len(text) == len("2026-05-01"):
            return datetime.combine(date.fromisoformat(text), time(), now.tzinfo).timestamp()
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=now.tzinfo)).timestamp()
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{option}: {text[:40]!r} is no time; write 30m, 1h, 2d, 20:00, 2026-05-01 or 2026-05-01T20:00:00+08:00"
        ) from error


def table(records: Iterator[Said]) -> Iterator[str]:
    """Lines for a person."""
    first = next(records, None)
    if first is None:
        yield "nothing was said in that time"
        return
    yield HEAD
    for one in chain([first], records):
        yield _row(one)


def _row(one: Said) -> str:
    began = datetime.fromisoformat(one.begin)
    source = one.source if len(one.source) <= SOURCE_SHOWN else "…" + one.source[1 - SOURCE_SHOWN :]
    voice = "/".join(part for part in (one.provider, one.voice) if part)
    words = one.text if one.noted else f"(its words are not known) {one.utterance}/{one.sentence}"
    ended = f"  [{one.ended}]" if one.ended else ""
    length = f"{one.heard_s:>6.1f}"
    return f"{began:%Y-%m-%d %H:%M:%S}  {length}  {one.lane:<9}  {source:<{SOURCE_SHOWN}}  {voice:<28}  {words}{ended}"


def _is_from(one: Said, source: str | None) -> bool:
    return source is None or source.lower() in one.source.lower()


def _room(config: Path | None) -> tuple[Path, ZoneInfo | None]:
    """State directory and time zone. Nothing else of the file is looked at, so no secret is needed."""
    default = os.environ.get("STATE_DIRECTORY", "var")
    if config is None:
        return Path(default), None
    from broadcaster.config import read

    tree = read(config)
    zone = tree.get("timezone")
    try:
        return Path(str(tree.get("state_dir") or default)), ZoneInfo(str(zone)) if zone else None
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise ConfigError(f"{config}: timezone: {zone!r} is not known; write it as Asia/Shanghai") from error
