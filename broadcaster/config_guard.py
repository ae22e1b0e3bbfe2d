"""The configuration's section `guard`: what no lane may say, and what is said instead.

In: values of a file. Out: a checked section; that its files can be used is looked at by `broadcaster config check`.
Every key: configs/reference.yaml.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from broadcaster.section import Section
from pipeline.shipped import CONFIGS

LISTS_MAX = 50
PHRASE_MAX_CHARS = 100
COMMON = "common"  # loaded anyway

RuleName = Literal["words", "claims", "facts", "personal", "diversion", "injection", "abuse", "illegal"]


class GuardSection(Section):
    lists: tuple[Path, ...] = Field(default=(), max_length=LISTS_MAX)
    platform: str | None = None
    products: Path | None = None
    allow: tuple[str, ...] = Field(default=(), max_length=1000)
    without: tuple[RuleName, ...] = ()
    safe: dict[str, tuple[str, ...]] = Field(default={})

    @field_validator("platform")
    @classmethod
    def _listed(cls, platform: str | None) -> str | None:
        known = sorted(path.stem for path in (CONFIGS / "guard").glob("*.txt") if path.stem != COMMON)
        if platform is not None and platform not in known:
            raise ValueError(f"there is no list of that platform; choose from {', '.join(known)}")
        return platform

    @field_validator("allow")
    @classmethod
    def _phrases(cls, phrases: tuple[str, ...]) -> tuple[str, ...]:
        for phrase in phrases:
            if len(phrase) > PHRASE_MAX_CHARS or not any(char.isalnum() for char in phrase):
                raise ValueError(f"phrases with letters or figures, of at most {PHRASE_MAX_CHARS} characters")
        return phrases

    @field_validator("safe")
    @classmethod
    def _sayable(cls, safe: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for language, sentences in safe.items():
            if not sentences or not all(sentence.strip() for sentence in sentences):
                raise ValueError(f"{language}: write at least one sentence, none of them empty")
        return safe

    def spec(self) -> dict[str, Any]:
        """As guard.settings.GuardSpec."""
        return {
            "lists": [str(path) for path in self.lists],
            "platform": self.platform or "",
            "products": str(self.products) if self.products else "",
            "allow": list(self.allow),
            "without": list(self.without),
            "safe": {language: list(sentences) for language, sentences in self.safe.items()},
        }
