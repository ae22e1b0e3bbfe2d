"""The page in a real Chromium: how soon it shows something, how far behind it is, how soon typed words are heard."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from benchmarks.figures import Figure, percentile
from broadcaster.config import load
from streams.preview import SOCKET_NAME
from tests.browser import RoomPage, chromium, free_address
from tests.listener import Listener
from tests.pusher_child import pusher
from tests.station import Station, on_air, until
from tests.tagsource import Source

LOADS = 5
TYPED = 5
TAGS_S = 8.0  # of tags that are timed
FIRST_S = 2.0  # not timed: a new viewer is given the group of pictures at once
CLOSE_S = 0.6  # behind the newest picture that came: the GOP's age is made up for
QUIET_S = 1.5  # of silence before a try
NOTES_FIRST_PICTURE = """document.addEventListener('loadedmetadata', (event) => {
  event.target.requestVideoFrameCallback?.((now) => { window.firstPictureMs ??= now; });
}, true);"""
READS_TAGS = """async (seconds) => {
  const step = (n) => { for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1; return n >>> 0; };
  const table = Array.from({ length: 256 }, (_, n) => step(n));
  const crc = (bytes) => { let c = ~0; for (const b of bytes) c = table[(c ^ b) & 255] ^ (c >>> 8); return ~c >>> 0; };
  const found = [], end = Date.now() + seconds * 1000;
  const reader = (await fetch('/live.flv')).body.getReader();
  let rest = new Uint8Array(0), skip = 13;
  while (Date.now() < end) {
    const { value, done } = await reader.read();
    const at = performance.timeOrigin + performance.now();
    if (done) break;
    const whole = new Uint8Array(rest.length + value.length);
    whole.set(rest); whole.set(value, rest.length);
    let from = skip; skip = 0;
    for (;;) {
      const size = (whole[from + 1] << 16 | whole[from + 2] << 8 | whole[from + 3]) + 15;
      if (whole.length < from + 15 || whole.length < from + size) break;
      found.push([crc(whole.subarray(from + 11, from + size - 4)), at / 1000]);
      from += size;
    }
    rest = whole.slice(from);
  }
  reader.cancel();
  return found;
}"""


class PlainViewer(threading.Thread):
    """Reads the preview's socket without anything between. `tags`: CRC of the payload, Unix seconds of its arrival."""

    def __init__(self, directory: Path, seconds: float) -> None:
        super().__init__(daemon=True)
        self._directory = directory
        self._ends_s = time.time() + seconds
        self.tags: list[tuple[int, float]] = []
        self.start()

    def run(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(str(self._directory / SOCKET_NAME))
            sock.sendall(b"GET /live.flv HTTP/1.1\r\nHost: bench\r\n\r\n")
            rest = b""
            while b"\r\n\r\n" not in rest:
                rest += sock.recv(65_536)
            rest = rest.partition(b"\r\n\r\n")[2]
            while len(rest) < 13:
                rest += sock.recv(65_536)
            rest = rest[13:]
            while time.time() < self._ends_s:
                part = sock.recv(65_536)
                at_s = time.time()
                rest += part
                while len(rest) >= 15 and len(rest) >= (size := int.from_bytes(rest[1:4], "big") + 15):
                    self.tags.append((crc32(rest[11 : size - 4]), at_s))
                    rest = rest[size:]


def run() -> list[Figure]:
    fan_out = _fan_out()
    with tempfile.TemporaryDirectory(prefix="b") as name, chromium() as browser:
        directory = Path(name)
        listen = free_address()
        with on_air(directory, control={"listen": listen}) as station:
            base = f"http://{listen}"
            until(lambda: "pusher-preview" in station.pids(), 20, "a preview")
            loads = _loads(browser, base)
            proxy = _proxy(browser, base, station)
            typed = _typed(browser, base, directory)
    return [*loads, *_latency(fan_out, proxy), *typed]


# ── loading ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Load:
    """Seconds. first: until a picture showed. behind: how old it was. close: until that was made up for."""

    first: float
    behind: float
    close: float
    stuttered: bool


def _loads(browser: Any, base: str) -> list[Figure]:
    loads = []
    for index in range(LOADS):
        time.sleep(0.37 * index % 2)  # not always at the same place of a group of pictures
        loads.append(_load(browser, base))
    first_s, close_s = max(load.first for load in loads), max(load.close for load in loads)
    stutters = sum(load.stuttered for load in loads)
    first = f"{first_s:.2f} s (p50 {percentile([load.first for load in loads], 0.5):.2f})"
    return [
        Figure(f"first picture after the load, worst of {LOADS}", first, "≤ 1 s", first_s <= 1.0),
        Figure("  behind the newest picture then, most", f"{max(load.behind for load in loads):.1f} s"),
        Figure(f"  within {CLOSE_S} s of it after the load, worst", f"{close_s:.1f} s", "≤ 10 s", close_s <= 10),
        Figure("  loads that stuttered in the two seconds after that", str(stutters), "0", stutters == 0),
    ]


def _load(browser: Any, base: str) -> Load:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    tab = context.new_page()
    tab.add_init_script(NOTES_FIRST_PICTURE)
    page = RoomPage(tab, base)
    until(lambda: page.evaluate("window.firstPictureMs !== undefined"), 10, "a picture")
    first_s, behind_s = page.evaluate("window.firstPictureMs") / 1000, page.behind_s()
    until(lambda: page.behind_s() <= CLOSE_S, 20, "close to live")
    close_s = page.evaluate("performance.now()") / 1000
    until(lambda: page.evaluate("video.playbackRate <= 1"), 10, "its own pace")
    played_s, at_s = page.played_s(), time.monotonic()
    time.sleep(2.0)
    stuttered = page.played_s() - played_s < 0.9 * (time.monotonic() - at_s)
    context.close()
    return Load(first_s, behind_s, close_s, stuttered)


# ── tag → browser ────────────────────────────────────────────────────────────────────────────────


def _fan_out() -> list[float]:
    """Seconds from playout's fan-out to a viewer at the preview's socket, through a real pusher."""
    with tempfile.TemporaryDirectory(prefix="b") as name, pusher(Path(name), "preview:", "preview"):
        with Source(Path(name), ["preview"]) as source:
            until((Path(name) / SOCKET_NAME).exists, 10, "the preview listens")
            ahead_s = time.time() - time.monotonic()
            viewer = PlainViewer(Path(name), TAGS_S)
            viewer.join()
            published = {tag.ms: tag for tag in source.media.tags}
            sent: defaultdict[int, list[float]] = defaultdict(list)
            for kind, ms, at_s in source.published:
                tag = published.get(ms % source.media.loop_ms)
                if tag is not None and tag.kind == kind:
                    sent[crc32(tag.data[11:-4])].append(at_s + ahead_s)
        return _waits(sent, viewer.tags)


def _proxy(browser: Any, base: str, station: Station) -> list[float]:
    """Seconds from a viewer at the preview's socket to the same tag in the page."""
    directory = load(station.config_path).runtime_dir
    page = RoomPage(browser.new_page(), base)
    plain = PlainViewer(directory, TAGS_S)
    came = page.page.evaluate(READS_TAGS, TAGS_S)
    plain.join()
    page.page.close()
    sent: defaultdict[int, list[float]] = defaultdict(list)
    for crc, at_s in plain.tags:
        sent[crc].append(at_s)
    return _waits(sent, [(crc, at_s) for crc, at_s in came])


def _waits(sent: dict[int, list[float]], came: list[tuple[int, float]]) -> list[float]:
    """Of each tag that came after the first seconds, how long after it was sent; same tags come again in a loop."""
    begin_s = came[0][1] + FIRST_S
    waits = [
        at_s - max((sent_s for sent_s in sent[crc] if sent_s < at_s + 0.02), default=at_s)
        for crc, at_s in came
        if at_s > begin_s and sent.get(crc)
    ]
    assert len(waits) > 100, f"{len(waits)} of {len(came)} tags were found"
    return waits


def _latency(fan_out: list[float], proxy: list[float]) -> list[Figure]:
    parts = [(percentile(part, 0.5) * 1000, percentile(part, 0.95) * 1000) for part in (fan_out, proxy)]
    p50, p95 = (sum(part[index] for part in parts) for index in (0, 1))
    rows = zip(("playout → preview's socket", "preview's socket → page, in a live room"), parts, strict=True)
    return [
        Figure("tag → browser, sum of p95 (sum of p50)", f"{p95:.1f} ms ({p50:.1f})", "≤ 50 ms", p95 <= 50),
        *(Figure(f"  {name}", f"p50 {low:.1f}, p95 {high:.1f} ms") for name, (low, high) in rows),
    ]


# ── typing ───────────────────────────────────────────────────────────────────────────────────────


def _typed(browser: Any, base: str, directory: Path) -> list[Figure]:
    """From the Enter key to the first packet with a voice at another viewer, and to the page that shows it."""
    page = RoomPage(browser.new_page(), base)
    viewer = Listener(f"{base}/live.flv", directory / "heard")
    try:
        until(viewer.is_playing, 20, "a viewer")
        times_s = [_type(page, viewer, f"Number {index} was typed by a person.") for index in range(TYPED)]
    finally:
        viewer.stop()
    heard_s, shown_s = (max(times) for times in zip(*times_s, strict=True))
    return [
        Figure(
            f"typed sentence (now): heard by a viewer, worst of {TYPED}", f"{heard_s:.2f} s", "≤ 2 s", heard_s <= 2.0
        ),
        Figure("  shown on the page as on air, worst", f"{shown_s:.2f} s"),
    ]


def _type(page: RoomPage, viewer: Listener, text: str) -> tuple[float, float]:
    """Seconds until it was heard, and shown."""
    until(lambda: viewer.voiced_after(time.monotonic() - QUIET_S) is None, 20, "a quiet room")
    typed_s = time.monotonic()
    page.says(text)
    until(lambda: page.seen("#now-text") == text, 10, "it is on air")
    shown_s = time.monotonic() - typed_s
    until(lambda: viewer.voiced_after(typed_s), 10, "a voice")
    heard = viewer.voiced_after(typed_s)
    assert heard is not None
    until(lambda: page.state_of(text) == "aired", 20, "aired")
    return heard.at_s - typed_s, shown_s
