"""The configuration's section `chat`: who is answered, from what, how often, and what nobody may say.

In: values of a file. Out: checked sections, whose keys are secrets; that the files it names can be used is looked at by
`broadcaster config check`. Every key: configs/reference.yaml.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from broadcaster.config_endpoint import EndpointSection
from broadcaster.section import Section

FAQ_MAX = 50
CONNECTORS_MAX = 16
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$"
CHANNEL = re.compile(r"#?[A-Za-z0-9_]{1,25}")  # of Twitch
TOKEN = re.compile(r"[!#-&(-\[\]-~]{1,1000}")  # it may have to stand in JSON


class KnowledgeSection(Section):
    """How sure an entry of products and FAQ must be, and how long answers are kept."""

    sure: float = Field(default=0.4, ge=0, le=1)
    cached: int = Field(default=500, ge=0, le=10_000)


class LlmSection(EndpointSection):
    """Who answers what neither rules nor knowledge do."""

    temperature: float = Field(default=0.3, ge=0, le=2)
    persona: Path | None = None
    first_token_s: float = Field(default=2.0, gt=0, le=60)
    timeout_s: float = Field(default=10.0, gt=0, le=120)
    max_chars: int = Field(default=200, ge=20, le=2000)
    remembered: int = Field(default=6, ge=0, le=50)
    requests_per_day: int = Field(default=5000, ge=1, le=1_000_000)
    tokens_per_day: int = Field(default=5_000_000, ge=1, le=1_000_000_000)


class ProactiveSection(Section):
    """What is said when nobody asks, and thanks for what comes without words."""

    file: Path | None = None
    after_s: float = Field(default=45.0, ge=5, le=86400)
    per_minute: float = Field(default=2.0, gt=0, le=60)


class ConnectorSection(Section):
    """A source of comments outside."""

    name: str = Field(pattern=NAME)
    kind: Literal["twitch", "websocket"]
    channel: str = ""
    user: str = Field(default="", max_length=100)
    token: SecretStr | None = None
    url: SecretStr | None = None
    map: Path | None = None

    @field_validator("token")
    @classmethod
    def _sendable(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not TOKEN.fullmatch(secret.get_secret_value()):
            raise ValueError("printable ASCII characters without spaces and quotes, at most 1000")
        return secret

    @model_validator(mode="after")
    def _whole(self) -> ConnectorSection:
        if self.kind == "twitch":
            self._is_twitch()
        elif self.url is None or self.map is None:
            raise ValueError("url and map: where the comments come from, and the file that says what their fields mean")
        elif self.channel or self.user:
            raise ValueError("channel and user: for the kind twitch alone")
        if self.url is not None:
            _dialled(self.url.get_secret_value(), ("ircs",) if self.kind == "twitch" else ("ws", "wss"))
        return self

    def _is_twitch(self) -> None:
        if not CHANNEL.fullmatch(self.channel):
            raise ValueError("channel: the name of the Twitch channel, as it stands in its address")
        if self.map is not None:
            raise ValueError("map: for the kind websocket alone")
        if bool(self.user) != (self.token is not None) or (self.user and not CHANNEL.fullmatch(self.user)):
            raise ValueError("user and token: an account's name and its token, or neither; nobody needs one to read")

    def spec(self) -> dict[str, str]:
        """As connectors.settings.ConnectorSpec; the mapping's path is absolute."""
        token, url = (one.get_secret_value() if one else "" for one in (self.token, self.url))
        given = {"name": self.name, "kind": self.kind, "channel": self.channel, "user": self.user}
        return {**given, "token": token, "url": url, "map": str(self.map.resolve()) if self.map else ""}


def _dialled(url: str, schemes: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ValueError("url: not a URL") from None
    if parts.scheme not in schemes or not whole or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"url: write {' or '.join(schemes)}://HOST[:PORT]{'' if schemes == ('ircs',) else '/PATH'}")
    if parts.fragment or parts.username or parts.password:
        raise ValueError("url: no user and no # in it; a key goes into its query or into `token`")


class ChatSection(Section):
    names: Literal["first_letter", "none", "viewer", "full"] = "first_letter"
    read_question: bool = True
    show_question: bool = True
    stale_s: float = Field(default=60.0, ge=1, le=3600)
    per_minute: float = Field(default=12.0, gt=0, le=120)
    user_per_minute: float = Field(default=6.0, gt=0, le=600)
    merge: bool = True
    again_s: float = Field(default=30.0, ge=0, le=3600)
    waiting: int = Field(default=500, ge=1, le=20_000)
    waiting_kb: int = Field(default=2048, ge=64, le=1_000_000)
    stream: int = Field(default=20_000, ge=100, le=1_000_000)
    blocked_users: Path | None = None
    blocked_words: Path | None = None
    rules: Path | None = None
    faq: tuple[Path, ...] = Field(default=(), max_length=FAQ_MAX)
    products: Path | None = None
    knowledge: KnowledgeSection = KnowledgeSection()
    llm: LlmSection | None = None
    proactive: ProactiveSection | None = None
    connectors: tuple[ConnectorSection, ...] = Field(default=(), max_length=CONNECTORS_MAX)

    @field_validator("connectors")
    @classmethod
    def _named_apart(cls, connectors: tuple[ConnectorSection, ...]) -> tuple[ConnectorSection, ...]:
        names = [connector.name for connector in connectors]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the name {twice[0]!r} is used twice")
        return connectors

    def spec(self) -> dict[str, Any]:
        """As chat.spec.ChatSpec, but for what is the room's. The guard is the director's."""
        llm, proactive = self.llm, self.proactive
        own = self.model_dump(exclude={"knowledge", "llm", "proactive", "connectors"})
        return {
            **{name: _plain(value) for name, value in own.items()},
            "sure": self.knowledge.sure,
            "cached": self.knowledge.cached,
            "llm": llm and {**_values(llm), "key": llm.key.get_secret_value() if llm.key else ""},
            "proactive": proactive and _values(proactive),
            "connectors": [connector.spec() for connector in self.connectors],
        }


def _values(section: Section) -> dict[str, Any]:
    return {name: _plain(value) for name, value in section.model_dump(exclude={"key"}).items()}


def _plain(value: Any) -> Any:
    """As it crosses to a process: paths as text, "" for none."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return "" if value is None else str(value) if isinstance(value, Path) else value
