"""What the laboratory enters in the product's tables of engines and voices: name → import string."""

from __future__ import annotations

ENGINES = {
    "faulty": "tests.lab.engine:FaultyEngine",
    "faulty-portrait": "tests.lab.engine:FaultyPortrait",
    "long-hop": "tests.lab.engine:LongHop",
    "ranked": "tests.rankedpattern:RankedPattern",
}
RANKED = {"ranked": "tests.rankedpattern:follow"}
PROVIDERS = {"faulty": "tests.lab.voice:FaultyVoice"}
