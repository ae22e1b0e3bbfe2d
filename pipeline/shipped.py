"""Where the files that come with the project lie: beside the packages, in a clone as in an installation."""

from __future__ import annotations

from pathlib import Path

CONFIGS = Path(__file__).parents[1] / "configs"
PRESENTER = CONFIGS / "avatars" / "host.png"
