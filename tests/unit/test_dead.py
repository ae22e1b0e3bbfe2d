"""A dead letter is the message that it was."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from typer.testing import CliRunner

from broadcaster.cli.dead import commands
from broadcaster.dead import Letter
from pipeline.errors import ConfigError, MessageError

ENTRY = "1700000000000-0"


def letter(**fields: str) -> Letter:
    return Letter(ENTRY, {"reason": "full", "stream_id": "5-0", "ts": "1.0", **fields})


def test_a_message_comes_back_as_it_was_pushed() -> None:
    given = letter(id="mine", text="Hello.", lane="live", mode="now", ttl_s="60")
    assert given.message() == {"id": "mine", "text": "Hello.", "lane": "live", "mode": "now", "ttl_s": "60"}


def test_a_message_without_an_id_gets_a_new_one() -> None:
    assert letter(id="5-0", text="Hello.").message() == {"text": "Hello."}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"id": "a", "text": "Hello.", "colour": "red"}, "colour"),
        ({"id": "a", "text": "Hello.", "original_reason": "mine"}, "reason"),
        ({"id": "a", "text": "Only the beg", "cut": "yes"}, "beginning"),
        ({"id": "a"}, "text"),
    ],
)
def test_what_would_be_refused_again_is_not_pushed_again(fields: dict[str, str], why: str) -> None:
    with pytest.raises(MessageError, match=why):
        letter(**fields).message()


def test_a_line_for_a_person_names_the_entry_the_reason_and_the_beginning_of_the_text() -> None:
    line = letter(id="a", text="word " * 100).line()
    assert line.startswith(ENTRY) and "full: 'word word" in line and line.endswith("…'") and len(line) < 140


class FakeClient:
    """A room with three dead letters, the last of which would be refused again."""

    def __init__(self) -> None:
        good = [Letter(f"{n}-0", {"reason": "full", "id": f"i{n}", "text": f"Text {n}."}) for n in (1, 2)]
        self.letters = [*good, Letter("3-0", {"reason": "colour", "id": "i3", "text": "x", "colour": "red"})]
        self.pushed: list[dict[str, str]] = []

    def dead_letters(self, count: int | None) -> list[Letter]:
        return self.letters[::-1][:count]

    def push_again(self, letter: Letter) -> str | None:
        self.pushed.append(letter.message())
        self.letters.remove(letter)
        return "9-0"

    def remove_dead(self, letters: Sequence[Letter]) -> int:
        self.letters = [one for one in self.letters if one not in letters]
        return len(letters)


def run(client: FakeClient, *arguments: str) -> tuple[str, BaseException | None]:
    done = CliRunner().invoke(commands(lambda *which: client), arguments)  # type: ignore[arg-type,return-value]
    return done.output, done.exception


def test_an_operator_sees_pushes_again_and_removes() -> None:
    client = FakeClient()
    shown, _ = run(client, "ls", "--count", "2")
    assert [line.split()[0] for line in shown.splitlines()] == ["3-0", "2-0"]
    assert '"text": "Text 2."' in run(client, "ls", "--json")[0]
    assert run(client, "again", "2-0")[0] == "9-0\n"
    assert client.pushed == [{"id": "i2", "text": "Text 2."}]
    assert run(client, "rm", "1-0") == ("1 removed\n", None)
    shown, error = run(client, "again", "--all")
    assert "colour" in shown and isinstance(error, ConfigError) and len(client.letters) == 1


@pytest.mark.parametrize("arguments", [("rm",), ("rm", "3-0", "--all"), ("again", "7-0")])
def test_what_is_meant_must_be_said_and_be_there(arguments: tuple[str, ...]) -> None:
    client = FakeClient()
    assert isinstance(run(client, *arguments)[1], ConfigError) and len(client.letters) == 3
