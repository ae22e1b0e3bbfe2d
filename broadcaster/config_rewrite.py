"""The configuration's section `script.rewrite`: who puts the script into other words, how, and how much of it.

In: values of a file. Out: a checked section, whose key is a secret. Every key: configs/reference.yaml.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from broadcaster.config_endpoint import EndpointSection


class RewriteSection(EndpointSection):
    temperature: float = Field(default=0.9, ge=0, le=2)
    style: str = Field(default="", max_length=500)
    timeout_s: float = Field(default=20.0, gt=0, le=120)
    lock: tuple[str, ...] = ()
    requests_per_day: int = Field(default=2000, ge=1, le=1_000_000)
    tokens_per_day: int = Field(default=1_000_000, ge=1, le=1_000_000_000)
    remembered: int = Field(default=4, ge=1, le=20)

    def spec(self) -> dict[str, Any]:
        """As rewrite.settings.RewriteSpec."""
        key = self.key.get_secret_value() if self.key else ""
        return {**self.model_dump(exclude={"key"}), "lock": list(self.lock), "key": key}
