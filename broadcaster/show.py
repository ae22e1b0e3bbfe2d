"""The life of every utterance: accepted, planned, given away, heard, done, or refused with a reason.

In: utterances, reports of what viewers heard, word of voices that failed, the time. Out: the lines to say next, and
events. It joins the rundown, the script and what outlives the process; it does no I/O and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
import structlog

from broadcaster.continuity import Continuity
from broadcaster.cuts import Cuts
from broadcaster.diary import PAUSE_S
from broadcaster.events import ACCEPTED, DUPLICATE, EXPIRED, Event, event_of
from broadcaster.evergreen import Evergreen
from broadcaster.guard.post import Post
from broadcaster.ledger import Ledger
from broadcaster.pace import Pace
from broadcaster.patience import TRIES, Patience
from broadcaster.persons import Persons
from broadcaster.prompter import Prompter
from broadcaster.rundown import Placed, Rundown
from broadcaster.schedule.programmes import Programmes
from broadcaster.script.place import Place
from broadcaster.script.reading import Reading
from broadcaster.stories import Stories
from broadcaster.takeover import Takeover
from broadcaster.timeline import Line, Speech
from broadcaster.turn_watch import TurnWatch
from broadcaster.utterance import (
    SCHEDULE_PREFIX,
    SCRIPT_PREFIX,
    Coming,
    Key,
    Lane,
    Utterance,
    is_evergreen,
    is_ours,
    is_person,
)
from pipeline.clock import NS, Clock
from pipeline.errors import BrokeOff, MessageError, SpeechError, VoicesDown
from pipeline.media import AIR_HZ, AIR_PER_DRIVE, DRIVE_HZ, Position
from pipeline.wire import Report
from tts.markup import plain

PLANNED = 4  # sentences planned, and synthesised, ahead
LEAD_S = 0.3  # from giving a sentence away to its being heard, when nothing is

log = structlog.get_logger()


class Show:
    """All on one event loop.

    emit: takes events. cut: ends what is on air, named by its utterance ("" = nothing). forget: an utterance's sound is
    not needed any more. is_settling: the acknowledgement of a stream entry is under way.
    """

    def __init__(
        self,
        rundown: Rundown,
        reading: Reading | None,
        saved: Continuity,
        clock: Clock,
        emit: Callable[[Event], None],
        is_settling: Callable[[str], bool],
    ) -> None:
        self._rundown = rundown
        self._clock = clock
        self.stories = Stories(emit)
        self.cut: Callable[[str], None] = _not_wired
        self.forget: Callable[[str], None] = _not_wired
        self.speech_of: Callable[[Key], Speech | None] = lambda key: None
        self.talk_began: Callable[[Key], None] = lambda key: None
        self.voices_work: Callable[[], bool] = lambda: True
        self.can_say: Callable[[str], bool] = lambda sentence: True
        self.evergreen: Evergreen | None = None
        self.post = Post(None, list, emit)
        self.persons = Persons(saved.person, saved.ordered, emit)
        self.opened = False  #: nothing new begins before what an earlier director left was read
        self.paused = False  #: nothing new begins while nobody would hear it
        self.draining = False  #: nothing new begins any more
        self.elsewhere = False  #: another broadcaster speaks for the room, or what it left is not read yet
        self.said = 0
        self._ledger = Ledger(saved.finished, is_settling)
        self._patience = Patience(saved.trying)
        self._pace = Pace()
        self._began: dict[Key, float] = {}  #: sentences of which playout reported the beginning, and when
        self._cuts = Cuts(clock)
        self._turns = TurnWatch(rundown, clock, self.stories.tell)
        self._left_behind = True  #: what comes may have been read by an earlier director
        self._prompter = Prompter(rundown, reading, saved.place)
        self.programmes = Programmes(rundown, self._may_be_said, self._withdraw, clock.wall_s, saved.programmes)
        self.takeover = Takeover(
            rundown, self._prompter, saved.paused, saved.skipped, self._break_off, self._skip_rest, self._let_go
        )
        self._talk_before = saved.talking
        self._has_notes = bool(saved.seen)
        self._seen, self._seen_s = saved.seen, saved.seen_s
        self._lost_on_start = False
        self._topped_ns = 0  #: when the script was last asked for more
        for utterance in saved.on_air:
            rundown.add(utterance, resumed=True)
            self._prompter.take_up(utterance)
        rundown.restore(saved.out, saved.heard, saved.turns)
        self._before_talk = saved.out[: saved.before_talk]
        if saved.out and saved.began_s:
            self._began[saved.out[0]] = saved.began_s

    def left_behind_is_read(self) -> None:
        """All that was not acknowledged is here; what else the journal named was settled long ago."""
        self._ledger.nothing_is_left_behind()
        self._left_behind = self.elsewhere = False
        self._rundown.prune((SCRIPT_PREFIX, SCHEDULE_PREFIX))
        self._patience.prune(self._rundown)

    def stand_down(self) -> None:
        """Another broadcaster has the room: what the queue gave is its to say, and what is on air ends."""
        self.elsewhere = self._left_behind = True
        speaking = self._rundown.on_air()
        was_speaking = self.lost()
        self._settle_doubt()
        for utterance in self._rundown.queued():
            self._rundown.remove(utterance.id)
            self._let_go(utterance.id)
        self._turns.forget()
        if was_speaking:
            self.cut(speaking.id if speaking else "")

    def talk(self, utterance: Utterance) -> bool:
        """A person begins to speak; false when there is no room for it."""
        if not self._may_begin():
            return False
        self._add(utterance)
        return utterance.id in self._rundown

    def end_talk(self, identity: str, reason: str) -> None:
        """What was not heard of a person's talk is gone: it cannot be said again."""
        if utterance := self._rundown.remove(identity):
            self._let_go(identity)
            self.stories.skipped(utterance, reason)

    def full_lanes(self, places: int) -> list[str]:
        """Names of the lanes in which fewer than so many would be accepted."""
        return [lane.name.lower() for lane in self._rundown.full_lanes(places)]

    def recall(self, trying: Mapping[str, int]) -> None:
        """Directors on other machines ended over these sentences."""
        self._patience.recall(trying)

    def tries(self) -> dict[str, int]:
        """Sentences that are being synthesised, and those over which directors ended: what another is to know."""
        return {name: count for name, count in self._patience.trying().items() if not is_ours(name)}

    def is_suspect(self, key: Key) -> bool:
        """Whether nothing else may be synthesised beside this sentence."""
        return self._patience.is_suspect(key)

    # ── words come ───────────────────────────────────────────────────────────────────────────────

    def accept(self, utterance: Utterance) -> None:
        """Take an utterance of the `say` stream, new or again."""
        known = self._rundown.get(utterance.id)
        if known is not None and known.stream_id == utterance.stream_id:
            return
        if self.takeover.is_skipped(utterance.id, utterance.turn):
            self.stories.skipped(utterance)
        elif not utterance.sentences:
            self._turns.close(utterance)
        elif known is not None or utterance.id in self._ledger:
            self._come_again(utterance)
        elif self._patience.is_deadly(utterance.id):
            self._patience.forget(utterance.id)
            self.stories.buried(utterance, f"the director died {TRIES} times over it")
        elif self._is_late(utterance):
            self.stories.tell(event_of(EXPIRED, utterance))
        else:
            self._admit(_waiting(utterance) if self._left_behind else utterance)

    def _admit(self, utterance: Utterance) -> None:
        """Let it in, if the guard does."""
        allowed, reason = self.post.look(utterance)
        if allowed is not None:
            self._add(allowed)
            return
        self.stories.buried(utterance, f"the guard stopped it: {reason}")
        if utterance.turn and not utterance.more:
            self._rundown.close_turn(utterance.turn)

    def _come_again(self, utterance: Utterance) -> None:
        report = self._ledger.claim(utterance.id, utterance.stream_id)
        if report is None:
            self.stories.tell(event_of(DUPLICATE, utterance))
        else:  # it was aired, and the acknowledgement got lost with the last director
            self._tell_aired(utterance, report)

    def _add(self, utterance: Utterance) -> None:
        out = self._rundown.out
        on_air = self._rundown.on_air()
        placed = self._rundown.add(utterance)
        if placed is Placed.FULL:
            self.stories.buried(utterance, f"the rundown is full: {len(self._rundown)} utterances wait")
            return
        self.stories.tell(event_of(ACCEPTED, utterance))
        if placed is Placed.CUTS:
            self._began.clear()
            if out:
                self._doubt(out)
            self.cut(on_air.id if on_air else "")

    def _is_late(self, utterance: Utterance) -> bool:
        expires_s = utterance.expires_s
        begun = self._rundown.next_sentence(utterance.id) > 0
        return expires_s is not None and expires_s <= self._clock.wall_s() and not begun

    # ── words go ─────────────────────────────────────────────────────────────────────────────────

    def lines(self) -> Sequence[Line]:
        if not self._may_begin():
            return []
        keys = self._rundown.plan(PLANNED, self._free_s(), self._lasts_s)
        return [line for key in keys if self._may_still_be_said(key[0]) and (line := self._line(key))]

    @property
    def floor(self) -> Lane:
        """Nothing of a lower lane begins: the schedule closes the channel, or has."""
        return self._rundown.floor

    @floor.setter
    def floor(self, lane: Lane) -> None:
        self._rundown.floor = lane

    def _may_begin(self) -> bool:
        return self.opened and not self.paused and not self.draining and not self.elsewhere

    def is_due(self) -> bool:
        """Whether something is out, or could begin this moment."""
        return bool(self._rundown.out or self.lines())

    def planned(self) -> list[Key]:
        """The coming sentences, whether or not they may begin now."""
        if self.elsewhere:
            return []
        free_s = self._free_s()
        now = self._rundown.plan(PLANNED, free_s, self._lasts_s) if self.floor > Lane.SCRIPT else []
        keys = dict.fromkeys([*now, *self._rundown.foresee(PLANNED, free_s, self._lasts_s)])
        return [key for key in keys if self._may_still_be_said(key[0])]

    def _may_still_be_said(self, identity: str) -> bool:
        """Whether the guard lets it pass as its lists and products are now; else what is left of it is dropped."""
        utterance = self._rundown.get(identity)
        if utterance is None or self.post.is_cleared(utterance):
            return True
        begun = self._rundown.next_sentence(identity)
        allowed, reason = self.post.look(utterance, begun)
        if allowed is utterance:
            return True
        self._rundown.remove(identity)
        if allowed is not None:
            self._rundown.add(allowed)
            return False
        self._ledger.pass_over(identity)
        self._let_go(identity)
        if begun or not utterance.stream_id:
            self.stories.skipped(utterance, f"the guard stopped it: {reason}")
        else:
            self.stories.buried(utterance, f"the guard stopped it: {reason}")
        return False

    def script_ahead(self, sentences: int) -> list[Coming]:
        """What the script says beyond what is in the rundown."""
        ahead = self.programmes.coming(sentences)
        return [*ahead, *self._prompter.coming(sentences - len(ahead))]

    def utterance(self, identity: str) -> Utterance | None:
        """It is waiting, or not heard to its end."""
        return self._rundown.get(identity)

    def coming(self, count: int) -> list[tuple[Utterance, int]]:
        """What is out, and the next `count` sentences as things stand: their utterances and indices."""
        closed = self.floor > Lane.SCRIPT
        ahead = self._rundown.plan if closed else self._rundown.foresee
        keys = [*self._rundown.out, *ahead(count, self._free_s(), self._lasts_s)]
        return [(found, sentence) for name, sentence in keys if (found := self._rundown.get(name))]

    def _free_s(self) -> float:
        """When the next sentence could be heard: after what is out, Unix seconds."""
        soonest_s = self._clock.wall_s() + LEAD_S
        out = self._rundown.out
        if not out:
            return soonest_s
        lasts_s = sum(self._lasts_s(key) + PAUSE_S for key in out)
        return max(soonest_s, min(self._began.get(out[0], soonest_s), soonest_s) + lasts_s)

    def _lasts_s(self, key: Key) -> float:
        """How long a sentence is: by its sound, or by its text while that is not whole."""
        speech = self.speech_of(key)
        if speech is not None and speech.complete:
            return speech.samples / AIR_HZ
        text = self.text(key)
        return self._pace.seconds(text[0]) if text else 0.0

    def quiet(self) -> bool:
        return not self._rundown.out

    def speech(self, key: Key) -> Speech | None:
        return self.speech_of(key)

    def text(self, key: Key) -> tuple[str, str] | None:
        """A sentence and the voice its message asks for; None where a person speaks."""
        utterance = self._rundown.get(key[0])
        return (utterance.sentences[key[1]], utterance.voice) if utterance and not utterance.is_person else None

    def begun(self, keys: Sequence[Key]) -> None:
        for key in keys:
            self._rundown.begin(key)
            if is_person(key[0]):
                self.talk_began(key)
        if any(not is_evergreen(name) for name, _ in keys):
            self._something_else()
        self.top_up()

    def lost(self) -> bool:
        self._began.clear()
        lost = self._rundown.rewind()
        if lost:
            self._cuts.expect()
            log.info("speech.again", utterance=lost[0][0], sentence=lost[0][1], sentences=len(lost))
        return bool(lost)

    def resume(self, after: Position) -> Line | None:
        key = (after.utterance, after.sentence)
        out = self._rundown.out
        if key in out:
            self._rundown.rewind(beyond=out.index(key) + 1)
        elif is_person(key[0]):  # the rest of the talk is lost, and what came before it is on its way
            self._rundown.rewind(beyond=sum(1 for other in out if other in self._before_talk))
            return None
        else:
            self.lost()
            following = self._rundown.next_sentence(key[0])
            if key[0] not in self._rundown or following > key[1]:
                return None
            if following < key[1]:  # our notes are older than what the engine holds
                self._lose(replayed=False)
                return None
            self._rundown.begin(key)
        line = self._line(key)
        if line is None:
            self._rundown.rewind()
            return None
        log.info("speech.resumed", utterance=key[0], sentence=key[1], sample=after.samples)
        return line

    def _line(self, key: Key) -> Line | None:
        utterance = self._rundown.get(key[0])
        if utterance is None or key[1] >= len(utterance.sentences):
            return None
        return Line(
            key=key,
            text=plain(utterance.sentences[key[1]]),
            lane=utterance.lane_name,
            last=key[1] + 1 == len(utterance.sentences),
            section=utterance.section,
            speech=self.speech_of(key),
            pause=None if utterance.pause_s is None else AIR_PER_DRIVE * round(utterance.pause_s * DRIVE_HZ),
            turn=utterance.turn,
            question=utterance.question,
        )

    # ── what viewers heard ───────────────────────────────────────────────────────────────────────

    def report(self, report: Report, replayed: bool = False) -> None:
        """Take a report of the journal. `replayed`: it was written while no director listened."""
        self._seen, self._seen_s = report.seq, report.wall_s
        if report.what == "person":
            self.persons.shown(report)
            return
        if replayed and report.utterance and not self._has_notes:
            self._lost_on_start = True
            self._prompter.go_on_at(report.utterance)
            self.programmes.seek(report.utterance)
        key = (report.utterance, report.sentence)
        match report.what:
            case "started":
                if utterance := self._rundown.get(report.utterance):
                    self.stories.started(utterance, report)
            case "sentence":
                self._began[key] = report.wall_s
                self._cuts.passed()
            case "sentence_aired":
                self._heard(key, report, replayed)
            case "aired":
                if self._talk_before == report.utterance != "":
                    self._talk_was_heard(report)
                self._finish(self._rundown.remove(report.utterance), report)
            case "cut":
                lost = self._is_out(key, replayed) and not self._cuts.is_ours()
                self._broken_off(report, "cut", lost=lost, replayed=replayed)
                self._settle_doubt()
            case "lost":
                lost = self._is_out(key, replayed) and (replayed or key in self._began)
                self._broken_off(report, "lost", lost=lost, replayed=replayed)
            case "opened":
                self._playout_began(report, replayed)

    def _talk_was_heard(self, report: Report) -> None:
        """All of it was given away when its director ended."""
        self.stories.talk_aired(self._talk_before, report)
        self._talk_before = ""

    def silenced(self) -> None:
        """A panic began: playout dropped all that it had, begun or not."""
        self._lose(replayed=False)

    def after_replay(self) -> None:
        """All that the journal holds was read: what was lost meanwhile is void for everybody."""
        if self._lost_on_start:
            self.lost()
            self.cut("")
        if self._talk_before:
            self.stories.talk_skipped(self._talk_before, "the director ended in the middle of it")
            self._talk_before = ""

    def _heard(self, key: Key, report: Report, replayed: bool) -> None:
        if key[0] not in self._rundown and not replayed:
            return  # it was refused, or done, in the meantime
        self._began.pop(key, None)
        self.said += 1
        utterance = self._rundown.sentence_heard(key)
        if utterance is not None:
            self._finish(utterance, report)

    def _broken_off(self, report: Report, reason: str, lost: bool, replayed: bool) -> None:
        utterance = self._rundown.get(report.utterance)
        if utterance is not None:
            self.stories.interrupted(utterance, report, reason, sentence=report.sentence)
        if lost:
            self._lose(replayed)

    def _is_out(self, key: Key, replayed: bool) -> bool:
        """Given away and not heard: by our notes, or, should they be gone, by the journal."""
        return key in self._rundown.out or (replayed and key in self._began)

    def _playout_began(self, report: Report, replayed: bool) -> None:
        utterance = self._rundown.on_air()
        if utterance is not None:
            self.stories.interrupted(utterance, report, "playout")
        self._lose(replayed)

    def _lose(self, replayed: bool) -> None:
        """What is out will not be heard, but an engine may hold some of it: a cut makes that void.

        Even if nothing is out: our notes may be older than what the engine holds.
        """
        if replayed:
            self._lost_on_start = True
            return
        on_air = self._rundown.on_air()
        self.lost()
        self.cut(on_air.id if on_air else "")

    def _break_off(self) -> None:
        """End what is on air by order; how much of it was heard shows in the report of the cut."""
        out, on_air = self._rundown.out, self._rundown.on_air()
        if not out:
            return
        self._began.clear()
        self._rundown.rewind()
        self._doubt(out)
        self.cut(on_air.id if on_air else "")

    def _doubt(self, out: Sequence[Key]) -> None:
        self._rundown.doubt(name for name, _ in out)
        self._cuts.doubt()

    def _settle_doubt(self) -> None:
        if self._cuts.settle():
            self._rundown.settle()

    def _finish(self, utterance: Utterance | None, report: Report) -> None:
        if utterance is not None:
            self._ledger.finish(utterance.id, utterance.stream_id, report)
            self._let_go(utterance.id)
            self._tell_aired(utterance, report)
        elif report.what == "aired":
            self._ledger.heard_of(report)

    def _tell_aired(self, utterance: Utterance, report: Report) -> None:
        if self.takeover.is_skipped(utterance.id):
            self.stories.skipped(utterance)
        else:
            self.stories.aired(utterance, report)

    def _skip_rest(self, utterance: Utterance) -> None:
        """It left the rundown by order, and its rest is never said."""
        self._ledger.pass_over(utterance.id)
        self._let_go(utterance.id)
        self.stories.skipped(utterance)

    def _let_go(self, identity: str) -> None:
        """It is out of the rundown for good: keep nothing of it."""
        self.stories.forget(identity)
        self._patience.forget(identity)
        self.post.let_go(identity)
        if self._prompter.let_go(identity) or self.programmes.let_go(identity):
            self.top_up()
        self.forget(identity)

    # ── voices ───────────────────────────────────────────────────────────────────────────────────

    def tried(self, key: Key, begins: bool) -> None:
        """A voice begins with this sentence, or is done with it, well or not."""
        if begins:
            self._patience.begins(key)
        else:
            self._patience.ends(key)

    def made(self, key: Key, took_ms: int) -> None:
        """The sentence is synthesised."""
        utterance = self._rundown.get(key[0])
        if utterance is None:
            return
        self._patience.succeeded(key[0])
        if speech := self.speech_of(key):
            self._pace.made(utterance.sentences[key[1]], speech.samples)
        self.stories.synthesised(utterance, key[1], took_ms)

    def failed(self, key: Key, error: SpeechError | MessageError) -> None:
        """No voice could say it: it waits, the others go first; at last it is given up."""
        utterance = self._rundown.get(key[0])
        if utterance is None:
            return
        if not isinstance(error, VoicesDown):  # told once, for all sentences
            log.warning("speech.failed", utterance=key[0], sentence=key[1], reason=str(error))
        if is_evergreen(key[0]):
            self._rundown.remove(key[0])
            self._let_go(key[0])
        elif self._patience.failed(utterance, error, self._clock.now_ns()):
            if key in self._rundown.out:
                self._rundown.again(key)
            self._rundown.hold(key[0], on=not isinstance(error, BrokeOff))  # another voice says it at once
        else:
            self._rundown.remove(key[0])
            self._let_go(key[0])
            self.stories.buried(utterance, f"no voice could say sentence {key[1] + 1}: {error}")

    # ── time passes ──────────────────────────────────────────────────────────────────────────────

    def tick(self) -> None:
        now_ns = self._clock.now_ns()
        for utterance in self._rundown.expire(self._clock.wall_s()):
            self._let_go(utterance.id)
            self.stories.tell(event_of(EXPIRED, utterance))
        for name in self._patience.due(now_ns, self.voices_work()):
            self._rundown.hold(name, on=False)
        if self._cuts.is_overdue():
            self._settle_doubt()
        self._turns.tick(self._may_begin())
        if now_ns >= self._topped_ns + NS:
            self.top_up()  # the time of some section may have come
        self._fill(now_ns)

    def _fill(self, now_ns: int) -> None:
        """Have an evergreen line waiting while nothing else can be said."""
        if self.evergreen is None:
            return
        others = any(not is_evergreen(name) for name, _ in self._rundown.out)
        if not self._may_begin() or self.takeover.paused or self.floor > Lane.SCRIPT or others:
            self.evergreen.not_now(now_ns)
        elif (
            self.evergreen.is_due(now_ns)
            and not self._evergreen_waits()
            and (line := self.evergreen.next(self._clock.wall_s(), self._can_say_now))
        ):
            self._rundown.add(line)

    def _can_say_now(self, sentence: str) -> bool:
        return self.can_say(sentence) and self.post.allows(sentence)

    def _evergreen_waits(self) -> list[str]:
        """Ids of evergreen lines that are not given away to their end."""
        return [name for name in self._rundown.unfinished() if is_evergreen(name)]

    def _something_else(self) -> None:
        """What is left of an evergreen line is not said any more."""
        for name in self._evergreen_waits():
            self._rundown.remove(name)
            self._let_go(name)

    def revise(self, reading: Callable[[Place], Reading]) -> None:
        """The script was edited: read on in it at the same place. What has begun is finished as it was written."""
        for identity in self._prompter.revise(reading):
            self._let_go(identity)
        self.top_up()

    def without_script(self) -> None:
        """There is no script any more. What has begun is finished."""
        for identity in self._prompter.close():
            self._let_go(identity)

    def top_up(self) -> None:
        """Keep the coming utterances of the script in the rundown."""
        self._topped_ns = self._clock.now_ns()
        self._prompter.top_up(self._clock.wall_s(), self._may_be_said)
        self.programmes.top_up()

    def _withdraw(self, identity: str) -> None:
        """The schedule takes it back."""
        self._rundown.remove(identity)
        self._let_go(identity)

    def _may_be_said(self, utterance: Utterance) -> bool:
        """Whether a paragraph of the script was not aired yet, and is no sentence that directors die over."""
        if utterance.id in self._ledger:
            return False
        if self._patience.is_deadly(utterance.id):
            self._ledger.pass_over(utterance.id)
            self.stories.buried(utterance, f"the director died {TRIES} times over it")
            return False
        if self.post.look(utterance)[0] is None:
            self._ledger.pass_over(utterance.id)
            return False
        return True

    # ── what outlives us ─────────────────────────────────────────────────────────────────────────

    def continuity(self, timeline: int) -> Continuity:
        out = [key for key in self._rundown.out if not is_person(key[0])]
        talk = next((key for key in self._rundown.out if is_person(key[0])), None)
        begun = dict.fromkeys([*self._prompter.begun(), *self.programmes.begun_ids(), *(name for name, _ in out)])
        return Continuity(
            out=out,
            on_air=[found for name in begun if (found := self._rundown.get(name))],
            began_s=self._began.get(out[0], 0.0) if out else 0.0,
            heard=self._rundown.partly_heard(),
            finished=self._ledger.unclaimed(),
            seen=self._seen,
            seen_s=self._seen_s,
            timeline=timeline,
            place=self._prompter.place(),
            programmes=self.programmes.places(),
            trying=self._patience.trying(),
            paused=self.takeover.paused,
            skipped=self.takeover.skipped(),
            talking=talk[0] if talk else self._talk_before,
            before_talk=self._rundown.out.index(talk) if talk else sum(1 for key in out if key in self._before_talk),
            turns=self._rundown.turns_before_out(),
            person=self.persons.seen,
            ordered=self.persons.ordered,
        )

    def waiting(self) -> int:
        return self._rundown.waiting()

    def on_air(self) -> str:
        found = self._rundown.on_air()
        return found.id if found else ""

    @property
    def out(self) -> tuple[Key, ...]:
        return self._rundown.out


def _not_wired(_utterance: str) -> None:
    raise AssertionError("the show was not wired to a supply and a studio")


def _waiting(utterance: Utterance) -> Utterance:
    """An utterance that an earlier director had: it has cut, if it ever would, and now it goes first of what waits."""
    return msgspec.structs.replace(utterance, mode="insert") if utterance.mode == "now" else utterance
