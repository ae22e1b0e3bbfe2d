"""Where the weights of FlashTalk lie: a model directory as published, or one run-time file made of it.

In: a path. Out: for each network its configuration, its files, and what a new avatar needs beside them. Nothing but
names and small JSON files is read here; pipeline.weights loads.

A model directory is laid out as released (docs/models.md lists it). The audio encoder is a release of its own: it is
looked for in the directory, then beside it. config.json is the transformer's, as released; `vae`, `text_encoder` and
`picture_encoder` in it are ours, for models of other sizes: where they are missing, the released sizes hold.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.weightfiles import Header, UnreadableWeights, fingerprint, read_header

CONFIG = "config.json"
DIT_FILES = "diffusion_pytorch_model*.safetensors"
DIT_INDEX = "diffusion_pytorch_model.safetensors.index.json"
VAE_FILE = "Wan2.1_VAE.pth"
TEXT_FILE = "models_t5_umt5-xxl-enc-bf16.pth"
PICTURE_FILE = "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth"
TOKENIZER_DIR = "google/umt5-xxl"
AUDIO_DIR = "chinese-wav2vec2-base"
AUDIO_FILES = ("model.safetensors", "pytorch_model.bin")  #: either of them; the first one found

LIVE = ("dit", "vae", "wav2vec2")  #: what a step computes with
BAKING = ("umt5", "clip")  #: what only a new avatar needs
NETWORKS = (*LIVE, *BAKING)
_NESTED = {"vae": "vae", "umt5": "text_encoder", "clip": "picture_encoder"}

REPOSITORY = "Soul-AILab/SoulX-FlashTalk-14B"
AUDIO_REPOSITORY = "TencentGameMate/chinese-wav2vec2-base"

_THREE = re.compile(r"(.*\.self_attn\.)[qkv](\.(?:weight|bias))")

SCHEMA = "1"  #: of the run-time file
SCHEMA_KEY = "broadcaster.schema"
MODEL_KEY = "broadcaster.model"  #: absent in files that are older than the second model
CONFIG_KEY = "broadcaster.config"  #: JSON: network → its configuration
FINGERPRINT_KEY = "broadcaster.fingerprint"  #: of the model directory it was made of; FlashHead's: of each network
SOURCES_KEY = "broadcaster.sources"  #: JSON: file → its SHA-256


@dataclass(frozen=True)
class ModelDir:
    """A model directory. Constructing it looks at nothing; what is missing is a ConfigError when it is asked for."""

    path: Path

    model = "flashtalk"
    networks = NETWORKS
    live = LIVE

    @property
    def audio_dir(self) -> Path:
        inside, beside = self.path / AUDIO_DIR, self.path.parent / AUDIO_DIR
        return beside if beside.is_dir() and not inside.is_dir() else inside

    @property
    def tokenizer_dir(self) -> Path:
        return self.path / TOKENIZER_DIR

    def repository(self, network: str) -> tuple[str, Path]:
        """Where a network is released, and the folder that the release fills."""
        return (AUDIO_REPOSITORY, self.audio_dir) if network == "wav2vec2" else (REPOSITORY, self.path)

    def config_file(self, network: str) -> Path:
        return (self.audio_dir if network == "wav2vec2" else self.path) / CONFIG

    def config(self, network: str) -> Mapping[str, Any]:
        """Of one of NETWORKS, for its `from_json`; empty where the released sizes hold."""
        if network == "wav2vec2":
            return read_json(self.audio_dir / CONFIG)
        whole = read_json(self.path / CONFIG)
        if network == "dit":
            return whole
        found = whole.get(_NESTED[network], {})
        if not isinstance(found, Mapping):
            raise ConfigError(f"{self.path / CONFIG}: {_NESTED[network]} must be an object")
        return found

    def files(self, network: str) -> list[Path]:
        """Its files, whether they are there or not."""
        if network == "dit":
            return self._dit_files()
        if network == "wav2vec2":
            choices = [self.audio_dir / name for name in AUDIO_FILES]
            return [next((path for path in choices if path.exists()), choices[-1])]
        return [self.path / {"vae": VAE_FILE, "umt5": TEXT_FILE, "clip": PICTURE_FILE}[network]]

    def prefix(self, _network: str) -> str:
        return ""

    @cached_property
    def fingerprint(self) -> str:
        """Of the networks that a step computes with: 32 hex digits. Reads headers and samples, not whole files.

        The encoders leave no trace in it, so an avatar that is baked stays good when they are deleted.
        """
        digest = hashlib.blake2b(digest_size=16)
        for network in LIVE:
            digest.update(json.dumps([network, self.config(network)], sort_keys=True).encode())
            for path in self.files(network):
                digest.update(fingerprint(read_header(path)).encode())
        return digest.hexdigest()

    def _dit_files(self) -> list[Path]:
        index = self.path / DIT_INDEX
        if not index.exists():
            return sorted(self.path.glob(DIT_FILES)) or [self.path / DIT_FILES.replace("*", "")]
        places = read_json(index).get("weight_map")
        if not isinstance(places, Mapping) or not places:
            raise UnreadableWeights(index, "no weight_map in it")
        return [self.path / name for name in sorted({str(name) for name in places.values()})]


@dataclass(frozen=True)
class RuntimeFile:
    """One file with what a step computes with, made by `broadcaster models convert`; refused when it is not whole.

    Encoders for new avatars are looked for beside it, laid out as in a model directory.
    """

    header: Header

    model = "flashtalk"
    networks = LIVE

    @classmethod
    def at(cls, path: Path) -> RuntimeFile:
        return cls(runtime_header(path, cls.model))

    @property
    def path(self) -> Path:
        return self.header.path

    @cached_property
    def _beside(self) -> ModelDir:
        return ModelDir(self.path.parent)

    @property
    def tokenizer_dir(self) -> Path:
        return self._beside.tokenizer_dir

    def config_file(self, _network: str) -> Path:
        return self.path

    def config(self, network: str) -> Mapping[str, Any]:
        if network not in LIVE:
            if not (self.path.parent / CONFIG).is_file():
                raise ConfigError(
                    f"{self.path}: a new avatar is baked by the text and picture encoders, which are looked for beside "
                    f"this file, laid out as in a model directory: {self.path.parent / CONFIG} is not there"
                )
            return self._beside.config(network)
        found: dict[str, Any] = json.loads(self.header.metadata[CONFIG_KEY])
        return found[network]  # type: ignore[no-any-return]

    def files(self, network: str) -> list[Path]:
        return [self.path] if network in LIVE else self._beside.files(network)

    def prefix(self, network: str) -> str:
        """What the network's names begin with in `files`."""
        return f"{network}." if network in LIVE else ""

    @property
    def fingerprint(self) -> str:
        """That of the directory it was made of, so that an avatar baked with one is good for the other."""
        return self.header.metadata[FINGERPRINT_KEY]


