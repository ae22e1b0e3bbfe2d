"""The configuration's section `script.rewrite`: who puts the script into other words, how, and how much of it.

In: values of a file. Out: a checked section, whose key is a secret. Every key: configs/reference.yaml.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from broadcaster.section import Section


class RewriteSection(Section):
    url: str
    model: str = Field(min_length=1, max_length=200)
    key: SecretStr | None = None
    temperature: float = Field(default=0.9, ge=0, le=2)
    style: str = Field(default="", max_length=500)
    timeout_s: float = Field(default=20.0, gt=0, le=120)
    lock: tuple[str, ...] = ()
    requests_per_day: int = Field(default=2000, ge=1, le=1_000_000)
    tokens_per_day: int = Field(default=1_000_000, ge=1, le=1_000_000_000)
    remembered: int = Field(default=4, ge=1, le=20)

    @field_validator("url")
    @classmethod
    def _askable(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            raise ValueError("not a URL") from None
        if parts.scheme not in ("http", "https") or not whole or not url.isascii() or " " in url:
            raise ValueError("write http(s)://HOST[:PORT]/v1, without /chat/completions")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("no user, key or query in it; the key goes into `key`")
        if url.rstrip("/").endswith("/chat/completions"):
            raise ValueError("leave /chat/completions out; it is added")
        return url

    @field_validator("key")
    @classmethod
    def _sendable(cls, secret: SecretStr | None) -> SecretStr | None:
        key = secret.get_secret_value() if secret else ""
        if not key.isascii() or not key.isprintable() or key != key.strip():
            raise ValueError("printable ASCII characters without spaces around them")
        return secret

    def spec(self) -> dict[str, Any]:
        """As rewrite.settings.RewriteSpec."""
        key = self.key.get_secret_value() if self.key else ""
        return {**self.model_dump(exclude={"key"}), "lock": list(self.lock), "key": key}
