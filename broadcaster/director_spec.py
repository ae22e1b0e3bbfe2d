"""The director's section of the configuration, as it goes down the lifeline: plain values, secrets among them."""

from __future__ import annotations

from typing import Any

import msgspec

from broadcaster.guard.settings import GuardSpec
from broadcaster.rewrite.settings import RewriteSpec
from tts.settings import NO_SETTINGS, ProviderSettings


class DirectorSpec(msgspec.Struct, frozen=True):
    """The director's section. voice_chain: providers in order. ack: any | all | NAME of an output. chat_stream: entries
    that the stream of comments may hold; 0: nobody answers them. guard: None = whatever comes is said. persons: who can
    be called into the picture, whom it begins with first.
    """

    room: str
    runtime_dir: str
    state_dir: str
    redis_url: str
    voice_chain: list[str]
    voice_name: str
    voice_rate: float
    voice_timeout_s: float
    control_host: str
    control_port: int
    control_token: str = ""
    owner: str = ""
    ack: str = "any"
    when_no_output: str = "go_on"
    outputs: list[str] = []
    voice_cache_mb: int = 512
    voice_settings: ProviderSettings = NO_SETTINGS
    voice_pitch: float = 0.0
    voice_languages: dict[str, str] = {}
    voice_pronunciations: str = ""
    evergreen_file: str = ""
    evergreen_after_s: float = 20.0
    script_file: str = ""
    script_loop: bool = True
    timezone: str = ""
    label_text: str = ""
    evidence_keep_days: int = 90
    evidence_max_mb: int = 1024
    rewrite: RewriteSpec | None = None
    schedule: list[dict[str, Any]] = []
    chat_stream: int = 0
    guard: GuardSpec | None = None
    persons: list[str] = []
