"""Jobs changed by hand: how they lie over the file, the way of an order, the command line, and what is checked."""

from __future__ import annotations

import asyncio
import selectors
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from broadcaster import checks
from broadcaster.cli.app import app
from broadcaster.config import load, parse
from broadcaster.errands import ANSWER_WITHIN_S, WAITING_MAX, Errands
from broadcaster.orders import Order, Orders, Reply, give
from broadcaster.schedule import kept
from broadcaster.schedule.jobs import job_of, verify_new
from broadcaster.schedule.library import Library
from broadcaster.script.load import load as load_script
from pipeline.errors import ConfigError, ScriptError
from pipeline.wire import Answer, ChangeSchedule, Done, decode_any, encode

NEWS: dict[str, Any] = {"name": "news", "script": "news.md", "cron": "0 8 * * *"}


def names(filed: list[dict[str, Any]], changes: kept.Kept) -> list[str]:
    return [job.name for job in kept.jobs(filed, changes, "")[0]]


# ── over the file ────────────────────────────────────────────────────────────────────────────────


def test_a_job_that_was_added_is_marked_and_one_that_was_removed_is_gone() -> None:
    changes = kept.changed({}, [NEWS], "add", "gala", {"script": "g.md", "date": "2026-12-24T20:00:00"})
    changes = kept.changed(changes, [NEWS], "remove", "news", {})
    jobs, standing = kept.jobs([NEWS], changes, "Europe/Berlin")
    assert [(job.name, job.added, job.timezone) for job in jobs] == [("gala", True, "Europe/Berlin")]
    assert set(standing) == {"gala", "news"}


def test_a_change_stands_until_the_file_says_something_else_about_that_job() -> None:
    changes = kept.changed({}, [NEWS], "remove", "news", {})
    assert names([NEWS], changes) == []
    assert names([NEWS | {"cron": "0 9 * * *"}], changes) == ["news"]


def test_removing_what_was_added_and_restoring_leave_nothing_behind() -> None:
    added = kept.changed({}, [], "add", "gala", NEWS)
    assert kept.changed(added, [], "remove", "gala", {}) == {}
    removed = kept.changed({}, [NEWS], "remove", "news", {})
    assert kept.changed(removed, [NEWS], "restore", "news", {}) == {}


def test_what_cannot_be_changed_is_told_of_with_what_could_be() -> None:
    with pytest.raises(ConfigError, match="there is a job news already"):
        kept.changed({}, [NEWS], "add", "news", NEWS)
    with pytest.raises(ConfigError, match="there is no job gala; choose from news"):
        kept.changed({}, [NEWS], "remove", "gala", {})
    with pytest.raises(ConfigError, match="nothing was changed by hand"):
        kept.changed({}, [NEWS], "restore", "news", {})


def test_changes_outlive_the_process_and_a_torn_file_is_told_of(tmp_path: Path) -> None:
    changes = kept.changed({}, [], "add", "gala", NEWS)
    kept.save(tmp_path, changes)
    assert kept.load(tmp_path) == changes
    kept.save(tmp_path, {})
    assert kept.load(tmp_path) == {} and not list(tmp_path.iterdir())
    (tmp_path / kept.FILE).write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="not what `broadcaster schedule` writes"):
        kept.load(tmp_path)


# ── the way of an order ──────────────────────────────────────────────────────────────────────────


class Desk:
    def __init__(self) -> None:
        self.sent: list[ChangeSchedule] = []
        self.answers: list[Answer] = []
        self.errands = Errands(self.sent.append)

    def order(self, name: str, now_s: float = 0.0) -> None:
        self.errands.order(ChangeSchedule("run", name), self.answers.append, now_s)


def test_an_answer_of_the_director_goes_to_who_asked() -> None:
    desk = Desk()
    desk.order("a")
    desk.order("b")
    second = decode_any(encode(desk.sent[1]))
    assert isinstance(second, ChangeSchedule) and second.name == "b"
    desk.errands.done(Done(second.number, True, ["b begins"]))
    desk.errands.done(Done(second.number, True, ["again"]))
    assert desk.answers == [Answer(True, ["b begins"])]


