"""What is in a file of weights, without reading the weights: names, shapes and types.

In: a .safetensors file, or one that torch saved (.pth, .bin). Out: a `Header`. A file that is cut short, is something
else, or would run code when read is an `UnreadableWeights` that says so; no tensor is loaded, no device touched.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError

Shape = tuple[int, ...]

LENGTH_BYTES = 8  #: of a .safetensors file: how long its header is
HEADER_MOST_BYTES = 100_000_000  #: the format's own limit
LFS_POINTER = b"version https://git-lfs"
ZIP = b"PK\x03\x04"
TYPE_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2,
    "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip
_TORCH_TYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
}  # fmt: skip
SAMPLE_BYTES = 256  #: of each tensor that goes into a fingerprint


class UnreadableWeights(ConfigError):
    """A file of weights is cut short, damaged, or something else; a new download mends it."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.path = path
        self.text = text


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in a file. dtype as in .safetensors: F32, BF16, …. start: its first byte in the file, or -1."""

    shape: Shape
    dtype: str
    start: int = -1

    @property
    def nbytes(self) -> int:
        """0 for a type that is not known."""
        count = TYPE_BYTES.get(self.dtype, 0)
        for side in self.shape:
            count *= side
        return count


@dataclass(frozen=True, slots=True)
class Header:
    path: Path
    tensors: Mapping[str, Stored]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """UnreadableWeights says what is wrong with the file."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            beginning = file.read(64)
    except OSError as error:
        raise UnreadableWeights(path, error.strerror or str(error)) from None
    if beginning.startswith(LFS_POINTER):
        raise UnreadableWeights(path, "a git-lfs pointer, not the file itself")
    if not size:
        raise UnreadableWeights(path, "empty")
    if path.suffix == ".safetensors":
        return _of_safetensors(path, size)
    return Header(path, _of_torch(path, beginning), {})


def fingerprint(header: Header) -> str:
    """Of names, shapes, types and content: 32 hex digits.

    Of a .safetensors file some bytes of each tensor count; of torch's the checksums that the archive holds.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, stored in sorted(header.tensors.items()):
        digest.update(f"{name} {stored.shape} {stored.dtype}\n".encode())
    if header.path.suffix == ".safetensors":
        with header.path.open("rb") as file:
            for stored in sorted(header.tensors.values(), key=lambda one: one.start):
                file.seek(stored.start + max(0, stored.nbytes // 2 - SAMPLE_BYTES // 2))
                digest.update(file.read(min(SAMPLE_BYTES, stored.nbytes)))
    elif zipfile.is_zipfile(header.path):
        with zipfile.ZipFile(header.path) as archive:
            for entry in archive.infolist():
                digest.update(f"{entry.filename.partition('/')[2]} {entry.CRC}\n".encode())
    else:
        digest.update(header.path.read_bytes())
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Of the whole file, as the hub and `sha256sum` give it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_safetensors(path: Path, size: int) -> Header:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if size < LENGTH_BYTES or length > HEADER_MOST_BYTES:
            raise UnreadableWeights(path, "not a .safetensors file")
        if size < LENGTH_BYTES + length:
            raise UnreadableWeights(path, f"cut short: {size} bytes, the header alone has {LENGTH_BYTES + length}")
        text = file.read(length)
    try:
        raw: dict[str, Any] = json.loads(text)
        metadata: dict[str, str] = raw.pop("__metadata__", {})
        tensors, end = {}, 0
        for name, entry in raw.items():
            first, last = entry["data_offsets"]
            stored = Stored(tuple(entry["shape"]), entry["dtype"], LENGTH_BYTES + length + first)
            if stored.dtype in TYPE_BYTES and last - first != stored.nbytes:
                raise UnreadableWeights(path, f"damaged: {name} has {last - first} bytes for shape {stored.shape}")
            tensors[name] = stored
            end = max(end, last)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnreadableWeights(path, "not a .safetensors file: its header cannot be read") from None
    whole = LENGTH_BYTES + length + end
    if size < whole:
        raise UnreadableWeights(path, f"cut short: {size} bytes, its header speaks of {whole}")
    if size > whole:
        raise UnreadableWeights(path, f"damaged: {size} bytes, its header speaks of {whole}")
    return Header(path, tensors, metadata)


def _of_torch(path: Path, beginning: bytes) -> dict[str, Stored]:
    found = flat(path, torch_tensors(path, beginning, onto="meta"))
    return {name: Stored(tuple(tensor.shape), _type_name(tensor.dtype)) for name, tensor in found.items()}


def torch_tensors(path: Path, beginning: bytes, onto: str) -> Any:
    """What torch saved: onto "meta" without data, onto "cpu" mapped from the file. Only tensors are let through."""
    import torch

    zipped = beginning.startswith(ZIP)
    if zipped and not zipfile.is_zipfile(path):
        raise UnreadableWeights(path, f"cut short: {path.stat().st_size} bytes, and the archive's end is missing")
    try:
        return torch.load(path, map_location=onto, weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as error:
        lines = [line for line in str(error).splitlines() if "GLOBAL" in line] or ["damaged"]
        raise UnreadableWeights(
            path, f"not a file of weights, or one that would run code: {lines[0].strip()}"
        ) from None
    except (RuntimeError, ValueError, KeyError, EOFError, OSError, AttributeError, IndexError, TypeError) as error:
        raise UnreadableWeights(path, f"not a file of weights: {str(error).strip().splitlines()[0]}") from None


def flat(path: Path, loaded: Any) -> dict[str, Any]:
    """The tensors by name; also from a checkpoint that holds them under `state_dict`."""
    import torch

    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping):
        raise UnreadableWeights(path, f"holds a {type(loaded).__name__}, not tensors by name")
    foreign = [str(name) for name, value in loaded.items() if not isinstance(value, torch.Tensor)]
    if foreign:
        raise UnreadableWeights(path, f"holds more than tensors: {foreign[0]}")
    return {str(name): value for name, value in loaded.items()}


def _type_name(dtype: Any) -> str:
    name = str(dtype).removeprefix("torch.")
    return _TORCH_TYPES.get(name, name)
