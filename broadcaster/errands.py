"""Orders that the director carries out: the supervisor passes them on and brings back the answer.

In: orders from the command line, answers of the director. Out: the same, numbered, to the director, and answers to who
asked. Bounded; a director that does not answer in time is told of, and its late answer is nobody's.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pipeline.wire import Answer, ChangeSchedule, Done

WAITING_MAX = 16
ANSWER_WITHIN_S = 20.0  # a director that starts, and a script of ten thousand lines that it reads

Reply = Callable[[Answer], None]


class Errands:
    """pass_on: sends an order to the director."""

    def __init__(self, pass_on: Callable[[ChangeSchedule], None]) -> None:
        self._pass_on = pass_on
        self._newest = 0
        self._waiting: dict[int, tuple[Reply, float]] = {}  # and until when

    def order(self, order: ChangeSchedule, reply: Reply, now_s: float) -> None:
        if len(self._waiting) >= WAITING_MAX:
            reply(Answer(False, [f"{WAITING_MAX} orders wait already: try again"]))
            return
        self._newest += 1
        self._waiting[self._newest] = (reply, now_s + ANSWER_WITHIN_S)
        self._pass_on(msgspec.structs.replace(order, number=self._newest))

    def done(self, done: Done) -> None:
        """The director's answer."""
        reply, _ = self._waiting.pop(done.number, (None, 0.0))
        if reply is not None:
            reply(Answer(done.done, done.lines))

    def turn(self, now_s: float) -> None:
        for number in [number for number, (_, ends_s) in self._waiting.items() if now_s >= ends_s]:
            reply, _ = self._waiting.pop(number)
            reply(Answer(False, ["the director did not answer: look at `broadcaster schedule ls`, then try again"]))
