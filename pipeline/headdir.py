"""Where the weights of FlashHead lie: a model directory as published, which holds pro, lite and both of their VAEs.

In: a path. Out: for each network its configuration and its files. Nothing but names and small JSON files is read here;
pipeline.weights loads.

The audio encoder is a release of its own: it is looked for in the directory, then beside it. A teacher may lie there,
too; no pull fetches it. For models of other sizes VAE_Wan may hold a config.json, which is ours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.modeldir import AUDIO_FILES, CONFIG, VAE_FILE, read_json
from pipeline.weightfiles import fingerprint, read_header

WEIGHTS = "diffusion_pytorch_model.safetensors"
AUDIO_DIR = "wav2vec2-base-960h"
#: network → its folder; the audio encoder may lie beside the directory as well
FOLDERS: Mapping[str, str] = {
    "pro": "Model_Pro",
    "lite": "Model_Lite",
    "teacher": "teacher",
    "vae": "VAE_Wan",
    "ltx": "VAE_LTX",
    "wav2vec2": AUDIO_DIR,
}
TRANSFORMERS = ("pro", "lite", "teacher")
MARKS = ("Model_Pro", "Model_Lite", "VAE_LTX")  #: folders that no other model directory has

REPOSITORY = "Soul-AILab/SoulX-FlashHead-1_3B"
AUDIO_REPOSITORY = "facebook/wav2vec2-base-960h"


@dataclass(frozen=True)
class HeadDir:
    """A model directory. Constructing it looks at nothing; what is missing is a ConfigError when it is asked for."""

    path: Path

    model = "flashhead"
    networks = ("pro", "lite", "vae", "ltx", "wav2vec2")  #: of the release

    def home(self, network: str) -> Path:
        """The folder of a network."""
        inside = self.path / FOLDERS[network]
        if network == "wav2vec2" and (beside := self.path.parent / AUDIO_DIR).is_dir() and not inside.is_dir():
            return beside
        return inside

    def repository(self, network: str) -> tuple[str, Path]:
        """Where a network is released, and the folder that the release fills."""
        if network == "wav2vec2":
            return AUDIO_REPOSITORY, self.home(network)
        return REPOSITORY, self.path

    def config_file(self, network: str) -> Path:
        return self.home(network) / CONFIG

    def config(self, network: str) -> Mapping[str, Any]:
        """For its `from_json`; empty where the released sizes hold."""
        file = self.config_file(network)
        if network == "vae" and not file.exists():
            return {}
        return read_json(file)

    def files(self, network: str) -> list[Path]:
        """Its files, whether they are there or not."""
        if network == "wav2vec2":
            choices = [self.home(network) / name for name in AUDIO_FILES]
            return [next((path for path in choices if path.exists()), choices[-1])]
        return [self.home(network) / (VAE_FILE if network == "vae" else WEIGHTS)]

    def prefix(self, _network: str) -> str:
        return ""

    def fingerprint(self, networks: Sequence[str]) -> str:
        """Of these networks: 32 hex digits. Reads headers and samples, not whole files."""
        digest = hashlib.blake2b(digest_size=16)
        for network in networks:
            digest.update(json.dumps([network, self.config(network)], sort_keys=True).encode())
            for path in self.files(network):
                digest.update(fingerprint(read_header(path)).encode())
        return digest.hexdigest()


def is_headdir(path: Path) -> bool:
    """Whether a directory is laid out as FlashHead is released."""
    return any((path / name).is_dir() for name in MARKS)
