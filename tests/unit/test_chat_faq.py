"""FAQ files: what is a question, what is an answer, and every mistake with its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from broadcaster.chat.faq import Faq, FaqFiles, examined, load
from pipeline.errors import ScriptError

GOOD = """---
language: en
---

# Orders

What stands here is for whoever edits the file.

## How long does delivery take? {id=delivery}

- When will it come?
- how fast is it

Two days, {usually|mostly}.
Never more than five.

- Monday to Friday

## Do you have a shop?

Yes: {mug.price} is what a mug costs there.
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "faq.md"
    path.write_text(text, encoding="utf-8")
    return path


def wrong(tmp_path: Path, text: str) -> list[str]:
    path = written(tmp_path, text)
    return [mistake.told(Path("faq.md")).replace(str(path), "faq.md") for mistake in examined(path)[1]]


def test_a_question_has_further_ways_to_ask_it_and_an_answer_in_paragraphs(tmp_path: Path) -> None:
    delivery, shop = load(written(tmp_path, GOOD)).entries
    assert delivery.id == "delivery" and delivery.language == "en" and delivery.line == 9
    assert delivery.questions == ("How long does delivery take?", "When will it come?", "how fast is it")
    assert delivery.paragraphs == ("Two days, {usually|mostly}. Never more than five.", "Monday to Friday")
    assert shop.id == "do-you-have-a-shop"


def test_the_language_is_that_of_the_front_matter_or_of_the_question(tmp_path: Path) -> None:
    entries = load(written(tmp_path, "## 包邮吗？\n\n包邮。\n\n## Is it free?\n\nYes.\n")).entries
    assert [(entry.language, entry.id) for entry in entries] == [("zh", "包邮吗"), ("en", "is-it-free")]
    assert load(written(tmp_path, "---\nlanguage: de\n---\n## Was?\n\nDas.\n")).entries[0].language == "de"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("## What?\n", "1:1: 'What?' has no answer; write a paragraph below it"),
        ("## What?\n\n- Which?\n", "1:1: 'What?' has no answer; write a paragraph below it"),
        ("Hello.\n\n## What?\n\nThat.\n", "1:1: words before the first question; write ## QUESTION above them"),
        ("## What?\n\nSo {a|b.\n", r"3:4: this brace is not closed; add a }, or write \{ for a brace"),
        ("## A? {id=x}\n\nB.\n\n## C? {id=x}\n\nD.\n", "5:8: the id 'x' is in line 1 already; write another {id=…}"),
        ("## A? {id=a/b}\n\nB.\n", "1:8: id: 'a/b' is no id; write letters, figures, -, . and _"),
        ("## A? {ids=a}\n\nB.\n", "1:8: unknown key 'ids'; did you mean id?"),
        ("## A?\n\n- b?\n\nB.\n\n## B? {id=c}\n\nC.\n", "7:1: 'B?' is asked in line 3 already; keep one of them"),
        ("---\nlanguage: E!\n---\n## A?\n\nB.\n", "2:1: language: 'E!' is no language; write for example en"),
        ("---\nlang: en\n---\n## A?\n\nB.\n", "2:1: unknown key 'lang'; did you mean language?"),
        (
            "---\nvariables:\n  a: b\n---\n## A?\n\nB.\n",
            "1:1: variables: a belongs to scripts; an answer names products, as {mug.price}",
        ),
        ("## A?\n\n{speed=2} B.\n", "3:2: unknown key 'speed'; there is none"),
        ("# Title\n\nNothing.\n", "1:1: there is no question in it; write ## QUESTION, and its answer below"),
        ("", "1:1: there is no question in it; write ## QUESTION, and its answer below"),
    ],
)
def test_every_mistake_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    assert wrong(tmp_path, text) == [f"faq.md:{told}"]


def test_all_mistakes_are_told_at_once_and_the_right_entries_are_kept(tmp_path: Path) -> None:
    text = "## A?\n\nSo {a|b.\n\n## B?\n\n## C?\n\nFine.\n"
    with pytest.raises(ScriptError) as error:
        load(written(tmp_path, text))
    assert [line.rpartition("faq.md:")[2][:3] for line in str(error.value).splitlines()] == ["3:4", "5:1"]
    assert "c" in {entry.id for entry in examined(written(tmp_path, text))[0].entries}


def test_a_file_that_is_not_text_or_not_there_is_told(tmp_path: Path) -> None:
    assert "No such file" in examined(tmp_path / "none.md")[1][0].text
    (tmp_path / "bytes.md").write_bytes(b"## a\n\n\xff\xfe\x00")
    assert examined(tmp_path / "bytes.md")[1][0].line == 3


def test_files_are_read_again_when_they_changed_and_a_broken_one_keeps_what_it_said(tmp_path: Path) -> None:
    path, other = tmp_path / "faq.md", tmp_path / "zh.md"
    path.write_text("## A?\n\nB.\n")
    other.write_text("## 问？\n\n答。\n")
    files = FaqFiles([path, other])
    first = files.current()
    assert [entry.id for entry in first.entries] == ["a", "问"] and files.current() is first
    path.write_text("## A?\n\nBee.\n\n## C?\n\nD.\n")
    assert [entry.paragraphs[0] for entry in files.current().entries] == ["Bee.", "D.", "答。"]
    path.write_text("## A?\n")
    assert [entry.id for entry in files.current().entries] == ["a", "c", "问"]
    path.unlink()
    assert len(files.current().entries) == 3
    path.write_text("## E?\n\nF.\n")
    os.utime(path, ns=(1, 1))
    assert [entry.id for entry in files.current().entries] == ["e", "问"]


def test_no_files_are_an_empty_faq() -> None:
    assert FaqFiles([]).current() == Faq()
