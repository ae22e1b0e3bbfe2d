"""The rundown: what will be said next, sentence by sentence, and what was said but not yet heard.

In: utterances, and word of what viewers heard. Out: the plan of the coming sentences, and utterances
that are done. Pure: no clock (times are arguments), no I/O, no sound.

The rules
* Lane orders what waits: live > command > reply > scheduled > script. Within a lane, first come, first said.
* append: after its lane's queue. It begins at a sentence end of a lower lane, and waits for an utterance of its own
  or a higher lane to end.
* insert: before all that waits, at the next sentence end whatever is on air; inserts among themselves go by lane,
  then by arrival, and one that has begun is finished before another of its lane or below.
* now: cuts at once when its lane is at least the lane on air, else it is an insert.
* fill: when nothing else waits; anything that comes goes first at the next sentence end.
* at: an insert that comes at its planned time, and nothing is begun that would overrun it (broadcaster.diary).
* turn: utterances of one turn follow one another as the sentences of one; between them nothing of the same or a lower
  lane begins, though the next one be late, until the turn is ended (broadcaster.turn).
* What was broken off goes on where it was: at the next sentence if it yielded at a sentence end; if it was cut in the
  middle, that sentence is said again from its start.
* A lane's place is never taken by lower ones: however many wait, a higher lane gets in.
* A sentence given away is *out* until it is reported heard; what is out comes back by `rewind` when it was lost.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import islice, takewhile

import msgspec

from broadcaster.diary import PAUSE_S, Diary, has_come
from broadcaster.turn import Turns
from broadcaster.utterance import FILL, Key, Lane, Utterance

CAPACITY = 1000  # utterances of a lane and those above it; more is refused, since nobody will hear them in time
CAPACITY_CHARS = 2_000_000  # of their texts, at most 8 MB: some 40 hours of talk

CUTTING, INSERTED, APPENDED, FILLING = range(4)
URGENCIES = {"append": APPENDED, FILL: FILLING}
LOOKED_THROUGH = 20  # utterances that wait, for one that is over before a planned time
FORESEEN_S = 60.0  # before its planned time an utterance may be synthesised


class Placed(Enum):
    """What became of an utterance that was added."""

    WAITS = "waits"
    CUTS = "cuts"  #: what is on air ends now; `rewind` was done
    KNOWN = "known"  #: this id is here already; nothing changed
    FULL = "full"  #: refused


@dataclass(slots=True)
class _Entry:
    utterance: Utterance
    urgency: int
    order: int  #: among equals; negative for what was broken off
    held: bool = False  #: its voice failed; it waits to be tried again
    doubted: bool = False  #: cut just now, and how much of it was heard is not known yet

    @property
    def rank(self) -> tuple[int, int]:
        """Smaller goes first; decides over what is on air as well."""
        return (self.urgency, -self.utterance.lane)

    @property
    def key(self) -> tuple[int, int, int]:
        return (*self.rank, self.order)


class Rundown:
    def __init__(self, capacity: int = CAPACITY, capacity_chars: int = CAPACITY_CHARS) -> None:
        self._capacity = capacity
        self._capacity_chars = capacity_chars
        self._entries: dict[str, _Entry] = {}
        self._heard: dict[str, int] = {}  #: sentences of an utterance that viewers heard
        self._out: list[Key] = []  #: given away, oldest first
        self._current: str | None = None  #: utterance of the newest sentence given away, until its last one
        self._counts = [0] * len(Lane)  #: utterances here, by lane
        self._chars = [0] * len(Lane)  #: and of their texts
        self._turns = Turns()
        self._turns_before: dict[Key, Turns] = {}  #: each sentence that is out was given away
        self._newest = 0
        self._oldest = 0
        self.least = Lane.SCRIPT  #: nothing of a lower lane is planned; what is given away already is not touched
        self.floor = Lane.SCRIPT  #: nothing of a lower lane begins now; it is foreseen all the same

    # ── what is here ─────────────────────────────────────────────────────────────────────────────

    @property
    def out(self) -> tuple[Key, ...]:
        return tuple(self._out)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, identity: object) -> bool:
        return identity in self._entries

    def get(self, identity: str) -> Utterance | None:
        entry = self._entries.get(identity)
        return entry.utterance if entry else None

    def heard(self, identity: str) -> int:
        """How many sentences of it viewers heard."""
        return self._heard.get(identity, 0)

    def partly_heard(self) -> dict[str, int]:
        """Utterances that are not done, and how many of their sentences were heard."""
        return dict(self._heard)

    def next_sentence(self, identity: str) -> int:
        """Index of its first sentence that was neither heard nor given away."""
        given = max((sentence + 1 for name, sentence in self._out if name == identity), default=0)
        return max(given, self.heard(identity))

    @property
    def full(self) -> bool:
        return self._is_full(Lane.SCRIPT, 0)

    def full_lanes(self, places: int) -> list[Lane]:
        """Lanes in which fewer than so many would find a place."""
        return [lane for lane in Lane if self._is_full(lane, 0, places)]

    def queued(self) -> list[Utterance]:
        """Utterances that came from the queue."""
        return [entry.utterance for entry in self._entries.values() if entry.utterance.stream_id]

    def waiting(self) -> int:
        """Utterances with something left to give away, due or not."""
        return sum(1 for entry in self._entries.values() if self._has_more(entry))

    def unfinished(self) -> list[str]:
        """Ids of those."""
        return [name for name, entry in self._entries.items() if self._has_more(entry)]

    def on_air(self) -> Utterance | None:
        """What viewers hear, or will next: the owner of the oldest sentence that is out."""
        return next((found for name, _ in self._out if (found := self.get(name))), None)

    @property
    def turns(self) -> dict[str, int]:
        """Turns that are open, and their lanes; the outermost first."""
        return self._turns.opened

    def turns_before_out(self) -> dict[str, int]:
        """The same before what is out was given away."""
        return self._turns_before[self._out[0]].opened if self._out else self._turns.opened

    def of_turn(self, turn: str) -> list[Utterance]:
        """Those of this turn, in the order in which they came."""
        found = (entry.utterance for entry in self._entries.values())
        return [utterance for utterance in found if turn and utterance.turn == turn]

    # ── what comes ───────────────────────────────────────────────────────────────────────────────

    def add(self, utterance: Utterance, resumed: bool = False) -> Placed:
        """Take an utterance in. `resumed`: it was on air before a restart, so its mode is spent and it cuts nothing."""
        if utterance.id in self._entries:
            return Placed.KNOWN
        chars = _chars(utterance)
        if self._is_full(utterance.lane, chars):
            return Placed.FULL
        planned = utterance.due_s is not None
        urgency = INSERTED if planned else URGENCIES.get(utterance.mode, INSERTED)
        cuts = utterance.mode == "now" and not (resumed or planned) and utterance.lane >= self._lane_on_air()
        if parts := self.of_turn(utterance.turn):  # it follows them, however urgent it is
            urgency, cuts = max(INSERTED, self._entries[parts[-1].id].urgency), False
        if cuts:
            self.rewind()
            urgency = CUTTING
        self._newest += 1
        order = self._front() if cuts else self._newest
        self._entries[utterance.id] = _Entry(utterance, urgency, order)
        self._counts[utterance.lane] += 1
        self._chars[utterance.lane] += chars
        return Placed.CUTS if cuts else Placed.WAITS

    def plan(self, count: int, from_s: float, lasts_s: Callable[[Key], float] | None = None) -> list[Key]:
        """The next `count` sentences that may follow one another from that time on; nothing is given away by asking.

        lasts_s: how long a sentence is, for what has to be over at a planned time.
        """
        steps = takewhile(lambda step: not step[1], self._walk(count, from_s, lasts_s or _no_time, self.floor))
        return [key for key, _ in islice(steps, count)]

    def foresee(self, count: int, from_s: float, lasts_s: Callable[[Key], float]) -> list[Key]:
        """The same, and what comes after waiting for a planned time in the next FORESEEN_S."""
        return [key for key, _ in islice(self._walk(count, from_s, lasts_s, Lane.SCRIPT), count)]

    def expire(self, now_s: float) -> list[Utterance]:
        """Take out what waited beyond its time; what has begun is finished."""
        gone = [
            entry.utterance
            for name, entry in self._entries.items()
            if entry.utterance.expires_s is not None
            and entry.utterance.expires_s <= now_s
            and self.next_sentence(name) == 0
        ]
        for utterance in gone:
            self.remove(utterance.id)
        return gone

    # ── what is given away, and what became of it ────────────────────────────────────────────────

    def begin(self, key: Key) -> None:
        """This sentence was given away: it is out."""
        name, sentence = key
        self._put_aside(name)
        self._turns_before[key] = self._turns.copy()
        self._out.append(key)
        entry = self._entries.get(name)
        self._current = name if entry and sentence + 1 < len(entry.utterance.sentences) else None
        if entry:
            self._turns.given(entry.utterance, sentence)

    def restore(self, out: Iterable[Key], heard: dict[str, int], turns: Mapping[str, int] | None = None) -> None:
        """Take up what was out and heard before a restart. turns: those that were open before what was out."""
        self._heard.update(heard)
        self._turns = Turns(turns)
        for key in out:
            self.begin(key)

    def sentence_heard(self, key: Key) -> Utterance | None:
        """Viewers heard the whole sentence; returns its utterance when that was the last one."""
        name, sentence = key
        self._heard[name] = max(self.heard(name), sentence + 1)
        self._let_out([(other, index) for other, index in self._out if other != name or index > sentence])
        entry = self._entries.get(name)
        if entry is None or self._heard[name] < len(entry.utterance.sentences):
            return None
        return self.remove(name)

    def remove(self, identity: str) -> Utterance | None:
        """Forget an utterance altogether: heard, dead or expired."""
        entry = self._entries.get(identity)
        if entry is not None and self._has_more(entry) and not entry.utterance.more:
            self._turns.close(entry.utterance.turn)
        self._heard.pop(identity, None)
        self._let_out([key for key in self._out if key[0] != identity])
        if self._current == identity:
            self._current = None
        if entry is None:
            return None
        del self._entries[identity]
        self._counts[entry.utterance.lane] -= 1
        self._chars[entry.utterance.lane] -= _chars(entry.utterance)
        return entry.utterance

    def shorten(self, identity: str, sentences: int) -> None:
        """It ends after so many sentences."""
        if entry := self._entries.get(identity):
            before = _chars(entry.utterance)
            entry.utterance = msgspec.structs.replace(
                entry.utterance, sentences=entry.utterance.sentences[: max(1, sentences)]
            )
            self._chars[entry.utterance.lane] += _chars(entry.utterance) - before
            if self._current == identity and not self._has_more(entry):
                self._current = None

    def close_turn(self, turn: str) -> None:
        """Nothing more comes of it: it ends with the newest utterance that did."""
        parts = self.of_turn(turn)
        if parts:
            newest = self._entries[parts[-1].id]
            newest.utterance = msgspec.structs.replace(newest.utterance, more=False)
        if not parts:
            for turns in self._turns_before.values():
                turns.close(turn)
        if not any(self._has_more(self._entries[part.id]) for part in parts):
            self._turns.close(turn)

    def end_turns(self) -> None:
        """Whoever writes them is silent: what waits goes on, and what still comes of them is as any other."""
        for turns in (self._turns, *self._turns_before.values()):
            turns.clear()

    def let_yield(self, identity: str) -> None:
        """From now on it yields as what is appended does, planned or not."""
        if entry := self._entries.get(identity):
            entry.urgency = APPENDED

    def prune(self, but: tuple[str, ...]) -> None:
        """Forget what was heard of utterances that are not here, but for ids that begin with one of `but`."""
        self._heard = {
            name: count for name, count in self._heard.items() if name in self._entries or name.startswith(but)
        }

    def rewind(self, beyond: int = 0) -> list[Key]:
        """What is out, but for its oldest `beyond` sentences, was lost: it waits again, before its equals."""
        lost = self._out[beyond:]
        self._take_back(lost)
        for name in reversed(list(dict.fromkeys(name for name, _ in lost))):
            if entry := self._entries.get(name):
                entry.order = self._front()
        self._current = None
        if self._out:
            name, sentence = self._out[-1]
            entry = self._entries.get(name)
            self._current = name if entry and sentence + 1 < len(entry.utterance.sentences) else None
        return lost

    def again(self, key: Key) -> None:
        """This sentence broke off because of its voice: it and what follows it in its utterance wait again."""
        name, sentence = key
        self._take_back([(other, index) for other, index in self._out if other == name and index >= sentence])
        self._put_aside("")
        if entry := self._entries.get(name):
            entry.order = self._front()

    def hold(self, identity: str, on: bool) -> None:
        """Leave it out of the plan for a while, or no longer."""
        if entry := self._entries.get(identity):
            entry.held = on

    def doubt(self, identities: Iterable[str]) -> None:
        """How much of these was heard is not known: nothing is planned beyond them until `settle`."""
        for name in identities:
            if entry := self._entries.get(name):
                entry.doubted = True

    def settle(self) -> None:
        for entry in self._entries.values():
            entry.doubted = False

    # ── the rules ────────────────────────────────────────────────────────────────────────────────

    def _walk(
        self, count: int, from_s: float, lasts_s: Callable[[Key], float], floor: Lane
    ) -> Iterator[tuple[Key, bool]]:
        """Sentence after sentence as they would be said, and whether any waits for a planned time, or for the rest of a
        turn, by then.

        At least `count`, if there are as many.
        """
        following = self._following(floor)
        entries = [self._entries[name] for name in following]
        diary = Diary(
            (entry.utterance.due_s, entry.utterance.lane)
            for entry in entries
            if entry.utterance.due_s is not None and following[entry.utterance.id] == 0
        )
        turns = self._turns.copy()
        whole = diary or turns or any(entry.utterance.turn for entry in entries)
        order = sorted(entries, key=_key) if whole else heapq.nsmallest(count, entries, key=_key)
        current = self._entries.get(self._current) if self._current in following else None
        at_s, waits = from_s, False
        while order:
            entry = self._fitting(order, current, turns, following, diary, at_s, lasts_s)
            if entry is None and turns:
                turns.clear()
                waits = True
                continue
            if entry is None:
                next_s = diary.next_s(at_s)
                if next_s is None or next_s > from_s + FORESEEN_S:
                    return
                at_s, waits = next_s, True
                continue
            if entry.doubted:
                return
            name = entry.utterance.id
            key = (name, following[name])
            yield key, waits
            at_s += lasts_s(key) + PAUSE_S if diary else 0.0
            turns.given(entry.utterance, following[name])
            following[name] += 1
            current = entry
            if following[name] >= len(entry.utterance.sentences):
                order = [other for other in order if other is not entry]
                current = None

    def _fitting(
        self,
        order: list[_Entry],
        current: _Entry | None,
        turns: Turns,
        following: dict[str, int],
        diary: Diary,
        at_s: float,
        lasts_s: Callable[[Key], float],
    ) -> _Entry | None:
        """Whose sentence begins at that time: the first in order, but for what would break into a turn or overrun a
        planned time.
        """
        if turn := turns.innermost:
            order = [entry for entry in order if turns.lets_begin(entry.utterance, entry.urgency == CUTTING)]
            current = current or next((entry for entry in order if entry.utterance.turn == turn), None)
        ready = [entry for entry in order if has_come(entry.utterance.due_s, at_s)] if diary else order
        if current is not None and not (ready and ready[0].rank < current.rank):
            ready = [current, *(entry for entry in ready if entry is not current)]
        too_long, held = 0, False  # held: of the script, where nothing overtakes
        for entry in ready:
            utterance = entry.utterance
            if utterance.due_s is not None or entry.urgency == CUTTING or not diary.binds(utterance.lane):
                return entry
            if too_long == LOOKED_THROUGH or (held and utterance.lane == Lane.SCRIPT):
                continue
            if diary.fits(utterance.lane, at_s, lasts_s((utterance.id, following[utterance.id]))):
                return entry
            too_long, held = too_long + 1, held or utterance.lane == Lane.SCRIPT
        return None

    def _following(self, floor: Lane) -> dict[str, int]:
        """The next sentence of each utterance that is not held back."""
        begun = {name for name, _ in self._out} | self._heard.keys()
        return {
            name: sentence
            for name, entry in self._entries.items()
            if not entry.held
            and entry.utterance.lane >= max(self.least, floor)
            and (sentence := self.next_sentence(name) if name in begun else 0) < len(entry.utterance.sentences)
        }

    def _let_out(self, keys: list[Key]) -> None:
        """These are out, and no others."""
        self._out = keys
        self._turns_before = {key: self._turns_before[key] for key in keys}

    def _take_back(self, lost: list[Key]) -> None:
        """These were given away in vain: turns are as if they had not been."""
        if not lost:
            return
        at = self._out.index(lost[0])
        after = [key for key in self._out[at:] if key not in lost]
        self._turns = self._turns_before[lost[0]]
        self._let_out([*self._out[:at], *after])
        for name, sentence in after:
            self._turns_before[name, sentence] = self._turns.copy()
            if entry := self._entries.get(name):
                self._turns.given(entry.utterance, sentence)

    def _is_full(self, lane: Lane, chars: int, places: int = 1) -> bool:
        """Whether so many utterances of this lane, with so many characters, find no place."""
        count, length = sum(self._counts[lane:]), sum(self._chars[lane:])
        return (
            count + places > self._capacity or length >= self._capacity_chars or length + chars > self._capacity_chars
        )

    def _has_more(self, entry: _Entry) -> bool:
        return self.next_sentence(entry.utterance.id) < len(entry.utterance.sentences)

    def _lane_on_air(self) -> int:
        """The highest lane that a cut would silence: what is out, turns that are open, what is about to cut."""
        lanes = [found.lane for name, _ in self._out if (found := self.get(name))]
        lanes += [entry.utterance.lane for entry in self._entries.values() if entry.urgency == CUTTING]
        return max([*lanes, self._turns.lane], default=Lane.SCRIPT)

    def _put_aside(self, following: str) -> None:
        """What was going on is broken off at a sentence end by another: it goes on before its equals."""
        if self._current not in (None, following) and (entry := self._entries.get(str(self._current))):
            entry.order = self._front()
        self._current = None

    def _front(self) -> int:
        self._oldest -= 1
        return self._oldest


def _chars(utterance: Utterance) -> int:
    return sum(map(len, utterance.sentences))


def _key(entry: _Entry) -> tuple[int, int, int]:
    return entry.key


def _no_time(_key: Key) -> float:
    return 0.0
