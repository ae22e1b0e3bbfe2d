"""How long to bear with a sentence that no voice can say, or that takes the director with it.

In: tries, failures and successes of voices. Out: whether to try again, when, and what must outlive the process. Pure:
times are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping

from broadcaster.utterance import Key, Utterance
from pipeline.clock import NS
from pipeline.errors import MessageError, SpeechError, UnknownVoice

TRIES = 5  # of a whole voice chain, or of directors that died in the middle of one sentence
BACK_OFF_S = (1.0, 2.0, 4.0, 8.0)  # between the tries


class Patience:
    def __init__(self, trying: Mapping[str, int]) -> None:
        self._trying = dict(trying)  # sentence → directors that began with it and have not ended it
        self._failures: dict[str, int] = {}
        self._held: dict[str, int] = {}  # id → when it is tried again, ns

    def begins(self, key: Key) -> None:
        self._trying[_name(key)] = self._trying.get(_name(key), 0) + 1

    def ends(self, key: Key) -> None:
        self._trying.pop(_name(key), None)

    def is_deadly(self, identity: str) -> bool:
        """Whether directors died over it again and again."""
        return any(count >= TRIES and name.rpartition("#")[0] == identity for name, count in self._trying.items())

    def succeeded(self, identity: str) -> None:
        self._failures.pop(identity, None)

    def failed(self, utterance: Utterance, error: SpeechError | MessageError, now_ns: int) -> bool:
        """A sentence of it could not be said; false when it is to be given up."""
        tries = self._failures[utterance.id] = self._failures.get(utterance.id, 0) + 1
        hopeless = isinstance(error, MessageError) or (isinstance(error, UnknownVoice) and bool(utterance.voice))
        if hopeless or tries >= TRIES:
            return False
        self._held[utterance.id] = now_ns + int(BACK_OFF_S[tries - 1] * NS)
        return True

    def due(self, now_ns: int) -> list[str]:
        """Ids whose next try has come."""
        due = [name for name, due_ns in self._held.items() if due_ns <= now_ns]
        for name in due:
            del self._held[name]
        return due

    def forget(self, identity: str) -> None:
        self._failures.pop(identity, None)
        self._held.pop(identity, None)

    def trying(self) -> dict[str, int]:
        return dict(self._trying)


def _name(key: Key) -> str:
    return f"{key[0]}#{key[1]}"
