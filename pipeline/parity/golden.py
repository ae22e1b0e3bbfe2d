"""A directory of golden cases: tensors that the published implementations gave, with what went in and how exact.

In: a directory with `<case>.json` (configuration, what each tensor is), `<case>.safetensors`, `<case>_weights.*` and
`tolerances.json`. Out: cases, their tensors as float32, tolerances. Sizes come from the files alone. It compares
nothing and knows no network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pipeline.errors import BadInput

TOLERANCES = "tolerances.json"
WEIGHTS = "_weights"  #: how the names of weight files end
ELSEWHERE = 7.0  #: on another device than a CPU the tolerance is so many times wider


class Unreadable(BadInput):
    """A case that cannot be compared because its files are not what they should be; the text says what is wrong."""


@dataclass(frozen=True)
class Case:
    """name: of the files. about: the JSON. tensors: in the file, without the values."""

    name: str
    about: Mapping[str, Any]
    directory: GoldenDir

    @property
    def config(self) -> Mapping[str, Any]:
        """The network's; a case that runs more than one has none."""
        found: Mapping[str, Any] = self.about.get("config", {})
        return found

    @property
    def weight_files(self) -> list[str]:
        named = self.about.get("weights", [])
        return [named] if isinstance(named, str) else list(named)

    @property
    def file(self) -> str:
        return str(self.about.get("file", f"{self.name}.safetensors"))

    def read(self) -> dict[str, Tensor]:
        return self.directory.read(self.file)

    def weights(self, holds: str) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
        """Tensors and configuration of the weight file that holds the tensor `holds`."""
        for file in self.weight_files:
            tensors = self.directory.read(file)
            if holds in tensors:
                about = self.directory.about(file)
                return tensors, about.get("config", {}) if about else self.config
        raise Unreadable(f"no weights with a tensor {holds!r} in {self.weight_files or 'the field `weights`'}")

    def borrowed(self, name: str) -> Tensor:
        """A tensor of this case, or else of another: first of those the JSON names, then of any in the directory."""
        text = " ".join(value for value in self.about.values() if isinstance(value, str))
        named = [f"{found}.safetensors" for found in re.findall(r"\b(\w+)\.(?:safetensors|\w+)", text)]
        files = [self.file, *named, *self.directory.tensor_files()]
        for file in dict.fromkeys(files):
            if (self.directory.path / file).is_file() and name in (tensors := self.directory.read(file)):
                return tensors[name]
        raise Unreadable(f"tensor {name!r} is in no file of the directory")


class GoldenDir:
    """Files are read once. OSError when the directory is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read = cache(self._read)
        file = path / TOLERANCES
        #: case → pattern of tensor names → largest difference, in the order of the file
        self.tolerances: Mapping[str, Mapping[str, float]] = _json(file) if file.is_file() else {}

    def cases(self) -> Iterator[Case | tuple[str, str]]:
        """Every case, by name; (name, reason) for a JSON that cannot be read.

        Weights, tolerances, and JSON that neither names a tensor file nor has one beside it are no cases.
        """
        weights: set[str] = set()
        found: dict[str, Mapping[str, Any] | str] = {}
        for file in sorted(self.path.glob("*.json")):
            if file.name == TOLERANCES:
                continue
            try:
                about = _json(file)
            except Unreadable as error:
                found[file.stem] = str(error)
                continue
            found[file.stem] = about
            weights |= {Path(name).stem for name in Case(file.stem, about, self).weight_files}
        for name, what in found.items():
            if isinstance(what, str):
                yield name, what
            elif name not in weights and not name.endswith(WEIGHTS) and _is_case(self.path, name, what):
                yield Case(name, what, self)

    def about(self, file: str) -> Mapping[str, Any] | None:
        """The JSON beside a tensor file."""
        beside = self.path / Path(file).with_suffix(".json")
        return _json(beside) if beside.is_file() else None

    def tensor_files(self) -> list[str]:
        files = sorted(file.name for file in self.path.glob("*.safetensors"))
        return [file for file in files if not Path(file).stem.endswith(WEIGHTS)]

    def _read(self, file: str) -> dict[str, Tensor]:
        """float32 for all floating tensors: smaller types are used where they are exact."""
        try:
            tensors = load_file(self.path / file)
        except (OSError, SafetensorError) as error:
            raise Unreadable(f"{file}: {error}") from None
        return {name: x.float() if x.is_floating_point() else x for name, x in tensors.items()}


def first_match(patterns: Mapping[str, float], name: str) -> float | None:
    """The tolerance of a tensor; the first pattern in order counts."""
    return next((value for pattern, value in patterns.items() if fnmatchcase(name, pattern)), None)


def allowance(tolerance: float, device: torch.device) -> float:
    """What is allowed on that device."""
    return tolerance if device.type == "cpu" else tolerance * ELSEWHERE


def _is_case(path: Path, name: str, about: Mapping[str, Any]) -> bool:
    return "file" in about or (path / f"{name}.safetensors").is_file()


def _json(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unreadable(f"{file.name}: {error}") from None
    if not isinstance(found, dict):
        raise Unreadable(f"{file.name}: not an object")
    return found
