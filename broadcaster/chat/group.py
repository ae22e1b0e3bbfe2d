"""Comments that ask the same, and how a new one finds its like. Pure.

In: comments with the words that carry their question. Out: groups, each with the comment whose name may be said in
front and a worth that puts them in order. A new one is held against a bounded number of others, whatever waits.
"""

from __future__ import annotations

from collections import Counter

from broadcaster.chat.model import Comment
from broadcaster.chat.sameness import LONG_WORD, Words, same

KEPT = 16  # comments of a group that are remembered; of the others only how many they are
CROWD = 4  # so many who ask the same weigh one more than one of them; less than a buyer does
RARE_WORDS = 4  # by which others are looked for
PER_WORD = 8  # groups that a word leads to, the newest ones
COMMENT_BYTES = 1_200  # of a comment, its group and their places in the indexes, texts apart
CHAR_BYTES = 4


class Group:
    """weight: what makes it worth an answer, whole numbers. until_s: it was answered, and not again before then."""

    __slots__ = ("asked_s", "best", "bytes", "comments", "count", "key", "number", "said", "until_s", "words")

    def __init__(self, number: int, words: Words, said: str, comment: Comment, weight: int, asked_s: float) -> None:
        self.number = number
        self.words = words
        self.said = said
        self.comments = [comment]
        self.count = 1
        self.best = weight
        self.asked_s = asked_s
        self.bytes = cost(comment, said)
        self.until_s = 0.0
        self.key: tuple[float, int] = (0.0, number)

    @property
    def weight(self) -> int:
        return self.best + (self.count >= CROWD)

    def join(self, comment: Comment, said: str, weight: int, asked_s: float) -> Comment | None:
        """One more asks it; answers with one of them that is no longer remembered, or None."""
        self.count += 1
        self.asked_s = max(self.asked_s, asked_s)
        if weight > self.best:
            self.best, self.said = weight, said
            self.comments.insert(0, comment)
        else:
            self.comments.append(comment)
        self.bytes += cost(comment, said)
        if len(self.comments) <= KEPT:
            return None
        left = self.comments.pop()
        self.bytes -= cost(left, said)
        return left


def cost(comment: Comment, said: str) -> int:
    """Bytes that it takes, about, and rather more than less."""
    written = len(comment.text) + len(comment.reply) + len(said) + len(comment.user) + len(comment.user_id)
    return COMMENT_BYTES + CHAR_BYTES * (written + len(comment.id))


class Likes:
    """Groups by what they ask."""

    def __init__(self) -> None:
        self._equal: dict[Words, Group] = {}
        self._by_word: dict[str, list[Group]] = {}

    def __len__(self) -> int:
        return len(self._equal)

    def find(self, words: Words) -> Group | None:
        """The group that asks the same."""
        if found := self._equal.get(words):
            return found
        if not any(len(word) >= LONG_WORD and word.isascii() for word in words):
            return None
        return next((group for group in self._near(words) if same(words, group.words)), None)

    def put(self, group: Group) -> None:
        self._equal[group.words] = group
        for word in group.words:
            led = self._by_word.setdefault(word, [])
            led.append(group)
            if len(led) > PER_WORD:
                del led[0]

    def remove(self, group: Group) -> None:
        if self._equal.get(group.words) is group:
            del self._equal[group.words]
        for word in group.words:
            led = self._by_word.get(word)
            if led and group in led:
                led.remove(group)
                if not led:
                    del self._by_word[word]

    def _near(self, words: Words) -> list[Group]:
        """Those that share most of the rarest words, best first."""
        led = sorted((found for word in words if (found := self._by_word.get(word))), key=len)[:RARE_WORDS]
        shared = Counter(group.number for found in led for group in found)
        groups = {group.number: group for found in led for group in found}
        return [groups[number] for number, _ in shared.most_common(PER_WORD)]
