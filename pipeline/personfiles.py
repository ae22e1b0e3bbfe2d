"""The persons of a room: a directory of pictures, and what each of them is called.

In: the room's own picture, a directory. Out: names and files, the room's own first; ConfigError says what is wrong with
a file's name. A person is called as its file, without suffix, in small letters. A `.avatar` file goes before a picture
of the same name, which it was made of. It opens no picture.
"""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.shipped import PRESENTER

BAKED = ".avatar"
SUFFIXES = (BAKED, ".png", ".jpg", ".jpeg", ".webp")  #: all other files are passed over
NAME = re.compile(r"\w[\w .-]{0,39}")  #: what can be written in a mark
PERSONS_MAX = 16  #: each is opened by every engine at its start, and lies in its cache


def named(path: Path) -> str:
    """What the person in this file is called."""
    return " ".join(path.stem.lower().split())


def persons(image: Path | None, directory: Path | None) -> dict[str, Path]:
    """Names and files; without a directory the room's own alone. image: None = the shipped presenter."""
    own = image or PRESENTER
    found = {named(own): own}
    if directory is None:
        return found
    for path in _pictures(directory):
        name = named(path)
        if not NAME.fullmatch(name):
            raise ConfigError(
                f"{path}: nobody can be called {name!r} in a mark; 1 to 40 letters, digits, spaces, '.', '-' and '_', "
                "beginning with a letter or digit"
            )
        known = found.setdefault(name, path)
        if known.resolve() != path.resolve() and not _made_of(known, path):
            raise ConfigError(f"{path}: {known} is called {name!r} as well; give one of them another name")
    if len(found) > PERSONS_MAX:
        raise ConfigError(f"{directory}: {len(found)} persons; {PERSONS_MAX} at most")
    return found


def _pictures(directory: Path) -> list[Path]:
    """Its pictures by name, of each name the `.avatar` file first."""
    try:
        files = [path for path in directory.iterdir() if path.suffix.lower() in SUFFIXES]
    except OSError as error:
        raise ConfigError(f"{directory}: {error.strerror}; a directory of pictures is needed") from error
    return sorted(
        (path for path in files if not path.name.startswith(".")),
        key=lambda path: (named(path), path.suffix.lower() != BAKED, path.name),
    )


def _made_of(known: Path, path: Path) -> bool:
    """Whether one of the two is the other's `.avatar` file, beside it."""
    kinds = {known.suffix.lower() == BAKED, path.suffix.lower() == BAKED}
    return kinds == {True, False} and known.resolve().parent == path.resolve().parent
