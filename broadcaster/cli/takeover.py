"""The commands `pause | resume | skip | goto | sections | person | variables | takeover`: an operator's hand on a room.

They go to the director's own socket in the room's runtime directory, which only its user may enter: no token is needed,
and none is in argv.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from broadcaster.names import CONTROL_SOCKET
from pipeline.errors import ConfigError

app = typer.Typer(help="Talk into a room, or paste a script into it.", no_args_is_help=True)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The room's configuration file.")]
NowOption = Annotated[bool, typer.Option("--now", help="At once, not at the end of the sentence.")]

ANSWER_WAIT_S = 30.0
TALK_WAIT_S = 10.0  # for the room's word after the end
BLOCK_S = 0.02
RATES_HZ = (16_000, 24_000, 48_000)
ALIASES = {".markdown": ".md", ".ndjson": ".jsonl"}


def add_to(main: typer.Typer) -> None:
    """The orders are commands of the program itself."""
    for command in (pause, resume, skip, goto, sections, person, variables):
        main.command()(command)
    main.add_typer(app, name="takeover")


def pause(now: NowOption = False, config: ConfigOption = None) -> None:
    """Let lane live alone speak: a person's voice, and what a presenter pushes there."""
    typer.echo(_ordered(config, "POST", "/pause", {"now": now})["done"])


def resume(config: ConfigOption = None) -> None:
    """Go on where the show was paused."""
    typer.echo(_ordered(config, "POST", "/resume")["done"])


def skip(now: NowOption = False, config: ConfigOption = None) -> None:
    """Drop the rest of what is on air."""
    typer.echo(_ordered(config, "POST", "/skip", {"now": now})["done"])


def goto(
    section: Annotated[str, typer.Argument(help="A name that `broadcaster sections` lists.")],
    now: NowOption = False,
    config: ConfigOption = None,
) -> None:
    """Go on with the script at a section."""
    typer.echo(_ordered(config, "POST", "/goto", {"section": section, "now": now})["done"])


def sections(config: ConfigOption = None) -> None:
    """List the sections of the script, as goto takes them."""
    for name in _ordered(config, "GET", "/sections")["sections"]:
        typer.echo(name)


def person(
    name: Annotated[str | None, typer.Argument(help="Who comes into the picture; left out: who can.")] = None,
    config: ConfigOption = None,
) -> None:
    """Have a person come into the picture at the end of the sentence, or list whom the room has."""
    if name is not None:
        typer.echo(_ordered(config, "POST", "/person", {"person": name})["done"])
        return
    told = _ordered(config, "GET", "/persons")
    for one in told["persons"]:
        typer.echo(f"{one}  (in the picture)" if one == told["on_air"] else one)


def variables(
    given: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="As viewers=123; an empty value forgets it.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Tell the scripts of a room what only you know, or list what they were told."""
    told = dict(_variable(one) for one in given or ())
    answer = _ordered(config, "PUT", "/variables", told) if told else _ordered(config, "GET", "/variables")
    for name, value in sorted(answer["variables"].items()):
        typer.echo(f"{name}={value}")


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"{text}: write NAME=VALUE, as viewers=123")
    return name, value


@app.command()
def script(
    file: Annotated[
        Path | None, typer.Argument(help="A script file: .md, .txt, .csv, .tsv or .jsonl; left out: standard input.")
    ] = None,
    back: Annotated[bool, typer.Option("--back", help="Back to the script of the configuration.")] = False,
    config: ConfigOption = None,
) -> None:
    """Replace the running script; it is kept until --back."""
    if back:
        typer.echo(_ordered(config, "DELETE", "/script")["done"])
        return
    try:
        data = sys.stdin.buffer.read() if file is None else file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    from broadcaster.pasted import KINDS, SUFFIXES

    suffix = ALIASES.get(file.suffix.lower(), file.suffix.lower()) if file else ".md"
    kind = next((kind for kind, known in KINDS.items() if known == suffix), None)
    if kind is None:
        raise ConfigError(f"{file}: {suffix or 'no suffix'} tells of no kind of script; name it {', '.join(SUFFIXES)}")
    typer.echo(_ordered(config, "POST", "/script", data, kind)["done"])


@app.command()
def talk(
    rate: Annotated[int, typer.Option(help=f"Samples a second: {', '.join(map(str, RATES_HZ))}.")] = 48_000,
    now: NowOption = False,
    config: ConfigOption = None,
) -> None:
    """Say what comes on standard input: PCM, 16 bits, mono, as `arecord -q -t raw -f S16_LE -r 48000 -c 1` gives it."""
    if rate not in RATES_HZ:
        raise ConfigError(f"--rate {rate}: it is none of {', '.join(map(str, RATES_HZ))}")
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import unix_connect

    path = _socket(config)
    uri = f"ws://localhost/voice?mode={'now' if now else 'insert'}"
    try:
        with unix_connect(str(path), uri, compression=None) as line:
            line.send(json.dumps({"format": f"pcm{rate}"}))
            line.recv(timeout=TALK_WAIT_S)
            line.send('{"type": "talk"}')
            teller = threading.Thread(target=_tell, args=(line,), daemon=True)
            teller.start()
            for block in _paced(rate):
                line.send(block)
            line.send('{"type": "release"}')
            teller.join(TALK_WAIT_S)
            if line.close_reason:
                raise ConfigError(f"the talk ended: {line.close_reason}")
    except (WebSocketException, OSError, TimeoutError) as error:
        raise ConfigError(f"the talk ended: {error}") from error


def _paced(rate: int) -> Iterator[bytes]:
    """Standard input, never faster than it is heard: a file is sent as a microphone would."""
    size = round(rate * BLOCK_S) * 2
    began_s, sent = time.monotonic(), 0
    while block := sys.stdin.buffer.read(size):
        yield block[: len(block) // 2 * 2]
        sent += len(block)
        time.sleep(max(0.0, began_s + sent / (2 * rate) - time.monotonic()))


def _tell(line: Any) -> None:
    """Print what becomes of the talk, until it has ended."""
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed):  # why is told by who sends
        for message in line:
            told = json.loads(message)
            typer.echo(" ".join(filter(None, (told["type"], told.get("reason")))))
            if told["type"] == "ended":
                return


class _Local(http.client.HTTPConnection):
    """HTTP over the room's socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_WAIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _ordered(
    config: Path | None, method: str, path: str, body: dict[str, Any] | bytes | None = None, kind: str = ""
) -> dict[str, Any]:
    """The room's answer; ConfigError with its own words when it refused."""
    where = _socket(config)
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    headers = {"content-type": kind or "application/json"} if data is not None else {}
    line = _Local(where)
    try:
        line.request(method, path, data, headers)
        answer = line.getresponse()
        told: dict[str, Any] = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ConfigError(f"the room does not answer in {where.parent}: {error}") from error
    finally:
        line.close()
    if answer.status >= 400:
        raise ConfigError("\n".join(told.get("mistakes") or [str(told.get("error", answer.reason))]))
    return told


def _socket(config: Path | None) -> Path:
    """Of the room of this configuration, or of the only one on air here."""
    from broadcaster import orders, room

    return (orders.the_room_on_air() if config is None else room.runtime_dir_of(config)) / CONTROL_SOCKET
