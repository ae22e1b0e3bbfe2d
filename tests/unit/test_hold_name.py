"""Which hold loop is whose."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from pipeline.avatar import Avatar
from pipeline.keepsakes import hold_name
from pipeline.media import MediaFormat
from pipeline.worker import WorkerSpec

SPEC = WorkerSpec("flashtalk-2", "flashtalk", "run", "state", "", 448, 768, 0, options={"prompt": "a shop"})
MEDIA = MediaFormat(448, 768, 28, 5)


def name(source: str = "a" * 64, media: MediaFormat = MEDIA, **changed: Any) -> str:
    avatar = Avatar("host", np.zeros((2, 2, 3), np.uint8), None, (2, 2), "of its size", source)
    return hold_name(msgspec.structs.replace(SPEC, **changed), avatar, media)


def test_another_prompt_does_not_show_the_hold_loop_of_the_old_one() -> None:
    assert name(options={"prompt": "a garden"}) != name()


def test_a_hold_loop_is_found_again_by_every_tier_of_the_same_engine() -> None:
    assert name(name="flashtalk-1") == name()
    different = {name(source="b" * 64), name(media=MediaFormat(416, 720, 28, 5)), name(engine="portrait", options={})}
    different.add(name(width=720, height=1280, drawn=(448, 768)))
    assert len(different | {name()}) == 5
