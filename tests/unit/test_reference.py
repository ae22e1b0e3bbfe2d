"""configs/reference.yaml says everything there is to say: each key, with its true default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from broadcaster.config import INNER, SECTIONS, Config, parse
from broadcaster.reference import REFERENCE, document, entries
from broadcaster.section import Section

ROOT = Path(__file__).parents[2]
DEFAULT = re.compile(r"Default: (\[.*?\]|\"[^\"]*\"|[^\s,]+?)[.,]?(?=\s|$)")
REQUIRED = {"room", "script.file", "evergreen.file", "schedule.name", "outputs.name", "outputs.url"} | {
    "voice.http.url",
    "voice.sherpa.model_dir",
    "chat.llm.url",
    "chat.llm.model",
    "chat.connectors.name",
    "chat.connectors.kind",
}
LEFT_OUT = {"script", "evergreen", "schedule", "chat", "guard", "outputs"}  # sections that a room may do without
SPOKEN = {"state_dir", "redis", "timezone", "avatar.image", *LEFT_OUT}  # defaults that take a sentence


def schema() -> dict[str, Any]:
    """Dotted key → default, for every key of the configuration."""
    keys: dict[str, Any] = {}
    for name, field in Config.model_fields.items():
        section = SECTIONS.get(name)
        if section is None or name in LEFT_OUT:
            keys[name] = field.default
        if section is not None:
            keys |= {f"{name}.{inner}": value.default for inner, value in section.model_fields.items()}
    for inner in ("http", "sherpa"):
        keys |= {f"voice.{inner}.{key}": value.default for key, value in INNER[inner].model_fields.items()}
    for inner in ("knowledge", "llm", "proactive", "connectors"):
        keys |= {f"chat.{inner}.{key}": value.default for key, value in INNER[inner].model_fields.items()}
    return {key: default for key, default in keys.items() if not isinstance(default, Section)}


def documented() -> Iterator[tuple[str, str]]:
    """Dotted key and the comment above it, for every key of the file."""
    for entry in entries(REFERENCE.read_text(encoding="utf-8")):
        yield entry.name, entry.text


def test_every_key_is_documented_and_no_other() -> None:
    sections = set(SECTIONS) - LEFT_OUT | {"chat.knowledge"}  # none of them can be left out
    assert {key for key, _ in documented()} - sections == set(schema())


@pytest.mark.parametrize(("key", "comment"), list(dict(documented()).items()))
def test_the_default_is_the_one_written(key: str, comment: str) -> None:
    comments = [text for name, text in documented() if name == key and text]
    if key in REQUIRED:
        assert any("Required" in text for text in comments)
    elif key in SPOKEN:
        assert any("Default" in text or "Left out" in text for text in comments)
    elif key in schema():
        written = next(match[1] for text in comments if (match := DEFAULT.search(text)))
        default = schema()[key]
        assert yaml.safe_load(written) == (list(default) if isinstance(default, tuple) else default)


def test_the_reference_is_itself_a_configuration() -> None:
    parse(yaml.safe_load(REFERENCE.read_text(encoding="utf-8")), "reference.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_is_a_configuration(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STREAM_KEY", "DEMO_PORT", "DEMO_CONTROL_PORT", "DEMO_STATE_DIR"):
        monkeypatch.setenv(name, "1935")
    made = parse(yaml.safe_load(path.read_text(encoding="utf-8")), path.name)
    files = [section.file for section in (made.script, made.evergreen) if section]
    assert all((ROOT / file).exists() for file in files)


def test_the_documented_page_is_the_reference() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == document(), "run `make docs`"
