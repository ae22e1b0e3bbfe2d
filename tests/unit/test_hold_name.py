"""Which hold loop is whose."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.media import MediaFormat
from pipeline.worker import WorkerSpec, hold_name

SPEC = WorkerSpec("flashtalk-2", "flashtalk", "run", "state", "", 448, 768, 0, options={"prompt": "a shop"})
MEDIA = MediaFormat(448, 768, 28, 5)


def name(digest: str = "a" * 64, media: MediaFormat = MEDIA, **changed: Any) -> str:
    return hold_name(msgspec.structs.replace(SPEC, **changed), digest, media)


def test_another_prompt_does_not_show_the_hold_loop_of_the_old_one() -> None:
    assert name(options={"prompt": "a garden"}) != name()


def test_a_hold_loop_is_found_again_by_every_tier_of_the_same_engine() -> None:
    assert name(name="flashtalk-1") == name()
    different = {name(digest="b" * 64), name(media=MediaFormat(416, 720, 28, 5)), name(engine="portrait", options={})}
    assert len(different | {name()}) == 4
