"""An answer as messages of the `say` stream."""

from __future__ import annotations

import pytest

from broadcaster import utterance
from broadcaster.chat.phrase import Part, Turn, owner, read, shown, turn_of
from tts.markup import parse as marked
from tts.text import sentences


def turn(comment: str = "c:1") -> Turn:
    return Turn(turn_of(comment), 30.0)


def parsed(fields: dict[str, str]) -> utterance.Utterance:
    raw = {name.encode(): value.encode() for name, value in fields.items()}
    return utterance.parse("1-1", raw, sentences, 0.0)


@pytest.mark.parametrize(
    ("who", "others", "language", "said"),
    [
        ("Anna", 0, "en", "Anna asks: how much is it?"),
        ("a viewer", 0, "en", "A viewer asks: how much is it?"),
        ("Anna", 1, "en", "Anna and one other ask: how much is it?"),
        ("Anna", 4, "en", "Anna and 4 others ask: how much is it?"),
        ("", 0, "en", "Somebody asks: how much is it?"),
        ("王开头的朋友", 0, "zh", "王开头的朋友问：how much is it？"),
        ("", 3, "zh", "有人问：how much is it？"),
        ("Anna", 2, "zh", "Anna和另外2位朋友问：how much is it？"),
        ("Anna", 0, "fr", "Anna asks: how much is it?"),
    ],
)
def test_the_question_is_read_with_who_asks_it(who: str, others: int, language: str, said: str) -> None:
    assert read("how much is it", who, others, language) == said


def test_who_asks_nothing_writes() -> None:
    assert read("hello", "Anna", 0, "en", asks=False) == "Anna writes: hello."
    assert read("你好", "王开头的朋友", 1, "zh", asks=False) == "王开头的朋友和另一位朋友说：你好。"


def test_the_question_is_shown_with_who_asks_it() -> None:
    assert shown("how much is it?", "Anna", 0, "en") == "Anna: how much is it?"
    assert shown("多少钱", "王开头的朋友", 2, "zh") == "王开头的朋友：多少钱 (+2)"
    assert shown("how much is it?", "", 0, "en") == "how much is it?"


def test_long_questions_are_cut_where_they_are_read_and_where_they_are_shown() -> None:
    assert len(read("why " * 500, "Anna", 0, "en")) < 150 and read("why " * 500, "Anna", 0, "en").endswith("…")
    assert len(shown("why " * 500, "Anna", 9, "en")) <= utterance.QUESTION_MAX_CHARS


def test_a_viewer_gives_no_directions_to_voice_and_avatar() -> None:
    said = read("[pause 30] **now** [smile][lang fr] hello [[nod]", "[slow]", 0, "en")
    assert marked(said).is_plain and "pause 30" in marked(said).plain


def test_an_answer_that_is_known_is_one_message_and_no_turn() -> None:
    (message,) = turn().whole([Part("", "", ("It is ten.", "It is blue."))])
    found = parsed(message)
    assert (found.id, found.turn, found.more, found.lane_name, found.mode) == (
        "answer:c:1:0",
        "",
        False,
        "reply",
        "insert",
    )
    assert found.sentences == ("It is ten.", "It is blue.")


def test_a_question_that_is_read_first_is_in_one_turn_with_its_answer() -> None:
    part = Part("Anna asks: how much?", "Anna: how much?", ("It is ten.",), "mug")
    asked, answer = map(parsed, turn().whole([part]))
    assert asked.product == answer.product == "mug"
    assert (asked.id, asked.turn, asked.more) == ("answer:c:1:q", "answer:c:1", True)
    assert (answer.id, answer.turn, answer.more) == ("answer:c:1:0", "answer:c:1", False)
    assert asked.question == answer.question == "Anna: how much?"


def test_an_answer_that_comes_in_pieces_is_a_turn_that_is_closed() -> None:
    made, part = turn(), Part("", "")
    pieces = [parsed(fields) for fields in [*made.begun(part, "One."), made.going_on(part, 1, "Two."), made.closed()]]
    assert [(piece.id, piece.more) for piece in pieces] == [
        ("answer:c:1:0", True),
        ("answer:c:1:1", True),
        ("answer:c:1:end", False),
    ]
    assert {piece.turn for piece in pieces} == {"answer:c:1"} and pieces[-1].sentences == ()
    assert {owner(piece.id) for piece in pieces} == {"answer:c:1"}


def test_questions_that_agree_are_answered_in_one_turn() -> None:
    parts = [Part("Anna asks: postage?", "A"), Part("Ben asks: delivery fee?", "B", ("Four ninety.", "As a rule."))]
    pieces = list(map(parsed, turn().whole([*parts, Part("", "C", ("Three days.",))])))
    assert [(piece.id.rpartition(":")[2], piece.sentences[0], piece.more) for piece in pieces] == [
        ("q", "Anna asks: postage?", True),
        ("q1", "Ben asks: delivery fee?", True),
        ("1", "Four ninety.", True),
        ("2", "Three days.", False),
    ]
    assert len({piece.id for piece in pieces}) == 4 and {piece.turn for piece in pieces} == {"answer:c:1"}
    assert [piece.question for piece in pieces] == ["A", "B", "B", "C"]


def test_ids_fit_however_long_the_comments_is() -> None:
    made = turn("x" * 100)
    for fields in [*made.begun(Part("q?", ""), "One."), made.closed()]:
        utterance.check(fields)
