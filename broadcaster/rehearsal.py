"""What the code that is installed now would do with these sections: tried without touching anything that runs.

In: the plans of the children. Out: nothing, or ConfigError with the child and the reason. It loads what a child loads,
in a process that is not one of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import msgspec

from broadcaster.child import KINDS
from broadcaster.children import Plan
from pipeline.errors import ConfigError


def rehearse(plans: Sequence[Plan]) -> None:
    """Load each child's module, and have its section read."""
    for plan in [tier for one in plans for tier in (one, *one.below)]:
        if plan.kind not in KINDS:  # a foreign program
            continue
        module_name, _, spec_name = KINDS[plan.kind].partition(":")
        try:
            module = importlib.import_module(module_name)
            msgspec.convert(dict(plan.spec), getattr(module, spec_name))
        except Exception as error:  # whatever the new code does: it is not on air yet
            raise ConfigError(f"{plan.name}: the new code does not start: {type(error).__name__}: {error}") from error
