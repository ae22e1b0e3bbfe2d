"""Rules that are written as patterns: what they can begin with, and how often that is worked out."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from broadcaster.guard import patterns
from broadcaster.guard.beginnings import alternatives, beginnings
from broadcaster.guard.fold import fold
from broadcaster.guard.guard import BOOKS
from broadcaster.guard.patterns import joined, load

FILES = {
    "ideas": "some DOCTOR = (?:tree )?doctor|[pf]hysician\nsome NEEDLESS = (?:no need|forget)\n",
    "one": "rule one.claim: why\nboth DOCTOR + NEEDLESS\nany (?:big )?miracle\nok no miracle\n",
    "two": "rule two.claim: why\nboth DOCTOR + SELL\nsome SELL = (?:sell|offer)\n",
    "three": "rule three.code: why\nany (?:print|echo)\\(\n",
}


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Rules of our own; the patterns of which it was asked with what they begin."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.rules").write_text(text)
    asked: list[str] = []

    def counted(source: str) -> frozenset[str]:
        asked.append(source)
        return beginnings(source)

    monkeypatch.setattr(patterns, "RULES", tmp_path)
    monkeypatch.setattr(patterns, "_ideas", cache(lambda: load("ideas")))
    monkeypatch.setattr(patterns, "beginnings", counted)
    return asked


def found(book: patterns.RuleBook, text: str) -> list[str]:
    return [one.rule for one in book.find(fold(text))]


def test_the_alternatives_of_a_pattern_are_those_outside_of_groups_and_classes() -> None:
    assert list(alternatives(r"a(?:b|c)|[|(]d|\|e|\(f|g")) == [r"a(?:b|c)", "[|(]d", r"\|e", r"\(f", "g"]


@pytest.mark.parametrize(
    ("pattern", "begins"),
    [
        ("ab|cd|e", {"ab", "cd", "e"}),
        ("(?:a|bc)d", {"ad", "bc"}),
        ("a?bc", {"ab", "bc"}),
        ("(?:a|b)?c", {"ac", "bc", "c"}),
        ("a+b", {"a"}),
        ("a{2}b", {"a"}),
        (r"[ab]c|\(d", {"ac", "bc", "(d"}),
        (r"(?<![a-z])no(?:w|t)\b", {"no"}),
        ("(?:(?:a|b)c|[)]d)e", {"ac", "bc", ")d"}),
        (".a", {""}),
        ("[^a]b", {""}),
        (r"\wa", {""}),
        ("best|no. 1", {"be", "no"}),
        ("(?:the )?best", {"th", "be"}),
        ("[ab]c", {"ac", "bc"}),
        (".x", {""}),
        ("a?", {""}),
    ],
)
def test_a_match_begins_with_what_is_told(pattern: str, begins: set[str]) -> None:
    assert beginnings(pattern) == begins


def test_a_group_without_an_end_is_told() -> None:
    with pytest.raises(ValueError, match="has no end"):
        beginnings("(?:a|b")


def test_a_pattern_is_worked_out_once_however_many_books_have_it_and_none_before_it_is_needed(asked: list[str]) -> None:
    book = joined([joined([load("one")]), load("two")])
    assert asked == []
    book.open()
    assert found(book, "Forget the doctor. I sell a miracle, says my doctor") == ["one.claim", "one.claim", "two.claim"]
    assert found(book, "no miracle") == []
    assert len(asked) == len(set(asked)) == len(book.patterns) == 5


def test_each_guard_of_a_process_took_half_a_second_to_look_at_all_patterns_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    joined(BOOKS.values()).open()
    asked: list[str] = []

    def counted(source: str) -> frozenset[str]:
        asked.append(source)
        return beginnings(source)

    monkeypatch.setattr(patterns, "beginnings", counted)
    book = joined(BOOKS.values())
    book.open()
    assert len(book.patterns) > 5_000 and asked == []


def test_a_book_is_searched_that_nobody_opened_and_has_no_ideas_where_it_brings_none_together(asked: list[str]) -> None:
    book = load("three")
    assert found(book, 'the doctor says print("hello")') == ["three.code"]
    assert asked == [r"(?:print|echo)\("]


@pytest.mark.parametrize(
    ("wording", "literal"),
    [
        (r"\bbrain ?cells?\b", "brain"),
        ("(?<![a-z])iq of", "iq of"),
        ("没脑{1,2}子", "没"),
        ("ab+c", "a"),
        ("a{2}", ""),
        ("(?:a|b)c", ""),
        ("[ab]c", ""),
        (r"\(a", ""),
    ],
)
def test_a_pattern_is_tried_only_where_its_first_letters_stand(wording: str, literal: str, asked: list[str]) -> None:
    (patterns.RULES / "three.rules").write_text(f"rule three: why\nany {wording}\n", encoding="utf-8")
    (pattern,) = load("three").patterns
    assert pattern.literal == literal
    assert pattern.begins == beginnings(wording)
    assert asked == ([] if len(literal) > 1 else [wording])
