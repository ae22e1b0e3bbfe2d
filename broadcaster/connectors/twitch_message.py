"""What a line of a Twitch channel means as a message of the `chat` stream. Pure.

In: a line with its tags. Out: the fields, or None for what is no comment. Emotes are cut out by the places that the
tags tell; what is left empty then is no comment. Bits and subscriptions are gifts: bits count as they are, a
subscription as 1, several at once as their number. Subscribers count as buyers; moderators, and who speaks to the
channel, as those who mention it.
(dev.twitch.tv/docs/chat/irc and /docs/irc/tags.)
"""

from __future__ import annotations

import re

from broadcaster.connectors.irc import Line
from broadcaster.connectors.settings import Fields

PLATFORM = "twitch"
ACTION = "\x01ACTION "  # /me; places of emotes are counted behind it
PAID = ("subscriber", "founder")
HEARD_FIRST = ("moderator", "broadcaster")
GIFTS = (
    "sub",
    "resub",
    "subgift",
    "submysterygift",
    "giftpaidupgrade",
    "anongiftpaidupgrade",
    "primepaidupgrade",
    "standardpayforward",
    "communitypayforward",
)
SAID = "announcement"
PLACE = re.compile(r"(\d{1,4})-(\d{1,4})")
CHEER = re.compile(r"[A-Za-z]+(\d{1,9})")  # Cheer100: a picture of bits


def message_of(line: Line, channel: str) -> Fields | None:
    """`channel`: its name, in small letters."""
    if line.command == "PRIVMSG" and len(line.params) == 2:
        return _comment(line, channel)
    if line.command == "USERNOTICE":
        return _notice(line, channel)
    return None


def _comment(line: Line, channel: str) -> Fields | None:
    text = _without_emotes(line.text, line.tags.get("emotes", ""))
    if bits := _number(line.tags.get("bits", "")):
        return _gift(line, channel, _without_cheers(text, bits), bits)
    return {"text": text, **_sender(line, channel, text)} if text else None


def _notice(line: Line, channel: str) -> Fields | None:
    what = line.tags.get("msg-id", "")
    text = _without_emotes(line.text, line.tags.get("emotes", "")) if len(line.params) == 2 else ""
    if what == SAID:
        return {"text": text, **_sender(line, channel, text)} if text else None
    if what not in GIFTS or (what == "subgift" and "msg-param-community-gift-id" in line.tags):
        return None  # one of several, which were told of together
    count = _number(line.tags.get("msg-param-mass-gift-count", "")) if what == "submysterygift" else 1
    return _gift(line, channel, text, max(count, 1))


def _gift(line: Line, channel: str, text: str, value: int) -> Fields:
    words = {"text": text} if text else {}
    return {**words, **_sender(line, channel, text), "kind": "gift", "value": str(value)}


def _sender(line: Line, channel: str, text: str) -> dict[str, str]:
    """Who, when, under which id, and what they are to this channel."""
    tags = line.tags
    fields = {"platform": PLATFORM}
    if user := tags.get("display-name", "") or tags.get("login", "") or line.nick:
        fields["user"] = user
    for field, tag in (("id", "id"), ("user_id", "user-id")):
        if value := tags.get(tag, ""):
            fields[field] = value
    if sent_ms := _number(tags.get("tmi-sent-ts", "")):
        fields["sent"] = f"{sent_ms / 1000:.3f}"
    badges = {badge.partition("/")[0] for badge in tags.get("badges", "").split(",")}
    if badges.intersection(PAID):
        fields["buyer"] = "1"
    spoken_to = tags.get("reply-parent-user-login", "").lower() == channel or _names(text, channel)
    if spoken_to or badges.intersection(HEARD_FIRST):
        fields["mention"] = "1"
    return fields


def _names(text: str, channel: str) -> bool:
    return re.search(rf"@{re.escape(channel)}\b", text, re.IGNORECASE) is not None


def _without_emotes(text: str, places: str) -> str:
    """`places` as 25:0-4,12-16/1902:6-10, counted in characters."""
    if text.startswith(ACTION):
        text = text.removeprefix(ACTION).rstrip("\x01")
    chars = list(text)
    for emote in places.split("/"):
        for start, end in PLACE.findall(emote.partition(":")[2]):
            for place in range(int(start), min(int(end) + 1, len(chars))):
                chars[place] = ""
    return " ".join("".join(chars).split()) if places else text.strip()


def _without_cheers(text: str, bits: int) -> str:
    """Leave out the words that stand for these bits, if that is what they add up to."""
    words = text.split()
    cheers = [match for word in words if (match := CHEER.fullmatch(word))]
    if sum(int(match[1]) for match in cheers) != bits:
        return text
    pictures = {match[0] for match in cheers}
    return " ".join(word for word in words if word not in pictures)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else 0
