"""One run-time file of all that a step computes with: it is mapped at a start, and nothing is converted any more.

In: a model directory, of FlashTalk or FlashHead. Out: a .safetensors file with the networks' tensors, each by the name
of its parameter, below that of its network (`dit.`, `vae.`, `wav2vec2.`; `pro.`, `lite.`, `ltx.`, …): transformers in
bfloat16 and with one product for queries, keys and values, the small networks in the type they are released in. What it
was made of (SHA-256 of each file), the configurations and a schema are in its metadata. The encoders that only a new
avatar needs stay where they are. Memory: one tensor at a time.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from pipeline.errors import ConfigError
from pipeline.headdir import TRANSFORMERS, HeadDir, is_headdir
from pipeline.modeldir import (
    CONFIG_KEY,
    FINGERPRINT_KEY,
    MODEL_KEY,
    SCHEMA,
    SCHEMA_KEY,
    SOURCES_KEY,
    ModelDir,
    fused_name,
)
from pipeline.weightfiles import LENGTH_BYTES, sha256
from pipeline.weights import load_network

ALIGNMENT = 8  #: of the first tensor's first byte
IN_HALF = ("dit", *TRANSFORMERS)  #: networks that are written in bfloat16, with fused products
_TYPES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32"}

Progress = Callable[[str, int, int], None]
"""What is being done; bytes done and bytes to do."""


def convert(directory: Path, out: Path, progress: Progress | None = None) -> Path:
    """Write the file, by rename: nobody sees half of one. ConfigError: the directory is not whole, or the disk full."""
    source = HeadDir(directory) if is_headdir(directory) else ModelDir(directory)
    if out.suffix != ".safetensors":
        raise ConfigError(f"{out}: the name of a run-time file ends with .safetensors")
    tensors = _tensors(source)
    header, size = _header(tensors, _metadata(source, progress))
    _check_room(out, size)
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            file.write(header)
            _write(file, tensors, size, progress)
            file.flush()
            os.fsync(file.fileno())
        part.replace(out)
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    return out


Parts = dict[str, tuple[list[Tensor], torch.dtype]]
"""By name in the file: tensors as they are mapped, one after the other along their first axis; the type to write in."""


def _tensors(source: ModelDir | HeadDir) -> Parts:
    """Wide types first, so that all are aligned."""
    found: Parts = {}
    for network in source.live:
        for name, tensor in load_network(source, network).state_dict().items():
            place = fused_name(name) if network in IN_HALF else name
            dtype = torch.bfloat16 if network in IN_HALF else tensor.dtype
            found.setdefault(f"{network}.{place}", ([], dtype))[0].append(tensor)
    return dict(sorted(found.items(), key=lambda item: -item[1][1].itemsize))


def _metadata(source: ModelDir | HeadDir, progress: Progress | None) -> dict[str, str]:
    """Safetensors' metadata is text by text."""
    files = [path for network in source.live for path in source.files(network)]
    sizes = [path.stat().st_size for path in files]
    digests = {}
    for index, path in enumerate(files):
        if progress:
            progress("checksums", sum(sizes[:index]), sum(sizes))
        digests[_label(source, path)] = sha256(path)
    if progress:
        progress("checksums", sum(sizes), sum(sizes))
    return {
        "format": "pt",
        SCHEMA_KEY: SCHEMA,
        MODEL_KEY: source.model,
        CONFIG_KEY: json.dumps({network: dict(source.config(network)) for network in source.live}),
        FINGERPRINT_KEY: _fingerprint(source),
        SOURCES_KEY: json.dumps(digests),
    }


def _fingerprint(source: ModelDir | HeadDir) -> str:
    """Of all networks together, or of each one's files where engines use but some of them."""
    if isinstance(source, ModelDir):
        return source.fingerprint
    return json.dumps({network: source.prints(network) for network in source.live})


def _label(source: ModelDir | HeadDir, path: Path) -> str:
    """What a file is called in the list of sources: FlashHead's have one name in several folders."""
    return path.name if isinstance(source, ModelDir) else f"{path.parent.name}/{path.name}"


def _header(tensors: Parts, metadata: Mapping[str, str]) -> tuple[bytes, int]:
    """The file's beginning, and the bytes of tensors that follow it."""
    entries: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, (parts, dtype) in tensors.items():
        shape = list(parts[0].shape)
        if len(parts) > 1:
            shape[0] = sum(part.shape[0] for part in parts)
        begin, end = end, end + sum(part.numel() for part in parts) * dtype.itemsize
        entries[name] = {"dtype": _TYPES[dtype], "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text, end


def _check_room(out: Path, size: int) -> None:
    try:
        free = shutil.disk_usage(out.parent).free
    except OSError as error:
        raise ConfigError(f"{out.parent}: {error.strerror}") from None
    if free < size:
        raise ConfigError(f"{out.parent}: {free / 1e9:.1f} GB free, {size / 1e9:.1f} GB are needed")


def _write(file: IO[bytes], tensors: Parts, size: int, progress: Progress | None) -> None:
    done = 0
    for parts, dtype in tensors.values():
        for part in parts:
            whole = part.to(dtype).contiguous().reshape(-1).view(torch.uint8).numpy()
            file.write(whole.data)
            done += whole.nbytes
        if progress:
            progress("writing", done, size)
