"""Text becomes sentences that a viewer can read and a voice can say. Pure.

In: any text, marked (tts.markup) or not. Out: its sentences in order, short enough for a subtitle; joined
they are the text again, white space apart; no mark is cut, and one over several sentences is in each of
them. Which language a sentence is in, too; how it is read aloud is in tts.reading.
"""

from __future__ import annotations

import re
import unicodedata

from tts import markup
from tts.reading import Reading, readable

__all__ = ["Reading", "language_of", "readable", "sentences", "width"]

MAX_WIDTH = 120  #: columns of a subtitle, a CJK character being two: 120 Latin letters or 60 Hanzi
MAX_CHARS = 4 * MAX_WIDTH  #: of a sentence: combining marks take no column, yet have an end
MIN_WIDTH = 12  #: columns: a cut leaves no shorter scrap where it can be avoided
LOPSIDED = 2  #: this many times more Hanzi than Latin words, or the reverse, decide the language

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
KANA = r"\u3040-\u30ff"
CJK = rf"[{HAN}{KANA}]"
CLOSERS = r"[\"'”’»」』）)\]】》〉]*"
STOPS = re.compile(  # bounded and without ways back: a message of nothing but dots is read in one go
    rf"[。！？；｡]+[。！？；!?.…]*{CLOSERS}"  # CJK: wherever they stand
    rf"|[!?][!?.…]{{0,30}}+{CLOSERS}(?=\s|$|{CJK})"
    rf"|(?:…{{1,30}}+|\.{{2,30}}+){CLOSERS}(?=\s|$|{CJK})"
    rf"|\.{CLOSERS}(?=\s|$|{CJK})"
    r"|\n\s*\n"
)
CLAUSES = re.compile(rf"[，、：；]+{CLOSERS}|[,;:]+{CLOSERS}(?=\s)|\s[-–—]+(?=\s)|—+")
BETWEEN_WORDS = re.compile(rf"\s+|{CJK}(?={CJK})")
WORDS = re.compile(rf"[^\W\d_{HAN}{KANA}]+(?:['’][^\W\d_]+)*")

