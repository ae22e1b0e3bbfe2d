"""Lists as people write them: read, told what is wrong with, edited while they are in use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from broadcaster.guard.lists import SHIPPED, Lists, examined, files_of, load, platforms
from broadcaster.guard.tables import DATA
from pipeline.errors import ScriptError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(len(text), len(text)))  # another time for each length, however fast the test is
    return path


def test_a_list_has_words_with_harmless_phrases_letters_and_remarks(tmp_path: Path) -> None:
    text = (
        "# insults\n傻瓜 !傻瓜相机 !傻瓜 式   # a camera is none\n\n微信 ~wx ~VX\n=ass\n!微信支付\n"
        "get rich quick !never get rich quick\n"
    )
    entries = load(write(tmp_path / "own.txt", text))
    assert [(entry.word, entry.allow, entry.initials, entry.exact) for entry in entries] == [
        ("傻瓜", ("傻瓜相机", "傻瓜式"), (), False),
        ("微信", (), ("wx", "vx"), False),
        ("ass", (), (), True),
        ("", ("微信支付",), (), False),
        ("get rich quick", ("nevergetrichquick",), (), False),
    ]
    assert [entry.where for entry in entries] == [f"own.txt:{line}" for line in (2, 4, 5, 6, 7)]


def test_a_list_may_be_yaml(tmp_path: Path) -> None:
    text = (
        "- 傻瓜\n- {word: 微信, allow: [微信支付], initials: [wx], why: diversion}\n- word: ass\n  exact: true\n- 996\n"
    )
    entries = load(write(tmp_path / "own.yaml", text))
    assert [(entry.word, entry.allow, entry.initials, entry.exact) for entry in entries] == [
        ("傻瓜", (), (), False),
        ("微信", ("微信支付",), ("wx",), False),
        ("ass", (), (), True),
        ("996", (), (), False),
    ]


def test_every_mistake_is_told_with_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path / "own.txt", "傻瓜 !照相机\n好 ~x\n***\n~wx\n!\nfine\n" + "长" * 61 + "\n")
    with pytest.raises(ScriptError) as caught:
        load(path)
    assert str(caught.value).splitlines() == [
        f"{path}:1:1: !照相机 does not hold 傻瓜, so it allows nothing",
        f"{path}:2:1: ~x: write two letters and more, as ~wx",
        f"{path}:3:1: '***' has neither letter nor figure",
        f"{path}:4:1: there is no word in it",
        f"{path}:4:1: letters need the word that they mean before them, as: 微信 ~wx",
        f"{path}:5:1: ! needs a phrase behind it, as !傻瓜相机",
        f"{path}:7:1: '{'长' * 39}…' has 61 characters; at most 60: a list has words, not sentences",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("word: 傻瓜\n", "not a list; write one word a line, each behind a -"),
        ("- {word: 傻瓜, allows: [傻瓜相机]}\n", "unknown key 'allows'; did you mean allow?"),
        ("- [a\n", "not YAML"),
        ("-\n", "there is no word in it"),
    ],
)
def test_a_yaml_list_is_told_what_is_wrong_with_it(text: str, told: str, tmp_path: Path) -> None:
    _, mistakes = examined(write(tmp_path / "own.yaml", text))
    assert told in mistakes[0].text and mistakes[0].line


def test_a_list_that_is_edited_is_read_again_and_a_broken_one_counts_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "own.txt", "傻瓜\n")
    lists = Lists([path])
    assert lists.changed() and [entry.word for entry in lists.current()] == ["傻瓜"] and not lists.changed()
    write(path, "傻瓜\n笨蛋\n")
    assert lists.changed() and [entry.word for entry in lists.current()] == ["傻瓜", "笨蛋"]
    write(path, "傻瓜\n笨蛋 !聪明\n")
    with capture_logs() as logs:
        assert [entry.word for entry in lists.current()] == ["傻瓜", "笨蛋"]
        assert [entry.word for entry in lists.current()] == ["傻瓜", "笨蛋"]
    assert [one["event"] for one in logs] == ["guard.list_unusable"] and f"{path}:2:1:" in logs[0]["reason"]
    path.unlink()
    assert [entry.word for entry in lists.current()] == ["傻瓜", "笨蛋"] and not lists.broken


def test_a_list_of_which_nothing_is_known_is_named(tmp_path: Path) -> None:
    lists = Lists([tmp_path / "none.txt"])
    assert lists.current() == [] and lists.broken == [tmp_path / "none.txt"]


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.txt")), ids=lambda path: path.stem)
def test_a_shipped_list_has_no_mistake_and_names_its_source(path: Path) -> None:
    if path.stem in ("comments", "users"):
        pytest.skip("no list of the guard")
    entries, mistakes = examined(path)
    assert entries and mistakes == []
    text = path.read_text(encoding="utf-8")
    assert "Source" in text or "art." in text


def test_a_platform_adds_its_list_to_the_common_one() -> None:
    assert [path.name for path in files_of("douyin", ["own.txt"])] == ["common.txt", "douyin.txt", "own.txt"]
    assert [path.name for path in files_of("", [])] == ["common.txt"]
    assert {"douyin", "tiktok", "youtube", "twitch"} <= set(platforms())


@pytest.mark.parametrize("path", sorted(DATA.glob("*.txt")), ids=lambda path: path.name)
def test_a_table_that_was_drawn_from_others_is_named_with_its_licence(path: Path) -> None:
    licences = (Path(__file__).parents[2] / "docs" / "licences.md").read_text(encoding="utf-8")
    notices = (DATA / "NOTICES.md").read_text(encoding="utf-8")
    begin = path.read_text(encoding="utf-8")[:400]
    assert path.name in licences
    assert ("Drawn from" in begin) == (f"| {path.name} |" in notices) and ("Drawn from" in begin or "By hand" in begin)
