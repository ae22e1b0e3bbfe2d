"""Sockets between processes: zmq over ipc, configured alike everywhere, so that nothing queues unseen.

A server binds ROUTER, its clients connect DEALER under a stable name; a client that comes back under
its name takes over its predecessor's place. Sending never blocks: a full or absent peer loses the
message, and the caller is told.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq

from pipeline.wire import Message, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

HIGH_WATER = 8  # messages; credits bound what is under way, this only catches mistakes
RECONNECT_MS = 20
RECONNECT_MAX_MS = 40  # a peer that comes back is found at once: its voice is being waited for

SPEECH = "speech.ipc"  #: director binds, engines connect
FRAMES = "frames.ipc"  #: playout binds, engines connect
CONTROL = "control.ipc"  #: playout binds, the director connects
TAGS = "tags.sock"  #: playout binds, pushers connect; AF_UNIX stream, not zmq


def address(runtime_dir: Path, name: str) -> str:
    return f"ipc://{runtime_dir / name}"


def bind(context: zmq.Context[Any], runtime_dir: Path, name: str) -> Any:
    """A ROUTER bound to that name."""
    socket = context.socket(zmq.ROUTER)
    _configure(socket)
    socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
    socket.bind(address(runtime_dir, name))
    return socket


def connect(context: zmq.Context[Any], runtime_dir: Path, name: str, identity: str) -> Any:
    """A DEALER connected to that name; the peer need not exist yet."""
    socket = context.socket(zmq.DEALER)
    _configure(socket)
    socket.setsockopt(zmq.IDENTITY, identity.encode())
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
    socket.connect(address(runtime_dir, name))
    return socket


def send(socket: Any, message: Message, *buffers: Any, to: bytes | None = None) -> bool:
    """Send a message and its raw buffers at once, or not at all; true when it was taken.

    Buffers are not copied: they must not change after this call.
    """
    parts: Sequence[Any] = [encode(message), *buffers]
    if to is not None:
        parts = [to, *parts]
    try:
        socket.send_multipart(parts, flags=zmq.NOBLOCK, copy=False)
    except zmq.Again:
        return False
    return True


def receive(socket: Any) -> list[memoryview] | None:
    """The parts of one message without copies, or None when there is none."""
    try:
        return [frame.buffer for frame in socket.recv_multipart(flags=zmq.NOBLOCK, copy=False)]
    except zmq.Again:
        return None


def _configure(socket: Any) -> None:
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
