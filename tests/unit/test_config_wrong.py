"""Every key of the configuration wrong once: refused by its name, without a value that may be a secret."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from broadcaster.config import Config, parse
from pipeline.errors import ConfigError

SECRET = "sk_live_9f8e7d"
NONSENSE = ({"no": {"such": SECRET}}, [[SECRET]], f"\0{SECRET}", -(10**30), float("nan"), None)
NEEDED: dict[str, Any] = {
    "script": {"file": "a.md"},
    "evergreen": {"file": "a.md"},
    "outputs": [{"name": "a", "url": "file:a.mp4"}],
}
"""Sections that need more than the key that is wrong."""
REPEATED = ("ack", "engine", "listen", "room")  # names, which hold no secrets


def keys(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        path = (*above, field.alias or name)
        yield path
        for inner in models(field.annotation):
            yield from keys(inner, path)


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a field may hold, in lists and options too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType, tuple, list):
        for inner in typing.get_args(annotation):
            yield from models(inner)


def tree(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A configuration with this one key wrong."""
    made: Any = value
    for name in reversed(path[1:]):
        made = {name: made}
    needed = NEEDED.get(path[0])
    if len(path) > 1 and isinstance(needed, list):
        made = [{**needed[0], **made}]
    elif len(path) > 1 and needed is not None:
        made = {**needed, **made}
    elif path[:2] == ("avatar", "tiers") and len(path) > 2:
        made = {"tiers": [made["tiers"]]}
    return {"room": "shop", path[0]: made}


@pytest.mark.parametrize("path", sorted(set(keys(Config))), ids=".".join)
def test_a_key_with_nonsense_is_refused_by_its_name(path: tuple[str, ...]) -> None:
    refused = 0
    for value in NONSENSE:
        try:
            parse(tree(path, value), "shop.yaml")
        except ConfigError as error:
            refused += 1
            text = str(error)
            assert text.startswith("shop.yaml: ")
            assert SECRET not in text or path[-1] in REPEATED, "it may be a secret"
            assert path[-1] in text or path[-2] in text, text
    assert refused >= 3  # null is "left out" for some, text is text for others


def test_a_configuration_that_is_no_mapping_is_refused() -> None:
    for value in (None, 7, "shop", ["shop"], {7: 8}):
        with pytest.raises(ConfigError):
            parse(value, "shop.yaml")  # type: ignore[arg-type]
