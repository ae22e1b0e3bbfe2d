"""Script files: what is said, where a reading goes on, and what is refused in which line."""

from __future__ import annotations

from pathlib import Path

import pytest

from broadcaster.script.load import FILE_MAX_BYTES, load, parse
from broadcaster.script.place import Place
from broadcaster.script.reading import Reading
from broadcaster.utterance import Lane, Utterance
from pipeline.errors import ScriptError

MARKDOWN = """---
title: not said
---
# Opening

Good **evening** and
welcome to [the show](https://example.org).

<!-- a note
over two lines -->
## Goods #

- First item
  goes on
- Second item
1. Third item

***
今天
晚上好
"""


def split(text: str) -> list[str]:
    return [part.strip() for part in text.replace("。", ".").split(".") if part.strip()]


def reading(text: str, loop: bool = True, place: Place | None = None) -> Reading:
    return Reading(parse(text, Path("s.md")), split, loop, place or Place())


def take(words: Reading, count: int) -> list[Utterance]:
    return [utterance for _ in range(count) if (utterance := words.next(0.0))]


def test_markdown_gives_sections_paragraphs_and_items() -> None:
    script = parse(MARKDOWN, Path("s.md"))
    assert [(section.name, line.line, line.column, line.text) for section, line in script.lines()] == [
        ("Opening", 6, 1, "Good **evening** and welcome to the show."),
        ("Goods", 13, 3, "First item goes on"),
        ("Goods", 15, 3, "Second item"),
        ("Goods", 16, 4, "Third item"),
        ("Goods", 19, 1, "今天晚上好"),
    ]


def test_plain_text_has_paragraphs_and_no_markup() -> None:
    script = parse("# one\ntwo\n\n\n- three\n", Path("s.txt"))
    assert [(line.line, line.text) for _, line in script.lines()] == [(1, "# one two"), (5, "- three")]


def test_a_looped_script_begins_again_under_new_ids() -> None:
    said = take(reading("# A\n\none. two\n\nthree"), 5)
    assert [one.id for one in said] == ["script:0:0", "script:0:1", "script:1:0", "script:1:1", "script:2:0"]
    assert said[0].sentences == ("one", "two") and said[0].lane is Lane.SCRIPT
    assert [one.section for one in said[:2]] == ["A", ""]


def test_a_script_that_does_not_loop_ends() -> None:
    assert len(take(reading("one\n\ntwo", loop=False), 5)) == 2


def test_a_script_without_anything_that_can_be_said_ends_too() -> None:
    assert take(reading("...\n\n. ."), 3) == []


def test_a_reading_goes_on_at_its_place() -> None:
    words = reading("a\n\nb\n\nc")
    take(words, 4)
    assert take(reading("a\n\nb\n\nc", place=words.place_of(None)), 1)[0].id == "script:1:1"
    assert take(reading("a\n\nb\n\nc", place=words.place_of("script:0:2")), 1)[0].id == "script:0:2"


def test_a_reading_goes_on_where_the_journal_says() -> None:
    words = reading("a\n\nb\n\nc")
    words.seek("script:4:2")
    assert [one.id for one in take(words, 2)] == ["script:4:2", "script:5:0"]


def test_in_a_changed_script_the_same_paragraph_of_the_section_comes_next_under_a_new_id() -> None:
    words = reading("# A\n\na\n\n# B\n\nb\n\nc")
    take(words, 2)
    place = words.place_of(None)
    changed = take(reading("# New\n\nx\n\n# A\n\na\n\n# B\n\nb\n\nC!", place=place), 1)[0]
    assert (changed.id, changed.sentences) == ("script:1:3", ("C!",))
    assert take(reading("other", place=place), 1)[0].id == "script:1:0"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ":1:1: there is nothing to say"),
        (b"\n\n# Only a heading\n<!-- x -->", ":1:1: there is nothing to say"),
        (b"one\ntwo\x00\n", ":2:4: binary (byte 0x00)"),
        (b"\x89PNG\r\n\x1a\n\0\0", ":1:1: binary"),
        ("héllo\nwörld".encode("latin-1"), ":1:2: not UTF-8 text"),
        (b"ok\nok\n\xff", ":3:1: not UTF-8 text"),
        (b"ok\n\n" + b"x" * 20_001, ":3:1: 20,001 characters"),
        (b"x" * (FILE_MAX_BYTES + 1), "more than 5 MB"),
    ],
)
def test_a_bad_script_is_refused_with_its_line(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "s.md"
    path.write_bytes(data)
    with pytest.raises(ScriptError) as caught:
        load(path)
    assert words in str(caught.value) and str(path) in str(caught.value)


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="No such file"):
        load(tmp_path / "none.md")
    with pytest.raises(ScriptError, match="directory"):
        load(tmp_path)


def test_a_byte_order_mark_and_foreign_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "s.md"
    path.write_bytes(b"\xef\xbb\xbf# A\r\n\r\none\r\n")
    assert load(path).sections[0].lines[0].text == "one"
