"""What is known of an answer that is on its way, and what is told of it when it is over.

In: questions with their answers, word of each of its messages. Out: plain values that outlive the process, and facts of
events. Pure; times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from broadcaster.chat.answer import Answer
from broadcaster.chat.model import Question

AIRED, CUT_SHORT, STOPPED, LOST = "aired", "cut short", "stopped", "lost"
TEXT_TOLD_CHARS = 500


class Answered(msgspec.Struct):
    """One question of a turn. comments: ids, first the one whose viewer is named. stages_ms: how long each stage of the
    understanding took. commented_s: when that comment reached the queue. taken_s: when it was its turn.
    """

    comments: list[str]
    question: str
    answer: str
    source: str
    entry: str = ""
    product: str = ""
    sure: float = 0.0
    why: str = ""
    stages_ms: dict[str, float] = {}
    commented_s: float = 0.0
    taken_s: float = 0.0
    understood_s: float = 0.0


class Record(msgspec.Struct):
    """A turn. ids: of the messages that viewers hear, as far as they are pushed. complete: no other one follows."""

    turn: str
    parts: list[Answered]
    ids: list[str] = []
    complete: bool = False
    pushed_s: float = 0.0

    def encoded(self) -> bytes:
        return msgspec.json.encode(self)


def decoded(data: bytes) -> Record | None:
    """None when it cannot be read."""
    try:
        return msgspec.json.decode(data, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def answered(question: Question, answer: Answer, taken_s: float, understood_s: float) -> Answered:
    """sentences are added as they are said."""
    first = question.comments[0]
    part = Answered(
        [comment.id for comment in question.comments],
        question.text[:TEXT_TOLD_CHARS],
        "",
        answer.source,
        answer.entry,
        answer.product,
        round(answer.sure, 3),
        commented_s=_reached_s(first.stream_id, first.sent_s),
        taken_s=taken_s,
        understood_s=understood_s,
    )
    note(part, answer)
    return part


def note(part: Answered, answer: Answer) -> None:
    """How it came about, as far as that is known now."""
    part.why = answer.why[:TEXT_TOLD_CHARS]
    part.stages_ms = {stage: round(took_ms, 1) for stage, took_ms in answer.trace.stages_ms.items()}


def became(record: Record, ends: Mapping[str, str]) -> str:
    """What became of it all. ends: of each of its messages, how it ended; aired or something else."""
    found = [ends.get(identity, LOST) for identity in record.ids]
    if record.complete and found and all(one == AIRED for one in found):
        return AIRED
    if STOPPED in found:
        return STOPPED
    if AIRED in found:
        return CUT_SHORT
    return next(iter(found), LOST)


def told(record: Record, part: Answered, became: str, began_s: float) -> dict[str, str | int | float]:
    """The facts of `chat.answered`. began_s: when viewers heard the first of it, 0 = they did not."""
    facts: dict[str, str | int | float] = {
        "turn": record.turn,
        "became": became,
        "question": part.question,
        "answer": part.answer[:TEXT_TOLD_CHARS],
        "source": part.source,
        "entry": part.entry,
        "sure": part.sure,
        "asked_by": len(part.comments),
        "waited_ms": _ms(part.commented_s, part.taken_s),
        "understood_ms": _ms(part.taken_s, part.understood_s),
        "held_ms": _ms(part.understood_s, record.pushed_s),
        "stages": msgspec.json.encode(part.stages_ms).decode(),
    }
    if began_s:
        facts |= {"air_ms": _ms(record.pushed_s, began_s), "total_ms": _ms(part.commented_s, began_s)}
    return facts | ({"why": part.why} if part.why else {})


def merged(record: Record) -> Iterable[tuple[str, str]]:
    """Comments that have no answer of their own, and the turn that they share."""
    return ((identity, record.turn) for part in record.parts for identity in part.comments[1:])


def _ms(from_s: float, to_s: float) -> int:
    return max(0, round((to_s - from_s) * 1000))


def _reached_s(stream_id: str, sent_s: float) -> float:
    head = stream_id.partition("-")[0]
    return int(head) / 1000 if head.isdigit() else sent_s
