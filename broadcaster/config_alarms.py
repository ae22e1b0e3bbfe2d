"""The configuration's section `alarms`: whom to tell, what to look at, what to do by itself.

In: values of a file. Out: a checked section, whose addresses are secrets. Every key: configs/reference.yaml.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from broadcaster.section import Section

WEBHOOK_SCHEMES = ("http", "https")
PLAYBACK_SCHEMES = ("rtmp", "rtmps", "http", "https")


class AlarmsSection(Section):
    webhook: SecretStr | None = None
    playback: dict[str, SecretStr] = Field(default={})
    every_s: float = Field(default=20.0, ge=5, le=25)
    settle_s: float = Field(default=60.0, ge=0, le=3600)
    act: bool = True
    disk_gb: float = Field(default=1.0, ge=0)

    @field_validator("webhook")
    @classmethod
    def _postable(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            _check_address(secret.get_secret_value(), WEBHOOK_SCHEMES)
        return secret

    @field_validator("playback")
    @classmethod
    def _playable(cls, urls: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in urls.items():
            try:
                _check_address(secret.get_secret_value(), PLAYBACK_SCHEMES)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return urls


def _check_address(url: str, schemes: tuple[str, ...]) -> None:
    """ValueError says what is wrong, without the address, which may hold a secret."""
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in schemes:
        raise ValueError(f"scheme {parts.scheme[:12]!r}: use one of {', '.join(schemes)}")
    if not whole:
        raise ValueError(f"the host is missing: {parts.scheme}://HOST/…")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("only printable ASCII without spaces; percent-encode the rest")
