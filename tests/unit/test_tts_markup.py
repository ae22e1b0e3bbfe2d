"""Marked text: what is shown, how it is said, what is wrong with it; and that a cut loses no mark."""

from __future__ import annotations

import time

import pytest

from tts.markup import (
    CUES,
    DEEPEST,
    PAUSE_S,
    Cue,
    Fault,
    Marked,
    Span,
    cut,
    faults,
    parse,
    person_of,
    persons,
    plain,
)


def halves(text: str) -> list[str]:
    return [f"{part}." for part in text.rstrip(".").split(". ")]


def test_text_without_marks_is_shown_as_it_stands() -> None:
    for text in ("Hello, world.", "a  b ", "2 * 3 ** 4", "3] x", "", "你好。"):
        assert parse(text) == Marked(text, (Span(text),))
        assert parse(text).is_plain


def test_each_mark_becomes_the_manner_of_its_words() -> None:
    assert parse("a [slow]b[/slow] c").spans == (Span("a "), Span("b", speed=0.8), Span(" c"))
    assert parse("[fast]b[/fast]").spans == (Span("b", speed=1.25),)
    assert parse("[speed 1.2]b[/speed]").spans == (Span("b", speed=1.2),)
    assert parse("[high]b[/high]").spans == (Span("b", pitch=3.0),)
    assert parse("[pitch -2.5]b[/pitch]").spans == (Span("b", pitch=-2.5),)
    assert parse("[lang fr]bonjour[/lang]").spans == (Span("bonjour", lang="fr"),)
    assert parse("really **good** tea").spans == (Span("really "), Span("good", emphasis=True), Span(" tea"))
    assert parse("这是**最好**的").spans == (Span("这是"), Span("最好", emphasis=True), Span("的"))


def test_a_pause_follows_the_words_before_it() -> None:
    assert parse("One [pause 0.8] two.") == Marked("One two.", (Span("One ", pause_s=0.8), Span("two.")))
    assert parse("[pause 1]One.").spans == (Span("", pause_s=1.0), Span("One."))
    assert parse("One.[pause 1][pause 0.5]").spans == (Span("One.", pause_s=1.5),)


def test_cues_name_the_word_that_they_stand_before() -> None:
    marked = parse("[smile] Hello [point left] you [nod]!")
    assert marked.plain == "Hello you!"
    assert marked.cues == (Cue("smile", 0), Cue("point left", 6), Cue("nod", 9))
    assert marked.spans == (Span("Hello you!"),)
    assert not marked.is_plain
    assert parse("".join(f"[{name}]" for name in CUES)).plain == ""


def test_marks_nest_and_one_that_is_not_closed_lasts_to_the_end() -> None:
    marked = parse("[slow]a[high]b[speed 1.5]c[/speed][/high]d")
    assert marked.spans == (Span("a", 0.8), Span("b", 0.8, 3.0), Span("c", 1.2, 3.0), Span("d", 0.8))


def test_spans_are_the_shown_text_in_order() -> None:
    text = "[smile]A **b** c [pause 1] [lang fr]d [low]e[/low] f[/lang] g [[x] [unknown] ** h"
    assert "".join(span.text for span in parse(text).spans) == plain(text) == "A b c d e f g [x] [unknown] ** h"


def test_what_is_no_mark_is_said_as_it_stands() -> None:
    for text in ("[sale] now", "see [1]", "[pause]", "[speed fast]x", "a ** b", "[", "[ smi", "**", "[lang 1]x"):
        assert plain(text) == text
    assert plain("[[smile] [[[[") == "[smile] [["


def test_a_number_out_of_range_is_the_nearest_that_is_allowed() -> None:
    assert parse("a[pause 99]").spans[0].pause_s == PAUSE_S[1]
    assert parse("[speed 9]a").spans[0].speed == 2.0
    assert parse("[slow][slow][slow][slow]a").spans[0].speed == 0.5
    assert parse("[pitch +99]a").spans[0].pitch == 12.0


def test_marks_may_be_written_in_capitals_and_with_spaces() -> None:
    assert parse("[ Point  LEFT ]a[SLOW]b[/slow ]") == parse("[point left]a[slow]b[/slow]")


