"""An operator's hand on the show: what is paused, skipped and gone to, over deaths and cuts."""

from __future__ import annotations

from broadcaster.events import AIRED, SKIPPED
from broadcaster.takeover import Became
from broadcaster.utterance import PERSON_PREFIX, Lane, Utterance
from tests.unit.test_show import Room, utterance

SCRIPT = "# One\n\na1. a2. a3\n\na4\n\n# Two\n\nb1. b2\n"


def events(room: Room, name: str) -> list[str]:
    return [event.id for event in room.events if event.name == name]


def heard(room: Room) -> list[str]:
    return [name for name, _ in room.heard]


def play_until_out(room: Room, name: str) -> None:
    """Until viewers are in the middle of it."""
    for _ in range(200):
        room.play(0.2)
        if room.open and room.open[0] == name:
            return
    raise AssertionError(f"{name} never began: {room.heard}")


def test_a_paused_show_ends_its_sentence_and_begins_no_other() -> None:
    room = Room()
    room.say(utterance("a", 5))
    play_until_out(room, "a")
    assert room.director.show.takeover.pause(now=False).done
    room.play(10)
    said = list(room.heard)
    assert 1 <= len(said) <= 2 and not room.open
    room.director.show.takeover.resume()
    room.play(20)
    assert room.heard == [("a", index) for index in range(5)] and events(room, AIRED) == ["a"]


def test_a_pause_at_once_cuts_and_the_sentence_is_said_again() -> None:
    room = Room(samples=240_000)
    room.say(utterance("a", 2))
    play_until_out(room, "a")
    assert room.director.show.takeover.pause(now=True).done
    room.hear_cut()
    room.director.read_reports()
    room.play(8)
    assert room.heard == []
    room.director.show.takeover.resume()
    room.play(20)
    assert room.heard == [("a", 0), ("a", 1)]


def test_a_presenter_is_heard_while_the_show_is_paused_and_others_wait() -> None:
    room = Room(SCRIPT)
    room.director.show.takeover.pause(now=False)
    room.say(utterance("reply", lane="reply", mode="now"))
    room.say(utterance("order", mode="insert"))
    room.say(utterance("live", lane="live"))
    room.play(10)
    assert heard(room) == ["live"]
    room.director.show.takeover.resume()
    room.play(10)
    assert {"reply", "order"} <= set(heard(room))


def test_a_pause_at_once_does_not_cut_the_presenter() -> None:
    room = Room(samples=240_000)
    room.say(utterance("live", 2, lane="live"))
    play_until_out(room, "live")
    number = room.director.supply.number
    room.director.show.takeover.pause(now=True)
    room.play(15)
    assert room.director.supply.number == number and room.heard == [("live", 0), ("live", 1)]


def test_a_pause_outlives_the_director() -> None:
    room = Room(SCRIPT)
    room.director.show.takeover.pause(now=False)
    room.director.save()
    room.kill_director()
    room.play(10)
    assert room.heard == [] and room.director.show.takeover.paused


def test_a_skipped_rest_is_told_acknowledged_and_never_comes_back() -> None:
    room = Room()
    room.say(utterance("a", 6))
    room.say(utterance("b"))
    play_until_out(room, "a")
    assert room.director.show.takeover.skip(now=False).done
    room.play(12)
    assert 1 <= heard(room).count("a") <= 2 and heard(room)[-1] == "b"
    assert events(room, SKIPPED) == ["a"] and events(room, AIRED) == ["b"] and not room.pending
    room.say(utterance("a", 6))
    room.play(10)
    assert events(room, SKIPPED) == ["a", "a"] and heard(room).count("a") <= 2


def test_a_skip_at_once_drops_the_sentence_on_air() -> None:
    room = Room(samples=480_000)
    room.say(utterance("a", 3))
    room.say(utterance("b"))
    play_until_out(room, "a")
    assert room.director.show.takeover.skip(now=True).done
    room.hear_cut()
    room.director.read_reports()
    assert events(room, SKIPPED) == ["a"]
    room.play(15)
    assert heard(room) == ["b"]


def test_a_skip_whose_acknowledgement_was_lost_with_the_director_is_not_said() -> None:
    room = Room(samples=480_000)
    room.redis_away = True
    room.say(utterance("a", 3))
    play_until_out(room, "a")
    room.director.show.takeover.skip(now=True)
    room.director.save()
    room.hear_cut()
    room.redis_away = False
    room.kill_director()
    room.play(15)
    assert room.heard == [] and events(room, SKIPPED) == ["a"] and not room.pending


def test_a_shortened_utterance_that_is_lost_with_its_engine_is_said_as_far_as_it_was_meant() -> None:
    room = Room()
    room.say(utterance("a", 6))
    play_until_out(room, "a")
    room.director.show.takeover.skip(now=False)
    room.kill_engine()
    room.play(15)
    assert 1 <= len(set(room.heard)) <= 2 and events(room, SKIPPED) == ["a"] and events(room, AIRED) == []


def test_skipping_silence_is_refused() -> None:
    assert Room().director.show.takeover.skip(now=True).became is Became.CONFLICT


def test_the_script_goes_on_at_the_section_that_is_asked_for() -> None:
    room = Room(SCRIPT)
    takeover = room.director.show.takeover
    assert takeover.sections() == ["One", "Two"]
    play_until_out(room, room.director.show.on_air() or "script:0:0")
    first = room.director.show.on_air()
    assert takeover.goto("Two", now=False).done
    room.director.show.top_up()
    room.play(12)
    texts = [name for name in heard(room) if name != first]
    assert heard(room).count(first) <= 2 and events(room, SKIPPED)[0] == first and texts
    wrong = takeover.goto("Tow", now=False)
    assert wrong.became is Became.UNKNOWN and "did you mean 'Two'" in wrong.text


def test_goto_at_once_cuts_the_script_and_tells_of_what_it_cut() -> None:
    room = Room(SCRIPT, samples=480_000)
    room.play(1)
    room.render()
    room.play(2)
    first = room.director.show.on_air()
    assert first and room.director.show.takeover.goto("Two", now=True).done
    room.hear_cut()
    room.director.read_reports()
    room.director.show.top_up()
    room.play(6)
    assert events(room, SKIPPED) == [first] and room.director.show.on_air() not in ("", first)


def test_goto_at_once_leaves_other_lanes_alone() -> None:
    room = Room(SCRIPT, samples=240_000)
    room.say(utterance("a", 2))
    play_until_out(room, "a")
    number = room.director.supply.number
    assert room.director.show.takeover.goto("Two", now=True).done
    room.play(12)
    assert room.director.supply.number == number and room.heard[:2] == [("a", 0), ("a", 1)]


def test_without_a_script_there_is_nowhere_to_go() -> None:
    assert Room().director.show.takeover.goto("One", now=False).became is Became.CONFLICT


def test_a_talk_that_the_director_died_in_is_told_of_and_not_said_again() -> None:
    room = Room()
    show = room.director.show
    person = Utterance(f"{PERSON_PREFIX}1", ("",), Lane.LIVE, "now")
    assert show.talk(person)
    assert show.text((person.id, 0)) is None
    show.begun([(person.id, 0)])
    room.director.save()
    room.kill_director()
    room.tell()
    assert events(room, SKIPPED) == [person.id]
    assert person.id not in {utterance.id for utterance, _ in room.director.show.coming(10)}
