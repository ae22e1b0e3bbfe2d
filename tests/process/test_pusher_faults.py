"""Pushers against servers that speak no RTMP, names that nobody knows, and TLS with a private CA."""

from __future__ import annotations

import select
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import need
from tests.nginx_rtmp import NginxRtmp, free_port, nginx  # noqa: F401
from tests.pusher_child import pusher, until
from tests.tagsource import Source

SECRET = "k3y-9f31"


@contextmanager
def proxy(port: int, tls: ssl.SSLContext) -> Iterator[int]:
    """Take TLS off and pass bytes on to a port; yields the port it listens on."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=carry, args=(client,), daemon=True).start()

    def carry(plain: socket.socket) -> None:
        try:
            with (
                tls.wrap_socket(plain, server_side=True) as client,
                socket.create_connection(("127.0.0.1", port)) as server,
            ):
                while not stopping.is_set():
                    ready = [client] if client.pending() else select.select([client, server], [], [], 0.2)[0]
                    for source in ready:
                        data = source.recv(4096)
                        if not data:
                            return
                        (server if source is client else client).sendall(data)
        except OSError:
            return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(2)


@pytest.mark.parametrize(("answer", "kind"), [(b"", "rejected"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "protocol")])
def test_a_server_that_speaks_no_rtmp_is_named_and_tried_again(short_dir: Path, answer: bytes, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def rude() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                client.recv(10_000)
                client.sendall(answer)
                client.close()

        threading.Thread(target=rude, daemon=True).start()
        url = f"rtmp://127.0.0.1:{listener.getsockname()[1]}/live/{SECRET}"
        with Source(short_dir, ["main"]), pusher(short_dir, url) as child:
            until(lambda: len(child.notes("output.backing_off")) >= 2)
            assert child.notes("output.backing_off")[0]["kind"] in (kind, "reset")
            assert SECRET not in repr(child.heard)
        listener.shutdown(socket.SHUT_RDWR)


def test_a_name_that_nobody_knows_is_a_connect_error(short_dir: Path) -> None:
    with Source(short_dir, ["main"]), pusher(short_dir, f"rtmp://no-such-host.invalid/live/{SECRET}") as child:
        until(lambda: child.notes("output.backing_off"))
        note = child.notes("output.backing_off")[0]
        assert note["kind"] in ("connect", "timeout")
        assert "no-such-host.invalid" in note["error"]
        assert SECRET not in repr(child.heard)


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────────


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run([need("openssl"), *arguments], cwd=directory, check=True, capture_output=True)


def certificate(directory: Path, name: str, subject: str, days: str = "2") -> ssl.SSLContext:
    """A server's certificate for `subject` from a test CA, made on the spot."""
    if not (directory / "ca.pem").exists():
        self_signed = "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test"
        openssl(directory, *self_signed.split())
    request = f"req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
    openssl(directory, *request.split())
    (directory / "ext").write_text(f"subjectAltName={subject}")
    sign = (
        f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile ext -out {name}.pem"
    )
    openssl(directory, *sign.split())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")
    return context


def test_rtmps_goes_through_when_the_certificate_is_trusted_and_only_then(
    nginx: NginxRtmp,  # noqa: F811
    short_dir: Path,
    tmp_path: Path,
) -> None:
    good = certificate(tmp_path, "good", "IP:127.0.0.1")
    trust = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    with Source(short_dir, ["main", "other"]) as source, proxy(nginx.port, tls=good) as port:
        url = nginx.url(f"{SECRET}?sign=a&b=c", "checked", "rtmps", port)
        with pusher(short_dir, url, env=trust) as child:
            until(lambda: source.outputs.states()["main"].audio_ms > 1000)
            assert nginx.callbacks()[0].endswith("&sign=a&b=c")
            source_ms = source.outputs.states()["main"].audio_ms
            child.process.send_signal(signal.SIGKILL)
        with pusher(short_dir, url, "other") as doubtful:  # our CA is not among the system's
            until(lambda: doubtful.notes("output.backing_off"))
            note = doubtful.notes("output.backing_off")[0]
            assert note["kind"] == "tls"
            assert "certificate" in note["error"]
            assert SECRET not in repr(doubtful.heard)
    assert source_ms > 1000
    assert len(nginx.callbacks()) == 1


@pytest.mark.parametrize(
    ("subject", "days", "why"), [("DNS:other.example", "2", "mismatch"), ("IP:127.0.0.1", "-1", "expired")]
)
def test_a_certificate_that_is_wrong_is_refused_and_told(
    nginx: NginxRtmp,  # noqa: F811
    short_dir: Path,
    tmp_path: Path,
    subject: str,
    days: str,
    why: str,
) -> None:
    wrong = certificate(tmp_path, "wrong", subject, days)
    with Source(short_dir, ["main"]), proxy(nginx.port, tls=wrong) as port:
        url = nginx.url(SECRET, "checked", "rtmps", port)
        with pusher(short_dir, url, env={"SSL_CERT_FILE": str(tmp_path / "ca.pem")}) as child:
            until(lambda: child.notes("output.backing_off"))
            note = child.notes("output.backing_off")[0]
            assert note["kind"] == "tls"
            assert why in note["error"]
    assert nginx.callbacks() == []


def test_a_server_that_is_silent_in_the_tls_handshake_is_declared_too(short_dir: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Source(short_dir, ["main"]),
        pusher(short_dir, f"rtmps://127.0.0.1:{silent.getsockname()[1]}/live/{SECRET}") as child,
    ):
        until(lambda: child.notes("output.connecting"))
        assert until(lambda: child.notes("output.backing_off")) < 5
        assert child.notes("output.backing_off")[0]["kind"] == "timeout"
        assert SECRET not in repr(child.heard)
