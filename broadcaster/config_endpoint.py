"""An OpenAI-compatible chat endpoint in the configuration: where it is, which model, and its key, which is a secret.

In: values of a file. Out: a checked section, which others are made of. Every key: configs/reference.yaml.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from broadcaster.section import Section


class EndpointSection(Section):
    url: str
    model: str = Field(min_length=1, max_length=200)
    key: SecretStr | None = None

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
