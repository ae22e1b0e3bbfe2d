"""Where the weights of FlashHead lie: a model directory as published, which holds pro, lite and both of their VAEs, or
one run-time file made of it.

In: a path. Out: for each network its configuration and its files. Nothing but names, headers and small JSON files is
read here; pipeline.weights loads.

The audio encoder is a release of its own: it is looked for in the directory, then beside it. A teacher may lie there,
too; no pull fetches it. For models of other sizes VAE_Wan may hold a config.json, which is ours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.modeldir import (
    AUDIO_FILES,
    CONFIG,
    CONFIG_KEY,
    FINGERPRINT_KEY,
    VAE_FILE,
    RuntimeFile,
    model_of,
    read_json,
    runtime_header,
)
from pipeline.weightfiles import Header, fingerprint, read_header

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
VAES: Mapping[str, str] = {"pro": "vae", "lite": "ltx", "teacher": "vae"}  #: transformer → the VAE that it needs
TRANSFORMERS = tuple(VAES)
PLAYED: Mapping[str, str] = {"flashhead-pro": "pro", "flashhead-lite": "lite", "flashhead-pretrained": "teacher"}
"""Engine → its transformer."""

MARKS = ("Model_Pro", "Model_Lite", "VAE_LTX", "VAE_Wan")  #: folders that no other model directory has

REPOSITORY = "Soul-AILab/SoulX-FlashHead-1_3B"
AUDIO_REPOSITORY = "facebook/wav2vec2-base-960h"


@dataclass(frozen=True)
class HeadDir:
    """A model directory. Constructing it looks at nothing; what is missing is a ConfigError when it is asked for."""

    path: Path

    model = "flashhead"
    networks = ("pro", "lite", "vae", "ltx", "wav2vec2")  #: of the release

    @property
    def live(self) -> tuple[str, ...]:
        """What a step computes with, of the transformers that are here. ConfigError: none is."""
        here = [name for name in TRANSFORMERS if self.home(name).is_dir()]
        if not here:
            raise ConfigError(f"{self.path}: none of {', '.join(FOLDERS[name] for name in TRANSFORMERS)} is there")
        return (*here, *dict.fromkeys(VAES[name] for name in here), "wav2vec2")

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
        if network == "teacher" and (missing := [one for one in (file, *self.files(network)) if not one.is_file()]):
            names = " and ".join(one.name for one in missing)
            raise ConfigError(
                f"{self.home(network)}: flashhead-pretrained reads {CONFIG} and {WEIGHTS} here, of the fields and "
                f"tensors of {FOLDERS['pro']} (pipeline/manifests/flashhead_dit_pro.json), with its VAE in "
                f"{FOLDERS['vae']} beside it; no pull fetches a teacher. Not there: {names}"
            )
        return read_json(file)

    def files(self, network: str) -> list[Path]:
        """Its files, whether they are there or not."""
        if network == "wav2vec2":
            choices = [self.home(network) / name for name in AUDIO_FILES]
            return [next((path for path in choices if path.exists()), choices[-1])]
        return [self.home(network) / (VAE_FILE if network == "vae" else WEIGHTS)]

    def prefix(self, _network: str) -> str:
        return ""

    def prints(self, network: str) -> list[str]:
        """Fingerprints of its files."""
        return [fingerprint(read_header(path)) for path in self.files(network)]

    def fingerprint(self, networks: Sequence[str]) -> str:
        """Of these networks: 32 hex digits. Reads headers and samples, not whole files."""
        return _fingerprint(self, networks)


@dataclass(frozen=True)
class HeadFile:
    """One file with what steps of the models in it compute with, made by `broadcaster models convert`."""

    header: Header

    model = "flashhead"

    @classmethod
    def at(cls, path: Path) -> HeadFile:
        """UnreadableWeights when it is not whole, or another's."""
        return cls(runtime_header(path, cls.model))

    @property
    def path(self) -> Path:
        return self.header.path

    @cached_property
    def _configs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.header.metadata[CONFIG_KEY])
        return found

    @property
    def networks(self) -> tuple[str, ...]:
        return tuple(self._configs)

    def config_file(self, _network: str) -> Path:
        return self.path

    def config(self, network: str) -> Mapping[str, Any]:
        if network not in self._configs:
            raise ConfigError(
                f"{self.path}: it holds {', '.join(self.networks)}, and not {network}: "
                f"`broadcaster models convert` takes it from a directory with {FOLDERS[network]}"
            )
        found: dict[str, Any] = self._configs[network]
        return found

    def files(self, _network: str) -> list[Path]:
        return [self.path]

    def prefix(self, network: str) -> str:
        """What the network's names begin with."""
        return f"{network}."

    def prints(self, network: str) -> list[str]:
        found: dict[str, list[str]] = json.loads(self.header.metadata[FINGERPRINT_KEY])
        return found[network]

    def fingerprint(self, networks: Sequence[str]) -> str:
        """That of the directory it was made of, so that an avatar baked with one is good for the other."""
        return _fingerprint(self, networks)


def is_headdir(path: Path) -> bool:
    """Whether a directory is laid out as FlashHead is released."""
    return any((path / name).is_dir() for name in MARKS)


def at_file(path: Path) -> RuntimeFile | HeadFile:
    """A run-time file of either model; UnreadableWeights when it is none."""
    header = runtime_header(path)
    return HeadFile(header) if model_of(header) == HeadFile.model else RuntimeFile(header)


def needed(engines: Sequence[str]) -> tuple[str, ...]:
    """The networks that these engines compute with."""
    played = [PLAYED[engine] for engine in engines]
    return (*dict.fromkeys(played), *dict.fromkeys(VAES[name] for name in played), "wav2vec2")


def _fingerprint(source: HeadDir | HeadFile, networks: Sequence[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for network in networks:
        digest.update(json.dumps([network, source.config(network)], sort_keys=True).encode())
        for one in source.prints(network):
            digest.update(one.encode())
    return digest.hexdigest()
