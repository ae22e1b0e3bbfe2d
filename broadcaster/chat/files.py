"""The files that a room answers from, looked at before it goes on air.

In: the section of the configuration. Out: a line for each thing found good; ConfigError names every file that cannot be
used, with line and column of its mistakes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from broadcaster.chat import blocked, faq, persona, remarks
from broadcaster.chat.rules import Rules
from broadcaster.config_chat import ChatSection
from broadcaster.script import products
from pipeline.errors import BadInput, ConfigError


def checked(section: ChatSection) -> list[str]:
    """ConfigError says what is wrong, of all of them."""
    llm, proactive = section.llm, section.proactive
    looks: list[tuple[str, Path | None, Callable[[Path], str]]] = [
        ("rules", section.rules, lambda path: f"{len(Rules.load(path))} rules"),
        *(("faq", path, lambda path: f"{len(faq.load(path).entries)} entries") for path in section.faq),
        ("products", section.products, lambda path: f"{len(products.load(path))} products"),
        ("blocked_users", section.blocked_users, lambda path: f"{len(blocked.read(path))} viewers"),
        ("blocked_words", section.blocked_words, lambda path: f"{len(blocked.read(path))} words"),
        ("llm.persona", llm.persona if llm else None, lambda path: f"{len(persona.load(path))} characters"),
        ("proactive.file", proactive.file if proactive else None, _remarks),
    ]
    lines, faults = [], []
    for key, path, look in looks:
        try:
            if path is not None:
                lines.append(f"chat.{key}: {path}, {look(path)}")
        except BadInput as error:
            faults += [f"chat.{key}: {line}" for line in str(error).splitlines()]
    if faults:
        raise ConfigError("\n".join(faults))
    return lines or ["chat: no files; a language model alone answers" if llm else "chat: nobody knows any answer"]


def _remarks(path: Path) -> str:
    return f"{sum(map(len, remarks.load(path).by_occasion.values()))} remarks"
