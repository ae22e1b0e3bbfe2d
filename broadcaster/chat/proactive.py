"""Talk when nobody asks: a welcome, thanks for gifts, orders and follows, a word to the room. Pure but for its clock.

In: what viewers did without words, when a reply was said last, whether anybody asks. Out: at most one remark at a time,
with those whom it thanks; and those whom nobody will thank any more. It never speaks while a question waits or is
answered, not more often than it is told, and repeats no remark while there is another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from broadcaster.chat.lately import Lately
from broadcaster.chat.model import Comment, Kind
from broadcaster.chat.names import SOMEBODY, called
from broadcaster.chat.remarks import ROOM, SEVERAL, Remark, Remarks
from broadcaster.script import template
from broadcaster.script.shuffle import choice
from broadcaster.script.values import Values
from pipeline.clock import NS, Clock

#: what was done → its occasion, and seconds for which a word about it is in place; the weightiest first
OCCASIONS = {
    Kind.ORDER: ("order", 120.0),
    Kind.GIFT: ("gift", 120.0),
    Kind.FOLLOW: ("follow", 60.0),
    Kind.ENTER: ("welcome", 20.0),
    Kind.LIKE: ("like", 20.0),
}
WAITING_MAX = 64  # of a kind; the oldest go first
PAUSE_S = 3.0  # after a reply, before anybody is thanked
MET_FOR_S = 30 * 60.0  # for which a viewer is not welcomed, and not thanked for a follow or a like, again
MET_MAX = 5_000
TRIES = 12  # for a wording that was not said lately
SAID_KEPT = 20


@dataclass(frozen=True, slots=True)
class Said:
    """text: marked. occasion: of the templates. thanked: whom it is about, the first is who is named."""

    text: str
    occasion: str
    language: str
    thanked: tuple[Comment, ...] = ()


class Proactive:
    """remarks: as they are now. call: what a viewer is called in a language, "" = not at all. language: the room's.

    after_s: without a word of a reply, before the room is spoken to. per_minute: remarks at most. values: what
    variables of products and the clock stand for.
    """

    def __init__(
        self,
        remarks: Callable[[], Remarks],
        call: Callable[[Comment, str], str],
        clock: Clock,
        language: str,
        after_s: float,
        per_minute: float,
        values: Callable[[], Values] = Values,
        seed: int = 0,
    ) -> None:
        self._remarks = remarks
        self._call = call
        self._clock = clock
        self._language = language
        self._after_s = after_s
        self._apart_s = 60.0 / per_minute
        self._values = values
        self._seed = seed
        self._waiting: dict[Kind, deque[tuple[float, Comment]]] = {kind: deque() for kind in OCCASIONS}
        self._missed: list[Comment] = []
        self._met: Lately[tuple[Kind, str], bool] = Lately(MET_MAX, MET_FOR_S, self._now_s())
        self._turns: dict[str, int] = {}
        self._said: dict[str, deque[str]] = {}  # by occasion, the newest last
        self._replied_s = self._now_s()
        self._spoke_s = float("-inf")

    def met(self, comments: Iterable[Comment]) -> None:
        """What viewers did without words."""
        now_s = self._now_s()
        for comment in comments:
            known = (comment.kind, comment.who)
            if comment.kind not in self._waiting or (
                comment.who and comment.kind not in (Kind.GIFT, Kind.ORDER) and self._met.get(known, now_s)
            ):
                self._missed.append(comment)
                continue
            self._met.put(known, True, now_s)
            waiting = self._waiting[comment.kind]
            if len(waiting) == WAITING_MAX:
                self._missed.append(waiting.popleft()[1])
            waiting.append((now_s, comment))

    def replied(self) -> None:
        """A word of a reply is said now, ours or another."""
        self._replied_s = self._now_s()

    def next(self, is_asked: bool) -> Said | None:
        """What is said now. is_asked: a question waits, or is being answered."""
        now_s = self._now_s()
        self._drop_late(now_s)
        if is_asked or now_s - self._spoke_s < self._apart_s or now_s - self._replied_s < PAUSE_S:
            return None
        said = self._thanks() or (self._to_room() if now_s - self._replied_s >= self._after_s else None)
        if said:
            self._spoke_s = self._replied_s = now_s
        return said

    def missed(self) -> list[Comment]:
        """Those that nobody will be thanked for, since this was asked last."""
        missed, self._missed = self._missed, []
        return missed

    # ── what is said ─────────────────────────────────────────────────────────────────────────────

    def _thanks(self) -> Said | None:
        for kind, (occasion, _) in OCCASIONS.items():
            if not self._waiting[kind]:
                continue
            thanked = tuple(comment for _, comment in reversed(self._waiting[kind]))
            viewers = {comment.who or comment.id for comment in thanked}
            several = [f"{occasion}{SEVERAL}"] if len(viewers) > 1 else []
            for name in [*several, occasion]:
                if said := self._worded(name, thanked, len(viewers) - 1):
                    self._waiting[kind].clear()
                    return said
        return None

    def _to_room(self) -> Said | None:
        return self._worded(ROOM, (), 0)

    def _worded(self, occasion: str, thanked: tuple[Comment, ...], others: int) -> Said | None:
        """In the room's language; None where there is nothing new to be said."""
        remarks = self._remarks().of(occasion, self._language)
        given = self._given(thanked, others)
        said = self._said.setdefault(occasion, deque(maxlen=SAID_KEPT))
        lately = list(said)[-max(1, len(remarks) - 1) :]
        for _ in range(min(TRIES, 2 * len(remarks))):
            text = self._filled(remarks, occasion, given)
            if text and text not in lately:
                said.append(text)
                return Said(text, occasion, self._language, thanked)
        return None

    def _given(self, thanked: Sequence[Comment], others: int) -> dict[str, str]:
        if not thanked:
            return {}
        first = thanked[0]
        value = f"{first.value:g}" if first.value > 0 else ""
        return {"name": self._call(first, self._language), "others": str(others) if others else "", "value": value}

    def _filled(self, remarks: Sequence[Remark], occasion: str, given: dict[str, str]) -> str:
        """The next remark of the occasion; "" when it lacks a value."""
        turn = self._turns.get(occasion, 0)
        self._turns[occasion] = turn + 1
        remark = remarks[choice(turn, len(remarks), self._seed, occasion)]
        values = self._values()

        def value_of(name: str) -> str | None:
            return given[name] if name in given else values.of(name, language=self._language)

        def pick(count: int) -> int:
            return choice(turn // len(remarks), count, self._seed, occasion, remark.text)

        text = template.fill(remark.text, value_of, pick).text
        return text[:1].upper() + text[1:]

    def _drop_late(self, now_s: float) -> None:
        for kind, (_, within_s) in OCCASIONS.items():
            waiting = self._waiting[kind]
            while waiting and now_s - waiting[0][0] > within_s:
                self._missed.append(waiting.popleft()[1])

    def _now_s(self) -> float:
        return self._clock.now_ns() / NS


def caller(how: str) -> Callable[[Comment, str], str]:
    """What a viewer is called; "" for one who would only be somebody. how: as chat.names says."""

    def call(comment: Comment, language: str) -> str:
        name = called(comment.user, how, language)
        return "" if name in SOMEBODY.values() else name

    return call
