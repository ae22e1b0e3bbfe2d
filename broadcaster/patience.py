"""How long to bear with a sentence that no voice can say, or that takes the director with it.

In: tries, failures and successes of voices. Out: whether to try again, when, and what must outlive the process. Pure:
times are arguments.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from broadcaster.utterance import SCHEDULE_PREFIX, SCRIPT_PREFIX, Key, Utterance
from pipeline.clock import NS
from pipeline.errors import MessageError, SpeechError, UnknownVoice, VoicesDown

TRIES = 5  # of a whole voice chain, or of directors that died in the middle of one sentence
BACK_OFF_S = (0.0, 1.0, 4.0, 8.0)  # between the tries; the first may have met a voice on its way down
VOICELESS_NS = NS  # a voice may work, and another one, that rests, be the one that a sentence needs


class Patience:
    def __init__(self, trying: Mapping[str, int]) -> None:
        self._trying = dict(trying)  # sentence → directors that began with it and have not ended it
        self._suspect = set(trying)  # directors died while these, or others beside them, were synthesised
        self._failures: dict[str, int] = {}
        self._held: dict[str, int] = {}  # id → when it is tried again, ns
        self._voiceless: dict[str, int] = {}  # ids that wait for a voice to work, however long → not before, ns

    def begins(self, key: Key) -> None:
        self._trying[_name(key)] = self._trying.get(_name(key), 0) + 1

    def ends(self, key: Key) -> None:
        self._trying.pop(_name(key), None)
        self._suspect.discard(_name(key))

    def recall(self, trying: Mapping[str, int]) -> None:
        """Directors on other machines ended over these."""
        for name, count in trying.items():
            self._trying[name] = max(count, self._trying.get(name, 0))
        self._suspect |= trying.keys()

    def prune(self, here: Container[str]) -> None:
        """Forget what was tried of utterances that are settled: they are not here, and not of script or schedule."""
        self._trying = {
            name: count
            for name, count in self._trying.items()
            if (identity := name.rpartition("#")[0]) in here or identity.startswith((SCRIPT_PREFIX, SCHEDULE_PREFIX))
        }

    def is_suspect(self, key: Key) -> bool:
        """Whether it must be synthesised alone, so that a death tells which sentence was the deadly one."""
        return _name(key) in self._suspect

    def is_deadly(self, identity: str) -> bool:
        """Whether directors died over it again and again."""
        return any(count >= TRIES and name.rpartition("#")[0] == identity for name, count in self._trying.items())

    def succeeded(self, identity: str) -> None:
        self._failures.pop(identity, None)

    def failed(self, utterance: Utterance, error: SpeechError | MessageError, now_ns: int) -> bool:
        """A sentence of it could not be said; false when it is to be given up. That no voice works is not its fault."""
        if isinstance(error, VoicesDown):
            self._voiceless[utterance.id] = now_ns + VOICELESS_NS
            return True
        tries = self._failures[utterance.id] = self._failures.get(utterance.id, 0) + 1
        hopeless = isinstance(error, MessageError) or (isinstance(error, UnknownVoice) and bool(utterance.voice))
        if hopeless or tries >= TRIES:
            return False
        self._held[utterance.id] = now_ns + int(BACK_OFF_S[tries - 1] * NS)
        return True

    def due(self, now_ns: int, voices_work: bool) -> list[str]:
        """Ids whose next try has come."""
        if voices_work:
            self._held |= self._voiceless
            self._voiceless.clear()
        due = [name for name, due_ns in self._held.items() if due_ns <= now_ns]
        for name in due:
            del self._held[name]
        return due

    def forget(self, identity: str) -> None:
        """It is done with; pushed again it is tried as often as any other."""
        self._trying = {name: count for name, count in self._trying.items() if name.rpartition("#")[0] != identity}
        self._failures.pop(identity, None)
        self._held.pop(identity, None)
        self._voiceless.pop(identity, None)

    def trying(self) -> dict[str, int]:
        return dict(self._trying)


def _name(key: Key) -> str:
    return f"{key[0]}#{key[1]}"
