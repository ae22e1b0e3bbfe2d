"""A director whose voices fail when told to, and whose providers rest only for a moment.

In, by the environment: EDGE_ADDRESS, the file that says where the service of tests/edge_service.py is; ESPEAK_FAULT,
the file that names what ails the offline voice (tests/espeak_faults.py).
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from broadcaster.director import direct
from broadcaster.director_spec import DirectorSpec
from broadcaster.log import configure
from pipeline.clock import RealClock
from pipeline.lifeline import Lifeline, LineClosed
from tests import edge_service, espeak_faults
from tts import fallback

REST_S = 0.3


def main() -> int:
    lifeline = Lifeline.of_child()
    spec = msgspec.convert(lifeline.spec().spec, DirectorSpec)
    configure("director")
    edge_service.patch(Path(os.environ["EDGE_ADDRESS"]))
    espeak_faults.patch(Path(os.environ["ESPEAK_FAULT"]))
    clock = RealClock()
    directory = Path(spec.state_dir) / "speech"
    cache_bytes, settings = spec.voice_cache_mb << 20, spec.voice_settings
    chain = fallback.make_chain(
        spec.voice_chain, spec.voice_timeout_s, clock, directory, cache_bytes, REST_S, settings=settings
    )
    try:
        asyncio.run(direct(spec, lifeline, chain, clock))
    except LineClosed:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
