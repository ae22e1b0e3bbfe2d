"""Examination of a tier below the room's engine: whether it could draw the avatar, and has the cards that it wants.

It takes the room's configuration and the tier's name, and says (verdict, text, remedy). Nothing is drawn.
"""

from __future__ import annotations

from typing import Any

from broadcaster import gpus
from broadcaster.doctor.examination import BAD, OK, WARN
from broadcaster.doctor.machine import Found
from broadcaster.tiers import Tier, changes, ladder
from pipeline.errors import BroadcasterError
from pipeline.follower import RANKED


def names(room: Any) -> list[str]:
    """Of the tiers below the room's engine, but for those that are the same on fewer ranks by default."""
    top, *below = ladder(room.avatar, gpus.count())
    derived = room.avatar.tiers is None
    return [tier.name(top) for tier in below if not (derived and tier.engine == top.engine)]


def tier(room: Any, name: str) -> Found:
    """Picture, size, extras and weights fit, and there are GPUs enough."""
    from broadcaster import checks  # it imports what a room does

    top, *below = ladder(room.avatar, gpus.count())
    meant = next(one for one in below if one.name(top) == name)
    try:
        checks.drawable(room, meant)
    except BroadcasterError as error:
        if room.avatar.tiers is None:  # there by default
            return WARN, str(error), "mend that, or write avatar.tiers without it: as it is, viewers see the hold loop"
        return BAD, str(error), "correct or remove it in avatar.tiers"
    text = f"{meant.engine}, {meant.size[0]}x{meant.size[1]}"
    if meant.engine not in RANKED:
        return OK, text
    text = f"{text}, {meant.ranks} rank{'s' * (meant.ranks > 1)}, weights {room.avatar.weights_of(meant.engine)}"
    there_gb = gpus.memory_gb(room.avatar.device) if any(one.memory_gb for one in (top, *below)) else 0.0
    follows = [line for line in changes([top, *below], there_gb) if line.startswith(f"{name} loads ")]
    return _cards(room, meant, "; ".join([text, *follows]))


def _cards(room: Any, meant: Tier, text: str) -> Found:
    if room.avatar.device == "cpu":
        return OK, text
    cards = gpus.count()
    if cards < meant.ranks:
        there = f"{cards} GPU{'s' * (cards != 1)}" if cards else "no GPU"
        return WARN, f"{text}; this machine has {there}", "it cannot work here: fewer ranks, or a machine with GPUs"
    return OK, text
