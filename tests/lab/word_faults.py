"""Rows of the chaos table: what happens to words. The director killed 500 times, a Redis and voices that fail."""

from __future__ import annotations

import contextlib
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from subprocess import DEVNULL

import redis

from benchmarks.figures import Figure
from pipeline.errors import RedisDown
from pipeline.journal import JournalReader
from tests.account import Account, Pushed
from tests.conftest import need
from tests.lab.chaos import Lab
from tests.lab.judge import longest_s
from tests.lab.stage import SENTENCES, Stage, lines, on_stage, times
from tests.listener import VOICED_RMS
from tests.process.director_floor import Floor, RedisServer, wait_for
from tests.station import until

SEED = 500
LIFE_S = (0.05, 1.6)  # of a director: it needs half a second to its first word, so some die before it
PUSHES = 0.5  # share of lives in which words are pushed
WORDS_S = 300.0  # for what is left after the last kill: the floor's air runs thirteen times faster than time
TOLD_AT_ONCE = 500  # events of one life: the stream keeps 10,000
OUTAGE_S = 6.0
RECOVERED_S = 5.0
OTHERS_S = 0.25
VOICE_FAULTS = ("dead", "hang", "garbage", "silent")
VOICE_FAULT_S = 12.0
VOICE_BACK_S = 60.0  # a provider that failed rests before it is tried again
QUIET_MAX_S = 8.0  # until evergreen words are heard: the voice's time-out, then `after_s`
EVERGREEN = ("We will be back with you in a moment.", "Stay with us.", "There is more to come today.")


def words(lab: Lab) -> list[Figure]:
    """A real director, a real Redis and a real journal; the room around them runs faster than time."""
    dice, pushed, script = random.Random(SEED), Pushed(), lines(SEED)
    told: dict[str, str] = {}
    kills = lab.times(500, 8)
    with _floor(script) as floor:
        for number in range(kills):
            floor.start("-m", "broadcaster.child", "director", "director")
            _live(floor, dice.uniform(*LIFE_S) / 2)
            if dice.random() < PUSHES:
                how = dice.choice(["append", "append", "insert", "now"])
                _say(floor, pushed, f"p{number}", dice.choices(SENTENCES, k=dice.randint(1, 2)), how)
            _live(floor, dice.uniform(*LIFE_S) / 2)
            floor.kill()
            told |= _told(floor)
        floor.start("-m", "broadcaster.child", "director", "director")
        until(lambda: _live(floor, 0.5) or _all_heard(floor, pushed), WORDS_S, "all that was pushed is heard")
        until(lambda: _live(floor, 0.5) or not floor.pending(), 30, "all is acknowledged")
        told |= _told(floor, 20 * TOLD_AT_ONCE)
        reports = JournalReader(floor.directory / "state" / "journal").read()
    account = Account(reports, pushed, script, list(told.values()))
    return [
        lab.exactly(
            f"director killed {kills} times: of {len(account.heard)} sentences lost, repeated, out of order",
            (account.lost, account.repeated, account.disordered),
            (0, 0, 0),
        ),
        lab.exactly(
            f"  of {len(pushed.texts)} pushed: not told, told twice", (account.untold, account.told_twice), (0, 0)
        ),
    ]


def redis_outages(lab: Lab) -> list[Figure]:
    """A whole room whose Redis fails in six ways while words are on air and words wait."""
    with tempfile.TemporaryDirectory(prefix="b") as name:
        server = RedisServer(need("redis-server"), Path(name))
        queue = server.start()
        try:
            with on_stage(redis=server.url) as stage:
                return list(_outages(lab, stage, server, queue))
        finally:
            queue.close()
            if server.process is not None and server.process.poll() is None:
                server.process.send_signal(signal.SIGCONT)
                server.kill()


def voices(lab: Lab) -> list[Figure]:
    """The only voice fails in four ways; there are evergreen words, and words that wait for it."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "evergreen.md"
        path.write_text("\n\n".join(EVERGREEN))
        voice = {"chain": ["faulty"], "name": "en", "timeout_s": 2, "cache_mb": 64}
        evergreen = {"file": str(path), "after_s": 1}
        with on_stage(voice=voice, evergreen=evergreen, script=None) as stage:
            time.sleep(6.0)  # the evergreen words are synthesised ahead
            began_s, spans = time.monotonic(), []
            for fault in VOICE_FAULTS[: lab.times(4, 1)]:
                at_s = time.monotonic()
                stage.station.order("voice", **{fault: True})
                stage.say(fault, SENTENCES[:2])
                time.sleep(lab.seconds(VOICE_FAULT_S, 6.0))
                spans.append((at_s, time.monotonic()))
                stage.station.order("voice")
                stage.wait_aired(VOICE_BACK_S)
            ended_s, skipped = time.monotonic(), stage.skipped()
            sound, account = stage.sound(), stage.account()
            quiet_s = [_quiet_s(sound, *span) for span in spans]
            gap_s = stage.others_gap_s(began_s, ended_s)
    return [
        lab.exactly(f"{len(spans)} faults of the only voice: slots missed", skipped, 0),
        lab.most("  air: longest gap at any receiver", gap_s, OTHERS_S),
        lab.most("  evergreen words are heard: longest silence meanwhile", max(quiet_s), QUIET_MAX_S),
        lab.exactly(
            "  sentences lost, repeated, out of order",
            (account.lost, account.repeated, account.disordered),
            (0, 0, 0),
        ),
    ]


# ── the floor ────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def _floor(script: Sequence[Sequence[str]]) -> Iterator[Floor]:
    with tempfile.TemporaryDirectory(prefix="b") as name:
        path = Path(name) / "script.md"
        path.write_text("\n\n".join(map(" ".join, script)) + "\n")
        server = RedisServer(need("redis-server"), Path(name))
        queue = server.start()
        floor = Floor(Path(name), queue, server.url, log=DEVNULL, script_file=str(path))
        try:
            yield floor
        finally:
            floor.close()
            queue.close()
            server.kill()


def _live(floor: Floor, seconds: float) -> None:
    """Let the room run; the supervisor's word comes once."""
    floor.tell()
    floor.run(seconds)


