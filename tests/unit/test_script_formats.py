"""Script files of each format: what they say, what is set in them, and where each mistake stands."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from broadcaster.script.load import examined, load, parse, pasted
from broadcaster.script.model import TOLD_MAX, Daypart, Script
from pipeline.errors import ScriptError


def mistakes(text: str, name: str = "s.md") -> list[str]:
    return [one.told(Path(name)) for one in examined(Path(name), text).mistakes]


def texts(script: Script) -> list[str]:
    return [line.text for _, line in script.lines()]


SHOP = """---
title: The shop
order: shuffle
loop: false
voice: zh
speed: 1.1
pause_s: 2
products: goods/products.csv
variables:
  host: 小雨
  guest:
---
# The mug {weight=3 product=mug dayparts=08:00-12:00,22:30-02:00 pause_s=1.5 voice="Anna May" speed=0.9}

{voice=en speed=0.8 pause_s=0} Hello {there|friend}.
"""


def test_a_script_says_how_it_is_read() -> None:
    script = parse(SHOP, Path("/shop/s.md"))
    assert (script.title, script.order, script.loop) == ("The shop", "shuffle", False)
    assert (script.voice, script.speed, script.pause_s) == ("zh", 1.1, 2.0)
    assert script.products == Path("/shop/goods/products.csv")
    assert script.variables == {"host": "小雨", "guest": None}
    (section,) = script.sections
    assert (section.name, section.weight, section.product) == ("The mug", 3.0, "mug")
    assert section.dayparts == (Daypart(480, 720), Daypart(1350, 120))
    assert (section.pause_s, section.voice, section.speed) == (1.5, "Anna May", 0.9)
    (line,) = section.lines
    assert (line.text, line.voice, line.speed, line.pause_s) == ("Hello {there|friend}.", "en", 0.8, 0.0)
    assert (line.line, line.column) == (15, 32)


@pytest.mark.parametrize(
    ("minute", "is_open"), [(479, False), (480, True), (719, True), (720, False), (1350, True), (0, True), (120, False)]
)
def test_a_section_is_open_in_its_dayparts_past_midnight_too(minute: int, is_open: bool) -> None:
    assert parse(SHOP, Path("s.md")).sections[0].is_open(minute) is is_open


def test_a_whole_day_may_be_written_as_one() -> None:
    script = parse("# A {dayparts=00:00-24:00}\n\nx\n", Path("s.md"))
    assert all(script.sections[0].is_open(minute) for minute in range(1440))


def test_comments_and_links_are_not_said_and_brackets_can_be() -> None:
    script = parse(r"see [us](http://x.y) <!-- no --> now, `code` and __strong__, \[1] \{a\}", Path("s.md"))
    assert texts(script) == [r"see us  now, code and **strong**, \[1] \{a\}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("---\norder: shufle\n---\nx", "s.md:2:1: order: 'shufle' is none of listed, shuffle"),
        ("---\nvioce: zh\n---\nx", "s.md:2:1: unknown key 'vioce'; did you mean voice?"),
        ("---\nvoice: zh\nvoice: en\n---\nx", "s.md:3:1: voice is given twice; keep one of them"),
        ("---\nvoice: [a\n---\nx", "s.md:3:1: front matter: "),
        ("---\njust words\n---\nx", "s.md:2:1: front matter: write key: value"),
        ("---\nvoice: zh\n\n# A\n\nx", "s.md:1:1: front matter that does not end; write ---"),
        ("---\nvariables:\n  time: 3\n---\nx", "s.md:3:3: the variable time means something already"),
        ("---\nvariables:\n  a b: 3\n---\nx", "s.md:3:3: 'a b' is no name of a variable"),
        ("---\nvariables: 3\n---\nx", "s.md:2:12: variables: write name: value lines"),
        ("# A {weigth=3}\n\nx", "s.md:1:6: unknown key 'weigth'; did you mean weight?"),
        ("# A {weight=much}\n\nx", "s.md:1:6: weight: 'much' is not a number from 0 to 100"),
        ("# A {weight=nan}\n\nx", "s.md:1:6: weight: 'nan' is not a number"),
        ("# A {dayparts=8-25}\n\nx", "s.md:1:6: dayparts: '8-25' is no part of a day; write for example 08:00-12:00"),
        ("# A {dayparts=24:30-02:00}\n\nx", "'24:30-02:00' is no part of a day"),
        ("# A {dayparts=08:00-08:00}\n\nx", "'08:00-08:00' ends where it begins; write 00:00-24:00"),
        ("# A {product=two mugs}\n\nx", "s.md:1:18: 'mugs' is no setting; write key=value"),
        ("# A {weight=2\n\nx", "s.md:1:5: this brace is not closed"),
        ("# A {weight=0}\n\nx", "s.md:1:1: every section has weight=0"),
        ("- {speed=5} x", "s.md:1:4: speed: '5' is not a number from 0.5 to 2"),
        ("- {weight=5} x", "s.md:1:4: unknown key 'weight'; choose from voice, speed, pause_s"),
        ("{pause_s=601} x", "s.md:1:2: pause_s: '601' is not a number from 0 to 600"),
        ("one\ntwo {a", "s.md:2:5: this brace is not closed"),
        ("今天\n  晚上} 好", "s.md:2:5: this brace closes nothing"),
        ("see [us](http://x.y) and {a b}", "s.md:1:26: {a b} is neither a variable nor alternatives"),
        ("a <!-- note --> {|}", "s.md:1:17: every alternative is empty"),
        ("well {} then", "s.md:1:6: there is nothing in these braces"),
        ("now [smle] then", "s.md:1:5: [smle] is no mark; did you mean [smile]?"),
        ("[slow]a\nb", "s.md:1:1: [slow] is not closed"),
        ("{[slow]a|b}[/slow]", "s.md:1:2: [slow] is not closed"),
        ("{a|[fast]b}", "s.md:1:4: [fast] is not closed"),
        ("one <!-- two\nthree", "s.md:1:5: this comment does not end"),
        ("x\n\n...\n", "s.md:3:1: warning: there is nothing to say in this line"),
        ("x\n\n[pause 2]\n", "s.md:3:1: warning: there is nothing to say in this line"),
        ("# A {weight=2}\n# B\nx\n", "s.md:1:1: warning: section 'A' has settings, but no line"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(text: str, told: str) -> None:
    assert any(told in one for one in mistakes(text)), mistakes(text)


@pytest.mark.parametrize(
    "text",
    [
        "[slow]{a|b}[/slow] {[high]a[/high]|**b**}",
        r"a \[b] [[c] \{d\} e\|f",
        "{a=b|c} and {time} and {tea-towel.price}",
        "---\nvariables:\n---\nx",
        "---\n---\nx",
    ],
)
def test_what_is_right_is_not_complained_of(text: str) -> None:
    assert mistakes(text) == []


def test_all_mistakes_are_told_at_once_and_no_log_line_is_flooded() -> None:
    with pytest.raises(ScriptError) as caught:
        parse("\n\n".join("{" for _ in range(500)), Path("s.md"))
    told = str(caught.value).splitlines()
    assert told[0].startswith("s.md:1:1: ") and told[1].startswith("s.md:3:1: ")
    assert len(told) == TOLD_MAX + 1 and told[-1] == "s.md: and 480 more mistakes"


def test_plain_text_may_begin_a_paragraph_with_its_settings() -> None:
    script = parse("{voice=zh} 今天\n晚上好\n\n# no heading", Path("s.txt"))
    assert [(line.voice, line.text) for _, line in script.lines()] == [("zh", "今天晚上好"), ("", "# no heading")]
    assert mistakes("a\n b {c", "s.txt") == ["s.txt:2:4: this brace is not closed; add a }, or write \\{ for a brace"]


CSV = """section,text,voice,speed,pause_s,weight,product,dayparts
Mug,"Hello, {there|you}.",zh,1.2,2,3,mug,08:00-12:00
,"It says ""hi""
twice.",,,,,,
Towel,Dry.,,,,,,
"""


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_row_is_a_line_and_an_empty_section_is_the_one_before(delimiter: str) -> None:
    rows = CSV if delimiter == "," else CSV.replace(",", delimiter).replace(f"Hello{delimiter} ", "Hello, ")
    script = parse(rows, Path("s.csv"))
    assert [section.name for section in script.sections] == ["Mug", "Towel"]
    mug, towel = script.sections
    assert (mug.weight, mug.product, mug.dayparts) == (3.0, "mug", (Daypart(480, 720),))
    assert (mug.voice, towel.weight) == ("", 1.0)
    first, second = mug.lines
    assert (first.text, first.voice, first.speed, first.pause_s) == ("Hello, {there|you}.", "zh", 1.2, 2.0)
    assert (second.text, second.line) == ('It says "hi"\ntwice.', 3)
    assert towel.lines[0].line == 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("section,words\nA,x\n", "s.csv:1:9: unknown column 'words'"),
        ("section,words\nA,x\n", "s.csv:1:1: no column text; the first row names text"),
        ("text\nHello, you\n", "s.csv:2:7: more cells than the first row has names; put"),
        ('section,text\nA,"b"c\n', "s.csv:2:1: not CSV"),
        ("text,speed\nx,9\n", "s.csv:2:3: speed: '9' is not a number"),
        ("section,text,weight\nA,x,2\nA,y,3\n", "s.csv:3:5: weight: line 2 says 2 of the same section; say it once"),
        ('section,text\nA,"say ""x"" and\n  {this"\n', "s.csv:3:3: this brace is not closed"),
        ("section,text\nA,  b {c\n", "s.csv:2:7: this brace is not closed"),
        ("section,text\nA, \n", "s.csv:1:1: there is nothing to say in it"),
        ("", "s.csv:1:1: there is nothing to say in it"),
    ],
)
def test_a_mistake_in_csv_is_told_with_the_place_in_the_file(text: str, told: str) -> None:
    assert any(told in one for one in mistakes(text, "s.csv")), mistakes(text, "s.csv")


def test_jsonl_has_an_object_a_line() -> None:
    script = parse('{"section": "A", "text": "x", "speed": 1.5, "voice": null}\n\n{"text": "y"}\n', Path("s.jsonl"))
    (section,) = script.sections
    assert [(line.text, line.speed, line.line) for line in section.lines] == [("x", 1.5, 1), ("y", None, 3)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"text": "x"}\n{"text": "y"', "s.jsonl:2:13: not JSON"),
        ('["x"]', "s.jsonl:1:1: not an object"),
        ('{"txt": "x"}', "s.jsonl:1:2: unknown key 'txt'; did you mean text?"),
        ('{"section": "A"}', "s.jsonl:1:1: no text; every line needs the key text"),
        ('{"text": 3}', "s.jsonl:1:2: text: write one"),
        ('{"text": ["x"]}', "s.jsonl:1:2: text: write one"),
        ('{"text": "x", "pause_s": -1}', "s.jsonl:1:15: pause_s: '-1' is not a number from 0 to 600"),
        ('{"text": "\\"\\u4eca\\" {b"}', "s.jsonl:1:22: this brace is not closed"),
        ("[" * 100_000, "s.jsonl:1:1: not an object"),
    ],
)
def test_a_mistake_in_jsonl_is_told_with_its_column(text: str, told: str) -> None:
    assert any(told in one for one in mistakes(text, "s.jsonl")), mistakes(text, "s.jsonl")


@pytest.mark.parametrize("name", ["s.json", "s.yaml", "s.html"])
def test_what_would_be_read_out_with_all_its_brackets_is_refused(name: str) -> None:
    with pytest.raises(ScriptError, match=r"is no script; write \.md, \.txt, \.csv or \.jsonl"):
        parse("{}", Path(name))


def test_a_script_saved_as_utf_16_is_told_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_bytes("今天".encode("utf-16"))
    with pytest.raises(ScriptError, match="UTF-16 text; save it as UTF-8"):
        load(path)


def test_a_pasted_script_is_judged_as_a_file_would_be() -> None:
    assert texts(pasted("\ufeffHello.\r\n\r\nYou.".encode(), Path("pasted.md"))) == ["Hello.", "You."]
    with pytest.raises(ScriptError, match=r"^pasted\.md:1:3: binary"):
        pasted(b"ab\x00", Path("pasted.md"))


@pytest.mark.parametrize(
    "text",
    [
        "# " + " " * 15_000 + "x",
        "---" + " " * 15_000 + "x",
        "[" * 15_000 + "](",
        "[a](" * 4_000,
        "__a " * 4_000,
        "`a " * 5_000,
        "{a|" * 6_000,
        "{a|" * 3_000 + "x" + "}" * 3_000,
        "---\nvariables: " + "[" * 3_000 + "\n---\nHello.",
    ],
)
def test_a_hostile_script_is_read_in_no_time_and_breaks_nothing(text: str) -> None:
    began = time.process_time()
    examined(Path("a.md"), text)
    assert time.process_time() - began < 5.0


def test_an_address_with_brackets_in_it_is_not_said() -> None:
    script = parse("See [the mug](https://en.wikipedia.org/wiki/Mug_(cup)) now.", Path("a.md"))
    assert [line.text for _, line in script.lines()] == ["See the mug now."]


@pytest.mark.parametrize(("character", "column"), [("\\ud83d", 17), ("\\u0000", 17), ("\\u0007", 17)])
def test_half_a_character_in_jsonl_is_told_before_it_is_on_air(character: str, column: int) -> None:
    with pytest.raises(ScriptError, match=f"a.jsonl:1:{column}: text: the character "):
        parse(f'{{"text": "Hello {character} you"}}', Path("a.jsonl"))
