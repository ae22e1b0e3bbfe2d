"""A real Chromium without a window, and the page of a room in it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import need

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",  # a microphone that beeps, and is given without asking
    "--use-fake-device-for-media-stream",
    "--host-resolver-rules=MAP evil.example 127.0.0.1",  # a name that somebody pointed at this machine
)
PLAYING_S = "document.querySelector('video').currentTime"
BEHIND_S = """(() => { const { buffered, currentTime } = document.querySelector('video');
  return buffered.length ? buffered.end(buffered.length - 1) - currentTime : null; })()"""


@contextmanager
def chromium() -> Iterator[Browser]:
    path = need("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def free_address() -> str:
    """HOST:PORT of this machine where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


class RoomPage:
    """The page of a room, opened. `errors`: what its console and its scripts complained about."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(base + "/")

    def played_s(self) -> float:
        return float(self.page.evaluate(PLAYING_S))

    def behind_s(self) -> float:
        """How far the picture is behind the newest one that came; a large number when there is none."""
        behind = self.page.evaluate(BEHIND_S)
        return 1e9 if behind is None else float(behind)

    def says(self, text: str) -> None:
        """Type it, as a person would, and send it."""
        self.page.fill("#text", text)
        self.page.press("#text", "Enter")

    def state_of(self, text: str) -> str:
        """What became of a pushed line; "" when it is not on the page."""
        line = self.page.locator("#lines li").filter(has=self.page.get_by_text(text, exact=True))
        return str(line.first.get_attribute("data-state")) if line.count() else ""

    def seen(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def evaluate(self, expression: str) -> Any:
        return self.page.evaluate(expression)
