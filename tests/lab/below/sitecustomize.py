"""Runs at the start of every Python process of a lab's room, below the product: enters the lab's engine and voice.

In: $BROADCASTER_LAB, the directory of the files that say what is to fail; $BROADCASTER_LAB_HASTE_S. The product's
modules are changed as they are imported; nothing else of the process is.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tests.lab import table


class _After(importlib.abc.MetaPathFinder):
    """Finds what the others find, and has it changed once it was run."""

    def __init__(self, changes: dict[str, Callable[[ModuleType], None]]) -> None:
        self._changes = changes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        change = self._changes.pop(name, None)
        if change is None:
            return None
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_change(module: ModuleType) -> None:
                run(module)
                change(module)

            spec.loader.exec_module = run_and_change  # type: ignore[method-assign]
        return spec


def _engines(module: ModuleType) -> None:
    module.ENGINES.update(table.ENGINES)
    module.MODELS.update(table.MODELS)


def _ranks(module: ModuleType) -> None:
    module.RANKED.update(table.RANKED)


def _voices(module: ModuleType) -> None:
    module.PROVIDERS.update(table.PROVIDERS)


def _haste(module: ModuleType) -> None:
    """Tiers are tried again, and count as steady, after so many seconds in the place of a minute."""
    if haste_s := os.environ.get("BROADCASTER_LAB_HASTE_S"):
        module.TRIAL_S = module.STEADY_S = float(haste_s)


if os.environ.get("BROADCASTER_LAB"):
    changes = {"pipeline.engine": _engines, "pipeline.follower": _ranks, "tts.synthesizer": _voices}
    sys.meta_path.insert(0, _After({**changes, "broadcaster.watch": _haste}))
