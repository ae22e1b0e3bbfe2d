"""The page in a real Chromium, with a room on air behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.browser import RoomPage, chromium, free_address
from tests.listener import Listener
from tests.station import Station, on_air, until


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def room(browser: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Station, str]]:
    """A room on air that says nothing by itself, and where its page is."""
    directory = tmp_path_factory.mktemp("page")
    listen = free_address()
    outputs = [{"name": "archive", "url": f"file:{directory}/a.mp4"}]
    with on_air(directory, control={"listen": listen}, outputs=outputs) as station:
        yield station, f"http://{listen}"


@pytest.fixture
def page(browser: object, room: tuple[Station, str]) -> Iterator[RoomPage]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})  # type: ignore[attr-defined]
    made = RoomPage(context.new_page(), room[1])
    yield made
    context.close()
    assert made.errors == []


def plays(page: RoomPage) -> None:
    """Wait until the picture moves, from now on."""
    at_s = page.played_s()
    until(lambda: page.played_s() not in (0, at_s), 20, "the picture moves")


def test_the_picture_plays_muted_and_catches_up_with_live(page: RoomPage, room: tuple[Station, str]) -> None:
    plays(page)
    assert page.evaluate("document.querySelector('video').muted")
    until(lambda: page.behind_s() < 0.8, 10, "close to live")
    assert page.evaluate("document.querySelector('video').videoWidth") == room[0].config.avatar.size[0]
    until(lambda: page.seen("#air") == "On air", 10, "the engine's pictures, once they are ahead of time again")
    assert page.seen("#house li:first-child .chip") == "ready"
    page.page.click("#sound")
    assert not page.evaluate("document.querySelector('video').muted")
    assert page.seen("#sound") == "Mute"
    plays(page)


def test_a_typed_sentence_is_heard_and_followed_to_its_end(
    page: RoomPage, room: tuple[Station, str], tmp_path: Path
) -> None:
    plays(page)
    viewer = Listener(f"{room[1]}/live.flv", tmp_path / "heard")
    try:
        until(viewer.is_playing, 20, "the viewer sees something")
        typed_s = time.monotonic()
        page.says("This was typed by a person.")
        until(lambda: page.seen("#now-text") == "This was typed by a person.", 6, "it is on air")
        until(lambda: viewer.voiced_after(typed_s), 6, "a voice")
        until(lambda: page.state_of("This was typed by a person.") == "aired", 15, "aired")
    finally:
        viewer.stop()
    until(lambda: page.seen("#now-text") == "Nothing is being said.", 5, "the page says so")
    assert page.evaluate("text.value") == ""


def test_markup_in_a_text_stays_text_and_the_rest_of_it_is_skipped_by_a_button(
    page: RoomPage, room: tuple[Station, str]
) -> None:
    text = "<script>hit=1</script><img src=x onerror=hit=1>&amp; hi."
    room[0].client.say(text, lane="reply", mode="append")
    until(lambda: page.state_of(text) == "on air", 20, "it is on the page, and on air")
    assert page.evaluate("window.hit === undefined")
    assert page.evaluate("document.querySelectorAll('main script, main img').length") == 0
    page.page.check("#at-once")
    page.page.click("#skip")
    until(lambda: page.state_of(text) == "skipped", 10, "skipped")


def test_a_person_holds_the_button_and_is_heard_until_it_is_let_go(
    page: RoomPage, room: tuple[Station, str], tmp_path: Path
) -> None:
    viewer = Listener(f"{room[1]}/live.flv", tmp_path / "heard")
    try:
        until(viewer.is_playing, 20, "the viewer sees something")
        page.page.hover("#talk")
        pressed_s = time.monotonic()
        page.page.mouse.down()
        until(lambda: page.seen("#talk-state") == "on air: talk", 15, "the line stands, and it is our turn")
        until(lambda: viewer.voiced_after(pressed_s), 15, "the microphone's beeps")
        page.page.mouse.up()
        until(lambda: page.seen("#talk-state") == "", 5, "the page says that nobody talks")
        until(lambda: any(one.startswith("person:") for one in room[0].aired()), 15, "the talk ended by itself")
    finally:
        viewer.stop()


def test_a_paused_room_is_shown_as_paused_and_goes_on_by_the_same_button(
    page: RoomPage, room: tuple[Station, str]
) -> None:
    page.page.click("#pause")
    until(lambda: page.seen("#pause") == "Resume", 10, "paused")
    until(lambda: room[0].facts("director")["held"], 10, "the status says so as well")
    room[0].client.say("This waits for a while.", id="later")
    page.page.click("#pause")
    until(lambda: page.seen("#pause") == "Pause", 10, "it goes on")
    until(lambda: "later" in room[0].aired(), 15, "what waited is said")


def test_a_refused_line_says_why_and_stays_in_the_box(page: RoomPage, room: tuple[Station, str]) -> None:
    room[0].client.say("Hello.", lane="vip", id="wrong")
    until(lambda: page.state_of("Hello.") == "refused", 10, "refused")
    assert "vip" in page.seen("#lines")


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Another web site, on this machine."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>elsewhere</title>")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_page_elsewhere_can_neither_say_nor_watch_nor_read(
    browser: object, room: tuple[Station, str], elsewhere: str
) -> None:
    station, base = room
    foreign = browser.new_page()  # type: ignore[attr-defined]
    foreign.goto(elsewhere)
    body = '{ method: "POST", mode: "no-cors", body: JSON.stringify({ text: "Evil words.", id: "evil" }) }'
    foreign.evaluate(f"fetch('{base}/say', {body}).catch(() => 0)")
    for path in ("/status", "/events", "/live.flv"):
        assert foreign.evaluate(f"fetch('{base}{path}').then(() => 'read', () => 'refused')") == "refused"
    shown = "new Promise((done) => { const video = document.createElement('video'); video.onerror = () => done('no'); "
    shown += f"video.onloadeddata = () => done('shown'); video.src = '{base}/live.flv'; }})"
    assert foreign.evaluate(shown) == "no"
    answer = foreign.goto(base.replace("127.0.0.1", "evil.example") + "/")
    assert answer.status == 403 and "Host" in answer.text()
    foreign.close()
    assert not [event for event in station.events() if event["id"] == "evil"]


def test_the_page_goes_on_by_itself_when_the_pusher_and_the_director_are_killed(
    page: RoomPage, room: tuple[Station, str]
) -> None:
    station = room[0]
    plays(page)
    for name in ("pusher-preview", "director"):
        before = station.kill(name)
        until(lambda before=before, name=name: station.pids().get(name, before) != before, 10, f"{name} is back")
        until(lambda: page.seen("#air") == "On air", 15, "the page knows that it is on air")
        plays(page)
        until(lambda: page.behind_s() < 1.5, 15, "close to live")
    page.says("Still here.")
    until(lambda: page.state_of("Still here.") == "aired", 20, "aired")
