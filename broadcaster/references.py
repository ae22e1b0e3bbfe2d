"""Secrets by reference: ${NAME} and ${file:PATH} in any string of a configuration.

In: plain values, and where they come from, for errors. Out: the same with the secrets in their places: NAME is a
systemd credential ($CREDENTIALS_DIRECTORY/NAME), else a variable of the environment. ConfigError names what is missing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError

REFERENCE = re.compile(r"\$\{(?:(file):)?([^}]+)\}")


def resolved(value: Any, source: str) -> Any:
    """Put secrets in the place of ${NAME} and ${file:PATH}, in every string of the tree."""
    if isinstance(value, dict):
        return {key: resolved(inner, source) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, source) for inner in value]
    if isinstance(value, str):
        return REFERENCE.sub(lambda match: _secret(match[1], match[2], source), value)
    return value


def _secret(kind: str | None, name: str, source: str) -> str:
    if kind == "file":
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{source}: ${{file:{name}}} cannot be read: {error}") from error
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and (Path(credentials) / name).is_file():
        return (Path(credentials) / name).read_text(encoding="utf-8").strip()
    if name in os.environ:
        return os.environ[name]
    raise ConfigError(f"{source}: ${{{name}}} is set neither as a systemd credential nor in the environment")
