from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clock import NS, RealClock
from pipeline.errors import OutputError
from streams.destination import PusherSpec
from streams.farside import FarSide
from tests.lab.ingest import Ingest
from tests.pusher_child import until
from tests.tagsource import media


class LeapingClock(RealClock):
    """Real time, and an hour more when somebody says so."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns


@pytest.fixture
def ingests(tmp_path: Path) -> Iterator[tuple[Ingest, Ingest]]:
    with Ingest(tmp_path / "first") as first, Ingest(tmp_path / "backup") as backup:
        yield first, backup


def far_side(first: Ingest, backup: Ingest, clock: LeapingClock) -> FarSide:
    spec = PusherSpec("main", first.url("key"), "/nowhere", backup=backup.url("key"))
    return FarSide(spec, lambda *_, **__: None, clock)


def refused(far: FarSide) -> None:
    """Three tries that come to nothing."""
    for _ in range(3):
        far.current.open(media().headers)
        with pytest.raises(OutputError):
            until(far.current.is_ready, 5)
        far.current.abort()
        far.failed()


def test_the_first_url_is_asked_without_publishing_and_taken_when_it_would_have_us(
    ingests: tuple[Ingest, Ingest],
) -> None:
    first, backup = ingests
    clock = LeapingClock()
    far = far_side(first, backup, clock)
    first.behave(listening=False)
    assert far.endpoint == f"rtmp://127.0.0.1:{first.port}"
    refused(far)
    assert far.on_backup
    assert far.endpoint == f"rtmp://127.0.0.1:{backup.port}"
    far.current.open(media().headers)
    until(far.current.is_ready, 5)
    far.live()
    assert not far.first_is_back()

    clock.ahead_ns += 61 * NS  # it is asked, and the port is still closed
    ends_s = time.monotonic() + 1
    while time.monotonic() < ends_s:
        assert not far.first_is_back()
    assert far.on_backup

    first.behave(listening=True)
    clock.ahead_ns += 61 * NS
    until(far.first_is_back, 5)
    assert not far.on_backup
    assert len(first.attempts) == 1
    assert first.publications == []  # nobody's key was taken
    assert backup.sessions_at_once() == 1


def test_an_output_without_a_backup_has_nobody_to_ask(tmp_path: Path) -> None:
    clock = LeapingClock()
    with Ingest(tmp_path) as only:
        spec = PusherSpec("main", only.url("key"), "/nowhere")
        far = FarSide(spec, lambda *_, **__: None, clock)
        only.behave(reject="NetStream.Publish.BadName")
        refused(far)
        refused(far)
        far.live()
        clock.ahead_ns += 3600 * NS
        assert not far.first_is_back()
        assert not far.on_backup
