"""The director with a schedule, whole but for Redis, engine and supervisor: orders, files read aside, speech ahead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from broadcaster.director import Director
from broadcaster.director_spec import DirectorSpec
from broadcaster.schedule import kept
from pipeline.clock import RealClock
from pipeline.lifeline import Lifeline
from pipeline.wire import Beat, ChangeSchedule, Done
from tests.process.director_child import ToneVoice


class Office:
    """The supervisor's end of a director's line."""

    def __init__(self, directory: Path) -> None:
        self.ours, theirs = Lifeline.pair()
        self.theirs = Lifeline(theirs)
        self.spec = DirectorSpec(
            room="r",
            runtime_dir=str(directory),
            state_dir=str(directory / "var"),
            redis_url=f"unix://{directory}/none.sock",
            voice_chain=["tone"],
            voice_name="en",
            voice_rate=1.0,
            voice_timeout_s=2.0,
            control_host="127.0.0.1",
            control_port=0,
            timezone="Europe/Berlin",
        )
        self.done: list[Done] = []
        self.schedule: dict[str, object] = {}

    async def heard(self, condition: Callable[[], object]) -> None:
        for _ in range(400):
            for message in self.ours.poll():
                if isinstance(message, Done):
                    self.done.append(message)
                elif isinstance(message, Beat):
                    self.schedule = message.facts["schedule"]
            if condition():
                return
            await asyncio.sleep(0.025)
        raise AssertionError(f"it never came: {self.done}, {self.schedule}")


async def test_an_order_plans_a_programme_whose_words_are_speech_before_their_time(short_dir: Path) -> None:
    (short_dir / "gala.md").write_text("Good evening.\n\nSecond line.\n", encoding="utf-8")
    office = Office(short_dir)
    director = Director(office.spec, office.theirs, ToneVoice(), RealClock())
    when = datetime.fromtimestamp(round(time.time()) + 20, UTC)
    given = {"script": str(short_dir / "gala.md"), "date": when.isoformat()}
    async with asyncio.TaskGroup() as group:
        director.open(group.create_task)
        office.ours.send(ChangeSchedule("add", "gala", given, number=7))
        await office.heard(lambda: office.done)
        assert office.done == [Done(7, True, ["job gala: added"])]
        await office.heard(lambda: office.schedule["next"])
        first = f"schedule:gala:{when:%Y%m%dT%H%M%SZ}:0:0"

        def is_spoken() -> bool:
            speech = director._speech_of((first, 0))
            return speech is not None and speech.complete

        await office.heard(is_spoken)
        assert time.time() < when.timestamp()
        office.ours.send(ChangeSchedule("add", "gala", given, number=8))
        office.ours.send(ChangeSchedule("add", "none", {**given, "script": "none.md"}, number=9))
        await office.heard(lambda: len(office.done) == 3)
        assert [one.done for one in office.done[1:]] == [False, False]
        office.ours.send(ChangeSchedule("remove", "gala", number=10))
        await office.heard(lambda: len(office.done) == 4)
        await office.heard(lambda: director._show.utterance(first) is None)
        director.orphaned = True
        await director.close()
    assert kept.load(short_dir / "var") == {}
