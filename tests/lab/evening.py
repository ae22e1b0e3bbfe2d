"""`python -m tests.lab evening`: a shop's evening with viewers as they are, to be read beside its recording.

In: a configuration, a file of comments with their times and what is expected of them (tests.lab.audience). Out, in a
directory of its own: `evening.md`, first what became of the comments, then side by side in order of time each comment,
what the room told of it, what was said and where in the recording; `events.jsonl`, `said.jsonl`, `log`, the recording.
The room is `broadcaster run` on a copy of the configuration. It never reaches anybody: of its outputs files alone are
kept, and it has no connectors, no webhook, and a Redis of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import redis

from benchmarks.figures import machine
from broadcaster import children, config, saidlog
from broadcaster.chat.blocked import Lists
from broadcaster.chat.intake import limits_of
from broadcaster.chat.pool import Pool
from broadcaster.chat.spec import ChatSpec
from broadcaster.queue import Keys
from pipeline.journal import JournalReader
from pipeline.media import AIR_HZ, AIR_SAMPLES
from pipeline.wire import Report
from tests.lab import aftermath, audience, evening_page
from tests.lab.aftermath import Heard
from tests.lab.audience import Line, Sent
from tests.recording import inspect
from tests.station import Station, until

RECORDING = "evening.mp4"
LIVE_S = 90.0
STEP_S = 0.05
STOP_S = 60.0


@dataclass(slots=True)
class Seen:
    """What a run left behind. Times: Unix seconds."""

    began_s: float = 0.0
    ended_s: float = 0.0
    sent: list[Sent] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)  #: of chat: comments by how they ended, and `waiting`
    skipped: int = 0
    status: int = 0


def tree_of(path: Path, directory: Path) -> dict[str, Any]:
    """The configuration for this run; ConfigError where the file cannot be read."""
    tree = dict(config.read(path))
    for reaching in ("redis", "alarms", "state_dir"):
        tree.pop(reaching, None)
    chat = dict(tree.get("chat") or {})
    chat.pop("connectors", None)
    output = {"name": "archive", "url": f"file:{directory / RECORDING}"}
    return {**tree, "chat": chat, "outputs": [output], "control": {"listen": "127.0.0.1:0"}}


def run(station: Station, lines: Sequence[Line], seconds: float) -> Seen:
    """The evening, from the moment when it is live until the room has ended; all lines are sent before its end."""
    seen = Seen()
    station.start()
    try:
        station.wait_live(LIVE_S)
        until(lambda: station.facts("chat").get("reading"), LIVE_S, f"comments are read; log:\n{station.tail()}")
        keys = Keys(config.load(station.config_path).room)
        with station.queue() as queue:
            _attend(queue, keys, lines, seconds, seen)
            chat = station.facts("chat")
            seen.counts = {**chat.get("comments", {}), "waiting": chat.get("waiting", 0)}
            seen.skipped = station.facts("playout").get("skipped", 0)
            seen.ended_s = time.time()
            _leave(station, queue, keys, seen)
    finally:
        seen.status = station.stop()
    return seen


def _attend(queue: Any, keys: Keys, lines: Sequence[Line], seconds: float, seen: Seen) -> None:
    """Write each comment at its time, and hear what becomes of them."""
    seen.began_s, began_s = time.time(), time.monotonic()
    due = list(lines)
    while (gone_s := time.monotonic() - began_s) < seconds or due:
        while due and due[0].after_s <= gone_s:
            line, now_s = due.pop(0), time.time()
            fields = audience.fields_of(line, now_s)
            seen.sent.append(Sent(line, str(queue.xadd(keys.chat, fields)), now_s, fields))
        _hear(queue, keys, seen)
        time.sleep(STEP_S)


def _leave(station: Station, queue: Any, keys: Keys, seen: Seen) -> None:
    """Ask the room to end; what it tells until its Redis goes is heard."""
    assert station.process is not None
    station.process.terminate()
    until_s = time.monotonic() + STOP_S
    while station.process.poll() is None and time.monotonic() < until_s:
        _hear(queue, keys, seen)
        time.sleep(STEP_S)


def _hear(queue: Any, keys: Keys, seen: Seen) -> None:
    """Events since the last one, each with its `stream_id`; none while Redis is away."""
    after = f"({seen.events[-1]['stream_id']}" if seen.events else "-"
    with contextlib.suppress(redis.RedisError):
        seen.events += [{**fields, "stream_id": entry} for entry, fields in queue.xrange(keys.events, min=after)]


# ── what was said, and where it is in the recording ──────────────────────────────────────────────


def heard(state_dir: Path, end: tuple[int, float] | None) -> list[Heard]:
    """All that viewers heard, in order. end: a sample of air and its second of the recording; None = not known."""
    begun = [one for one in JournalReader(state_dir / "journal").read() if one.what == "sentence"]
    found = []
    for said in saidlog.read(state_dir / saidlog.DIRECTORY):
        began = next((one for one in reversed(begun) if _begins(one, said)), None)
        at_s = None if began is None or end is None else end[1] - (end[0] - began.sample) / AIR_HZ
        found.append(Heard(said.utterance, said.sentence, said.text, said.lane, said.begin_s, said.whole, at_s))
    return sorted(found, key=lambda word: word.at_s)


def _begins(report: Report, said: saidlog.Said) -> bool:
    return (report.utterance, report.sentence) == (said.utterance, said.sentence) and report.seq < said.seq


def recorded_to(log: Sequence[Mapping[str, Any]], ends_ms: Sequence[float]) -> tuple[int, float] | None:
    """The first sample of the last slot on air, and its second of the recording. ends_ms: its last picture, by file.

    None where there is not one recording of one playout, or that did not end in good order.
    """
    opened, closed = (
        [line for line in log if line.get("event") == name] for name in ("playout.opened", "playout.closed")
    )
    if (len(opened), len(closed), len(ends_ms)) != (1, 1, 1):
        return None
    skipped = sum(line["slots"] for line in log if line.get("event") == "clock.skipped")
    last = int(opened[0]["slot"]) + int(closed[0]["slots"]) + skipped - 1
    return last * AIR_SAMPLES, ends_ms[0] / 1000


def _ends_ms(directory: Path) -> list[float]:
    found = [inspect(path, pictures=False, sound=False) for path in sorted(directory.glob(f"{RECORDING[:-4]}-*.mp4"))]
    return [max(one.video_ms, default=0.0) for one in found]


# ── the program ──────────────────────────────────────────────────────────────────────────────────


def _pool(path: Path, began_s: float) -> Pool:
    """An empty one, with the limits and the lists of this configuration's room."""
    loaded = config.load(path)
    plan = next(plan for plan in children.plan(loaded, loaded.runtime_dir) if plan.kind == "chat")
    spec = msgspec.convert(dict(plan.spec), ChatSpec)
    pool = Pool(limits_of(spec), began_s)
    users, words = (Path(one) if one else None for one in (spec.blocked_users, spec.blocked_words))
    Lists(users, words, pool.block).refresh()
    return pool