def test_a_director_that_does_not_answer_is_told_of() -> None:
    desk = Desk()
    desk.order("a")
    desk.errands.turn(ANSWER_WITHIN_S - 1)
    assert desk.answers == []
    desk.errands.turn(ANSWER_WITHIN_S)
    desk.errands.done(Done(1, True, ["late"]))
    assert [answer.done for answer in desk.answers] == [False]
    assert "the director did not answer" in desk.answers[0].lines[0]


def test_more_orders_than_can_wait_are_turned_away() -> None:
    desk = Desk()
    for number in range(WAITING_MAX + 1):
        desk.order(str(number))
    assert len(desk.sent) == WAITING_MAX
    assert "try again" in desk.answers[0].lines[0]


async def test_a_programme_is_read_beside_the_loop_and_anew_for_each_run(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("One.", encoding="utf-8")
    library = Library(load_script)

    async def fetched(run: str) -> str:
        for _ in range(200):
            if (script := library.fetch(run, path)) is not None:
                return next(line.text for _, line in script.lines())
            await asyncio.sleep(0.01)
        raise AssertionError("it was never read")

    assert library.fetch("first", path) is None
    assert await fetched("first") == "One."
    path.write_text("Two.", encoding="utf-8")
    assert await fetched("second") == "Two."
    path.unlink()
    with pytest.raises(ScriptError):
        await fetched("third")


# ── the configuration and the command line ───────────────────────────────────────────────────────


@pytest.fixture
def room(tmp_path: Path) -> Path:
    (tmp_path / "news.md").write_text("The news.\n", encoding="utf-8")
    (tmp_path / "gala.md").write_text("The gala.\n", encoding="utf-8")
    return write(tmp_path, schedule=[NEWS | {"script": str(tmp_path / "news.md")}])


def write(directory: Path, **more: Any) -> Path:
    path = directory / "room.yaml"
    tree = {"room": "r", "state_dir": str(directory / "var"), "timezone": "Europe/Berlin", **more}
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def told(*arguments: str) -> list[str]:
    done = CliRunner().invoke(app, ["schedule", *arguments])
    if done.exception is not None:
        raise done.exception
    return [line.rstrip() for line in done.output.splitlines()]


def test_ls_and_next_show_what_is_planned(room: Path) -> None:
    lines = told("ls", "--config", str(room))
    assert lines[0].startswith("news ") and "0 8 * * * Europe/Berlin" in lines[0]
    assert lines[1].strip().startswith("next ") and "08:00:00" in lines[1]
    coming = told("next", "-n", "3", "--config", str(room))
    assert len(coming) == 3 and all("08:00:00 CE" in line for line in coming)


def test_off_air_a_job_is_added_shown_apart_and_removed(room: Path) -> None:
    gala = str(room.parent / "gala.md")
    assert told(
        "add", "gala", "--script", gala, "--every", "30m", "--between", "10:00-22:00", "--config", str(room)
    ) == [
        "job gala: added",
        "the room is off air: it begins with this",
    ]
    told("rm", "news", "--config", str(room))
    lines = told("ls", "--config", str(room))
    assert "every 30m, 10:00-22:00" in lines[0] and lines[0].endswith("(added by hand)")
    assert lines[2].startswith("news") and "removed by hand" in lines[2]
    told("restore", "news", "--config", str(room))
    told("rm", "gala", "--config", str(room))
    assert len(told("ls", "--config", str(room))) == 2


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--cron", "0 25 * * *"], "cron: '0 25"),
        (["--every", "often"], "every: 'often'"),
        (["--date", "2020-01-01T00:00:00"], "is over"),
        (["--cron", "* * * * *", "--timezone", "Mars/Base"], "Mars/Base"),
        (["--cron", "* * * * *", "--overlap", "shout"], "overlap"),
        ([], "give one of cron, date and every"),
    ],
)
def test_what_is_wrong_with_a_job_is_told_before_a_room_is_asked(room: Path, arguments: list[str], wrong: str) -> None:
    gala = str(room.parent / "gala.md")
    with pytest.raises(ConfigError, match=wrong.replace("*", r"\*")):
        told("add", "gala", "--script", gala, *arguments, "--config", str(room))


