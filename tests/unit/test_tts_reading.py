from __future__ import annotations

import re

import pytest

from tts.numbers import en_integer, en_ordinal, en_year, zh_integer
from tts.reading import ShownWords, readable

ZH = {
    "¥199": "一百九十九元", "只要¥1,299.50元": "只要一千二百九十九点五元", "$19.99": "十九点九九美元",
    "$10K": "一万美元",
    "3.5kg": "三点五公斤", "50%": "百分之五十", "10-20%": "百分之十到二十", "¥100-200": "一百到二百元",
    "2026-11-20 20:00开始": "二零二六年十一月二十日 二十点开始", "晚8:05": "晚八点零五分", "２０：３０": "二十点三十分",
    "20:00-22:00": "二十点到二十二点", "2026年": "二零二六年", "20年": "二十年",
    "400-800-1234": "四零零，八零零，一二三四",
    "13800138000": "一三八零零一三八零零零", "No.5": "五号", "10+款": "十多款", "2x": "两倍", "1-2个": "一到两个",
    "2个，第2个，12个，2月2日": "两个，第二个，十二个，二月二日", "9.9元/斤": "九点九元每斤", "1.5万人": "一点五万人",
    "A&B": "A和B", "@小明 #话题": "艾特小明 话题", "1/2": "二分之一", "3:0": "三比零", "-5℃": "负五摄氏度",
    "1920x1080": "一千九百二十乘一千零八十", "5G手机": "五G手机", "RTX4090": "RTX四零九零", "3.5.1版": "三点五点一版",
    "https://www.example.com/a?b=1 看看": "example点com 看看",
}  # fmt: skip
EN = {
    "$19.99": "nineteen dollars and ninety-nine cents", "$5, $1, $0.99": "five dollars, one dollar, ninety-nine cents",
    "$1.5M": "one point five million dollars", "¥199": "one hundred ninety-nine yuan",
    "3.5kg": "three point five kilograms",
    "1kg": "one kilogram", "50% off": "fifty percent off", "2026-11-20": "November twentieth, twenty twenty-six",
    "Nov 3": "November third", "at 20:00": "at eight P M", "8:05 pm": "eight oh five P M", "12:00": "noon",
    "400-800-1234": "four zero zero, eight zero zero, one two three four",
    "1,299": "one thousand two hundred ninety-nine",
    "No.5": "number five", "no. 5 people": "no. five people", "10+ colors": "ten plus colors", "2x": "two times",
    "1-2 days": "one to two days", "AT&T": "AT and T", "his/her": "his or her", "me@x.io": "me at x dot io",
    "https://www.example.com/a/b?c=d.": "example dot com.", "24/7": "twenty-four seven", "3/4": "three quarters",
    "in 2026": "in twenty twenty-six", "21st": "twenty-first", "GPT-4 v2.0": "GPT four v two point zero",
    "-5°C": "minus five degrees Celsius", "007": "zero zero seven", "1+1=2": "one plus one equals two",
}  # fmt: skip


@pytest.mark.parametrize(("shown", "said"), ZH.items())
def test_mandarin_reads_figures_and_signs(shown: str, said: str) -> None:
    assert readable(shown, "zh").text == said


@pytest.mark.parametrize(("shown", "said"), EN.items())
def test_english_reads_figures_and_signs(shown: str, said: str) -> None:
    assert readable(shown, "en").text == said


@pytest.mark.parametrize(
    ("number", "words"),
    [("0", "零"), ("2", "二"), ("10", "十"), ("12", "十二"), ("22", "二十二"), ("101", "一百零一"), ("110", "一百一十"),
     ("200", "二百"), ("1001", "一千零一"), ("1010", "一千零一十"), ("2000", "两千"), ("10086", "一万零八十六"),
     ("20000", "两万"), ("22222", "两万二千二百二十二"), ("100010", "十万零一十"), ("101000", "十万一千"),
     ("100000001", "一亿零一"), ("200000000", "两亿"), ("100100000", "一亿零一十万"), ("1000000000000", "一万亿")],
)  # fmt: skip
def test_mandarin_counts(number: str, words: str) -> None:
    assert zh_integer(number) == words


def test_mandarin_integers_name_the_number_they_came_from() -> None:
    """Words back to figures, by their own grammar, for a spread of numbers."""
    units = {"十": 10, "百": 100, "千": 1000}
    for number in [*range(0, 12_000, 7), *range(9_990, 10_120), *range(0, 3 * 10**9, 99_999_733 // 7)]:
        total, section, digit = 0, 0, 0
        for char in zh_integer(str(number)).replace("两", "二"):
            if char in "万亿":
                total, section, digit = total + (section + digit) * {"万": 10**4, "亿": 10**8}[char], 0, 0
            elif char in units:
                section, digit = section + (digit or 1) * units[char], 0
            else:
                digit = "零一二三四五六七八九".index(char)
        assert total + section + digit == number


def test_english_counts() -> None:
    assert en_integer("2000002") == "two million two"
    assert [en_ordinal(number) for number in ("3", "12", "20", "101")] == [
        "third", "twelfth", "twentieth", "one hundred first",
    ]  # fmt: skip
    assert [en_year(year) for year in ("2005", "1905", "1900", "1999")] == [
        "two thousand five", "nineteen oh five", "nineteen hundred", "nineteen ninety-nine",
    ]  # fmt: skip


def test_markup_emoji_and_control_characters_are_not_said() -> None:
    said = readable("<break time='3s'/> hi 👋🏻👨‍👩‍👧 **bold** 1️⃣ co\u00adop\u200b\x07 \ud800", "en").text
    assert not set(said) & set("<>/*\x07\u200d\ufe0f\u00ad\ud800👋")
    assert "hi bold one coop" in said


def test_another_language_keeps_its_figures_and_letters() -> None:
    assert readable("Œuvre à 5 % 👋", "fr").text == "Œuvre à 5 %"
    assert readable("می\u200cخواهم", "fa").text == "می\u200cخواهم"


def test_nothing_but_signs_is_not_sayable() -> None:
    assert not readable("👋 … !?", "en").sayable
    assert readable("5", "en").sayable


def test_spoken_words_lead_back_to_the_shown_ones() -> None:
    reading = readable("Now only $19.99 for 3.5kg 👋, call 400-800-1234!", "en")
    words = ShownWords(reading)
    shown = [words.shown(word) for word in re.findall(r"[\w']+", reading.text)]
    assert [word for word in shown if word] == ["Now", "only", "$19.99", "for", "3.5kg", "call", "400-800-1234"]


def test_spoken_hanzi_lead_back_to_the_shown_ones() -> None:
    reading = readable("原价¥1,299，现在2个👋50%。", "zh")
    words = ShownWords(reading)
    shown = [words.shown(char) for char in re.findall(r"\w", reading.text)]
    assert [word for word in shown if word] == ["原", "价", "¥1,299", "现", "在", "2", "个", "50%"]


def test_a_word_that_the_voice_made_up_stays_as_it_is() -> None:
    words = ShownWords(readable("one two three", "en"))
    assert [words.shown(word) for word in ("one", "zwei", "three")] == ["one", "zwei", "three"]


@pytest.mark.parametrize("text", ["1" * 500, "1," * 250, "-" * 500, "1-" * 250, "a@" * 250, "1/" * 250, "www." * 120])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_hostile_text_is_read_without_hanging(text: str, language: str) -> None:
    reading = readable(text, language)
    for at in range(0, len(reading.text), 50):
        start, end = reading.origin(at, at + 1)
        assert 0 <= start <= end <= len(text)