# before a name, a number or an example: never the end of a sentence
OPEN_ABBREVIATIONS = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "st", "mt", "sr", "gen", "col", "lt", "sgt", "capt", "rev", "hon", "gov", "sen"}
    | {"rep", "pres", "e.g", "i.e", "cf", "vs", "fig", "vol", "approx", "dept", "est", "messrs", "mme", "mlle"}
)
# may end one: then a capital follows
CLOSED_ABBREVIATIONS = frozenset(
    {"etc", "inc", "ltd", "co", "corp", "jr", "bros", "al", "a.m", "p.m", "u.s", "u.k", "u.n", "e.u", "ph.d", "d.c"}
    | {"jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "ave", "blvd", "rd"}
    | {"min", "max", "tel", "ext", "ed", "eds", "dept"}
)
NUMBERED = frozenset({"no", "nos", "p", "pp", "ch", "art", "fig", "sec"})  # not before a figure
WORD_CHARS = 40  #: longer ones are no abbreviations
LAST_WORD = re.compile(r"(?:[A-Za-z]+\.)*[A-Za-z]+$")
LIST_NUMBER = re.compile(r"(?:^|\n)\s*\d{1,2}$")

CHINESE = frozenset({"zh", "cmn", "yue", "wuu", "nan", "hak"})
NOT_LATIN = CHINESE | {
    "ja", "ko", "ar", "fa", "he", "ur", "ru", "uk", "be", "bg", "sr", "mk", "el", "th", "hi", "mr", "ne", "bn", "ta",
    "te", "kn", "ml", "gu", "pa", "si", "my", "km", "lo", "ka", "hy", "am", "kk", "ky", "mn",
}  # fmt: skip


def sentences(text: str) -> list[str]:
    """The sentences of a text, each at most MAX_WIDTH columns wide when shown; none for white space alone."""
    return markup.cut(text, _shown_sentences)


def _shown_sentences(text: str) -> list[str]:
    cut = [sentence for part in _at_stops(text) for sentence in _shortened(" ".join(part.split()))]
    return _sayable(cut)


def language_of(text: str, default: str) -> str:
    """`zh`, `en`, or the default's own language, as the letters of the text suggest.

    default: a language (`fr`) or a voice (`zh-CN-XiaoxiaoNeural`). Latin letters mean English only
    to a voice that does not write with them itself; an even mixture means the default.
    """
    base = default.replace("_", "-").split("-")[0].lower()
    base = "zh" if base in CHINESE else base
    han = len(re.findall(f"[{HAN}]", text))
    latin = [word for word in WORDS.findall(text) if unicodedata.name(word[0], "").startswith("LATIN")]
    if re.search(f"[{KANA}]", text) or not (han or latin):
        return base
    if latin and han and base in ("zh", "en") and 1 / LOPSIDED <= han / len(latin) <= LOPSIDED:
        return base
    if han > len(latin):
        return base if base == "ja" else "zh"
    return "en" if base in NOT_LATIN or not base else base


def width(text: str) -> int:
    """Columns: two for a wide character, none for a combining one."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _at_stops(text: str) -> list[str]:
    parts, start = [], 0
    for stop in STOPS.finditer(text):
        if _ends_sentence(text, start, stop):
            parts.append(text[start : stop.end()])
            start = stop.end()
    parts.append(text[start:])
    return [part for part in parts if part.strip()]


def _ends_sentence(text: str, start: int, stop: re.Match[str]) -> bool:
    mark = stop[0]
    if not mark.strip() or mark[0] in "。！？；｡":
        return True
    after = text[stop.end() :].lstrip()[:1]
    goes_on = after.islower()
    if mark[0] == "." and mark[:2] != "..":
        return _full_stop(text[start : stop.start()], after, quoted=len(mark) > 1)
    # Wait… what?  "Really?" he asked.
    return not goes_on or not (mark[0] in ".…" or mark[-1] not in "!?")


def _full_stop(before: str, after: str, *, quoted: bool) -> bool:
    """Whether a single full stop ends the sentence: abbreviations, initials and list numbers do not."""
    if quoted:
        return not after.islower()
    if LIST_NUMBER.search(before):
        return not after
    found = LAST_WORD.search(before[-WORD_CHARS:])
    word = found[0] if found else ""
    if not after:
        return True
    if word.lower() in OPEN_ABBREVIATIONS or (len(word) == 1 and word.isupper() and word != "I"):
        return False
    if word.lower() in NUMBERED:
        return not after.isdigit()
    if word.lower() in CLOSED_ABBREVIATIONS:
        return after.isupper() or re.match(CJK, after) is not None
    return True


def _shortened(sentence: str) -> list[str]:
    """A sentence cut into parts of at most MAX_WIDTH, near to equal, at the best places there are."""
    parts, start, left = [], 0, width(sentence)
    while left > MAX_WIDTH or len(sentence) - start > MAX_CHARS:
        aim = left / max(1, -(-left // MAX_WIDTH))
        end = start + _best_cut(sentence[start : start + MAX_CHARS], aim)
        parts.append(sentence[start:end].strip())
        left -= width(sentence[start:end])
        start = end
    return [part for part in (*parts, sentence[start:].strip()) if part]


def _best_cut(sentence: str, aim: float) -> int:
    """Index nearest to `aim` columns after a clause, else a word, else a character; never beyond MAX_WIDTH."""
    before = _columns_before(sentence)
    clauses = [match.end() for match in CLAUSES.finditer(sentence)]
    words = [match.end() for match in BETWEEN_WORDS.finditer(sentence)]
    for places in (clauses, words):
        fitting = [at for at in places if MIN_WIDTH <= before[at] <= MAX_WIDTH]
        if fitting:
            return min(fitting, key=lambda at: abs(before[at] - aim))
    at = max(index for index, columns in enumerate(before) if columns <= MAX_WIDTH)
    while at > 1 and at < len(sentence) and _columns(sentence[at]) == 0:
        at -= 1  # a combining mark stays with its letter
    return at


def _columns_before(sentence: str) -> list[int]:
    """Columns before each index, and in all."""
    total, before = 0, [0]
    for char in sentence:
        total += _columns(char)
        before.append(total)
    return before


def _sayable(parts: list[str]) -> list[str]:
    """Scraps without a letter or a figure join their neighbour: they would be shown, but never spoken."""
    whole: list[str] = []
    for part in parts:
        scrap = not any(char.isalnum() for char in part)
        lone = whole and not any(char.isalnum() for char in whole[-1])
        if whole and (scrap or lone) and width(whole[-1]) + 1 + width(part) <= MAX_WIDTH:
            whole[-1] += ("" if re.search(f"{CJK}|[。！？；…]", whole[-1][-1:]) else " ") + part
        else:
            whole.append(part)
    return whole
