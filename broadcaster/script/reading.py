"""A script being said: utterance after utterance, lap after lap, and the place to go on from after a restart.

In: a script, what variables stand for now, an earlier place. Out: utterances, one a line. What was chosen among
alternatives and in shuffled order follows from the place alone, so that a look ahead or a restart gives the same words.
A line that is not said for want of a value is told of once, until it is said again. Dayparts and variables are those of
the moment at which a line is taken. It watches no file and knows no rundown. Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import accumulate, count

import msgspec

from broadcaster.script import shuffle
from broadcaster.script.model import Line, Script, Section
from broadcaster.script.place import Place, digest, keys, recognised
from broadcaster.script.template import Filled
from broadcaster.script.values import Values, worded
from broadcaster.utterance import SCRIPT_PREFIX, Coming, Lane, Utterance

GIVEN_KEPT = 200  # utterances whose places are known: more than ever wait in a rundown unbegun
PASSED_MAX = 500  # lines that cannot be said, passed over in one call: the loop that asks has other things to do


class Reading:
    """A script being said: `next` gives the coming utterance, `place_of` the place to remember.

    split: a text into sentences. prefix: of the ids. values: what variables stand for, and the local time. reword: a
    line, known by its section and number, in other words for this turn of its section; at once. left_out: takes
    FILE:LINE of what is not said, and the names of the variables that it needs.
    """

    def __init__(
        self,
        script: Script,
        split: Callable[[str], Sequence[str]],
        loop: bool,
        place: Place,
        *,
        prefix: str = SCRIPT_PREFIX,
        lane: Lane = Lane.SCRIPT,
        values: Callable[[], Values] = Values,
        reword: Callable[[str, int, str], str] | None = None,
        left_out: Callable[[str, Sequence[str]], None] = lambda source, missing: None,
    ) -> None:
        self.script = script
        self._split = split
        self._looped = loop
        self._loop = loop if script.loop is None else script.loop
        self._prefix = prefix
        self._lane = lane
        self._values = values
        self._reword = reword
        self._left_out = left_out
        self._missing: dict[int, tuple[str, ...]] = {}  # line of the file → variables without which it was not said
        self._keys = keys(section.name for section in script.sections)
        self._at = {key: index for index, key in enumerate(self._keys)}
        self._first = [0, *accumulate(len(section.lines) for section in script.sections)]  # index of a section's first
        self._shuffled = script.order == "shuffle"
        self._given: dict[str, Place] = {}  # id → the place before it was taken
        self._ahead: tuple[tuple[Place, int, int | None], list[Coming]] | None = None
        self._place = self._found(place)

    # ── what is said ─────────────────────────────────────────────────────────────────────────────

    def next(self, now_s: float) -> Utterance | None:
        """The coming utterance; None when the script has ended, or nothing of it may be said now.

        What cannot be said (no letter in it, or a variable without a value) is passed over.
        """
        values = self._values()
        for _ in range(min(PASSED_MAX, self._first[-1])):
            found = self._step(self._place, _minute(values))
            if found is None:
                return None
            before, (here, self._place) = self._place, found
            filled = self._filled(here, values)
            self._note_missing(here, filled.missing)
            if sentences := tuple(self._split(filled.text)):
                utterance = self._utterance(here, sentences, now_s)
                self._given[utterance.id] = before
                if len(self._given) > GIVEN_KEPT:
                    del self._given[next(iter(self._given))]
                return utterance
        return None

    def coming(self, sentences: int) -> list[Coming]:
        """About so many sentences that `next` would give, without taking them; as things stand."""
        values = self._values()
        asked = (self._place, sentences, _minute(values))
        if self._ahead is not None and self._ahead[0] == asked:
            return self._ahead[1]
        ahead: list[Coming] = []
        place = self._place
        for _ in range(min(PASSED_MAX, self._first[-1])):
            found = self._step(place, _minute(values)) if len(ahead) < sentences else None
            if found is None:
                break
            here, place = found
            voice, speed = self._voice(here), self._speed(here)
            ahead += [Coming(text, voice, speed) for text in self._split(self._filled(here, values).text)]
        self._ahead = (asked, ahead)
        return ahead

    # ── where it stands ──────────────────────────────────────────────────────────────────────────

    def place_of(self, identity: str | None) -> Place:
        """The place where this utterance of ours is what comes next; None: what `next` would give."""
        place = self._place if identity is None else self._given.get(identity) or self._sought(identity)
        section = self._section(place)
        lines = section.lines if section else ()
        following = self._flat(place.index) if not self._shuffled else lines[place.number : place.number + 1]
        return msgspec.structs.replace(
            place,
            digest=self.script.digest,
            said=digest(following[0]) if following else "",
            before=digest(lines[place.number - 1]) if 0 < place.number <= len(lines) else "",
        )

    def seek(self, identity: str) -> None:
        """Go on at this utterance, which this or an earlier reading gave."""
        self._place = self._given.get(identity) or self._sought(identity)

    def goto(self, section: str) -> bool:
        """Go on at the beginning of this section, whatever its dayparts; false when there is none of that name."""
        if section not in self._at:
            return False
        index = 0 if self._shuffled else self._first[self._at[section]]
        self._place = msgspec.structs.replace(
            self._place, lap=self._place.lap + 1, index=index, section=section, number=0, asked=True
        )
        return True

    def leave(self) -> None:
        """Go on at the section after this one, unless it has not begun."""
        section = self._section(self._place)
        if section is None or self._place.number == 0:
            return
        left = max(0, len(section.lines) - self._place.number)
        index = self._place.index + (0 if self._shuffled else left)
        self._place = msgspec.structs.replace(self._place, index=index, number=self._place.number + left, asked=False)

    def sections(self) -> list[str]:
        """Their names as `goto` takes them, in the order of the file."""
        return list(self._keys)

    def revised(self, script: Script, place: Place) -> Reading:
        """The same reading of another version of the file, at the same place."""
        return Reading(
            script,
            self._split,
            self._looped,
            place,
            prefix=self._prefix,
            lane=self._lane,
            values=self._values,
            reword=self._reword,
            left_out=self._left_out,
        )

    # ── from line to line ────────────────────────────────────────────────────────────────────────

    def _step(self, place: Place, minute: int | None) -> tuple[Place, Place] | None:
        """The place of the line that is said next, from this one on, and the place after it."""
        here = self._drawn(place, minute) if self._shuffled else self._listed(place, minute)
        if here is None:
            return None
        section = self.script.sections[self._at[here.section]]
        if here.number == 0:
            turns = {key: turn for key, turn in here.turns.items() if key in self._at}
            turns = shuffle.taken(turns, here.section, section.weight, here.now, here.seed)
            here = msgspec.structs.replace(here, turns=turns)
        asked = here.asked and here.number + 1 < len(section.lines)
        return here, msgspec.structs.replace(here, index=here.index + 1, number=here.number + 1, asked=asked)

    def _listed(self, place: Place, minute: int | None) -> Place | None:
        """The first line from here on whose section may be said now."""
        sections = self.script.sections
        at, number, lap, asked = self._at.get(place.section, 0), place.number, place.lap, place.asked
        for _ in range(len(sections) + 1):
            if number < len(sections[at].lines) and (asked or _is_open(sections[at], minute)):
                index = self._first[at] + number
                return msgspec.structs.replace(
                    place, lap=lap, index=index, section=self._keys[at], number=number, asked=asked
                )
            at, number, asked = at + 1, 0, False
            if at == len(sections):
                if not self._loop:
                    return None
                lap, at = lap + 1, 0
        return None

    def _drawn(self, place: Place, minute: int | None) -> Place | None:
        """The section that goes on, or another, drawn from those that may be said now."""
        section = self._section(place)
        goes_on = section is not None and place.number > 0 and _is_open(section, minute)
        if section is not None and place.number < len(section.lines) and (goes_on or place.asked):
            return place
        pool = {
            key: one.weight
            for key, one in zip(self._keys, self.script.sections, strict=True)
            if _is_open(one, minute) and (self._loop or not place.turns.get(key, shuffle.Turn()).count)
        }
        if not pool:
            return None
        turns = shuffle.admitted(place.turns, pool, place.now, place.seed)
        key = shuffle.drawn(turns, pool)
        now = max(place.now, turns[key].due)
        laps = int(int(now) > int(place.now))
        return msgspec.structs.replace(
            place,
            lap=place.lap + laps,
            index=0 if laps else place.index,
            section=key,
            number=0,
            turns=turns,
            now=now,
            asked=False,
        )

    # ── a line ───────────────────────────────────────────────────────────────────────────────────

    def _filled(self, here: Place, values: Values) -> Filled:
        section = self.script.sections[self._at[here.section]]
        line = section.lines[here.number]
        turn = max(0, here.turns.get(here.section, shuffle.Turn()).count - 1)
        groups = count()
        dice = (here.seed, here.section, line.text)
        if self._reword is not None:
            text = self._reword(f"{here.section}/{here.number}", turn, line.text)
            line = dataclasses.replace(line, text=text)
        return worded(line, section, values, lambda choices: shuffle.choice(turn, choices, *dice, next(groups)))

    def _note_missing(self, here: Place, missing: tuple[str, ...]) -> None:
        line = self.script.sections[self._at[here.section]].lines[here.number].line
        if missing and self._missing.get(line) != missing:
            self._left_out(f"{self.script.path}:{line}", missing)
        if missing:
            self._missing[line] = missing
        else:
            self._missing.pop(line, None)

    def _utterance(self, here: Place, sentences: tuple[str, ...], now_s: float) -> Utterance:
        section = self.script.sections[self._at[here.section]]
        line = section.lines[here.number]
        return Utterance(
            id=f"{self._prefix}{here.lap}:{here.index}",
            sentences=sentences,
            lane=self._lane,
            voice=self._voice(here),
            accepted_s=now_s,
            section=section.name if here.number == 0 else "",
            speed=self._speed(here),
            pause_s=next((part.pause_s for part in self._parts(here) if part.pause_s is not None), None),
            source=f"{self.script.path}:{line.line}",
            product=section.product,
        )

    def _voice(self, here: Place) -> str:
        return next((part.voice for part in self._parts(here) if part.voice), "")

    def _speed(self, here: Place) -> float | None:
        return next((part.speed for part in self._parts(here) if part.speed is not None), None)

    def _parts(self, here: Place) -> tuple[Line, Section, Script]:
        """Whose settings count, first to last."""
        section = self.script.sections[self._at[here.section]]
        return section.lines[here.number], section, self.script

    # ── places of earlier readings ───────────────────────────────────────────────────────────────

    def _found(self, place: Place) -> Place:
        """This place; in a file that was changed, the same line of the same section, a lap later."""
        if not place.digest or place.digest == self.script.digest:
            return self._same(place)
        at, number = recognised(place, self._keys, self.script.sections)
        return msgspec.structs.replace(
            place,
            lap=place.lap + 1,
            index=0 if self._shuffled else self._first[at] + number,
            section=self._keys[at] if number or not self._shuffled else "",
            number=number,
            asked=place.asked and self._keys[at] == place.section,
        )

    def _same(self, place: Place) -> Place:
        section = self._section(place)
        fits = section is not None and 0 <= place.number <= len(section.lines)
        if fits and (self._shuffled or place.index == self._first[self._at[place.section]] + place.number):
            return place
        if self._shuffled:
            return msgspec.structs.replace(place, section="", number=0, asked=False)
        index = min(max(0, place.index), self._first[-1])
        at = max(at for at, first in enumerate(self._first[:-1]) if first <= index)
        return msgspec.structs.replace(
            place, index=index, section=self._keys[at], number=index - self._first[at], asked=False
        )

    def _sought(self, identity: str) -> Place:
        """The place by its id alone. In shuffled order that tells no section, so another one begins."""
        lap, index = (int(number) for number in identity.removeprefix(self._prefix).split(":"))
        if self._shuffled:
            return msgspec.structs.replace(self._place, lap=lap + 1, index=0, section="", number=0, asked=False)
        return self._same(msgspec.structs.replace(self._place, lap=lap, index=index, section="", number=-1))

    def _section(self, place: Place) -> Section | None:
        return self.script.sections[self._at[place.section]] if place.section in self._at else None

    def _flat(self, index: int) -> tuple[Line, ...]:
        """The line of this index among all, as listed; none beyond the last."""
        at = max(at for at, first in enumerate(self._first) if first <= index)
        return self.script.sections[at].lines[index - self._first[at] :][:1] if at < len(self._keys) else ()


def _is_open(section: Section, minute: int | None) -> bool:
    return section.weight > 0 if minute is None else section.is_open(minute)


def _minute(values: Values) -> int | None:
    return None if values.now is None else values.now.hour * 60 + values.now.minute
