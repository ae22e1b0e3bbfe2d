"""What rewriting is told by the configuration, as it crosses to the director."""

from __future__ import annotations

import msgspec


class RewriteSpec(msgspec.Struct, frozen=True):
    """url: of an OpenAI-compatible interface, as http://HOST/v1. key: a secret, "" = none. style: how it should sound,
    in words. lock: names that must survive. per day: the bound of what is asked. remembered: versions of a line to
    which the next one must not be too close.
    """

    url: str
    model: str
    key: str = ""
    temperature: float = 0.9
    style: str = ""
    timeout_s: float = 20.0
    lock: list[str] = []
    requests_per_day: int = 2000
    tokens_per_day: int = 1_000_000
    remembered: int = 4

    def __repr__(self) -> str:
        return f"RewriteSpec({self.model!r})"
