"""What the laboratory enters in the product's tables of engines and voices: name → import string."""

from __future__ import annotations

ENGINES = {
    "faulty": "tests.lab.engine:FaultyEngine",
    "faulty-portrait": "tests.lab.engine:FaultyPortrait",
    "faulty-talk": "tests.lab.networks:FaultyTalk",
    "faulty-lite": "tests.lab.networks:FaultyLite",
    "like-lite": "tests.lab.engine:LikeLite",
    "like-talk": "tests.lab.engine:LikeTalk",
    "long-hop": "tests.lab.engine:LongHop",
    "ranked": "tests.rankedpattern:RankedPattern",
}
MODELS = {"faulty-talk": "flashtalk", "faulty-lite": "flashhead"}
RANKED = {
    "ranked": "tests.rankedpattern:follow",
    **dict.fromkeys(MODELS, "pipeline.engines.diffusion.follower:follow"),
}
PROVIDERS = {"faulty": "tests.lab.voice:FaultyVoice"}