def _say(floor: Floor, pushed: Pushed, name: str, texts: Sequence[str], how: str) -> None:
    lane = "live" if how == "now" else "command"
    pushed.texts[name], pushed.lanes[name] = list(texts), (lane, how)
    floor.say(" ".join(texts), id=name, mode=how, lane=lane)


def _told(floor: Floor, count: int = TOLD_AT_ONCE) -> dict[str, str]:
    """What was told as aired, of the events that are kept: entry of the stream → utterance."""
    newest = reversed(floor.redis.xrevrange("broadcaster:t:events", count=count))
    return {entry: fields[b"id"].decode() for entry, fields in newest if fields[b"event"] == b"utterance.aired"}


def _all_heard(floor: Floor, pushed: Pushed) -> bool:
    heard = set(floor.heard)
    return all((name, index) in heard for name, texts in pushed.texts.items() for index in range(len(texts)))


# ── Redis ────────────────────────────────────────────────────────────────────────────────────────


def _outages(lab: Lab, stage: Stage, server: RedisServer, queue: redis.Redis) -> Iterator[Figure]:
    hold_s = lab.seconds(OUTAGE_S, 3.0)
    outages: dict[str, Callable[[], None]] = {
        "stopped": lambda: _stopped(server, hold_s),
        "killed": lambda: _killed(server, hold_s),
        "flushed": lambda: _at_once(queue.flushall),
        "trimmed": lambda: _at_once(lambda: queue.xtrim("broadcaster:test:say", maxlen=0, approximate=False)),
        "read-only": lambda: _read_only(queue, hold_s),
        "another password": lambda: _password(server, hold_s),
    }
    began_s, worst, before = time.monotonic(), 0.0, stage.pids()
    for name, happen in list(outages.items())[: lab.times(6, 2)]:
        stage.say(f"{name} first", SENTENCES[1:3])
        stage.say(f"{name} second", SENTENCES[3:5])
        until(lambda name=name: _is_started(stage, f"{name} first"), 30, "it speaks")
        happen()
        mended_s = time.time()
        took_s = _recovered_s(stage, f"{name} after", mended_s)
        worst = max(worst, took_s)
        yield lab.most(f"Redis {name}: words pushed afterwards are on air", took_s, RECOVERED_S)
        until(lambda name=name: _is_aired(stage, f"{name} second"), 60, "what was accepted is aired")
    gap_s = max(longest_s(times(one), began_s, time.monotonic()) for one in stage.ingests.values())
    account = Account(stage.reports(), stage.pushed, stage.script, [])
    yield lab.most("  air: longest gap at any receiver", gap_s, OTHERS_S)
    yield lab.exactly("  slots missed; the same processes", (stage.skipped(), stage.pids() == before), (0, True))
    yield lab.exactly(
        f"  of {len(account.heard)} sentences: lost, repeated, out of order",
        (account.lost, account.repeated, account.disordered),
        (0, 0, 0),
    )


def _stopped(server: RedisServer, hold_s: float) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(hold_s)
    server.process.send_signal(signal.SIGCONT)


def _killed(server: RedisServer, hold_s: float) -> None:
    server.kill()
    time.sleep(hold_s)
    server.start().close()


def _at_once(command: Callable[[], object]) -> None:
    command()


def _read_only(queue: redis.Redis, hold_s: float) -> None:
    queue.execute_command("REPLICAOF", "127.0.0.1", "1")
    time.sleep(hold_s)
    queue.execute_command("REPLICAOF", "NO", "ONE")


def _password(server: RedisServer, hold_s: float) -> None:
    server.kill()
    server.launch("--requirepass", "secret")
    with redis.Redis.from_url(server.url, protocol=2, password="secret") as admin:
        wait_for(lambda: _answers(admin), what="redis")
        time.sleep(hold_s)
        admin.config_set("requirepass", "")


def _answers(client: redis.Redis) -> bool:
    with contextlib.suppress(redis.RedisError):
        return bool(client.ping())
    return False


def _recovered_s(stage: Stage, name: str, mended_s: float) -> float:
    """Push words as soon as the queue takes them; seconds from its mend (Unix time) to their first sample."""
    texts = ["We are back."]
    while True:
        try:
            stage.say(name, texts, "now", "live")
            break
        except RedisDown:
            assert time.time() < mended_s + 30, "the queue takes no words"
            time.sleep(0.05)
    until(lambda: _is_started(stage, name), 30, "words pushed afterwards")
    started = (report for report in stage.reports() if report.what == "started" and report.utterance == name)
    return next(started).wall_s - mended_s


def _is_started(stage: Stage, name: str) -> bool:
    return any(report.utterance == name for report in stage.reports() if report.what == "started")


def _is_aired(stage: Stage, name: str) -> bool:
    return any(report.utterance == name for report in stage.reports() if report.what == "aired")


# ── voices ───────────────────────────────────────────────────────────────────────────────────────


def _quiet_s(sound: Sequence[tuple[float, float]], since_s: float, until_s: float) -> float:
    """The longest time without a voice between two moments, at the receiver."""
    return longest_s((at_s for at_s, rms in sound if rms > VOICED_RMS), since_s, until_s)
