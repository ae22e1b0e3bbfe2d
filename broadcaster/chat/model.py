"""What viewers send, and what is asked: the two values that intake, understanding and air share. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a viewer did. All but a comment may come without words."""

    COMMENT = "comment"
    GIFT = "gift"
    FOLLOW = "follow"
    ENTER = "enter"
    LIKE = "like"
    ORDER = "order"


class Reason(StrEnum):
    """Why a comment is not answered, or not by itself."""

    MERGED = "merged"  #: another one asks the same, and is answered, or was a moment ago
    DUPLICATE = "duplicate"  #: its id was here before
    REPEATED = "repeated"  #: this viewer wrote the same a moment ago
    STALE = "stale"
    TOO_OFTEN = "too often"  #: this viewer writes more than is looked at
    CROWDED = "crowded"  #: too many wait that are worth more
    BLOCKED_USER = "blocked user"
    BLOCKED_WORD = "blocked word"
    LINK = "link"  #: or another way out of the room
    CODE = "code"
    NOISE = "noise"  #: nothing in it that can be said
    LONG = "long"
    UNWANTED = "unwanted"  #: something without words, for which nobody is thanked, here or any more
    UNANSWERED = "unanswered"  #: nobody knew an answer, or none that may be said
    REFUSED = "refused"  #: its message is wrong
    GONE = "gone"  #: it was deleted from the stream before it was read


@dataclass(frozen=True, slots=True)
class Comment:
    """One entry of the `chat` stream.

    id: the sender's, else the stream's. text, user: as they were sent, white space and control characters apart.
    value: of a gift or order, in whatever the platform counts. reply: ready-made words, spoken as they are. sent_s:
    Unix seconds.
    """

    id: str
    text: str
    user: str = ""
    user_id: str = ""
    platform: str = ""
    kind: Kind = Kind.COMMENT
    buyer: bool = False
    mention: bool = False
    value: float = 0.0
    reply: str = ""
    sent_s: float = 0.0
    stream_id: str = ""

    @property
    def who(self) -> str:
        """One viewer, over all they send: the id that the platform gave them, else their name; "" when nobody knows."""
        return f"{self.platform}:{self.user_id or self.user}" if self.user_id or self.user else ""


@dataclass(frozen=True, slots=True)
class Question:
    """One or more comments that ask the same; what the understanding gets.

    text: as it may be read aloud. language: "zh", "en" … comments: the first one is whose name may be said.
    asked_s: when the newest of them was sent, Unix seconds.
    """

    text: str
    language: str
    comments: tuple[Comment, ...]
    priority: float
    asked_s: float
