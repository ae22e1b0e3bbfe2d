"""What waits for an answer, and which question comes next. Pure: time is an argument, in Unix seconds.

In: comments, a batch at a time. Out: the question that is most worth an answer now, when one may be given; and, once
for each, every comment that will not get one of its own, with the reason. Each comment ends as the first of a question
that was taken, as a further one of it (merged), or dropped.

It holds no more comments and bytes than it is told. Who asked, ordered or gave something goes before who only
talks; of equals the newest goes first, for that is what the room talks of.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from broadcaster.chat.blocked import Blocked
from broadcaster.chat.lately import Lately
from broadcaster.chat.model import Comment, Kind, Question, Reason
from broadcaster.chat.normalise import Normal, key_of, normalised, visible
from broadcaster.chat.rate import Bucket
from broadcaster.chat.sameness import words_of
from broadcaster.chat.waiting import Waiting
from broadcaster.chat.worth import STANDS_S, weight
from tts.text import language_of

IDS_KEPT = 10_000  # at 1,000 a second, those of the last 10 to 20 s
VIEWERS_KEPT = 5_000
TEXTS_KEPT = 10_000
IDS_FOR_S = 3600.0
VIEWERS_FOR_S = 1800.0
MOMENTS_KEPT = 64  # of a kind
BURST_OF_A_MINUTE = 5  # a fifth of a minute's answers may be given at once


@dataclass(frozen=True, slots=True)
class Limits:
    """stale_s: a comment's life. per_minute: answers. user_per_minute: comments of one viewer that are looked at.

    again_s: how long the same question is not answered again. waiting, waiting_bytes: what is held. moments: kinds that
    somebody wants even without words. language: the room's own, or its voice.
    """

    stale_s: float = 60.0
    per_minute: float = 12.0
    user_per_minute: float = 6.0
    again_s: float = 30.0
    merge: bool = True
    waiting: int = 500
    waiting_bytes: int = 2 << 20
    moments: frozenset[Kind] = frozenset()
    language: str = "en"


class Ended(NamedTuple):
    """A comment that will get no answer of its own."""

    comment: Comment
    reason: Reason


class Viewer:
    __slots__ = ("bucket", "stands_until_s")

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.stands_until_s = 0.0


class Pool:
    """`add` what came, `take` what is answered next, and drain `ended` after both."""

    def __init__(self, limits: Limits, now_s: float) -> None:
        self._limits = limits
        self._waiting = Waiting(limits.waiting, limits.waiting_bytes, limits.stale_s, limits.again_s, self._end)
        self._ids: Lately[int, bool] = Lately(IDS_KEPT, IDS_FOR_S, now_s)
        self._texts: Lately[int, bool] = Lately(TEXTS_KEPT, limits.stale_s, now_s)
        self._viewers: Lately[str, Viewer] = Lately(VIEWERS_KEPT, VIEWERS_FOR_S, now_s)
        self._moments: dict[Kind, deque[Comment]] = {kind: deque() for kind in limits.moments}
        self._answers = Bucket(max(1.0, limits.per_minute / BURST_OF_A_MINUTE), limits.per_minute / 60, now_s)
        self._ended: list[Ended] = []
        self._blocked = Blocked()
        self.counts: Counter[str] = Counter()  #: comments, and how they ended; `taken` are those of the questions

    @property
    def waiting(self) -> int:
        """Comments that are held."""
        return self._waiting.comments + sum(map(len, self._moments.values()))

    @property
    def waiting_bytes(self) -> int:
        """What they take, about."""
        return self._waiting.bytes

    def block(self, blocked: Blocked) -> None:
        """From now on these viewers and words are not answered."""
        self._blocked = blocked

    def add(self, comments: Iterable[Comment], now_s: float) -> None:
        """Take in what viewers sent."""
        for comment in comments:
            self.counts["comments"] += 1
            if reason := self._judge(comment, now_s):
                self._end(comment, reason)
        self._sweep(now_s)

    def take(self, now_s: float) -> Question | None:
        """The question to be answered next; None when there is none, or no answer may be given yet."""
        self._sweep(now_s)
        if not self._answers.holds(now_s) or (group := self._waiting.best(now_s)) is None:
            return None
        self._answers.take(now_s)
        self.counts["taken"] += 1
        self.counts[Reason.MERGED] += len(group.comments) - 1
        first = group.comments[0]
        language = language_of(first.reply or group.said, self._limits.language)
        freshness = 1 - (now_s - group.asked_s) / self._limits.stale_s
        comments = (self._named(first), *group.comments[1:])
        return Question(group.said, language, comments, group.weight + freshness, group.asked_s)

    def unanswered(self, question: Question) -> None:
        """Nobody knew an answer: another one may be given in its place."""
        self._answers.give_back()
        self.counts["taken"] -= 1
        self._end(question.comments[0], Reason.UNANSWERED)
        self._ended += [Ended(comment, Reason.MERGED) for comment in question.comments[1:]]  # counted before

    def unthanked(self, moments: Iterable[Comment]) -> None:
        """Nobody is thanked for these, which were taken."""
        for comment in moments:
            self.counts["taken"] -= 1
            self._end(comment, Reason.UNWANTED)

    def remember(self, comment: Comment, now_s: float) -> None:
        """Its answer is on its way already; nobody who asks the same gets another one for a while."""
        self._ids.put(hash(comment.id), True, now_s)
        self._waiting.know(comment, words_of(normalised(comment.text).key), now_s)

    def take_moments(self, kind: Kind, now_s: float) -> tuple[Comment, ...]:
        """What was done without words, the oldest first; it is the caller's from now on."""
        self._sweep(now_s)
        found = self._moments.get(kind, deque())
        moments = tuple(map(self._named, found))
        found.clear()
        self.counts["taken"] += len(moments)
        return moments

    def ended(self) -> list[Ended]:
        """Those that ended since this was asked last."""
        ended, self._ended = self._ended, []
        return ended

    def clear(self) -> None:
        """Forget what waits: it belongs to somebody else now, and may come again."""
        self._waiting.clear()
        self._ended.clear()
        for moments in self._moments.values():
            moments.clear()
        self._ids.clear()
        self._texts.clear()

    # ── taking in ────────────────────────────────────────────────────────────────────────────────

    def _judge(self, comment: Comment, now_s: float) -> Reason | None:
        """Let it wait; or the reason why not."""
        identity = hash(comment.id)
        if self._ids.get(identity, now_s):
            return Reason.DUPLICATE
        self._ids.put(identity, True, now_s)
        if self._is_stale(comment.sent_s, now_s):
            return Reason.STALE
        if self._blocked.has_user(comment):
            return Reason.BLOCKED_USER
        viewer = self._viewer(comment, now_s)
        stands = viewer is not None and now_s < viewer.stands_until_s
        if viewer and comment.kind in (Kind.GIFT, Kind.ORDER):
            viewer.stands_until_s = now_s + STANDS_S
        if not (comment.text or comment.reply):
            return self._take_moment(comment, now_s)
        if comment.reply:
            if self._was_said(comment, comment.reply, now_s):
                return Reason.REPEATED
            said = normalised(comment.text).said or comment.reply
            self._waiting.put(comment, (), said, weight(comment, asks=False, stands=stands), now_s)
            return None
        if viewer and not viewer.bucket.take(now_s):
            return Reason.TOO_OFTEN
        found = normalised(comment.text)
        if reason := self._passed_over(comment, found, now_s):
            return reason
        words = words_of(found.key) if self._limits.merge else ()
        self._waiting.put(comment, words, found.said, weight(comment, asks=found.asks, stands=stands), now_s)
        return None

    def _viewer(self, comment: Comment, now_s: float) -> Viewer | None:
        """What is known of who sent it; None when nobody knows who that is."""
        if not (who := comment.who):
            return None
        viewer = self._viewers.get(who, now_s)
        if viewer is None:
            limit = self._limits.user_per_minute
            viewer = Viewer(Bucket(max(1.0, limit), limit / 60, now_s))
            self._viewers.put(who, viewer, now_s)
        return viewer

    def _passed_over(self, comment: Comment, found: Normal, now_s: float) -> Reason | None:
        if found.why:
            return found.why
        if self._blocked.has_word_in(found.key):
            return Reason.BLOCKED_WORD
        return Reason.REPEATED if self._was_said(comment, found.key, now_s) else None

    def _was_said(self, comment: Comment, text: str, now_s: float) -> bool:
        """Whether this viewer said the same lately; from now on they did."""
        if not (who := comment.who):
            return False
        mark = hash((who, text))
        was_said = bool(self._texts.get(mark, now_s))
        self._texts.put(mark, True, now_s)
        return was_said

    def _take_moment(self, comment: Comment, now_s: float) -> Reason | None:
        moments = self._moments.get(comment.kind)
        if moments is None:
            return Reason.UNWANTED
        if comment.kind not in (Kind.GIFT, Kind.ORDER) and self._was_said(comment, comment.kind, now_s):
            return Reason.REPEATED
        moments.append(comment)
        if len(moments) > MOMENTS_KEPT:
            self._end(moments.popleft(), Reason.CROWDED)
        return None

    # ── ends ─────────────────────────────────────────────────────────────────────────────────────

    def _sweep(self, now_s: float) -> None:
        self._waiting.sweep(now_s)
        for moments in self._moments.values():
            while moments and self._is_stale(moments[0].sent_s, now_s):
                self._end(moments.popleft(), Reason.STALE)

    def _end(self, comment: Comment, reason: Reason) -> None:
        self.counts[reason] += 1
        self._ended.append(Ended(comment, reason))

    def _is_stale(self, sent_s: float, now_s: float) -> bool:
        return now_s - sent_s > self._limits.stale_s

    def _named(self, comment: Comment) -> Comment:
        """Without a name that may not be said."""
        if comment.user and self._blocked.has_word_in(key_of(visible(comment.user))):
            return replace(comment, user="")
        return comment
