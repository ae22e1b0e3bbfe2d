"""What providers are made with besides a voice: where a speech server is, where a model lies.

Values alone: they travel to the director down the lifeline, and no library comes with them.
"""

from __future__ import annotations

from typing import Any

import msgspec


class HttpSettings(msgspec.Struct, frozen=True):
    """An OpenAI-compatible speech server (tts.http).

    url: up to and with /v1. key: a secret, "" = none. voices: names and languages → the server's voices; default_voice:
    for all others, "" = as they are called. rate_hz: of `pcm`, which does not say. body: further fields of the request.
    connect_s, first_byte_s, idle_s: until there is a connection, until sound begins, and between two stretches of it.
    """

    url: str
    model: str = "tts-1"
    key: str = ""
    default_voice: str = ""
    voices: dict[str, str] = {}
    format: str = "wav"
    rate_hz: int = 24_000
    body: dict[str, Any] = {}
    connect_s: float = 3.0
    first_byte_s: float = 8.0
    idle_s: float = 4.0

    def __repr__(self) -> str:
        return f"HttpSettings(model={self.model!r}, format={self.format!r})"  # an address may hold a secret as well


class SherpaSettings(msgspec.Struct, frozen=True):
    """A model directory of sherpa-onnx. speaker: its number in a model that has several. languages: (): it has all."""

    model_dir: str
    threads: int = 2
    speaker: int = 0
    languages: tuple[str, ...] = ()


class ProviderSettings(msgspec.Struct, frozen=True):
    """By the names of tts.synthesizer.PROVIDERS; None: not configured."""

    http: HttpSettings | None = None
    sherpa: SherpaSettings | None = None


NO_SETTINGS = ProviderSettings()
