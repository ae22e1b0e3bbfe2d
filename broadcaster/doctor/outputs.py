"""Examination of one output: is there somebody who would take the stream, or room for it on the disk?

In: the configuration and the output's name. Out: (verdict, text, remedy). Of RTMP only the handshake is tried, so
nothing is published and nobody's stream is disturbed; of the URL only scheme and host are shown.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from broadcaster.disk import DiskFull, Writable, tried
from broadcaster.doctor.examination import BAD, OK, WARN
from broadcaster.doctor.machine import Found

PORTS = {"rtmp": 1935, "rtmps": 443}
WAIT_S = 1.5  # each for the connection, TLS and the handshake
RTMP_VERSION = b"\x03"
HANDSHAKE_BYTES = 1536  # C1 and S1 each


def output(room: Any, name: str) -> Found:
    made = next(one for one in room.outputs if one.name == name)
    url = made.url.get_secret_value()
    if made.scheme in PORTS:
        found = _reached(url)
        if found[0] != OK or made.backup is None:
            return found
        backup = _reached(made.backup.get_secret_value())
        return found if backup[0] == OK else (WARN, f"{found[1]}; backup: {backup[1]}", *backup[2:])
    directory = Path(url.partition(":")[2])
    return _recorded(directory if made.scheme == "hls" else directory.parent, made.min_free_gb)


def _reached(url: str) -> Found:
    """Name, connection, TLS, handshake: the first that fails is the finding."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    where = f"{parts.scheme}://{host}:{port}"
    began_s = time.monotonic()
    try:
        address = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        return BAD, f"{where}: {error.strerror or error}", "correct the host's name, or this machine's DNS"
    try:
        line = socket.create_connection((address, port), WAIT_S)
    except OSError as error:
        reason = error.strerror or "no answer"
        return BAD, f"{where}: {reason}", "start the server, or open the firewall for this port"
    with line:
        try:
            stream = _secured(line, host) if parts.scheme == "rtmps" else line
        except OSError as error:
            reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
            return BAD, f"{where}: TLS: {reason}", "correct the host's name, or see to the server's certificate"
        with stream:
            stream.settimeout(WAIT_S)
            if not _shakes_hands(stream):
                return BAD, f"{where} is open, but speaks no RTMP", "correct the port or the scheme (rtmp, rtmps)"
    took_ms = 1000 * (time.monotonic() - began_s)
    return OK, f"{where} answers, handshake after {took_ms:.0f} ms; the key is tried only on air"


def _secured(line: socket.socket, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    return context.wrap_socket(line, server_hostname=host)


def _shakes_hands(stream: socket.socket) -> bool:
    """C0 and C1 there, S0 and S1 back (Adobe RTMP 1.0, 5.2); then we leave."""
    try:
        stream.sendall(RTMP_VERSION + bytes(8) + os.urandom(HANDSHAKE_BYTES - 8))
        got = b""
        while len(got) < 1 + HANDSHAKE_BYTES:
            data = stream.recv(4096)
            if not data:
                return False
            got += data
    except OSError:
        return False
    return got[:1] == RTMP_VERSION


def _recorded(directory: Path, min_free_gb: float) -> Found:
    found = tried(directory)
    if isinstance(found, DiskFull):
        return BAD, f"{directory}: {found}", "free the disk, or record elsewhere"
    if not isinstance(found, Writable):
        return BAD, f"{directory}: {found}", "give the broadcaster's user the right to write there"
    if found.free_gb < min_free_gb:
        return WARN, f"{directory}: {found}", f"the oldest recordings go while less than {min_free_gb:g} GB are free"
    if found.is_slow:
        return WARN, f"{directory}: {found}", "a recording takes 0.5 MB/s; record on a faster disk"
    return OK, f"{directory}: {found}"
