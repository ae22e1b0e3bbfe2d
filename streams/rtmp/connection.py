"""One TCP connection that never blocks, plain or under TLS.

In: a connected socket. Out: bytes as they come, and how many were taken of those to be sent. Errors are
OutputError: reset when it is lost, tls when the other side's certificate or handshake is no good.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from socket import socket as Socket
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import OutputError

if TYPE_CHECKING:
    import ssl

READ_BYTES = 64 * 1024
RECORD_BYTES = 16 * 1024  # the most that TLS has in one piece
CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",
)


class Connection(Protocol):
    @property
    def socket(self) -> Socket: ...

    def is_open(self) -> bool:
        """Whether bytes may flow; goes on with the handshake where there is one. `for_write`: what it waits for."""

    def read(self) -> bytes | None:
        """What came; None when nothing did; b"" at the end of the stream."""

    def send(self, data: memoryview, most: int) -> int:
        """How many bytes were taken, `most` of them; 0 when there is no room. The rest must be offered next."""

    @property
    def for_write(self) -> bool:
        """Whether the handshake waits for room."""


class Plain:
    for_write = False

    def __init__(self, connected: Socket) -> None:
        self.socket = connected

    def is_open(self) -> bool:
        return True

    def read(self) -> bytes | None:
        try:
            return self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            raise lost(error) from None

    def send(self, data: memoryview, most: int) -> int:
        try:
            return self.socket.send(data[:most])
        except BlockingIOError:
            return 0
        except OSError as error:
            raise lost(error) from None


class Secure:
    """TLS with the certificate and the name checked."""

    def __init__(self, connected: Socket, host: str, context: ssl.SSLContext) -> None:
        import ssl

        self._ssl = ssl
        self._open = False
        self._refused = 0  # bytes of a record that there was no room for
        self.for_write = False
        try:
            self.socket: ssl.SSLSocket = context.wrap_socket(
                connected, server_hostname=host, do_handshake_on_connect=False, suppress_ragged_eofs=False
            )
        except OSError as error:
            connected.close()
            raise lost(error) from None

    def is_open(self) -> bool:
        if self._open:
            return True
        self.for_write = False
        try:
            self.socket.do_handshake()
        except self._ssl.SSLWantReadError:
            return False
        except self._ssl.SSLWantWriteError:
            self.for_write = True
            return False
        except self._ssl.SSLCertVerificationError as error:
            raise OutputError("tls", f"TLS certificate refused: {error.verify_message}") from None
        except self._ssl.SSLError as error:
            raise OutputError("tls", f"TLS failed: {error.reason}") from None
        except OSError as error:
            raise lost(error) from None
        self._open = True
        return True

    def read(self) -> bytes | None:
        try:
            return self.socket.recv(READ_BYTES)
        except (self._ssl.SSLWantReadError, self._ssl.SSLWantWriteError):
            return None
        except self._ssl.SSLEOFError:  # without TLS's goodbye, as most servers end
            return b""
        except OSError as error:
            raise lost(error) from None

    def send(self, data: memoryview, most: int) -> int:
        size = self._refused or min(most, RECORD_BYTES)  # OpenSSL wants a refused record again, and no shorter
        try:
            sent = self.socket.send(data[:size])
        except (self._ssl.SSLWantReadError, self._ssl.SSLWantWriteError):
            self._refused = size
            return 0
        except OSError as error:
            raise lost(error) from None
        self._refused = 0
        return sent


def trust() -> tuple[ssl.SSLContext, bool]:
    """Whom to trust, and whether anybody can be: false where this machine has no certificates to check with."""
    import ssl  # 5 MB that only pushers to rtmps carry

    candidates = (os.environ.get("SSL_CERT_FILE", ""), *CA_FILES)
    ca_file = next((path for path in candidates if path and Path(path).is_file()), None)
    context = ssl.create_default_context(cafile=ca_file)
    if ca_file is None and not context.get_ca_certs():
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context, False
    return context, True


def lost(error: OSError) -> OutputError:
    """Why a connection that stood was lost."""
    kind = "stall" if error.errno in (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH) else "reset"
    return OutputError(kind, error.strerror or type(error).__name__)
