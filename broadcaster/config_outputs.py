"""The configuration's section `outputs`: where the room pushes to.

In: values of a file. Out: a checked section, whose URLs are secrets. Every key: configs/reference.yaml.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from broadcaster.section import Section

URL_SCHEMES = ("rtmp", "rtmps", "file", "hls")
PLATFORM_SCHEMES = ("rtmp:", "rtmps:")


class OutputSection(Section):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")
    url: SecretStr
    backup: SecretStr | None = None
    session_hours: float | None = Field(default=None, ge=0.1, le=480)
    segment_s: int = Field(default=3600, ge=10, le=86400)
    keep_days: float = Field(default=7, gt=0)
    min_free_gb: float = Field(default=5, ge=0)
    hls_segments: int = Field(default=6, ge=3, le=1800)

    @field_validator("url")
    @classmethod
    def _pushable(cls, secret: SecretStr) -> SecretStr:
        url = secret.get_secret_value()
        scheme, _, rest = url.partition(":")
        if scheme not in URL_SCHEMES:
            raise ValueError(f"scheme {scheme[:12]!r}: use one of {', '.join(URL_SCHEMES)}")
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError("only printable ASCII without spaces; percent-encode the rest")
        if scheme == "file":
            if not rest or rest.endswith("/"):
                raise ValueError("a file name is missing: file:DIRECTORY/NAME.mp4")
            if Path(rest).suffix != ".mp4":
                raise ValueError("a recording is an MP4: file:DIRECTORY/NAME.mp4")
        elif scheme == "hls":
            if not rest:
                raise ValueError("a directory is missing: hls:DIRECTORY")
        else:
            _check_rtmp(url)
        return secret

    @field_validator("backup")
    @classmethod
    def _also_pushable(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            url = secret.get_secret_value()
            if not url.startswith(PLATFORM_SCHEMES):
                raise ValueError("a second URL of the platform: rtmp://… or rtmps://…")
            if not url.isascii() or not url.isprintable() or " " in url:
                raise ValueError("only printable ASCII without spaces; percent-encode the rest")
            _check_rtmp(url)
        return secret

    @model_validator(mode="after")
    def _of_platforms(self) -> OutputSection:
        for key in ("backup", "session_hours"):
            if getattr(self, key) is not None and not self.url.get_secret_value().startswith(PLATFORM_SCHEMES):
                raise ValueError(f"{key}: only for rtmp and rtmps outputs")
        return self

    @property
    def scheme(self) -> str:
        return self.url.get_secret_value().partition(":")[0]

    @property
    def directory(self) -> Path | None:
        """Where it writes; None when it pushes to somebody."""
        path = Path(self.url.get_secret_value().partition(":")[2])
        return {"hls": path, "file": path.parent}.get(self.scheme)


def _check_rtmp(url: str) -> None:
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or parts.port > 0
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from None
    if not parts.hostname or not port_ok:
        raise ValueError("the host is missing: rtmp://HOST/APP/KEY")
    application, _, key = parts.path.lstrip("/").partition("/")
    if not application or not (key or parts.query):
        raise ValueError("application or stream key is missing: rtmp://HOST/APP/KEY")
