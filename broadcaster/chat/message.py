"""How an entry of the `chat` stream becomes a Comment.

In: fields as any program may have pushed them. Out: a Comment, or MessageError with the words that its sender will read
in the log. Pure: it reads no clock and knows no Redis. What of a comment is answered is not decided here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from broadcaster.chat.model import Comment, Kind
from broadcaster.fields import decoded, encoded, pushed_s
from pipeline.errors import MessageError

TEXT_MAX_CHARS = 2_000  # no platform lets a viewer write more
ID_MAX_CHARS = 100  # an answer's id is made of it
USER_MAX_CHARS = 64  # the rest of a name is not kept
PLATFORM_MAX_CHARS = 40
VALUE_MAX = 1e12
SENT_MAX_S = 1e11  # the year 5138; above it, somebody counts milliseconds
FIELDS = ("text", "id", "user", "user_id", "platform", "kind", "buyer", "mention", "value", "reply", "sent")
CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), " ")
KINDS = {kind.value: kind for kind in Kind}


def parse(stream_id: str, raw: Mapping[bytes, bytes]) -> Comment:
    """Read one message of the `chat` stream. MessageError says what is wrong."""
    fields = decoded(raw, FIELDS)
    kind = KINDS.get(fields.get("kind", Kind.COMMENT.value))
    if kind is None:
        raise MessageError(f"kind: {fields['kind'][:40]!r} is none of {', '.join(KINDS)}")
    text, reply = _words("text", fields), _words("reply", fields)
    if kind is Kind.COMMENT and not (text or reply):
        raise MessageError("text: it is empty" if "text" in fields else "the field `text` is missing")
    return Comment(
        id=_short("id", fields, ID_MAX_CHARS) or stream_id,
        text=text,
        user=_line(fields.get("user", "")[:USER_MAX_CHARS]),
        user_id=_short("user_id", fields, ID_MAX_CHARS),
        platform=_short("platform", fields, PLATFORM_MAX_CHARS),
        kind=kind,
        buyer=_flag("buyer", fields),
        mention=_flag("mention", fields),
        value=_value(fields.get("value", "")),
        reply=reply,
        sent_s=_sent(fields.get("sent", "")) or pushed_s(stream_id),
        stream_id=stream_id,
    )


def check(fields: Mapping[str, str]) -> None:
    """MessageError when a message of these fields would be refused."""
    parse("0-0", encoded(fields))


def _words(name: str, fields: Mapping[str, str]) -> str:
    text = fields.get(name, "")
    if len(text) > TEXT_MAX_CHARS:
        raise MessageError(f"{name}: {len(text):,} characters; at most {TEXT_MAX_CHARS:,}")
    return _line(text)


def _line(text: str) -> str:
    """Without control characters and white space around it; whatever else a viewer writes is normalised later."""
    return (text if text.isprintable() else text.translate(CONTROLS)).strip()


def _short(name: str, fields: Mapping[str, str], most: int) -> str:
    given = fields.get(name, "")
    if name not in fields:
        return ""
    if len(given) > most or not given.isprintable() or given != given.strip() or (name == "id" and not given):
        least = "1 to" if name == "id" else "at most"
        raise MessageError(f"{name}: {least} {most} printable characters, no spaces around them")
    return given


def _flag(name: str, fields: Mapping[str, str]) -> bool:
    given = fields.get(name, "0")
    if given not in ("0", "1"):
        raise MessageError(f"{name}: {given[:40]!r} is none of 1, 0")
    return given == "1"


def _value(given: str) -> float:
    if not given:
        return 0.0
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not 0 <= value <= VALUE_MAX:  # false for NaN too
        raise MessageError(f"value: {given[:40]!r} is not a number from 0 to {VALUE_MAX:.0f}")
    return value


def _sent(given: str) -> float:
    """Unix seconds; 0 where nothing is said."""
    if not given:
        return 0.0
    try:
        sent_s = float(given)
    except ValueError:
        return _moment(given)
    if not 0 < sent_s <= SENT_MAX_S:
        hint = "; those are milliseconds" if sent_s > SENT_MAX_S else ""
        raise MessageError(f"sent: {given[:40]!r} is not a time in Unix seconds{hint}")
    return sent_s


def _moment(given: str) -> float:
    try:
        when = datetime.fromisoformat(given)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise MessageError(f"sent: {given[:40]!r} is neither Unix seconds nor RFC 3339, as 2026-05-01T20:00:00+08:00")
    try:
        return when.timestamp()
    except (OverflowError, ValueError) as error:
        raise MessageError(f"sent: {given[:40]!r} is out of range") from error
