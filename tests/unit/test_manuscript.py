"""The room's script through its orders: pasted, taken back, told what only others know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from broadcaster.director_spec import DirectorSpec
from broadcaster.events import Event
from broadcaster.manuscript import Manuscript
from broadcaster.script.place import Place
from broadcaster.script.reading import Reading
from broadcaster.takeover import Became
from pipeline.clock import FakeClock
from pipeline.errors import ScriptError


class Room:
    def __init__(self, directory: Path, **variables: str) -> None:
        self.file = directory / "shop.md"
        if not self.file.exists():
            self.file.write_text("# Shop\n\nWords of the file.\n")
        spec = DirectorSpec(
            "shop", "", str(directory), "", ["espeak"], "en", 1.0, 8.0, "", 0, script_file=str(self.file)
        )
        self.events: list[Event] = []
        self.manuscript = Manuscript(spec, FakeClock(), self.events.append, variables)
        self.reading = self.manuscript.open(Place())
        self.manuscript.revised = self._revise
        self.manuscript.start(asyncio.get_running_loop().create_task)

    def _revise(self, reading: Callable[[Place], Reading]) -> None:
        self.reading = reading(Place())

    def words(self) -> str:
        found = self.reading.next(0.0) if self.reading else None
        return found.sentences[0] if found else ""


async def test_the_file_that_broke_meanwhile_does_not_replace_what_was_pasted(tmp_path: Path) -> None:
    room = Room(tmp_path)
    assert (await room.manuscript.paste(b"# New\n\nPasted words.\n", ".md")).done
    room.file.write_text("# Shop\n\nIt costs {prize.\n")
    with pytest.raises(ScriptError, match=r"shop\.md:3"):
        await room.manuscript.unpaste()
    assert room.words() == "Pasted words." and Room(tmp_path).words() == "Pasted words."
    room.file.write_text("# Shop\n\nMended words.\n")
    assert (await room.manuscript.unpaste()).done and room.words() == "Mended words."
    assert (await room.manuscript.unpaste()).became is Became.CONFLICT
    await room.manuscript.close()


async def test_two_who_paste_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    room = Room(tmp_path)
    texts = [f"# New\n\nPasted by {name}.\n".encode() for name in ("Ann", "Bob", "Cid")]
    outcomes = await asyncio.gather(*(room.manuscript.paste(text, ".md") for text in texts))
    assert all(outcome.done for outcome in outcomes) and room.words() == "Pasted by Cid."
    await room.manuscript.close()


async def test_what_scripts_are_told_is_said_and_outlives_the_director(tmp_path: Path) -> None:
    (tmp_path / "shop.md").write_text("# Shop\n\nThere are {viewers} of you.\n")
    room = Room(tmp_path)
    assert room.words() == ""
    room.manuscript.tell({"viewers": "123"})
    assert room.words() == "There are 123 of you."
    assert Room(tmp_path, **room.manuscript.variables()).words() == "There are 123 of you."
    await room.manuscript.close()