def test_a_faultless_text_has_no_faults() -> None:
    assert faults("[smile]A **b** c [pause 1] [lang fr]d [low]e[/low] f[/lang] g [[x] 2 * 3") == []


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("a [sloow]b", 3, "did you mean [slow]?"),
        ("a [xyzzy]b", 3, "choose from slow, fast"),
        ("[pause]", 1, "write [pause 0.8]"),
        ("[pause long]", 1, "write [pause 0.8]"),
        ("x [pause 99]", 3, "write 0 to 30"),
        ("[speed 9]a[/speed]", 1, "write 0.5 to 2"),
        ("[slow]a", 1, "write [/slow] after it"),
        ("a[/slow]", 2, "closes nothing"),
        ("[slow]a[high]b[/slow]c[/high]", 15, "[high] is still open here; write [/high] before"),
        ("a **b c", 3, "write **word**"),
        ("a [b", 3, "write [[ for one that is said"),
        ("[slow]" * (DEEPEST + 1) + "[/slow]" * (DEEPEST + 1), 6 * DEEPEST + 1, "more than 8 deep"),
    ],
)
def test_each_fault_names_its_column_and_what_would_be_right(text: str, column: int, words: str) -> None:
    found = faults(text)
    assert [fault.column for fault in found] == [column]
    assert words in found[0].text


def test_faults_come_in_order_and_all_at_once() -> None:
    assert [fault.column for fault in faults("[slow]a [b] c**")] == [1, 9, 14]
    assert isinstance(faults("[")[0], Fault)


def test_a_mark_over_a_cut_is_closed_before_it_and_opened_again_behind_it() -> None:
    parts = cut("[slow]One is **here. Two is** there.[/slow]", halves)
    assert parts == ["[slow]One is **here.**[/slow]", "[slow]**Two is** there.[/slow]"]
    assert [plain(part) for part in parts] == ["One is here.", "Two is there."]


def test_a_pause_goes_with_what_is_before_a_cut_and_a_cue_with_what_follows() -> None:
    assert cut("One. [pause 2] [smile] Two. [nod]", halves) == ["One.[pause 2]", "[smile]Two.[nod]"]
    assert cut("[pause 1]One. Two. [pause 2]", halves) == ["[pause 1]One.", "Two.[pause 2]"]


def test_a_bracket_that_is_said_is_still_one_behind_a_cut() -> None:
    parts = cut("[[smile] one. [[[slow]two[/slow].", halves)
    assert [plain(part) for part in parts] == ["[smile] one.", "[two."]
    assert cut("[sale] One. Two.", halves) == ["[sale] One.", "Two."]


def test_cut_parts_say_what_the_whole_said() -> None:
    text = "[low]A [pause 1] b. **C [smile] d. E** f. [lang fr]G[/lang] h.[/low] I. J [x] **."
    whole = [
        (char, span.speed, span.pitch, span.emphasis, span.lang)
        for span in parse(text).spans
        for char in span.text
        if not char.isspace()
    ]
    again = [
        (char, span.speed, span.pitch, span.emphasis, span.lang)
        for part in cut(text, halves)
        for span in parse(part).spans
        for char in span.text
        if not char.isspace()
    ]
    assert again == whole
    assert [cue.name for part in cut(text, halves) for cue in parse(part).cues] == ["smile"]
    assert sum(span.pause_s for part in cut(text, halves) for span in parse(part).spans) == 1.0


@pytest.mark.parametrize("bit", ["[slow]a", "a [smile]. ", "**a** ", "[", "**", "[/slow]", "[pause 1]", "[[", "[x"])
def test_twenty_thousand_characters_of_marks_are_read_at_once(bit: str) -> None:
    text = (bit * 20_000)[:20_000]
    began = time.process_time()
    parse(text)
    faults(text)
    cut(text, lambda shown: shown.split())
    assert time.process_time() - began < 2.0


def test_a_person_is_called_like_a_cue_by_whatever_name() -> None:
    marked = parse("Hello. [Person  Anna B] And now she [person 小美] speaks.")
    assert marked.plain == "Hello. And now she speaks."
    assert [(cue.name, person_of(cue.name), cue.at) for cue in marked.cues] == [
        ("person anna b", "anna b", 7),
        ("person 小美", "小美", 19),
    ]
    assert persons("a [smile] [person anna] b [[person c]") == [(11, "anna")]
    assert cut("[person anna] One. Two.", lambda text: text.split(" ")) == ["[person anna]One.", "Two."]


def test_a_person_without_a_name_that_can_be_called_is_no_mark() -> None:
    for text in ("[person]", "[person -]", "[person a/b]", f"[person {'x' * 41}]", "[/person anna]"):
        assert plain(f"{text} x") == f"{text} x"
    assert faults("[person] x")[0].text == "[person] cannot be read; write [person anna]"
    assert faults("[persn anna] x") and not faults("[person anna] x")