Source = ModelDir | RuntimeFile


def opened(path: Path) -> Source:
    """The weights at a path: a directory, or a run-time file. ConfigError when it is neither."""
    if path.is_dir():
        return ModelDir(path)
    if path.exists():
        return RuntimeFile.at(path)
    raise ConfigError(f"{path}: no such directory or file; `broadcaster models pull flashtalk` fetches the weights")


def runtime_header(path: Path, model: str = "") -> Header:
    """Of a run-time file. UnreadableWeights when it is none that can be used, or, where a model is given, another's."""
    header = read_header(path)
    schema = header.metadata.get(SCHEMA_KEY)
    if schema != SCHEMA:
        said = f"it says schema {schema}, not {SCHEMA}" if schema else "`broadcaster models convert` did not make it"
        raise UnreadableWeights(path, f"not a run-time file: {said}")
    if not {CONFIG_KEY, FINGERPRINT_KEY} <= header.metadata.keys():
        raise UnreadableWeights(path, "not a run-time file: it lacks the configuration of its networks")
    if model and model_of(header) != model:
        raise UnreadableWeights(path, f"a run-time file of {model_of(header)}, not of {model}")
    return header


def model_of(header: Header) -> str:
    """Whose run-time file it is."""
    return header.metadata.get(MODEL_KEY, ModelDir.model)


def fused_name(name: str) -> str:
    """Of the product that is queries, keys and values of a self-attention in a run-time file; other names stay."""
    found = _THREE.fullmatch(name)
    return f"{found[1]}qkv{found[2]}" if found else name


def read_json(path: Path) -> Mapping[str, Any]:
    """An object; ConfigError names the file."""
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON: {error}") from None
    if not isinstance(found, Mapping):
        raise ConfigError(f"{path}: an object is needed, not a {type(found).__name__}")
    return found
