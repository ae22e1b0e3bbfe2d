"""RTMP and RTMPS by libav: the border file of one connection to a platform.

In: headers and FLV tags with their time stamps. Out: bytes on a connection that libav makes; errors as
OutputError with a kind and without the URL, which the library's own texts repeat with the key in it.

The tags are ready, so they go through the `data` muxer, which adds nothing and reorders nothing; it
runs inside `tee`, the only way on which `rw_timeout` reaches the connection. Connecting and closing
hold Python's lock: two seconds for each wait in the handshake, and five (libav's own limit for TCP,
which `rw_timeout` does not reach) when nothing answers at all. So this lives in a process of its own.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av

from pipeline.errors import OutputError
from pipeline.wire import Headers, Tag
from streams import flv, tcpwatch
from streams.destination import Note, PusherSpec

RW_TIMEOUT_S = 2  # of each wait in libav once TCP stands
SEND_BUFFER_BYTES = 128 * 1024  # a third of a second at 3 Mb/s; with the kernel's default a stall hides for 10 s
RESOLVE_S = 2.0  # a name server that does not answer must not hold libav, and with it Python's lock
TLS_S = 2.0
PORTS = {"rtmp": 1935, "rtmps": 443}
CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",
)
TIME_BASE = Fraction(1, 1000)
KINDS = {
    errno.ECONNREFUSED: "connect",
    errno.EHOSTUNREACH: "connect",
    errno.ENETUNREACH: "connect",
    errno.EADDRNOTAVAIL: "connect",
    errno.EPERM: "rejected",  # how BadName and every other refusal of `publish` shows
    errno.EACCES: "rejected",
    errno.ETIMEDOUT: "timeout",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPIPE: "reset",
    errno.EINVAL: "protocol",
}


class RtmpDestination:
    def __init__(self, spec: PusherSpec, note: Note, progress: Callable[[], None]) -> None:
        parts = urlsplit(spec.url)
        self._url = spec.url
        self._name = spec.name
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port or PORTS[parts.scheme]
        self._note = note
        self._progress = progress
        self._container: Any = None  # av's types do not fit the use of a data stream
        self._stream: Any = None
        self._count = 0
        self._watch: tcpwatch.TcpWatch | None = None

    def open(self, headers: Headers) -> None:
        resolve(self._host, self._port)
        self._progress()  # libav's turn begins: up to 5 s when nothing answers, without Python's lock
        before = tcpwatch.sockets()
        try:
            self._container = av.open(self._target(), "w", format="tee")
            self._stream = self._container.add_data_stream()
            self._mux(headers.flv[: flv.FILE_HEADER_BYTES] + flv.whole(headers.metadata))
            self._watch_socket(before)
            self._mux(flv.retimed(headers.video, 0))
            self._mux(flv.retimed(headers.audio, 0))
        except (av.FFmpegError, ValueError) as error:
            failure = self._explained(error)
        else:
            return
        raise failure  # outside of the block, so that no library text with the key hangs on it

    def write(self, tag: Tag, ms: int) -> None:
        try:
            self._mux(flv.retimed(tag.data, ms))
        except (av.FFmpegError, ValueError) as error:
            failure = self._lost(error)
        else:
            return
        raise failure

    def check(self) -> None:
        if self._watch is not None and self._watch.fault is not None:
            raise OutputError(self._watch.fault, "the other side ended the connection or takes nothing")

    def facts(self) -> dict[str, int]:
        return {"queued_bytes": self._watch.queued_bytes if self._watch else 0}

    def close(self) -> None:
        self._end_watch()  # its duplicate would keep the connection open
        self._close_container()

    def abort(self) -> None:
        if self._watch is not None:
            self._watch.shut()  # so that libav's goodbye fails at once
        self._close_container()
        self._end_watch()

    def _target(self) -> str:
        options = f"f=data:rw_timeout={RW_TIMEOUT_S * 1_000_000}:tcp_nodelay=1:send_buffer_size={SEND_BUFFER_BYTES}"
        options += ":flush_packets=1"
        if self._scheme == "rtmps":
            ca_file = _ca_file()
            if ca_file is None:
                self._note("warning", "output.unverified", output=self._name)
            else:
                options += f":tls_verify=1:ca_file={_escaped(ca_file, ':]')}"
        return f"[{_escaped(options)}]{_escaped(self._url)}"

    def _mux(self, data: bytes) -> None:
        self._count += 1
        packet: Any = av.Packet(data)
        packet.stream = self._stream
        packet.pts = packet.dts = self._count  # the muxer wants them to rise; the times are inside the tags
        packet.time_base = TIME_BASE
        self._container.mux(packet)

    def _watch_socket(self, before: set[str]) -> None:
        sock = tcpwatch.adopt(before)
        if sock is not None:
            self._watch = tcpwatch.TcpWatch(sock, self._progress)
            self._watch.start()

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _close_container(self) -> None:
        container, self._container, self._stream = self._container, None, None
        if container is not None:
            try:
                container.close()
            except (av.FFmpegError, ValueError):  # the other side is gone already
                pass

    def _explained(self, error: Exception) -> OutputError:
        """Why connecting failed."""
        number = getattr(error, "errno", None)
        if number in KINDS:
            return OutputError(KINDS[number], _words(error))
        if self._scheme == "rtmps" and (refusal := tls_refusal(self._host, self._port)):
            return OutputError("connect", refusal)
        # name and address are right, the server hung up in its handshake: an unknown application, a wrong key
        return OutputError("rejected", f"the server ended the handshake ({_words(error)})")

    def _lost(self, error: Exception) -> OutputError:
        """Why a connection that stood was lost."""
        if self._watch is not None and self._watch.fault is not None:
            return OutputError(self._watch.fault, _words(error))
        kind = KINDS.get(getattr(error, "errno", 0) or 0, "reset")
        return OutputError("stall" if kind == "timeout" else kind, _words(error))


def resolve(host: str, port: int) -> None:
    """Look the name up beforehand and within a limit; OutputError says what is wrong with it."""
    failures: list[str] = []

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            failures.append(f"{host}: {error.strerror}")

    thread = threading.Thread(target=look_up, name="resolve", daemon=True)
    thread.start()
    thread.join(RESOLVE_S)
    if thread.is_alive():
        raise OutputError("timeout", f"{host}: the name server does not answer")
    if failures:
        raise OutputError("connect", failures[0])


def tls_refusal(host: str, port: int) -> str | None:
    """Why the certificate of that server cannot be trusted; None when TLS is not what failed.

    libav says only that something failed, so after a failure this shakes hands once more to learn why.
    """
    import ssl  # 5 MB that a healthy pusher does not carry

    context = ssl.create_default_context(cafile=_ca_file())
    try:
        with (
            socket.create_connection((host, port), TLS_S) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return f"TLS certificate refused: {error.verify_message}"
    except ssl.SSLError as error:
        return f"TLS failed: {error.reason}"
    except OSError:
        return None


def _ca_file() -> str | None:
    """The certificates to trust: $SSL_CERT_FILE, else the system's."""
    candidates = (os.environ.get("SSL_CERT_FILE", ""), *CA_FILES)
    return next((path for path in candidates if path and Path(path).is_file()), None)


def _words(error: Exception) -> str:
    """The library's words without its file name, which is the URL with the key."""
    return getattr(error, "strerror", None) or type(error).__name__


def _escaped(text: str, more: str = "") -> str:
    """Escaped for the tee muxer, which unescapes everything once and the values of options once more."""
    return "".join(f"\\{c}" if c in f"\\'|{more}" else c for c in text)