def test_run_needs_a_room_on_air(room: Path) -> None:
    with pytest.raises(ConfigError, match="off air"):
        told("run", "news", "--config", str(room))


def test_a_programme_that_cannot_be_read_is_found_by_the_check(tmp_path: Path) -> None:
    config = parse({"room": "r", "schedule": [NEWS | {"script": str(tmp_path / "none.md")}]}, "room.yaml")
    with pytest.raises(ConfigError, match=r"schedule\.news\.file: .*none\.md"):
        checks.check(config, "room.yaml")


def test_a_time_that_cannot_be_is_found_by_the_check(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("One.", encoding="utf-8")
    for wrong in ({"cron": "0 25 * * *"}, {"cron": "0 8 * * *", "timezone": "Mars/Base"}):
        config = parse({"room": "r", "schedule": [{**NEWS, **wrong, "script": str(tmp_path / "a.md")}]}, "room.yaml")
        with pytest.raises(ConfigError, match="job news"):
            checks.check(config, "room.yaml")


@pytest.mark.parametrize(
    ("job", "wrong"),
    [
        ({"name": "a", "cron": "* * * * *"}, "nothing to do"),
        ({"name": "a", "script": "x.md"}, "no time"),
        ({"name": "a", "script": "x.md", "cron": "* * * * *", "every": "1h"}, "cron and every"),
        ({"name": "a", "script": "x.md", "cron": "* * * * *", "between": "10:00-11:00"}, "only with every"),
        ({"name": "a b", "script": "x.md", "cron": "* * * * *"}, "name"),
        ({"name": "a", "script": "x.md", "crn": "* * * * *"}, "did you mean 'cron'"),
    ],
)
def test_a_job_that_cannot_be_is_refused(job: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        parse({"room": "r", "schedule": [job]}, "room.yaml")


def test_two_jobs_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="the name 'news' is used twice"):
        parse({"room": "r", "schedule": [NEWS, NEWS]}, "room.yaml")


def test_a_time_that_yaml_reads_by_itself_is_a_date(room: Path) -> None:
    text = room.read_text(encoding="utf-8").replace("cron: 0 8 * * *", "date: 2026-12-24T20:00:00")
    room.write_text(text, encoding="utf-8")
    assert load(room).schedule[0].date == "2026-12-24T20:00:00"


def test_a_room_takes_an_order_of_the_schedule_on_its_socket(short_dir: Path) -> None:
    answers = [Answer(True, ["it begins"])]
    heard: list[Order] = []
    selector = selectors.DefaultSelector()

    def obey(order: Order, reply: Reply) -> None:
        heard.append(order)
        reply(answers.pop())

    room = Orders(short_dir, obey)
    room.open(selector)
    given: list[Answer] = []
    asker = threading.Thread(target=lambda: given.append(give(short_dir, ChangeSchedule("run", "news"), 5.0)))
    asker.start()
    while asker.is_alive():
        for key, _ in selector.select(0.01):
            key.data()
    asker.join()
    room.close()
    selector.close()
    assert heard == [ChangeSchedule("run", "news")] and given == [Answer(True, ["it begins"])]


def test_a_date_is_over_by_the_clock_of_its_room_not_of_the_machine() -> None:
    job = job_of({"name": "gala", "action": "start", "date": "2026-06-10T20:00:00"}, "America/New_York")
    evening_s = datetime(2026, 6, 10, 22, tzinfo=UTC).timestamp()
    verify_new(job, evening_s)
    with pytest.raises(ConfigError, match="is over in America/New_York"):
        verify_new(job, evening_s + 3 * 3600)
