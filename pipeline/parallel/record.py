"""Where a rank stands in the programme, in bytes that can be compared: step, call, hash of the state. Pure."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping

from torch import Tensor, uint8

HEAD = struct.Struct("!QB")  # step, bytes of the digest; the digest and the call's name follow


def packed(step: int, what: str, state: bytes) -> bytes:
    return HEAD.pack(step, len(state)) + state + what.encode()


def words(record: bytes) -> str:
    """A record as a person reads it: "step 7, decode, state 3f2a"."""
    if len(record) < HEAD.size:
        return f"no record of ours ({record.hex()})"
    step, size = HEAD.unpack_from(record)
    state, what = record[HEAD.size : HEAD.size + size], record[HEAD.size + size :]
    return f"step {step}, {what.decode(errors='replace')}, state {state.hex() or 'none'}"


def digest(tensors: Mapping[str, Tensor]) -> bytes:
    """A 16-byte hash of named tensors (names, shapes, types and bits), for `Gang.agree`. Copies them to the CPU."""
    found = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype} ".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(uint8).numpy().tobytes())
    return found.digest()