def _keep(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab evening", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("configs/chat.yaml"))
    parser.add_argument("--comments", type=Path, default=Path("tests/data/evening-en.jsonl"))
    parser.add_argument("--seconds", type=float, default=180.0, help="on air, at least until the last comment")
    parser.add_argument("--out", type=Path, default=Path("out/evening"))
    given = parser.parse_args(arguments)
    lines = audience.read(given.comments)
    directory = (given.out / time.strftime("%Y%m%d-%H%M%S")).resolve()
    directory.mkdir(parents=True)
    station = Station(directory, **tree_of(given.config, directory))
    print(f"{directory}: {len(lines)} comments, {given.seconds:g} s", flush=True)
    seen = run(station, lines, given.seconds)
    said = heard(directory / "var", recorded_to(station.log(), _ends_ms(directory)))
    _keep(directory / "events.jsonl", seen.events)
    _keep(directory / "said.jsonl", [asdict(word) for word in said])
    why = audience.passed_over(seen.sent, _pool(station.config_path, seen.began_s))
    found = aftermath.stories(seen.sent, seen.events, said, why, seen.ended_s)
    wrong = aftermath.faults(found, said, seen.counts)
    wrong += [f"the room ended with status {seen.status}"] if seen.status else []
    when = datetime.fromtimestamp(seen.began_s).astimezone().isoformat(timespec="seconds")
    head = f"{given.config}, {given.comments}, {when}; {machine()}"
    page = evening_page.written(head, seen.began_s, found, seen.events, said, wrong, seen.counts, seen.skipped)
    (directory / "evening.md").write_text(page, encoding="utf-8")
    print("\n".join([*wrong, f"written: {directory / 'evening.md'}"]))
    return 1 if wrong else 0
