"""A director whose online voice is the service of tests/edge_service.py, and whose providers rest only for a moment.

In, by the environment: EDGE_ADDRESS, the file that says where the service is.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from broadcaster.director import DirectorSpec, direct
from broadcaster.log import configure
from pipeline.clock import RealClock
from pipeline.lifeline import Lifeline, LineClosed
from tests import edge_service
from tts import fallback

REST_S = 0.3


def main() -> int:
    lifeline = Lifeline.of_child()
    spec = msgspec.convert(lifeline.spec().spec, DirectorSpec)
    configure("director")
    edge_service.patch(Path(os.environ["EDGE_ADDRESS"]))
    clock = RealClock()
    directory = Path(spec.state_dir) / "speech"
    chain = fallback.make_chain(
        spec.voice_chain, spec.voice_timeout_s, clock, directory, spec.voice_cache_mb << 20, REST_S
    )
    try:
        asyncio.run(direct(spec, lifeline, chain, clock))
    except LineClosed:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
