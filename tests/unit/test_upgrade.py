"""The order of an upgrade: what is restarted when, what it waits for, and where it stops."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from broadcaster.upgrade import DEATHS_MAX, HUSH_S, WITHIN_S, End, Look, Restart, Say, Seen, Upgrade, refused


@dataclass
class Room:
    """Children that come up at once when they are restarted, unless they are told not to."""

    outputs: bool = False
    broken: set[str] = field(default_factory=set)
    children: dict[str, Seen] = field(
        default_factory=lambda: {
            "director": Seen("director", 1, True),
            "engine-x": Seen("engine", 1, True),
            "playout": Seen("playout", 1, True),
            "pusher-a": Seen("pusher", 1, True),
            "pusher-b": Seen("pusher", 1, True),
            "probe": Seen("probe", 1, True),
            "redis": Seen("redis", 1, True),
        }
    )
    now_s: float = 100.0
    quiet: bool = True
    live: frozenset[str] = frozenset({"a", "b"})
    source: str = "live"
    panic: bool = False
    restarted: list[str] = field(default_factory=list)
    hushed: list[bool] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def look(self) -> Look:
        return Look(self.now_s, self.children, self.source, self.live, self.quiet, self.panic)

    def run(self, looks: int = 400, step_s: float = 0.1) -> End | None:
        upgrade = Upgrade(self.look(), self.outputs)
        for _ in range(looks):
            for action in upgrade.advance(self.look()):
                if isinstance(action, Restart):
                    self._restart(action.name)
                    self.hushed.append(upgrade.hush)
                elif isinstance(action, Say):
                    self.said.append(action.line)
                else:
                    return action
            self.now_s += step_s
        return None

    def _restart(self, name: str) -> None:
        self.restarted.append(name)
        seen = self.children[name]
        self.children[name] = replace(seen, starts=seen.starts + 1, works=name not in self.broken)


def test_words_first_then_pictures_then_the_air_then_who_looks_on_and_no_pusher() -> None:
    room = Room()
    end = room.run()
    assert room.restarted == ["director", "engine-x", "playout", "probe"] and end is not None and end.done
    assert [line.partition(":")[0] for line in room.said] == room.restarted


def test_pushers_are_restarted_one_by_one_when_that_is_asked_for() -> None:
    room = Room(outputs=True)
    room.run()
    assert room.restarted[-2:] == ["pusher-a", "pusher-b"]


def test_no_sentence_is_begun_while_engine_and_playout_change() -> None:
    room = Room()
    room.run()
    assert room.hushed == [False, True, True, False]


def test_a_sentence_is_waited_for_and_not_for_ever() -> None:
    room = Room(quiet=False)
    began_s = room.now_s
    assert room.run(looks=int(HUSH_S / 0.1) - 10) is None and room.restarted == ["director"]
    room = Room(quiet=False)
    end = room.run(looks=2000)
    assert end is not None and end.done and "no pause" in room.said[1] and room.now_s - began_s > HUSH_S


def test_where_a_child_does_not_come_up_nothing_more_is_touched() -> None:
    room = Room(broken={"engine-x"})
    end = room.run(looks=int(WITHIN_S["engine"] / 0.1) + 100)
    assert end is not None and not end.done and room.restarted == ["director", "engine-x"]
    assert "engine-x" in end.line and "not touched: playout, probe" in end.line


def test_a_crash_loop_is_not_waited_out() -> None:
    room = Room(broken={"director"})
    upgrade = Upgrade(room.look(), False)
    assert list(upgrade.advance(room.look())) == [Restart("director")]
    room.children["director"] = Seen("director", 1 + DEATHS_MAX, False)
    assert list(upgrade.advance(room.look())) == []
    room.children["director"] = Seen("director", 2 + DEATHS_MAX, False)
    (end,) = upgrade.advance(room.look())
    assert isinstance(end, End) and not end.done and not upgrade.hush


def test_an_engine_counts_when_its_pictures_are_on_air_and_playout_when_its_outputs_are_live() -> None:
    room = Room(source="live")
    upgrade = Upgrade(room.look(), False)
    room.source = "hold"
    for _ in range(20):
        for action in upgrade.advance(room.look()):
            if isinstance(action, Restart):
                room._restart(action.name)
        room.now_s += 0.1
    assert room.restarted == ["director", "engine-x"]
    room.source = "live"
    for _ in range(20):
        for action in upgrade.advance(room.look()):
            if isinstance(action, Restart):
                room._restart(action.name)
                room.live = frozenset({"a"})
        room.now_s += 0.1
    assert room.restarted == ["director", "engine-x", "playout"] and upgrade.step == "playout"


def test_an_output_that_was_down_holds_nothing_up() -> None:
    room = Room(outputs=True, live=frozenset({"a"}), broken={"pusher-b"})
    room.children["pusher-b"] = Seen("pusher", 4, False)
    end = room.run()
    assert end is not None and end.done


def test_who_only_looks_on_stops_nothing() -> None:
    room = Room(broken={"probe"})
    end = room.run(looks=2000)
    assert end is not None and end.done and "probe: it does not work after" in room.said[-1]


def test_a_pusher_that_does_not_come_back_keeps_the_others_from_being_touched() -> None:
    room = Room(outputs=True, broken={"pusher-a"})
    end = room.run(looks=2000)
    assert end is not None and not end.done and "not touched: pusher-b" in end.line


def test_it_is_refused_while_a_child_is_braked_or_away() -> None:
    room = Room()
    assert refused(room.look()) == []
    room.children["pusher-a"] = Seen("pusher", 9, False, braked=True)
    room.children["engine-x"] = Seen("engine", 9, False, runs=False)
    reasons = refused(room.look())
    assert len(reasons) == 2 and "pusher-a" in reasons[0] and "engine" in reasons[1]
