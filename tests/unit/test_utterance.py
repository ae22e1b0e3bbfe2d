"""Messages from outside: what is read, and what is refused with which words."""

from __future__ import annotations

import pytest

from broadcaster.utterance import Lane, parse
from pipeline.errors import MessageError

NOW_S = 1_700_000_000.0
STREAM_ID = "1699999990000-0"


def split(text: str) -> list[str]:
    return [part.strip() for part in text.split(".") if part.strip(" !?")]


def message(**fields: str | bytes) -> dict[bytes, bytes]:
    return {key.encode(): value if isinstance(value, bytes) else value.encode() for key, value in fields.items()}


def test_a_bare_text_is_a_command_that_is_appended() -> None:
    read = parse(STREAM_ID, message(text="Hello. World."), split, NOW_S)
    assert read.sentences == ("Hello", "World")
    assert (read.id, read.lane, read.mode, read.expires_s, read.due_s) == (
        STREAM_ID,
        Lane.COMMAND,
        "append",
        None,
        None,
    )
    assert (read.stream_id, read.accepted_s, read.voice) == (STREAM_ID, NOW_S, "")


def test_all_fields_are_read_and_ttl_counts_from_the_stream_id() -> None:
    fields = message(text="你好", lane="live", mode="now", id="a/1", ttl_s="30.5", voice="zh-CN-X")
    read = parse(STREAM_ID, fields, split, NOW_S)
    assert (read.id, read.lane, read.mode, read.voice) == ("a/1", Lane.LIVE, "now", "zh-CN-X")
    assert read.expires_s == 1_699_999_990 + 30.5


def test_the_ttl_of_a_planned_time_counts_from_that_time() -> None:
    read = parse(STREAM_ID, message(text="a", ttl_s="60", at="2026-05-01T20:00:00Z"), split, NOW_S)
    assert (read.due_s, read.expires_s) == (1_777_665_600, 1_777_665_660)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "`text` is missing"),
        ({"lane": "live"}, "`text` is missing"),
        ({"text": ""}, "text: it is empty"),
        ({"text": " \n\t "}, "text: it is empty"),
        ({"text": "\x00\x07"}, "text: it is empty"),
        ({"text": "!!!"}, "nothing in it that can be said"),
        ({"text": b"\xff\xfe"}, "text: not UTF-8"),
        ({"text": "x" * 20_001}, "20,001 characters"),
        ({"text": "x" * 1_000_000}, "1,000,000 characters"),
        ({"text": "a", "lane": "VIP"}, "lane: 'VIP' is none of live, command, reply, scheduled, script"),
        ({"text": "a", "mode": "soon"}, "mode: 'soon' is none of append, insert, now"),
        ({"text": "a", "ttl_s": "soon"}, "ttl_s: 'soon'"),
        ({"text": "a", "ttl_s": "0"}, "ttl_s: '0'"),
        ({"text": "a", "ttl_s": "-1"}, "ttl_s"),
        ({"text": "a", "ttl_s": "nan"}, "ttl_s"),
        ({"text": "a", "ttl_s": "inf"}, "ttl_s"),
        ({"text": "a", "at": "tomorrow"}, "at: 'tomorrow'"),
        ({"text": "a", "at": "2026-05-01T20:00:00"}, "with an offset"),
        ({"text": "a", "id": ""}, "id:"),
        ({"text": "a", "id": "x" * 129}, "id:"),
        ({"text": "a", "id": "a\nb"}, "id:"),
        ({"text": "a", "id": "script:0:1"}, "belong to the script"),
        ({"text": "a", "voice": "v" * 101}, "voice:"),
        ({"text": "a", "lain": "live"}, "unknown field 'lain'; did you mean 'lane'?"),
        ({"text": "a", "colour": "red"}, "unknown field 'colour'; choose from text, lane"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, str | bytes], words: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse(STREAM_ID, message(**fields), split, NOW_S)
    assert words in str(caught.value)


def test_control_characters_inside_a_text_become_spaces() -> None:
    assert parse(STREAM_ID, message(text="a\x00b\x1bc"), split, NOW_S).sentences == ("a b c",)


@pytest.mark.parametrize(
    "text",
    [
        "שלום עולם.",
        "مرحبا \u202ebackwards\u202c again.",
        "杯子 ☕️ 十二元。",
        "👩‍👩‍👧 family 🎉",
        '<speak><break time="10s"/><audio src="http://x/y"/>Hello</speak> & ]]> more',
        "a" + "\u0301" * 500,
        "\ufeffHello",
    ],
)
def test_any_script_emoji_and_markup_are_words_like_others(text: str) -> None:
    assert parse(STREAM_ID, message(text=text, id="a"), split, NOW_S).sentences
