"""Lists of words that are never said, as people write them: one a line, with the phrases in which it is harmless.

    傻瓜 !傻瓜相机 !傻瓜式      stopped however it is written, but for these two
    微信 ~wx ~vx               also when it is meant by these letters
    =ass                       only as it is written here
    !微信支付                   harmless by itself, whatever list or rule says otherwise
    # until the end of the line: a remark

In: text files, or YAML ones: a list of words or of {word, allow, initials, exact, why}. Out: entries, and every mistake
with file and line. `Lists` reads a file again when it has changed, and keeps what it knew of it while it is broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import yaml

from broadcaster.guard.fold import fold
from broadcaster.script.model import Mistake, raise_for
from broadcaster.script.settings import shown, unknown
from broadcaster.script.source import read
from pipeline.errors import ScriptError
from pipeline.shipped import CONFIGS

SHIPPED = CONFIGS / "guard"
COMMON = SHIPPED / "common.txt"
WORD_MAX_CHARS = 60
ENTRIES_MAX = 50_000
REMARK = re.compile(r"(?:^|\s)#.*$")
OPTION = re.compile(r"\s+(?=[!~])")
LETTERS = re.compile(r"[a-z0-9]{2,12}")
KEYS = ("word", "allow", "initials", "exact", "why")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entry:
    """word: folded. allow: phrases around it, folded. initials: letters that mean it. exact: in no other writing.

    where: FILE:LINE. An entry without a word only allows.
    """

    word: str
    where: str
    allow: tuple[str, ...] = ()
    initials: tuple[str, ...] = ()
    exact: bool = False


def tight(text: str) -> str:
    """Folded, letters and figures alone."""
    return "".join(char for char in fold(text).text if char.isalnum())


def load(path: Path) -> list[Entry]:
    """ScriptError names the line of every mistake."""
    entries, mistakes = examined(path)
    raise_for(path, mistakes)
    return entries


def examined(path: Path) -> tuple[list[Entry], list[Mistake]]:
    """The entries that are right, and all that is wrong."""
    text = read(path)
    if isinstance(text, Mistake):
        return [], [text]
    mistakes: list[Mistake] = []
    rows = _yaml(text, mistakes) if path.suffix.lower() in (".yaml", ".yml") else _plain(text)
    entries = [entry for line, fields in rows if (entry := _entry(path, line, fields, mistakes))]
    if len(entries) > ENTRIES_MAX:
        mistakes.append(Mistake(0, 0, f"{len(entries):,} words; at most {ENTRIES_MAX:,} can be looked for in time"))
    return entries[:ENTRIES_MAX], mistakes


def files_of(platform: str, lists: Sequence[str]) -> list[Path]:
    """The common list, the platform's, the room's own."""
    return [COMMON, *([SHIPPED / f"{platform}.txt"] if platform else []), *map(Path, lists)]


def platforms() -> list[str]:
    """Names of those that have a list."""
    return sorted(path.stem for path in SHIPPED.glob("*.txt") if path != COMMON)


class Lists:
    """Files that are edited while they are in use. broken: those of which nothing is known."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self.broken: list[Path] = []
        self._looks: dict[Path, tuple[int, ...] | None] = {}
        self._known: dict[Path, list[Entry]] = {}

    def changed(self) -> bool:
        """Whether a file is not as it was when it was read."""
        return any(_looks(path) != self._looks.get(path, ()) for path in self.paths)

    def current(self) -> list[Entry]:
        """As the files say now; of a broken one what it said before, which is told once for each edit.

        Of one that was never read without a mistake, the words that can be made out count.
        """
        for path in self.paths:
            looks = _looks(path)
            if looks != self._looks.get(path, ()):
                self._looks[path] = looks
                self._read(path)
        self.broken = [path for path in self.paths if path not in self._known]
        return [entry for path in self.paths for entry in self._known.get(path, ())]

    def _read(self, path: Path) -> None:
        entries, mistakes = examined(path)
        try:
            raise_for(path, mistakes)
        except ScriptError as error:
            if entries:
                self._known.setdefault(path, entries)
            log.error("guard.list_unusable", list=str(path), reason=str(error), known=len(self._known.get(path, ())))
        else:
            self._known[path] = entries


def _looks(path: Path) -> tuple[int, ...] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


# ── how they are written ─────────────────────────────────────────────────────────────────────────


def _plain(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not (line := REMARK.sub("", line).strip()):
            continue
        word, *options = ["", line] if line[0] in "!~" else OPTION.split(line)
        yield (
            number,
            {
                "word": word.removeprefix("="),
                "exact": word.startswith("="),
                "allow": [option[1:].strip() for option in options if option[0] == "!"],
                "initials": [option[1:].strip() for option in options if option[0] == "~"],
            },
        )


def _yaml(text: str, mistakes: list[Mistake]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        mistakes.append(Mistake(*((mark.line + 1, mark.column + 1) if mark else (1, 1)), f"not YAML ({error.problem})"))
        return
    except (yaml.YAMLError, RecursionError) as error:
        mistakes.append(Mistake(1, 1, f"not YAML ({error})"))
        return
    if root is None:
        return
    if not isinstance(root, yaml.SequenceNode):
        mistakes.append(Mistake(root.start_mark.line + 1, 1, "not a list; write one word a line, each behind a -"))
        return
    for node in root.value:
        line = node.start_mark.line + 1
        held = yaml.constructor.SafeConstructor().construct_document(node)
        if not isinstance(held, dict):
            yield line, {"word": "" if held is None else str(held)}
        elif strange := [key for key in held if key not in KEYS]:
            mistakes.append(Mistake(line, 1, unknown("key", str(strange[0]), KEYS)))
        else:
            yield line, held


def _entry(path: Path, line: int, fields: dict[str, Any], mistakes: list[Mistake]) -> Entry | None:
    word, where = fold(str(fields.get("word") or "")).text.strip(), f"{path.name}:{line}"
    allow, initials = (_texts(fields.get(key)) for key in ("allow", "initials"))
    wrong = list(_faults(word, allow))
    wrong += [f"~{one}: write two letters and more, as ~wx" for one in initials if not LETTERS.fullmatch(one.lower())]
    if initials and not word:
        wrong.append("letters need the word that they mean before them, as: 微信 ~wx")
    mistakes += [Mistake(line, 1, one) for one in wrong]
    if wrong and not tight(word):
        return None
    return Entry(  # what is wrong with a phrase allows nothing, and the word is stopped all the same
        word,
        where,
        tuple(phrase for one in allow if tight(word) in (phrase := tight(one))),
        tuple(one.lower() for one in initials if LETTERS.fullmatch(one.lower())),
        bool(fields.get("exact")),
    )


def _faults(word: str, allow: Sequence[str]) -> Iterator[str]:
    if not tight(word) and (word or not allow):
        yield f"{shown(word)} has neither letter nor figure" if word else "there is no word in it"
    if len(word) > WORD_MAX_CHARS:
        yield f"{shown(word)} has {len(word)} characters; at most {WORD_MAX_CHARS}: a list has words, not sentences"
    for phrase in allow:
        if not tight(phrase):
            yield "! needs a phrase behind it, as !傻瓜相机"
        elif word and tight(word) not in tight(phrase):
            yield f"!{phrase} does not hold {word}, so it allows nothing"


def _texts(given: object) -> list[str]:
    return [str(one) for one in given] if isinstance(given, list) else [str(given)] if given else []
