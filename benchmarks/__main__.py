"""`python -m benchmarks [NAME …]`: the figures that the README quotes, measured here and now."""

from __future__ import annotations

import logging
import sys
import time

import structlog

from benchmarks import (
    air,
    answers,
    comments,
    encode,
    guard,
    intake,
    on_air,
    page,
    panic,
    portrait,
    render,
    retrieval,
    takeover,
    voice,
    words,
)
from benchmarks.figures import machine, show

MEASURES = {
    "portrait": portrait.run,
    "encode": encode.run,
    "time_to_air": on_air.time_to_air,
    "cost": on_air.cost,
    "kills": on_air.kills,
    "flood": intake.flood,
    "hand_over": intake.hand_over,
    "comments": comments.flood,
    "playout": air.playout,
    "panic": panic.run,
    "page": page.run,
    "voice": voice.run,
    "render": render.run,
    "director": words.director,
    "planned": words.planned,
    "script": words.script,
    "takeover": takeover.run,
    "guard": guard.run,
    "retrieval": retrieval.run,
    "answers": answers.run,
    "minutes": on_air.minutes,
}


def main() -> int:
    names = sys.argv[1:] or list(MEASURES)
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; choose from {', '.join(MEASURES)}")
        return 2
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # figures alone
    print(f"{machine()}, {time.strftime('%Y-%m-%d')}")
    missed = 0
    for name in names:
        print(f"{name}:", flush=True)
        figures = MEASURES[name]()
        show(figures)
        missed += sum(figure.met is False for figure in figures)
    print(f"{missed} missed" if missed else "all met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
