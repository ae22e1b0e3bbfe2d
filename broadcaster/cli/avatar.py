"""`broadcaster avatar`: a picture made into an avatar, looked at, and its points placed by hand. No room is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from broadcaster.cli.offline import CropOption, EngineOption, SeedOption, SizeOption, section, sides

app = typer.Typer(help="Make and look at avatars.", no_args_is_help=True)

PictureArgument = Annotated[Path, typer.Argument(help="A portrait: PNG, JPEG, WebP …")]
PointsOption = Annotated[
    Path | None, typer.Option("--points", help="Its points; default: the .json beside it, else the face is found.")
]


@app.command()
def bake(
    picture: PictureArgument,
    points: PointsOption = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The .avatar file; default: beside it.")] = None,
    size: Annotated[str | None, typer.Option("--size", help="Crop to this size on air.", metavar="WxH")] = None,
) -> None:
    """Make a picture into an .avatar file, which `avatar.image` and --avatar take."""
    from pipeline.bake import bake

    baked = bake(picture, points, out, sides(size) if size else None)
    origin = f"points of {baked.points_from}" if baked.points_from else "one face found: look at it with preview"
    typer.echo(f"{baked.path}: {baked.size[0]}x{baked.size[1]}, {origin}")


@app.command()
def preview(
    avatar: Annotated[Path, typer.Argument(help="A picture, or an .avatar file.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The directory for both files; default: beside it.")
    ] = None,
    engine: EngineOption = "portrait",
    size: SizeOption = "448x768",
    crop: CropOption = "none",
    seed: SeedOption = 0,
) -> None:
    """Write two seconds of it talking, and a contact sheet: crop, points, what may move, rest, blink, turn, sounds."""
    from broadcaster.config import AvatarSection
    from broadcaster.preview import preview

    wanted = {"image": avatar, "engine": engine, "size": sides(size), "seed": seed, "crop": crop}
    made = preview(avatar, out, section(AvatarSection, wanted))
    typer.echo(f"{made.film}: two seconds of it")
    typer.echo(f"{made.sheet}: what is on air, points, what may move; rest, blink, turned; a, i, u, e, f, m")


@app.command()
def points(
    picture: PictureArgument,
    given: PointsOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of this machine; 0: any that is free.")] = 0,
) -> None:
    """Place eyes and mouth by hand, on a page in the browser, and save them beside the picture; Ctrl-C ends it."""
    from broadcaster.pointing import Pointing
    from broadcaster.web.points import serve_points

    pointing = Pointing(picture, given, typer.echo)
    try:
        serve_points(pointing, port, typer.echo)
    except KeyboardInterrupt:
        typer.echo("closed")
    finally:
        pointing.close()
