"""`broadcaster render`, which needs no room, and the options that it shares with `broadcaster avatar`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.errors import ConfigError

SizeOption = Annotated[str, typer.Option("--size", help="Width and height in pixels, even.", metavar="WxH")]
AvatarOption = Annotated[
    Path | None, typer.Option("--avatar", help="A picture with its points, or an .avatar file; default: the presenter.")
]
EngineOption = Annotated[
    str, typer.Option("--engine", help="Who draws: portrait, pattern, flashtalk, flashhead-pro, -lite or -pretrained.")
]
WeightsOption = Annotated[
    Path | None, typer.Option("--weights", help="Model directory or run-time file, for an engine with weights.")
]
PromptOption = Annotated[str | None, typer.Option(help="What is to be seen, for flashtalk.")]
DeviceOption = Annotated[str | None, typer.Option(help="cpu, cuda, or auto: a GPU where there is one.")]
StepsOption = Annotated[
    int | None, typer.Option(help="Passes over each chunk, for an engine with weights. Default: 4, a teacher's 20.")
]
CropOption = Annotated[str, typer.Option("--crop", help="none, or face: with the part around the face alone.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Decides blinks and sway.")]


def render(
    out: Annotated[Path, typer.Argument(help="The MP4 to make.")],
    audio: Annotated[Path | None, typer.Option(help="A file with the sound: WAV, MP3, any that libav reads.")] = None,
    text: Annotated[str | None, typer.Option(help="What to say.")] = None,
    script: Annotated[Path | None, typer.Option(help="A script file: .md, .txt, .csv or .jsonl.")] = None,
    avatar: AvatarOption = None,
    engine: EngineOption = "portrait",
    weights: WeightsOption = None,
    prompt: PromptOption = None,
    device: DeviceOption = None,
    steps: StepsOption = None,
    config: Annotated[
        Path | None, typer.Option(help="Of a room: its voice, with its dictionary, speech server and model.")
    ] = None,
    voice: Annotated[
        str | None, typer.Option(help="A provider's voice, or a language. Default: the room's, or en.")
    ] = None,
    provider: Annotated[
        list[str] | None,
        typer.Option(help="A voice provider; given again, the next one to ask. Default: the room's, or espeak."),
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Speed of speech, 0.5 to 2. Default: the room's, or 1.")] = None,
    size: SizeOption = "448x768",
    crop: CropOption = "none",
    seed: SeedOption = 0,
    label: Annotated[str | None, typer.Option(help="Wording of the notice that a machine speaks.")] = None,
    corner: Annotated[str | None, typer.Option(help="Where the notice stands, as top-left.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew, over what is there.")] = False,
) -> None:
    """Make a talk into an MP4 file, offline; the same command goes on where it was interrupted."""
    from broadcaster import log
    from broadcaster.config import AvatarSection, LabelSection
    from broadcaster.render.job import Request, render
    from broadcaster.render.progress import progress

    options = {"prompt": prompt, "device": device, "steps": steps}
    drawn = {"image": avatar, "engine": engine, "size": sides(size), "crop": crop, "seed": seed, "weights": weights}
    drawn |= {name: value for name, value in options.items() if value is not None}
    notice = {name: value for name, value in (("text", label), ("corner", corner)) if value is not None}
    request = Request(
        out,
        audio=audio,
        text=text,
        script=script,
        avatar=section(AvatarSection, drawn),
        voice=_voice(config, {"name": voice, "rate": rate, "chain": provider or None}),
        label=section(LabelSection, notice),
        restart=restart,
    )
    log.configure("render")
    shown = progress()
    try:
        made = render(request, shown)
    except KeyboardInterrupt:
        shown.note(f"stopped; the same command goes on with {out}.part")
        raise
    finally:
        shown.close()
    typer.echo(f"{out}: {made.frames} pictures, {made.seconds:.2f} s")


def _voice(config: Path | None, options: dict[str, Any]) -> Any:
    """The section `voice` of a room, if any, and what the options say instead."""
    from broadcaster.config import load
    from broadcaster.config_voice import VoiceSection
    from tts.settings import ProviderSettings

    furnished = [name for name in options["chain"] or () if name in ProviderSettings.__struct_fields__]
    if furnished and config is None:
        name = furnished[0]
        raise ConfigError(f"--provider {name}: needs the section voice.{name} of a room; name its file with --config")
    of_room = load(config).voice.model_dump() if config else {}
    return section(VoiceSection, of_room | {name: value for name, value in options.items() if value is not None})


def section(model: Any, values: dict[str, Any]) -> Any:
    """A section of the configuration from options; ConfigError names the option."""
    from pydantic import ValidationError

    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        text = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise ConfigError(text) from None
        raise ConfigError(f"--{OPTION_OF.get(str(first['loc'][0]), first['loc'][0])}: {text}") from None


OPTION_OF = {"name": "voice", "chain": "provider", "image": "avatar", "text": "label"}
"""Options that are called otherwise than the keys of the configuration."""


def sides(size: str) -> tuple[int, int]:
    width, _, height = size.lower().replace("×", "x").partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"--size: {size!r}: write WIDTHxHEIGHT, as 448x768")
    return int(width), int(height)
