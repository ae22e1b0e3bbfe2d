"""What the page is told of words, from utterances, events and reports."""

from __future__ import annotations

from typing import Any

from broadcaster.agenda import LINES_KEPT, NEXT_SHOWN, TEXT_SHOWN, Agenda
from broadcaster.events import ACCEPTED, AIRED, DEAD_LETTERED, DUPLICATE, EXPIRED, INTERRUPTED, STARTED, Event, event_of
from broadcaster.utterance import Lane, Utterance
from broadcaster.web.overview import overview, steady
from pipeline.wire import Report


def pushed(name: str, *sentences: str, lane: Lane = Lane.LIVE) -> Utterance:
    return Utterance(id=name, sentences=sentences or (f"{name}.",), lane=lane, mode="now", stream_id=f"{name}-0")


def report(what: str, name: str, sentence: int = 0, wall_s: float = 100.0) -> Report:
    return Report(seq=1, what=what, utterance=name, frame=0, sample=0, wall_s=wall_s, sentence=sentence)


def view(agenda: Agenda, *coming: tuple[Utterance, int], now_s: float = 100.0) -> dict[str, Any]:
    return agenda.view(now_s, coming, len(coming))


def test_a_pushed_line_is_followed_from_accepted_to_aired() -> None:
    agenda, mug = Agenda(), pushed("mug", "The mug.", "Is red.")
    seen = []
    for name in (ACCEPTED, STARTED, AIRED):
        agenda.told(event_of(name, mug), mug if name != AIRED else None)
        seen.append(view(agenda)["lines"][0]["state"])
    assert seen == ["accepted", "on air", "aired"]
    assert view(agenda)["lines"][0] == {
        "id": "mug", "lane": "live", "mode": "now", "text": "The mug. Is red.", "state": "aired", "reason": "",
    }  # fmt: skip


def test_a_line_that_was_broken_off_is_on_air_again_when_its_sentence_begins_again() -> None:
    agenda, mug = Agenda(), pushed("mug")
    agenda.told(event_of(STARTED, mug), mug)
    agenda.told(event_of(INTERRUPTED, mug), mug)
    assert view(agenda)["lines"][0]["state"] == "waits again"
    agenda.heard(report("sentence", "mug"), mug)
    assert view(agenda)["lines"][0]["state"] == "on air"


def test_a_refused_line_says_why_whether_or_not_it_ever_was_an_utterance() -> None:
    agenda = Agenda()
    torn = {b"text": b"hello", b"lane": b"vip"}
    agenda.told(Event(DEAD_LETTERED, "1-0", "", "1-0", {"reason": "lane: 'vip' is none of …"}, torn), None)
    agenda.told(event_of(ACCEPTED, pushed("late")), pushed("late"))
    agenda.told(event_of(EXPIRED, pushed("late")), None)
    agenda.told(event_of(DUPLICATE, pushed("again")), pushed("again"))
    lines = {line["id"]: line for line in view(agenda)["lines"]}
    assert (lines["1-0"]["text"], lines["1-0"]["state"]) == ("hello", "refused") and "vip" in lines["1-0"]["reason"]
    assert lines["late"]["state"] == "expired" and lines["late"]["reason"]
    assert lines["again"]["state"] == "refused" and "before" in lines["again"]["reason"]


def test_a_duplicate_does_not_change_what_became_of_the_first() -> None:
    agenda, mug = Agenda(), pushed("mug")
    agenda.told(event_of(STARTED, mug), mug)
    agenda.told(event_of(DUPLICATE, mug), mug)
    assert view(agenda)["lines"][0]["state"] == "on air"


def test_what_nobody_pushed_is_no_line() -> None:
    agenda = Agenda()
    script = Utterance(id="script:0:0", sentences=("Welcome.",), lane=Lane.SCRIPT)
    agenda.told(event_of(STARTED, script), script)
    assert view(agenda)["lines"] == []


def test_lines_are_bounded_and_those_that_are_over_go_first() -> None:
    agenda = Agenda()
    agenda.told(event_of(ACCEPTED, pushed("waits")), pushed("waits"))
    for index in range(LINES_KEPT + 5):
        mug = pushed(f"mug{index}", "x" * 20_000)
        agenda.told(event_of(ACCEPTED, mug), mug)
        agenda.told(event_of(AIRED, mug), None)
    lines = view(agenda)["lines"]
    assert len(lines) == LINES_KEPT and lines[0]["id"] == f"mug{LINES_KEPT + 4}" and lines[-1]["id"] == "waits"
    assert len(lines[0]["text"]) == TEXT_SHOWN and lines[0]["text"].endswith("…")


def test_the_sentence_on_air_has_its_age_and_its_length() -> None:
    agenda, mug = Agenda(), pushed("mug", "One.", "Two.")
    agenda.heard(report("sentence", "mug", 1, wall_s=100.0), mug)
    now = view(agenda, now_s=101.5)["now"]
    assert (now["text"], now["sentence"], now["of"], now["age_s"], now["length_s"]) == ("Two.", 2, 2, 1.5, None)
    agenda.length(96_000)
    assert view(agenda)["now"]["length_s"] == 2.0
    agenda.heard(report("sentence_aired", "mug", 1), mug)
    assert view(agenda)["now"] is None and agenda.on_air is None


