"""What a director must know after its own death: one small file, written whole at each sentence.

In: what is out (given to an engine, not yet reported heard), where journal and script stand. Out: the same, or an
empty one. It is written by rename and not synced: it must survive the process, and a power cut ends the air as well.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from broadcaster.script.place import Place
from broadcaster.utterance import Key, Utterance
from pipeline.wholefile import write_whole
from pipeline.wire import Report


class Continuity(msgspec.Struct, frozen=True):
    """out, on_air: sentences given away, and utterances that are begun, so that the one on air goes on without Redis.

    began_s: when viewers heard the first of `out` begin, Unix seconds, 0 = they have not.
    heard: sentences heard of utterances that are not done. finished: utterances that were aired, but whose
    acknowledgement Redis has not confirmed. seen, seen_s: newest report whose effects are in here, and its time, by
    which another journal with the same numbers is told. place: of the first paragraph that is not begun. timeline:
    the newest cut. trying: starts of a director that ended while this sentence was being synthesised. token: of the
    lease that was held. paused: by an operator. skipped: ids of which no more may be said. talking: the person's talk
    that was on air, which ends with its director. before_talk: so many of `out` were given away before it. programmes:
    places in those of the schedule, by run. variables: of scripts, as they were told from outside. turns: that were
    open before `out`, and the lanes that opened them. person: who is in the picture. ordered: see broadcaster.persons.
    """

    out: list[Key] = []
    on_air: list[Utterance] = []
    began_s: float = 0.0
    heard: dict[str, int] = {}
    finished: list[Report] = []
    seen: int = 0
    seen_s: float = 0.0
    timeline: int = 0
    place: Place = Place()
    trying: dict[str, int] = {}
    token: int = 0
    paused: bool = False
    skipped: list[str] = []
    talking: str = ""
    before_talk: int = 0
    programmes: dict[str, Place] = {}
    variables: dict[str, str] = {}
    turns: dict[str, int] = {}
    person: str = ""
    ordered: tuple[int, str] = (0, "")


def load(path: Path) -> Continuity:
    """What was saved; an empty one when nothing was, or when it cannot be read (then the journal alone decides)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Continuity)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return Continuity()


def save(path: Path, continuity: Continuity) -> None:
    """OSError when the disk refuses."""
    data = msgspec.json.encode(continuity)
    try:
        write_whole(path, data)
    except FileNotFoundError:  # somebody removed the whole directory
        path.parent.mkdir(parents=True)
        write_whole(path, data)
