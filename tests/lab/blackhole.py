"""What only a network can do: swallow everything, and lose its name server. Run by tests.lab.netns."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from tests.lab.ingest import Ingest
from tests.lab.netns import Far, Names
from tests.lab.pushing import BITRATE, begins_well, first_s
from tests.pusher_child import PusherChild, pusher, until
from tests.tagsource import Source, media

NAME = "ingest.test"


def black_hole(dark_s: list[float], how: str = "link") -> dict[str, Any]:
    """How long until a destination behind a dead line is declared dead, and until media comes once it is alive.

    dark_s: seconds for which the line is dead, one fault each. how: link | drop.
    """
    figures: dict[str, Any] = {"dead_s": [], "back_s": [], "begins_well": True, "others_gap_s": 0.0}
    with tempfile.TemporaryDirectory(prefix="b") as name, Far() as far:
        root = Path(name)
        with far.there():
            ingest = Ingest(root / "far", host=far.address)
            ingest.__enter__()
        with (
            Ingest(root / "near") as healthy,
            Source(root, ["main", "other"], media(BITRATE, noise=True)),
            pusher(root, healthy.url("other"), "other"),
            pusher(root, ingest.url("main")) as child,
        ):
            for seconds in dark_s:
                until(lambda: ingest.is_live(0.5) and healthy.is_live(0.5), 15, f"live: {child.heard[-6:]}")
                since_s = time.monotonic()
                switch(far, how, dead=True)
                figures["dead_s"].append(_noted(child, "output.lost", since_s))
                while time.monotonic() - since_s < seconds:
                    time.sleep(0.01)
                back_s = time.monotonic()
                switch(far, how, dead=False)
                until(lambda back_s=back_s: first_s(ingest, back_s) is not None, 20, f"back: {child.heard[-12:]}")
                figures["back_s"].append((first_s(ingest, back_s) or 0.0) - back_s)
                figures["begins_well"] &= begins_well(ingest.publications[-1])
                figures["others_gap_s"] = max(figures["others_gap_s"], healthy.longest_gap_s(since_s))
            figures["kinds"] = sorted({note["kind"] for note in child.notes("output.lost")})
            figures["tries_in_a_second"] = most_in_a_second(child.note_times("output.connecting"))
        ingest.__exit__()
    return figures


def names_dead() -> dict[str, Any]:
    """A name server that dies: under a connection that stands, under one that is reset, and before the first one."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="b") as name, Far() as far:
        root = Path(name)
        names = Names(far, NAME)
        names.start()
        with far.there():
            ingest = Ingest(root / "far", host=far.address)
            ingest.__enter__()
        url = f"rtmp://{NAME}:{ingest.port}/live/main"
        with Source(root, ["main", "other"], media()):
            with pusher(root, url) as child:
                until(lambda: ingest.is_live(0.3), 15, f"live: {child.heard[-6:]}")
                names.dead, since_s = True, time.monotonic()
                until(lambda: time.monotonic() - since_s > 1.5)
                figures["gap_s"] = ingest.longest_gap_s(since_s)
                for number in range(2):  # the second while the question of the first is still open
                    since_s = time.monotonic()
                    ingest.reset()
                    until(lambda since_s=since_s: first_s(ingest, since_s) is not None, 15, f"{child.heard[-9:]}")
                    figures[f"back_{number}_s"] = (first_s(ingest, since_s) or 0.0) - since_s
                    until(lambda: ingest.is_live(0.2), 5)
            with pusher(root, url, "other") as newcomer:
                since_s = time.monotonic()
                figures["told_s"] = _noted(newcomer, "output.backing_off", since_s)
                figures["kind"] = newcomer.notes("output.backing_off")[0]["kind"]
                names.dead, since_s = False, time.monotonic()
                until(lambda: first_s(ingest, since_s) is not None, 15, f"{newcomer.heard[-9:]}")
                figures["found_s"] = (first_s(ingest, since_s) or 0.0) - since_s
            figures["asked"] = names.asked
        ingest.__exit__()
    return figures


def switch(far: Far, how: str, dead: bool) -> None:
    if how == "link":
        far.link(up=not dead)
    else:
        far.drop(dead)


def most_in_a_second(times: list[float]) -> int:
    return max((sum(at <= other < at + 1 for other in times) for at in times), default=0)


def _noted(child: PusherChild, event: str, since_s: float) -> float:
    def times() -> list[float]:
        return [at for at in child.note_times(event) if at > since_s]

    until(lambda: times(), 15, f"{event}: {child.heard[-6:]}")
    return times()[0] - since_s
