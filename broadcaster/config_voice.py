"""The configuration's section `voice`: who speaks, how, and what providers are made with.

In: values of a file. Out: a checked section; the address and key of a speech server are secrets. Every key:
configs/reference.yaml.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from broadcaster.section import Section
from tts import markup
from tts.settings import HttpSettings, ProviderSettings, SherpaSettings
from tts.synthesizer import PROVIDERS

ADDRESS = re.compile(r"https?://[!-~]+")
LANGUAGE = re.compile(r"[a-z]{2,3}")
LANGUAGES_MAX = 100
VOICE_MAX_CHARS = 200
OWN_FIELDS = ("model", "input", "voice", "response_format", "speed")  # of the request; written by keys of their own


class HttpSection(Section):
    url: SecretStr
    model: str = Field(default="tts-1", min_length=1, max_length=200)
    key: SecretStr | None = None
    default_voice: str = Field(default="", max_length=200)
    voices: dict[str, str] = Field(default={})
    format: Literal["wav", "pcm", "mp3", "opus", "flac"] = "wav"
    rate_hz: int = Field(default=24_000, ge=8_000, le=96_000)
    body: dict[str, Any] = Field(default={})
    connect_s: float = Field(default=3.0, gt=0, le=60)
    first_byte_s: float = Field(default=8.0, gt=0, le=60)
    idle_s: float = Field(default=4.0, gt=0, le=60)

    @field_validator("url")
    @classmethod
    def _address(cls, secret: SecretStr) -> SecretStr:
        url = secret.get_secret_value()
        if not ADDRESS.fullmatch(url) or not _is_address(url):
            raise ValueError("write http://HOST:PORT/v1, or https://")
        if "@" in urlsplit(url).netloc:
            raise ValueError("write the key in voice.http.key, not in the address")
        return secret

    @field_validator("key")
    @classmethod
    def _sendable(cls, secret: SecretStr | None) -> SecretStr | None:
        key = secret.get_secret_value() if secret else ""
        if not key.isascii() or (key and not key.isprintable()):
            raise ValueError("printable ASCII characters alone can be sent")
        return secret

    @field_validator("body")
    @classmethod
    def _further(cls, body: dict[str, Any]) -> dict[str, Any]:
        if taken := [name for name in OWN_FIELDS if name in body]:
            raise ValueError(f"{taken[0]!r} is not for here: it comes of model, voices, format, and of voice.rate")
        return body

    def settings(self) -> HttpSettings:
        return HttpSettings(
            url=self.url.get_secret_value(),
            key=self.key.get_secret_value() if self.key else "",
            **self.model_dump(exclude={"url", "key"}),
        )


class SherpaSection(Section):
    model_dir: Path
    threads: int = Field(default=2, ge=1, le=64)
    speaker: int = Field(default=0, ge=0, le=100_000)
    languages: tuple[str, ...] = ()

    @field_validator("languages")
    @classmethod
    def _languages(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for language in languages:
            if not LANGUAGE.fullmatch(language):
                raise ValueError(f"{language[:20]!r}: write languages as [zh, en]")
        return languages

    def settings(self) -> SherpaSettings:
        return SherpaSettings(str(self.model_dir.resolve()), self.threads, self.speaker, self.languages)


class VoiceSection(Section):
    chain: tuple[str, ...] = ("espeak",)
    name: str = "en"
    rate: float = Field(default=1.0, ge=0.5, le=2.0)
    pitch: float = Field(default=0.0, ge=markup.PITCH[0], le=markup.PITCH[1])
    languages: dict[str, str] = Field(default={}, max_length=LANGUAGES_MAX)
    pronunciations: Path | None = None
    timeout_s: float = Field(default=8.0, gt=0, le=60)
    cache_mb: int = Field(default=512, ge=0, le=1_000_000)
    http: HttpSection | None = None
    sherpa: SherpaSection | None = None

    @field_validator("chain")
    @classmethod
    def _known(cls, chain: tuple[str, ...]) -> tuple[str, ...]:
        if not chain:
            raise ValueError("name at least one provider, as [espeak]")
        for name in chain:
            if name not in PROVIDERS:
                raise ValueError(f"unknown provider {name!r}; choose from {', '.join(PROVIDERS)}")
        return chain

    @field_validator("languages")
    @classmethod
    def _speakers(cls, languages: dict[str, str]) -> dict[str, str]:
        for language, voice in languages.items():
            if not markup.LANGUAGE.fullmatch(language):
                raise ValueError(f"{language[:20]!r} is no language; write them as fr: fr-FR-DeniseNeural")
            if not voice.strip() or len(voice) > VOICE_MAX_CHARS or not voice.isprintable():
                raise ValueError(f"{language}: name a voice, as fr-FR-DeniseNeural")
        return {language.replace("_", "-").lower(): voice.strip() for language, voice in languages.items()}

    @model_validator(mode="after")
    def _furnished(self) -> VoiceSection:
        needed = {"http": ("url", self.http), "sherpa": ("model_dir", self.sherpa)}
        for name, (key, section) in needed.items():
            if name in self.chain and section is None:
                raise ValueError(f"chain: {name!r} needs the section voice.{name}, with {key} at least")
        return self

    def settings(self) -> ProviderSettings:
        """What providers are made with. It holds secrets: for the lifeline, not for argv or a log."""
        return ProviderSettings(
            http=self.http.settings() if self.http else None,
            sherpa=self.sherpa.settings() if self.sherpa else None,
        )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