def test_a_cut_or_a_lost_sentence_is_not_on_air_any_more_and_an_older_report_changes_nothing() -> None:
    for what in ("cut", "lost", "opened", "aired"):
        agenda, mug = Agenda(), pushed("mug")
        agenda.heard(report("sentence", "mug"), mug)
        agenda.heard(report("sentence_aired", "before"), None)
        assert view(agenda)["now"] is not None
        agenda.heard(report(what, "" if what == "opened" else "mug"), mug)
        assert view(agenda)["now"] is None


def test_a_director_that_comes_back_shows_what_is_on_air_without_a_guess_at_its_age() -> None:
    agenda, mug = Agenda(), pushed("mug", "One.", "Two.")
    agenda.resume([mug], [("mug", 1)])
    shown = view(agenda)
    assert shown["now"]["text"] == "Two." and shown["now"]["age_s"] is None
    assert shown["lines"][0]["state"] == "on air"


def test_what_comes_next_is_one_entry_an_utterance_with_what_is_left_of_it() -> None:
    agenda, mug = Agenda(), pushed("mug", "One.", "Two.", "Three.")
    others = [(pushed(f"other{index}"), 0) for index in range(20)]
    shown = view(agenda, (mug, 1), (mug, 2), *others)["next"]
    assert shown[0] == {"id": "mug", "lane": "live", "text": "Two. Three.", "rest": True}
    assert len(shown) == NEXT_SHOWN and shown[1]["rest"] is False


STATUS = {
    "room": "shop",
    "ready": True,
    "on_air_s": 12.0,
    "children": {
        "playout": {
            "kind": "playout",
            "phase": "ready",
            "pid": 5,
            "facts": {
                "source": "live",
                "engine": "portrait",
                "panic": True,
                "outputs": {
                    "main": {"state": "live", "connects": 3, "dropped": 7, "connected": True},
                    "cdn": {"state": "live", "connects": 1, "dropped": 0, "connected": False},
                },
            },
        },
        "engine-portrait": {"kind": "engine", "phase": "ready", "starts": 2, "pid": 6},
        "pusher-cdn": {"kind": "pusher", "phase": "down", "starts": 2, "pid": None},
        "pusher-preview": {"kind": "pusher", "phase": "live", "starts": 1, "pid": 7},
        "monitor": {
            "kind": "monitor",
            "facts": {
                "alarms": [
                    {"name": "output_down", "of": "cdn", "since_s": 1.0, "text": "cdn is down"},
                    {"name": "disk_low", "of": "/var/lib/x", "since_s": 2.0, "text": "0.5 GB are free"},
                ]
            },
        },
    },
    "director": {"redis": "up", "paused": False},
}


def test_the_overview_tells_outputs_and_engine_and_no_process_ids() -> None:
    shown = overview(STATUS, {"now": None})
    assert shown["outputs"] == [
        {"name": "main", "state": "live", "reconnects": 2, "dropped": 7},
        {"name": "cdn", "state": "down", "reconnects": 0, "dropped": 0},
    ]
    assert shown["engine"] == {"name": "portrait", "state": "ready", "restarts": 1}
    assert shown["panic"] and shown["preview"] and shown["ready"] and shown["queue"] == "up"
    assert "pid" not in str(shown)


def test_the_overview_tells_alarms_and_no_paths() -> None:
    assert overview(STATUS, {"now": None})["alarms"] == [
        {"name": "output_down", "of": "cdn", "text": "cdn is down"},
        {"name": "disk_low", "of": "", "text": "0.5 GB are free"},
    ]


def test_an_overview_of_a_room_that_only_begins_is_whole() -> None:
    shown = overview({}, {"now": None})
    assert not shown["ready"] and shown["outputs"] == [] and shown["engine"]["state"] == "down"


def test_time_that_passes_is_no_change() -> None:
    agenda, mug = Agenda(), pushed("mug")
    agenda.heard(report("sentence", "mug"), mug)
    early = overview(STATUS, view(agenda, now_s=100.0))
    late = overview({**STATUS, "on_air_s": 13.0}, view(agenda, now_s=101.0))
    assert early != late and steady(early) == steady(late)
    agenda.length(48_000)
    assert steady(overview(STATUS, view(agenda))) != steady(late)


def test_marks_are_for_the_voice_and_not_for_the_page() -> None:
    agenda, mug = Agenda(), pushed("mug", "[smile]The **mug**.", "Is [slow]red[/slow].[pause 1]")
    agenda.told(event_of(ACCEPTED, mug), mug)
    agenda.heard(report("sentence", "mug"), mug)
    shown = view(agenda, (mug, 1))
    assert shown["lines"][0]["text"] == "The mug. Is red."
    assert (shown["now"]["text"], shown["next"][0]["text"]) == ("The mug.", "Is red.")
