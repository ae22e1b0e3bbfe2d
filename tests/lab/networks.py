"""Engines with weights, failing as they are told before each step (tests.lab.engine); tiny weights run anywhere."""

from __future__ import annotations

from pipeline.engines.flashhead.engine import LiteEngine
from pipeline.engines.flashtalk.engine import FlashTalkEngine
from tests.lab.engine import Faulty


class FaultyTalk(Faulty, FlashTalkEngine):
    pass


class FaultyLite(Faulty, LiteEngine):
    pass
