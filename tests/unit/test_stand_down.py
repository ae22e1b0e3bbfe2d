"""A show whose room goes to another broadcaster, and comes back."""

from __future__ import annotations

from tests.unit.test_show import Room, utterance


def test_a_room_that_went_to_another_broadcaster_falls_silent_and_cuts_what_is_on_air() -> None:
    room = Room("one. two\n\nthree")
    room.say(utterance("a", 3))
    room.say(utterance("b"))
    room.run(3)
    number = room.director.supply.number
    room.director.show.stand_down()
    assert room.director.supply.number == number + 1
    room.hear_cut()
    heard = list(room.heard)
    room.run(60)
    assert room.heard == heard
    assert room.director.show.out == () and room.director.show.planned() == []


def test_what_comes_when_the_room_is_ours_again_cuts_nothing_and_is_said_once() -> None:
    room = Room()
    room.say(utterance("a", 2))
    room.run(1)
    room.director.show.stand_down()
    room.hear_cut()
    room.run(20)
    room.heard.clear()
    room.pending["n"] = utterance("n", mode="now")  # the other one had it on air
    for entry in list(room.pending.values()):
        room.director.show.accept(entry)
    number = room.director.supply.number
    room.director.show.left_behind_is_read()
    room.run(60)
    assert room.names() == "n0 a0 a1" and room.director.supply.number == number
    assert room.pending == {}
