"""The pronunciation dictionary: which words it finds, and how its mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import BadInput
from tts.ipa import ESPEAK, spelt, unknown
from tts.lexicon import ENTRIES_MAX, Lexicon, Respelt, load, parse
from tts.reading import ShownWords, readable


def said(lexicon: Lexicon, text: str, language: str = "en", *, ipa: bool = False) -> str:
    return readable(text, language, lexicon.find(text, language, ipa=ipa)).text


def test_a_word_is_said_otherwise_and_shown_as_it_is() -> None:
    lexicon = parse("gif = jif\n", "words.txt")
    text = "A gif, two gifs."
    reading = readable(text, "en", lexicon.find(text, "en", ipa=False))
    assert reading.text == "A jif, two gifs."
    words = ShownWords(reading)
    assert [words.shown(word) for word in ("A", "jif", "two", "gifs")] == ["A", "gif", "two", "gifs"]


def test_small_letters_are_found_however_they_are_written_and_capitals_only_as_they_stand() -> None:
    lexicon = parse("gif = jif\nSQL = sequel\n", "words.txt")
    assert said(lexicon, "GIF Gif gif SQL sql") == "jif jif jif sequel sql"


def test_words_end_where_letters_and_figures_end_but_hanzi_have_no_ends() -> None:
    lexicon = parse("cat = kat\n重庆 = 虫庆\nwifi = 歪fai\n", "words.txt")
    assert said(lexicon, "concat cat cats cat5 cat-food") == "concat kat cats cat five kat-food"
    assert said(lexicon, "我在重庆用wifi上网", "zh") == "我在虫庆用歪fai上网"


def test_the_longest_word_counts() -> None:
    lexicon = parse("new = noo\nnew york = noo yawk\n", "words.txt")
    assert said(lexicon, "new New York") == "noo noo yawk"


def test_a_word_may_be_for_one_language_alone() -> None:
    lexicon = parse("live = laiv [en]\nlive = 来福 [zh]\nchat = shah [fr-FR]\n", "words.txt")
    assert said(lexicon, "live chat", "en") == "laiv chat"
    assert said(lexicon, "live chat", "zh") == "来福 chat"
    assert said(lexicon, "live chat", "fr") == "live shah"


def test_ipa_is_for_voices_that_can_say_it() -> None:
    lexicon = parse("cache = cash\ncache = /kæʃ/\nghoti = /fɪʃ/\n", "words.txt")
    assert said(lexicon, "cache ghoti", ipa=False) == "cash ghoti"
    assert said(lexicon, "cache ghoti", ipa=True) == "[[kæʃ]] [[fɪʃ]]"


def test_a_word_with_figures_goes_before_the_reading_of_figures_but_not_into_an_address() -> None:
    lexicon = parse("RTX4090 = R T X forty ninety\nshop = shoppe\n", "words.txt")
    assert said(lexicon, "The RTX4090 for $5.") == "The R T X forty ninety for five dollars."
    assert said(lexicon, "shop at shop.com") == "shoppe at shop dot com"


def test_comments_and_empty_lines_are_nothing() -> None:
    lexicon = parse("\ufeff# all\n\n  gif = jif   # as its maker says\n".lstrip("\ufeff"), "words.txt")
    assert said(lexicon, "gif") == "jif"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("gif", "write word = respelling"),
        ("= jif", "write word = respelling"),
        ("gif =", "nothing to say instead of 'gif'"),
        ("gif = [[x]]", "nothing to say"),
        ("gif = jif [english!]", "is no language"),
        ("gif = /ʘɪf/", "no voice can say 'ʘ'"),
        ("* = star", "begins with a letter"),
        ("x" * 200 + " = y", "longer than 100"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(line: str, words: str) -> None:
    with pytest.raises(BadInput, match=r"^words\.txt:2: ") as caught:
        parse(f"# first\n{line}\n", "words.txt")
    assert words in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        parse("gif\na = b\nA = c\na = d\nx = /ʘ/\n", "words.txt")
    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["words.txt:1", "words.txt:4", "words.txt:5"]
    assert "line 2 already" in lines[1]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.txt: No such file"):
        load(tmp_path / "none.txt")
    (tmp_path / "bad.txt").write_bytes(b"a = \xff")
    with pytest.raises(BadInput, match="not UTF-8 text"):
        load(tmp_path / "bad.txt")


def test_a_dictionary_has_an_end() -> None:
    with pytest.raises(BadInput, match=f"at most {ENTRIES_MAX}"):
        parse("".join(f"w{index} = x\n" for index in range(ENTRIES_MAX + 1)), "words.txt")


def test_the_shipped_dictionary_has_no_mistakes() -> None:
    lexicon = load(Path(__file__).parents[2] / "configs" / "pronunciations.txt")
    assert lexicon.find("我在重庆", "zh", ipa=False) == [Respelt(2, 4, "虫庆")]


def test_places_in_espeaks_letters_lead_back_to_the_text() -> None:
    text = "a [[tʃɪk]] b [[ʃiː]] c"
    made = spelt(text)
    assert made.text == "a [[tSIk]] b [[Si:]] c"
    for word in ("a", "b", "c", "[[t"):
        assert made.origin(made.text.index(word)) == text.index(word)
    assert unknown("".join(ESPEAK)) == ""
