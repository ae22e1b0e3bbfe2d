"""What is to be said: the utterance, its lane and mode, and how a message from outside becomes one.

In: fields as any program may have pushed them. Out: an Utterance, or MessageError with the words that
its sender will read in the dead letters. Pure: it reads no clock and knows no Redis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple, TypeAlias

import msgspec

from broadcaster.fields import decoded, encoded, pushed_s
from pipeline.errors import MessageError

TEXT_MAX_CHARS = 20_000  # about half an hour of talk; more is a script, not a message
ID_MAX_CHARS = 128
VOICE_MAX_CHARS = 100
QUESTION_MAX_CHARS = 300  # more cannot be read in the picture while it is answered
TTL_MAX_S = 30 * 86_400.0
SCRIPT_PREFIX = "script:"  # ids of our own; nobody else may use them
EVERGREEN_PREFIX = "evergreen:"  # likewise
SCHEDULE_PREFIX = "schedule:"  # likewise
PERSON_PREFIX = "person:"  # likewise: a person's own voice, which has no text
OWN_PREFIXES = {
    SCRIPT_PREFIX: "script",
    EVERGREEN_PREFIX: "evergreen words",
    SCHEDULE_PREFIX: "schedule",
    PERSON_PREFIX: "person at the microphone",
}
FIELDS = ("text", "lane", "mode", "id", "ttl_s", "at", "voice", "turn", "more", "question", "product")
MODES = ("append", "insert", "now")
FILL = "fill"  # a mode of our own: after all else, at the next sentence end of anything

Key: TypeAlias = tuple[str, int]
"""(utterance id, index of a sentence in it)."""


class Lane(IntEnum):
    """Who speaks; a higher one goes first among what waits."""

    SCRIPT = 0
    SCHEDULED = 1
    REPLY = 2
    COMMAND = 3
    LIVE = 4


DEFAULT_LANE = "command"  # of a message that names none
LANES = {lane.name.lower(): lane for lane in reversed(Lane)}


class Coming(NamedTuple):
    """A sentence that will be said, and how; see Utterance."""

    text: str
    voice: str = ""
    speed: float | None = None


class Utterance(msgspec.Struct, frozen=True):
    """One thing to be said; the unit of acknowledgement, interruption and expiry.

    stream_id: its entry in the `say` stream, "" when it came another way. voice: "" = the room's.
    accepted_s, expires_s, due_s: Unix seconds. section: name of the script section it opens, or "". speed: ×, None =
    the room's. pause_s: silence after it before another begins, None = the usual. source: where the words come from:
    a script's FILE:LINE, "schedule NAME", "queue ID", "person". turn, more: it is part of what is said in one go, and
    another part follows (broadcaster.turn); the message that only ends a turn has no sentences. question: what it
    answers, shown in the picture meanwhile, "" = nothing. product: an id of the products file that it is about, or "".
    """

    id: str
    sentences: tuple[str, ...]
    lane: Lane = Lane.COMMAND
    mode: str = "append"
    stream_id: str = ""
    voice: str = ""
    accepted_s: float = 0.0
    expires_s: float | None = None
    due_s: float | None = None
    section: str = ""
    speed: float | None = None
    pause_s: float | None = None
    source: str = ""
    turn: str = ""
    more: bool = False
    question: str = ""
    product: str = ""

    @property
    def lane_name(self) -> str:
        return self.lane.name.lower()

    @property
    def is_person(self) -> bool:
        """A person says it: its sound is not made of text."""
        return is_person(self.id)


def is_person(identity: str) -> bool:
    """Of an id: a person says it."""
    return identity.startswith(PERSON_PREFIX)


def is_evergreen(identity: str) -> bool:
    """Of an id: it fills, while nothing else can be said."""
    return identity.startswith(EVERGREEN_PREFIX)


def is_ours(identity: str) -> bool:
    """Of an id: no message of the queue."""
    return identity.startswith(tuple(OWN_PREFIXES))


def parse(
    stream_id: str,
    raw: Mapping[bytes, bytes],
    split: Callable[[str], Sequence[str]],
    now_s: float,
) -> Utterance:
    """Read one message of the `say` stream. `split` cuts a text into sentences. MessageError says what is wrong."""
    fields = decoded(raw, FIELDS)
    turn, more = _turn(fields)
    closes = bool(turn) and not more and not fields.get("text")
    sentences = () if closes else tuple(split(_text(fields)))
    if not sentences and not closes:
        raise MessageError("text: there is nothing in it that can be said")
    ttl_s, due_s = _ttl(fields.get("ttl_s")), _due(fields.get("at"))
    return Utterance(
        id=_id(fields.get("id"), stream_id),
        sentences=sentences,
        lane=LANES[_choice("lane", fields.get("lane", DEFAULT_LANE), LANES)],
        mode=_choice("mode", fields.get("mode", "append"), MODES),
        stream_id=stream_id,
        voice=_voice(fields.get("voice", "")),
        accepted_s=now_s,
        expires_s=None if ttl_s is None else (pushed_s(stream_id) if due_s is None else due_s) + ttl_s,
        due_s=due_s,
        turn=turn,
        more=more,
        question=_question(fields.get("question", "")),
        product=_product(fields.get("product", "")),
    )


def check(fields: Mapping[str, str]) -> None:
    """MessageError when a message of these fields would be refused; whether a voice can say it shows later."""
    parse("0-0", encoded(fields), lambda text: [text], 0.0)


def _text(fields: Mapping[str, str]) -> str:
    if "text" not in fields:
        raise MessageError("the field `text` is missing")
    text = fields["text"]
    if len(text) > TEXT_MAX_CHARS:
        raise MessageError(f"text: {len(text):,} characters; at most {TEXT_MAX_CHARS:,} can be one utterance")
    clean = "".join(char if char.isprintable() or char in "\n\t" else " " for char in text).strip()
    if not clean:
        raise MessageError("text: it is empty")
    return clean


def _choice(name: str, value: str, choices: Sequence[str] | Mapping[str, object]) -> str:
    if value not in choices:
        raise MessageError(f"{name}: {value[:40]!r} is none of {', '.join(choices)}")
    return value


def _id(given: str | None, stream_id: str) -> str:
    if given is None:
        return stream_id
    if not given or len(given) > ID_MAX_CHARS or not given.isprintable() or given != given.strip():
        raise MessageError(f"id: 1 to {ID_MAX_CHARS} printable characters, no spaces around them")
    for prefix, owner in OWN_PREFIXES.items():
        if given.startswith(prefix):
            raise MessageError(f"id: those that begin with {prefix!r} belong to the {owner}")
    return given


def _turn(fields: Mapping[str, str]) -> tuple[str, bool]:
    """Its turn, "" for none, and whether another message of it follows."""
    turn = fields.get("turn", "")
    if len(turn) > ID_MAX_CHARS or not turn.isprintable() or turn != turn.strip():
        raise MessageError(f"turn: up to {ID_MAX_CHARS} printable characters, no spaces around them")
    more = _choice("more", fields.get("more", "0"), ("0", "1")) == "1"
    if more and not turn:
        raise MessageError("more: it announces another message of the same `turn`, which is missing")
    return turn, more


def _question(given: str) -> str:
    """One line, as it may be shown."""
    if len(given) > QUESTION_MAX_CHARS:
        raise MessageError(f"question: at most {QUESTION_MAX_CHARS} characters can be shown")
    return " ".join("".join(char if char.isprintable() else " " for char in given).split())


def _product(given: str) -> str:
    if len(given) > ID_MAX_CHARS or not given.isprintable() or given != given.strip():
        raise MessageError(f"product: up to {ID_MAX_CHARS} printable characters, no spaces around them")
    return given


def _voice(given: str) -> str:
    if len(given) > VOICE_MAX_CHARS or not given.isprintable():
        raise MessageError(f"voice: at most {VOICE_MAX_CHARS} printable characters")
    return given.strip()


def _ttl(given: str | None) -> float | None:
    if given is None:
        return None
    try:
        ttl_s = float(given)
    except ValueError:
        ttl_s = math.nan
    if not 0 < ttl_s <= TTL_MAX_S:  # false for NaN too
        raise MessageError(f"ttl_s: {given[:40]!r} is not a number of seconds above 0, up to {TTL_MAX_S:.0f}")
    return ttl_s


def _due(given: str | None) -> float | None:
    if given is None:
        return None
    try:
        when = datetime.fromisoformat(given)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise MessageError(f"at: {given[:40]!r} is not RFC 3339 with an offset, as 2026-05-01T20:00:00+08:00")
    try:
        return when.timestamp()
    except (OverflowError, ValueError) as error:
        raise MessageError(f"at: {given[:40]!r} is out of range") from error
