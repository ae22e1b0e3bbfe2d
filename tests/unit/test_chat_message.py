"""An entry of the `chat` stream becomes a comment, or its sender learns what is wrong with it."""

from __future__ import annotations

import pytest

from broadcaster.chat.message import check, parse
from broadcaster.chat.model import Kind
from broadcaster.fields import encoded
from pipeline.errors import MessageError


def test_a_message_of_all_fields_is_a_comment() -> None:
    comment = parse(
        "1700000000123-4",
        encoded(
            {"text": " 多少钱？ ", "id": "a1", "user": "王小明", "user_id": "77", "platform": "douyin", "buyer": "1"}
            | {"kind": "gift", "mention": "1", "value": "9.5", "reply": "十元", "sent": "1700000000"}
        ),
    )
    assert (comment.id, comment.text, comment.user, comment.who) == ("a1", "多少钱？", "王小明", "douyin:77")
    assert (comment.kind, comment.buyer, comment.mention, comment.value) == (Kind.GIFT, True, True, 9.5)
    assert (comment.reply, comment.sent_s, comment.stream_id) == ("十元", 1_700_000_000.0, "1700000000123-4")


def test_what_is_left_out_comes_from_the_stream() -> None:
    comment = parse("1700000000123-4", {b"text": b"price?"})
    assert (comment.id, comment.sent_s, comment.kind) == ("1700000000123-4", 1_700_000_000.123, Kind.COMMENT)
    assert comment.who == ""


@pytest.mark.parametrize("kind", ["gift", "follow", "enter", "like", "order"])
def test_what_is_done_without_words_needs_none(kind: str) -> None:
    assert parse("1-1", encoded({"kind": kind, "user": "Ann"})).text == ""


def test_a_time_may_be_written_as_people_write_it() -> None:
    assert parse("1-1", encoded({"text": "a", "sent": "2026-05-01T20:00:00+08:00"})).sent_s == 1_777_636_800.0


def test_control_characters_are_no_part_of_a_comment() -> None:
    assert parse("1-1", {b"text": b"a\x00\x1b[31mb\n", b"user": b"x\ty"}).text == "a  [31mb"


def test_a_long_name_is_cut_and_not_refused() -> None:
    assert len(parse("1-1", encoded({"text": "a", "user": "x" * 500})).user) == 64


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "the field `text` is missing"),
        ({"text": "  "}, "text: it is empty"),
        ({"text": "x" * 2_001}, "text: 2,001 characters; at most 2,000"),
        ({"text": "a", "reply": "x" * 3_000}, "reply: 3,000 characters; at most 2,000"),
        ({"txt": "a"}, "unknown field 'txt'; did you mean 'text'?"),
        ({"text": "a", "zzz": "1"}, "unknown field 'zzz'; choose from text, id, user"),
        ({"text": "a", "id": ""}, "id: 1 to 100 printable characters"),
        ({"text": "a", "id": "x" * 101}, "id: 1 to 100 printable characters"),
        ({"text": "a", "user_id": " 7"}, "user_id: at most 100 printable characters"),
        ({"text": "a", "platform": "x" * 41}, "platform: at most 40 printable characters"),
        ({"text": "a", "kind": "shout"}, "kind: 'shout' is none of comment, gift, follow, enter, like, order"),
        ({"text": "a", "buyer": "yes"}, "buyer: 'yes' is none of 1, 0"),
        ({"text": "a", "mention": "true"}, "mention: 'true' is none of 1, 0"),
        ({"text": "a", "value": "-1"}, "value: '-1' is not a number from 0"),
        ({"text": "a", "value": "nan"}, "value: 'nan' is not a number from 0"),
        (
            {"text": "a", "sent": "1700000000000"},
            "sent: '1700000000000' is not a time in Unix seconds; those",
        ),
        ({"text": "a", "sent": "yesterday"}, "sent: 'yesterday' is neither Unix seconds nor RFC 3339"),
        ({"text": "a", "sent": "2026-05-01T20:00:00"}, "sent: '2026-05-01T20:00:00' is neither"),
    ],
)
def test_a_wrong_message_is_refused_in_words_that_help(fields: dict[str, str], words: str) -> None:
    with pytest.raises(MessageError) as caught:
        check(fields)
    assert str(caught.value).startswith(words)


def test_text_that_is_no_text_is_refused() -> None:
    with pytest.raises(MessageError, match=r"text: not UTF-8 \(byte 1\)"):
        parse("1-1", {b"text": b"a\xff"})
