"""The section of the process that answers, as it goes down the lifeline: plain values, secrets among them."""

from __future__ import annotations

import msgspec

from broadcaster.chat.llm import LlmSpec
from broadcaster.connectors.settings import ConnectorSpec
from broadcaster.guard.settings import GuardSpec


class ProactiveSpec(msgspec.Struct, frozen=True):
    """file: of templates, "" = our own. after_s: without any other word of a reply. per_minute: at most."""

    file: str = ""
    after_s: float = 45.0
    per_minute: float = 2.0


class ChatSpec(msgspec.Struct, frozen=True):
    """owner: who holds the room's lease, "" = whoever it is. voice: the room's, whose language is the room's. names:
    first_letter | none | viewer | full. sure: of an entry, to be the answer. cached: answers that are kept. Files: "" =
    none. See ChatSection for the rest.
    """

    room: str
    state_dir: str
    redis_url: str
    owner: str = ""
    voice: str = ""
    timezone: str = ""
    names: str = "first_letter"
    read_question: bool = True
    show_question: bool = True
    stale_s: float = 60.0
    per_minute: float = 12.0
    user_per_minute: float = 6.0
    merge: bool = True
    again_s: float = 30.0
    waiting: int = 500
    waiting_kb: int = 2048
    stream: int = 20_000
    blocked_users: str = ""
    blocked_words: str = ""
    rules: str = ""
    faq: list[str] = []
    products: str = ""
    sure: float = 0.4
    cached: int = 500
    llm: LlmSpec | None = None
    guard: GuardSpec = GuardSpec()
    proactive: ProactiveSpec | None = None
    connectors: list[ConnectorSpec] = []
