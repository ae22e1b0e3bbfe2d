"""Chinese words where they are written otherwise: by sound, in pinyin, by initials, in pieces, by likeness. Pure.

In: a folded text, and words. Out: where each of them stands, and whether it stands there as it is. A stretch that only
sounds like a word is taken for it when the text is far likelier with the word in its place (broadcaster.guard.lexicon):
加我威心 is, 会为新人 is not. One that stands there by chance, as 日本 does in 今日本店, is not found.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from broadcaster.guard.alignment import Match, Word, aligned, spelt_by
from broadcaster.guard.cells import NONE, PAUSE, SIGN, SPACE, Cell, cells_of, placed, window_of
from broadcaster.guard.fold import HAN, Folded, Spot
from broadcaster.guard.lexicon import gain, reach
from broadcaster.guard.pinyin import near, near_sounds
from broadcaster.guard.tables import english, readings, syllables

UNIT = re.compile(rf"[{HAN}]|[a-z0-9]+")
TAKEN = 4.5  # gain from which on a stretch is taken for the word it sounds like
BY_CHANCE = 1.5  # by which the gain has to be more than what words win that reach into it: 放假|发票 is no 假发票
PARTED = -2.0  # and what pieces add: nobody parts words by chance
COMMON = 8000  # English words so common are no pinyin when they stand side by side
RUNS_KEPT = 20_000  # runs of letters of which is known what they may spell
SHORTEST_RUN = 4  # letters of pinyin that stand by themselves


class HanWords:
    """Words with Hanzi in them, of two signs and more, folded. initials: words that are also meant by these letters."""

    def __init__(self, words: Iterable[str], initials: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs: dict[tuple[str, str], list[Word]] = defaultdict(list)
        self._firsts: dict[str, list[Word]] = defaultdict(list)
        self._letters: dict[str, list[Word]] = defaultdict(list)
        self._runs: dict[str, tuple[Word, ...]] = {}
        for text in dict.fromkeys(words):
            units = tuple(UNIT.findall(text))
            self._file(Word(text, units, tuple(readings().get(unit, ()) for unit in units)))
        self._initials: dict[str, list[str]] = defaultdict(list)
        for meant, letters in initials:
            self._initials[letters].append(meant)

    def _file(self, word: Word) -> None:
        first, second = word.sounds[0], word.sounds[1] if len(word.units) > 1 else ()
        if not first:
            self._letters[word.units[0][0]].append(word)
            return
        for one in {near(sound) for sound in first}:
            self._firsts[one].append(word)
            for two in {near(sound) for sound in second}:
                self._pairs[one, two].append(word)
        if len(word.units) > 2:
            for letter in {sound[0] for sound in first}:
                self._letters[letter].append(word)

    def find(self, folded: Folded) -> list[Spot]:
        cells = cells_of(folded.text)
        found: list[Spot] = []
        for at in range(len(cells)):
            for word in self._candidates(cells, at):
                for match in aligned(word, cells, at, 0, Match(at, 0.0, plain=True, han=False)):
                    if self._meant(word, cells, at, match):
                        found.append(Spot(cells[at].begin, cells[match.cells - 1].end, word.word, match.plain))
                        break
            if cells[at].kind == "run" and self._stands_alone(cells, at):
                found += [Spot(*cells[at][:2], word, False) for word in self._initials.get(cells[at].text, ())]
        return found

    def _candidates(self, cells: Sequence[Cell], at: int) -> Sequence[Word]:
        """Words that may begin there."""
        cell = cells[at]
        if cell.kind == "run":
            following = cells[at + 1] if at + 1 < len(cells) else None
            beside = following is not None and (following.kind != "run" or _spells(following.text))
            return self._spelt(cell.text) if beside or english().get(cell.text, COMMON) >= COMMON else ()
        if at + 1 == len(cells):
            return ()
        following = cells[at + 1]
        if cell.kind == following.kind == "han":
            pairs, seconds = self._pairs, near_sounds(following.text)
            seen = [
                word
                for first in near_sounds(cell.text)
                for second in seconds
                if (first, second) in pairs
                for word in pairs[first, second]
            ]
        else:
            seen = [word for first in near_sounds(cell.text) for word in self._firsts.get(first, ())]
            if cell.kind == "digit":
                seen += self._letters.get(cell.text, ())
        return list(_once(seen)) if len(seen) > 1 else seen

    def _spelt(self, run: str) -> tuple[Word, ...]:
        """Words that may begin with these letters. The same runs come again and again."""
        found = self._runs.get(run)
        if found is None:
            firsts = {near(run[:size]) for size in range(1, min(6, len(run)) + 1)}
            seen = [word for first in firsts for word in self._firsts.get(first, ())]
            words = _once([*seen, *self._letters.get(run[0], ())])
            found = tuple(word for word in words if not word.sounds[0] or any(spelt_by(run, word.sounds, 0)))
            if len(self._runs) < RUNS_KEPT:
                self._runs[run] = found
        return found

    def _meant(self, word: Word, cells: Sequence[Cell], at: int, match: Match) -> bool:
        here = cells[at : match.cells]
        gaps = [cell.gap for cell in here[1:]]
        if PAUSE in gaps and not _bare(cells, at, match.cells):
            return False
        if not match.han:
            return _is_pinyin(here, match)
        if match.initials and (len(word.units) < 3 or match.initials > len(word.units) - 2):
            return False
        window, begin, end = window_of(cells, at, match.cells)
        won = gain(window, begin, end, word.word) + placed(window[begin:end]) - match.loss
        if match.plain:
            across = reach(window, begin, end)
            return not across or won >= across + BY_CHANCE
        if SIGN in gaps or SPACE in gaps:
            won -= PARTED
        return won >= TAKEN

    def _stands_alone(self, cells: Sequence[Cell], at: int) -> bool:
        """Not beside other letters or figures that belong to it."""
        before = at == 0 or cells[at].gap != NONE or cells[at - 1].kind == "han"
        after = at + 1 == len(cells) or cells[at + 1].gap != NONE or cells[at + 1].kind == "han"
        return before and after


def _spells(run: str) -> bool:
    """A syllable that is no English word."""
    return run in syllables() and english().get(run, COMMON) >= COMMON


def _is_pinyin(here: Sequence[Cell], match: Match) -> bool:
    """Letters alone: all of it spelt, and no English."""
    runs = [cell.text for cell in here if cell.kind == "run"]
    if not runs or match.initials or match.spelt < 2 or sum(map(len, runs)) < SHORTEST_RUN:
        return False
    places = [english().get(run) for run in runs]
    if len(runs) == 1:
        return places[0] is None
    return any(place is None or place > COMMON for place in places)


def _bare(cells: Sequence[Cell], begin: int, end: int) -> bool:
    """Whether a clause ends in it only to part it: on one side of each pause nothing stands but its own characters."""
    pauses = [at for at in range(begin + 1, end) if cells[at].gap == PAUSE]
    opens = begin == 0 or cells[begin].gap == PAUSE
    closes = end == len(cells) or cells[end].gap == PAUSE
    return opens or closes or len(pauses) > 1


def _once(words: Sequence[Word]) -> Iterator[Word]:
    seen: set[str] = set()
    for word in words:
        if word.word not in seen:
            seen.add(word.word)
            yield word
