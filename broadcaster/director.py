"""The director: decides what is said, has it spoken ahead of time, and hands it to the engine hop by hop.

In: Redis, a script file, the control API, reports of what viewers heard. Out: AudioChunks, cuts, events. One process,
one event loop. It touches no pixels, and nothing on air waits for it: without it the avatar idles on silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog

from broadcaster import continuity, evergreen
from broadcaster.agenda import Agenda
from broadcaster.desk import Desk
from broadcaster.director_spec import DirectorSpec
from broadcaster.events import Event, Events
from broadcaster.evergreen import Evergreen
from broadcaster.evidence import SYNC_S, Evidence
from broadcaster.feed import Feed
from broadcaster.given import given_of
from broadcaster.guard.post import Guarding, Post
from broadcaster.guard.settings import GUARD, GuardSpec
from broadcaster.inbox import Inbox
from broadcaster.larder import Larder
from broadcaster.lease import ELSEWHERE, Lease
from broadcaster.manuscript import Manuscript
from broadcaster.microphone import Microphone
from broadcaster.monitor.alarms import ALARM_CLEARED, ALARM_RAISED, Alarm, changes, standing_in
from broadcaster.names import pusher_name
from broadcaster.rundown import Rundown
from broadcaster.saidlog import Keep
from broadcaster.schedule.library import Library
from broadcaster.schedule.planner import Planner
from broadcaster.script.load import load as load_script
from broadcaster.script.place import Place
from broadcaster.script.reading import Reading
from broadcaster.show import Show
from broadcaster.speech import Studio, Wanted
from broadcaster.supply import Supply
from broadcaster.timeline import Speech, Timeline
from broadcaster.unwritten import Unwritten
from broadcaster.utterance import Key, Utterance, is_person
from pipeline.clock import Clock, RealClock
from pipeline.errors import BadInput, RedisDown, ScriptError
from pipeline.journal import JournalReader
from pipeline.lifeline import Lifeline, LineClosed
from pipeline.media import SENTENCE
from pipeline.wire import AudioChunk, ChangeSchedule, Done, Drain, Retarget, SpeechDemand, Status
from tts.fallback import make_chain
from tts.prosody import Diction, read_diction
from tts.synthesizer import Voice, Voices
from tts.text import language_of, sentences

TICK_S = 0.05  # reports are read this often; so late an acknowledgement may be
BEAT_EVERY = 5  # ticks
STATUS_S = 1.0
LISTS_S = 1.0  # between looks whether lists of the guard were edited
INTAKE_WAIT_S = 1.5  # what an earlier director left comes first; with Redis away the show begins without it
VOICE_MARGIN_S = 5.0  # beyond the chain's own limits
FLUSH_S = 2.0  # for the last acknowledgements
STATE_FILE = "director.json"
JOURNAL = "journal"
SPEECH = "speech"
SCRIPT_MADE_AHEAD = 60  # sentences of the script kept on disk before an online voice is needed: some five minutes
MB = 1 << 20

log = structlog.get_logger()


def run(spec: DirectorSpec, lifeline: Lifeline) -> None:
    """The process: until drained, or LineClosed when the supervisor is gone."""
    lifeline.beat("loading")
    clock = RealClock()
    speech = Path(spec.state_dir) / SPEECH
    chain = make_chain(
        spec.voice_chain,
        spec.voice_timeout_s,
        clock,
        speech,
        spec.voice_cache_mb * MB,
        settings=spec.voice_settings,
        diction=_diction(spec),
    )
    asyncio.run(direct(spec, lifeline, chain, clock))


def _diction(spec: DirectorSpec) -> Diction:
    """A dictionary that cannot be read is told of, and the show goes on without it."""
    try:
        return read_diction(spec.voice_languages, spec.voice_pronunciations)
    except BadInput as error:
        log.error("pronunciations.unusable", reason=str(error))
        return Diction(spec.voice_languages)


async def direct(spec: DirectorSpec, lifeline: Lifeline, voice: Voices, clock: Clock) -> None:
    """The same with any voice."""
    director = Director(spec, lifeline, voice, clock)
    async with asyncio.TaskGroup() as group:
        director.open(group.create_task)
        await director.ended.wait()
        await director.close()
    if director.orphaned:
        raise LineClosed("the supervisor is gone")


class Director:
    """Wires the parts together and runs their loops. `ended` is set when it may close."""

    def __init__(self, spec: DirectorSpec, lifeline: Lifeline, voice: Voices, clock: Clock) -> None:
        self._spec = spec
        self._lifeline = lifeline
        self._voice = voice
        self._clock = clock
        self._room_voice = Voice(spec.voice_name, spec.voice_rate, spec.voice_pitch)
        self._state_file = Path(spec.state_dir) / STATE_FILE
        self._tasks: list[asyncio.Task[None]] = []
        self._told: Mapping[str, Any] = {}  #: by the supervisor
        self._alarms: list[Alarm] = []  #: those that were told of
        self._unwritten = Unwritten()
        self._news = asyncio.Event()  #: of the supervisor
        self.ended = asyncio.Event()
        self.orphaned = False  #: the supervisor is gone

    def open(self, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]) -> None:
        """Take up what an earlier director left, then begin. All tasks are of the caller's group."""
        self._spawn = spawn
        spec, clock = self._spec, self._clock
        Path(spec.state_dir).mkdir(parents=True, exist_ok=True)
        saved = continuity.load(self._state_file)
        self._lease = Lease(
            spec.room, spec.redis_url, spec.owner, clock, saved.token, self._stand_down, self._hold_the_room
        )
        self._events = Events(spec.room, spec.redis_url, self._lease)
        self._manuscript = Manuscript(spec, clock, self._put, saved.variables)
        reading = self._manuscript.open(saved.place)
        self._show = Show(Rundown(), reading, saved, clock, self._put, self._is_settling)
        self._manuscript.revised, self._manuscript.ended = self._revise, self._show.without_script
        self._show.persons.names = spec.persons
        self._show.cut, self._show.forget, self._show.speech_of = self._cut, self._forget, self._speech_of
        self._show.voices_work, self._show.can_say = lambda: self._voice.works, self._can_say
        self._show.evergreen = self._evergreen()
        self._guard = self._guarding(spec.guard) if spec.guard else None
        self._show.post = Post(self._guard, sentences, self._put)
        patience_s = spec.voice_timeout_s * max(1, len(spec.voice_chain)) + VOICE_MARGIN_S
        self._studio = Studio(
            self._voice, spawn, clock, patience_s, self._answer, self._tried, self._show.made, self._show.failed
        )
        self._agenda = Agenda()
        self._agenda.resume(saved.on_air, saved.out)
        self._journal = self._journal_after(saved.seen, saved.seen_s)
        self._evidence = self._evidence_after(saved.seen)
        self._supply = Supply(self._show, Timeline(), clock, saved.timeline)
        self._supply.persons = self._show.persons
        self._microphone = Microphone(self._show, self._supply, clock, self._answer)
        self._show.talk_began = self._microphone.begun
        self._show.takeover.hang_up = self._microphone.hang_up
        self._schedule = Planner(
            self._show,
            Path(spec.state_dir),
            spec.schedule,
            spec.timezone,
            clock,
            load_script,
            Library(load_script).fetch,
            self._manuscript.programme,
            self._put,
        )
        self._schedule.open(saved.on_air)
        self._replay(has_notes=bool(saved.seen))
        self._show.top_up()
        self._schedule.tick()
        self._inbox = Inbox(
            spec.room,
            spec.redis_url,
            self._lease,
            clock,
            sentences,
            self._accept,
            self._put,
            self._is_settling,
            lambda: self._events.crowded,
            self._show.full_lanes,
            self._show.recall,
            self._show.left_behind_is_read,
        )
        self._feed = Feed(Path(spec.runtime_dir), self._demanded)
        self._feed.open()
        asyncio.get_running_loop().add_reader(self._lifeline.fileno(), self._listen)
        self._intake = spawn(self._inbox.run())
        self._tasks = [spawn(self._tick()), spawn(self._tell_status()), spawn(self._begin())]
        self._tasks += [self._intake, spawn(self._events.run()), spawn(self._lease.run())]
        self._tasks += [spawn(self._microphone.run())]
        self._manuscript.start(spawn)
        self._tasks += [spawn(self._serve_control()), spawn(self._larder().run()), spawn(self._keep_evidence())]
        self._tasks += [spawn(self._keep_guard(self._guard))] if self._guard else []

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._lifeline.fileno())
        if not self.orphaned:
            await self._events.flush(FLUSH_S)
            self._save()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._studio.close()
        self._evidence.close()
        await self._manuscript.close()
        self._feed.close()
        for part in (self._inbox, self._events, self._lease):
            try:
                if part is self._lease and self.orphaned:
                    await self._lease.give_back()
                await part.close()
            except RedisDown:
                pass  # it is closed all the same

    # ── loops ────────────────────────────────────────────────────────────────────────────────────

    async def _tick(self) -> None:
        """The heartbeat: reports, deadlines, cuts to repeat. It beats from here, so a stuck loop is seen."""
        ticks = 0
        while True:
            self._read_reports()
            self._voice.tick()
            self._schedule.tick()
            self._show.tick()
            self._refresh()
            if ticks % BEAT_EVERY == 0:
                self._evidence.follow()
                self._beat()
            if self._show.draining and not self._show.out and self._supply.going_on is None:
                self.ended.set()
            ticks += 1
            await asyncio.sleep(TICK_S)

    async def _begin(self) -> None:
        """Let new sentences begin once all that waits in Redis was read, or Redis is plainly away."""
        self._show.paused = self._is_paused()
        try:
            async with asyncio.timeout(INTAKE_WAIT_S):
                await self._inbox.read_once.wait()
        except TimeoutError:
            if self._lease.state != ELSEWHERE:
                log.warning("show.without_inbox")
        self._show.opened = True
        log.info("director.ready", waiting=self._show.waiting())

    async def _serve_control(self) -> None:
        """The web libraries take a third of a second to import: a director that comes back speaks first."""
        server = await asyncio.to_thread(importlib.import_module, "broadcaster.web.server")
        address = server.Address(self._spec.control_host, self._spec.control_port, self._spec.control_token)
        desk = Desk(
            self._show,
            self._agenda,
            self._manuscript,
            self._microphone,
            self._clock.wall_s,
            self._status,
            self._unready,
            self._events.push,
            self._ordered,
            partial(self._events.hear, kept=self._spec.chat_stream) if self._spec.chat_stream else None,
        )
        await server.serve_control(desk, address, Path(self._spec.runtime_dir), self._clock)

    async def _tell_status(self) -> None:
        while True:
            self._news.clear()
            try:
                if self._lease.state != ELSEWHERE:  # the room's status is what the other one says
                    await self._events.set_status(msgspec.json.encode(self._status()))
            except RedisDown:
                pass  # told by the inbox already; the next second comes
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STATUS_S):
                    await self._news.wait()

    async def _keep_evidence(self) -> None:
        """What was said is on the disk soon, without anybody waiting for it."""
        while True:
            await asyncio.sleep(SYNC_S)
            await asyncio.to_thread(self._evidence.sync)

    async def _keep_guard(self, guard: Guarding) -> None:
        """Lists that were edited are taken up, without anybody waiting for it."""
        while True:
            await asyncio.sleep(LISTS_S)
            await asyncio.to_thread(guard.refresh)

    async def _drain(self, grace_s: float) -> None:
        """No new words; the sentence on air is finished, if it can be within the grace."""
        log.info("director.draining", grace_s=grace_s)
        self._show.draining = True
        self._microphone.close("the room ends")
        self._intake.cancel()
        await asyncio.sleep(max(0.0, grace_s - FLUSH_S))
        self.ended.set()

    # ── what comes in ────────────────────────────────────────────────────────────────────────────

    def _listen(self) -> None:
        try:
            messages = self._lifeline.poll()
        except LineClosed:
            asyncio.get_running_loop().remove_reader(self._lifeline.fileno())
            self.orphaned = True
            self.ended.set()
            return
        for message in messages:
            if isinstance(message, Drain) and not self._show.draining:
                self._tasks.append(self._spawn(self._drain(message.grace_s)))
            elif isinstance(message, ChangeSchedule):
                self._tasks = [task for task in self._tasks if not task.done()]
                self._tasks.append(self._spawn(self._change_schedule(message)))
            elif isinstance(message, Retarget):
                self._spec = msgspec.structs.replace(self._spec, outputs=message.outputs, ack=message.ack)
                self._show.paused = self._is_paused()
            elif isinstance(message, Status):
                panicked = message.facts.get("panic") and not self._told.get("panic")
                self._told = message.facts
                self._news.set()
                self._show.paused = self._is_paused()
                if panicked:
                    self._show.silenced()
                self._tell_alarms()

    async def _change_schedule(self, order: ChangeSchedule) -> None:
        try:
            await asyncio.to_thread(self._schedule.check, order)
            lines = self._schedule.obey(order)
        except BadInput as error:
            self._lifeline.send(Done(order.number, False, str(error).splitlines()))
        else:
            self._lifeline.send(Done(order.number, True, lines))

    def _ordered(self) -> None:
        """An operator's order changed the show."""
        self._refresh()
        self._save()

    def _revise(self, reading: Callable[[Place], Reading]) -> None:
        """The script was edited."""
        self._show.revise(reading)
        self._save()

    def _accept(self, utterances: Sequence[Utterance]) -> None:
        for utterance in utterances:
            self._show.accept(utterance)
        self._refresh()

    def _stand_down(self) -> None:
        """The room is another broadcaster's."""
        self._events.forget()
        self._microphone.close("another broadcaster has the room")
        self._show.stand_down()
        self._refresh()
        self._save()

    def _hold_the_room(self) -> None:
        """The room is ours under a new token, which the next director must know."""
        self._save()

    def _demanded(self, demand: SpeechDemand, to: bytes) -> None:
        self._read_reports()  # what was heard decides where a new engine begins
        self._supply.demand(demand, to)
        self._refresh()

    def _read_reports(self) -> None:
        reports = self._journal.read()
        for report in reports:
            self._agenda.heard(report, self._show.utterance(report.utterance))
            self._show.report(report)
        if reports:
            self._evidence.follow()  # before the note that they were seen
            self._save()

    def _replay(self, has_notes: bool) -> None:
        """Read what was reported meanwhile. `has_notes`: of an earlier director, if there was one."""
        reports = self._journal.read()
        has_notes = has_notes or not any(report.utterance for report in reports)
        for report in reports:
            self._agenda.heard(report, self._show.utterance(report.utterance))
            self._show.report(report, replayed=True)
            self._supply.catch_up(report.timeline, has_notes)
        self._show.after_replay()
        self._save()

    def _journal_after(self, seen: int, seen_s: float) -> JournalReader:
        """The reader after that report; from the beginning when the journal is not the one we knew."""
        directory = Path(self._spec.state_dir) / JOURNAL
        first = JournalReader(directory, seen - 1).read()[:1] if seen else []
        if seen and not any((report.seq, report.wall_s) == (seen, seen_s) for report in first):
            log.warning("journal.unknown", seen=seen)
            seen = 0
        return JournalReader(directory, seen)

    # ── what goes out ────────────────────────────────────────────────────────────────────────────

    def _refresh(self) -> None:
        """Something changed: have the coming sentences spoken, and answer if a question is open."""
        self._want()
        self._answer()
        if cut := self._supply.due_cut():
            self._feed.cut(cut)

    def _want(self) -> None:
        keys = self._show.planned()
        if (going_on := self._supply.going_on) is not None:
            keys = [going_on, *keys]
        elif not self._supply.has_fed:  # an engine may hold the beginning of this one
            keys = [*self._show.out[-1:], *keys]
        wanted: list[Wanted] = []
        for key in keys:
            if text := self._show.text(key):
                utterance = self._show.utterance(key[0])
                voice = self._voice_of(text[1], utterance.speed if utterance else None)
                wanted.append(Wanted(key, text[0], voice, alone=self._show.is_suspect(key)))
        self._studio.want(wanted, self._show.out)

    def _voice_of(self, name: str, speed: float | None) -> Voice:
        """The room's, but for what a line asks for itself."""
        rate = self._spec.voice_rate if speed is None else speed
        return Voice(name or self._spec.voice_name, rate, self._spec.voice_pitch)

    def _answer(self) -> None:
        answer = self._supply.answer()
        if answer is None:
            return
        if any(mark.kind == SENTENCE and mark.at < answer.chunk.hop_samples for mark in answer.chunk.marks):
            self._save()  # before it leaves: a sentence that is out must be known as such
            self._note_given(answer.chunk)
        if not self._feed.answer(answer.to, answer.chunk, answer.air, answer.drive):
            log.warning("chunk.unsent", engine=answer.to.decode("utf-8", "replace"))  # it asks again
        self._want()

    def _note_given(self, chunk: AudioChunk) -> None:
        """For the evidence: what viewers may hear from now on."""
        for mark in chunk.marks:
            utterance = self._show.utterance(mark.utterance)
            if mark.kind != SENTENCE or mark.at >= chunk.hop_samples or utterance is None:
                continue
            speech = self._speech_of((mark.utterance, mark.sentence))
            voice = "" if utterance.is_person else utterance.voice or self._spec.voice_name
            self._evidence.given(given_of(utterance, mark.sentence, voice, speech.provider if speech else ""))

    def _put(self, event: Event) -> None:
        self._agenda.told(event, self._show.utterance(event.id))
        self._events.put(event, self._clock.wall_s())

    def _tell_alarms(self) -> None:
        """The monitor has no way to Redis of its own. A director that takes over tells again what stands."""
        standing = standing_in(self._told)
        if standing is None or self._lease.state == ELSEWHERE:
            return
        for news in changes(self._alarms, standing):
            alarm = news.alarm
            facts: dict[str, str | int] = {"alarm": alarm.name, "of": alarm.of, "text": alarm.text}
            self._put(Event(ALARM_RAISED if news.raised else ALARM_CLEARED, "", facts=facts))
        self._alarms = standing

    def _cut(self, utterance: str) -> None:
        self._supply.cut(utterance)
        log.info("timeline.cut", timeline=self._supply.number, utterance=utterance)
        self._save()

    def _tried(self, key: Key, begins: bool) -> None:
        self._show.tried(key, begins)
        self._events.keep(self._show.tries())
        if begins:
            self._save()  # a voice that takes the process with it must leave a trace

    def _save(self) -> None:
        self._schedule.keep()
        known = msgspec.structs.replace(
            self._show.continuity(self._supply.number),
            token=self._lease.newest,
            variables=self._manuscript.variables(),
        )
        self._unwritten.watch(lambda: continuity.save(self._state_file, known))

    def _beat(self) -> None:
        phase = "ready" if self._show.opened else "loading"
        # never busy: words that are out are no step of ours, and a long talk would stretch the deadline to minutes
        self._lifeline.beat("draining" if self._show.draining else phase, **self._facts())

    # ── small things ─────────────────────────────────────────────────────────────────────────────

    def _status(self) -> dict[str, Any]:
        return {"room": self._spec.room, **self._told, "director": self._facts()}

    def _unready(self) -> list[str]:
        """Why the room is not ready; empty when it is."""
        playout = self._told.get("children", {}).get("playout", {})
        reasons = [] if playout.get("phase") == "ready" else [f"playout: {playout.get('phase', 'not heard of')}"]
        if self._lease.state == ELSEWHERE:
            return [*reasons, "lease: another broadcaster has this room"]
        return reasons + ([] if self._inbox.up else ["redis: down"])

    def _facts(self) -> dict[str, Any]:
        return {
            "waiting": self._show.waiting(),
            "on_air": self._show.on_air(),
            "out": len(self._show.out),
            "due": self._show.is_due(),
            "said": self._show.said,
            "redis": "up" if self._inbox.up else "down",
            "lease": self._lease.state,
            "tts_ms_p50": self._studio.first_piece_ms(),
            "voices": self._voice.states(),
            "time_to_air_ms": list(self._show.stories.times_to_air_ms)[-10:],
            "timeline": self._supply.number,
            "paused": self._show.paused,
            "schedule": self._schedule.facts(),
            "held": self._show.takeover.paused,
            "talking": self._microphone.talking,
            "person": self._show.persons.on_air,
            **self._manuscript.facts(),
        }

    def _evidence_after(self, seen: int) -> Evidence:
        spec, state_dir = self._spec, Path(self._spec.state_dir)
        keep = Keep(spec.evidence_keep_days, spec.evidence_max_mb * MB)
        evidence = Evidence(state_dir, state_dir / JOURNAL, spec.label_text, keep, spec.timezone)
        evidence.open(seen)
        return evidence

    def _guarding(self, spec: GuardSpec) -> Guarding:
        """Its tables and rules are loaded only where it is asked for."""
        language = "zh" if language_of("", self._spec.voice_name) == "zh" else "en"
        guard: Guarding = importlib.import_module(GUARD).Guard(spec, language)
        return guard

    def _evergreen(self) -> Evergreen | None:
        """The words for when nothing else can be said, or None: the show goes on without."""
        if not self._spec.evergreen_file:
            return None
        try:
            return evergreen.load(Path(self._spec.evergreen_file), sentences, self._spec.evergreen_after_s)
        except ScriptError as error:
            log.error("script.unusable", reason=str(error))
            return None

    def _larder(self) -> Larder:
        lines = self._show.evergreen.lines if self._show.evergreen else []
        ahead = SCRIPT_MADE_AHEAD if self._voice.remote else 0
        return Larder(
            self._voice,
            self._room_voice,
            self._clock,
            [sentence for line in lines for sentence in line if self._show.post.allows(sentence)],
            lambda: [
                (one.text, self._voice_of(one.voice, one.speed))
                for one in self._show.script_ahead(ahead)
                if self._show.post.allows(one.text)
            ],
            lambda: self._show.opened and self._studio.idle,
        )

    def _can_say(self, sentence: str) -> bool:
        return self._voice.can_say(sentence, self._room_voice)

    def _is_paused(self) -> bool:
        """Whether nothing new may begin: the operator's panic, a process that is about to be replaced by its like, or
        an empty house that is to be waited for."""
        empty = self._spec.when_no_output == "pause" and not self._somebody_listens()
        return bool(self._told.get("panic") or self._told.get("hush")) or empty

    def _somebody_listens(self) -> bool:
        """Whether an output that counts is live; with no outputs nobody is waited for."""
        ack, names = self._spec.ack, self._spec.outputs
        counted = [ack] if ack in names else names
        return not counted or any(_is_live(self._told, name) for name in counted)

    def _is_settling(self, stream_id: str) -> bool:
        return stream_id in self._events.settling

    def _speech_of(self, key: Key) -> Speech | None:
        return self._microphone.speech(key) if is_person(key[0]) else self._studio.get(key)

    def _forget(self, identity: str) -> None:
        self._studio.forget(identity)
        self._microphone.forget(identity)


def _is_live(facts: Mapping[str, Any], output: str) -> bool:
    """From what the supervisor knows of an output's pusher."""
    told = facts.get("outputs", {}).get(output, {}).get("state")
    return "live" in (told, facts.get("children", {}).get(pusher_name(output), {}).get("phase"))
