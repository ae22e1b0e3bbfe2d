"""What a machine does to a room, in short: a failing encoder, a leaping wall clock, a full disk, a log nobody reads.

The true bars are `make chaos`'s; here three times as much is allowed, and what was said must be said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from benchmarks.figures import Figure
from tests.conftest import lack
from tests.lab import host_faults
from tests.lab.chaos import Lab
from tests.lab.host import HostStage, hindrance

Part = Callable[[HostStage, Lab], list[Figure]]


@pytest.fixture(scope="module")
def stage() -> Iterator[HostStage]:
    if why := hindrance():
        lack(why)
    with host_faults.host() as made:
        yield made


@pytest.mark.parametrize(
    "part",
    [
        host_faults.encoder_on,
        host_faults.wall_clock_on,
        host_faults.disk_full_on,
        host_faults.log_blocked_on,
    ],
    ids=lambda part: part.__name__.removesuffix("_on"),
)
def test_the_air_goes_on_and_what_was_said_is_said(stage: HostStage, part: Part) -> None:
    assert [figure for figure in part(stage, Lab(short=True)) if figure.met is False] == []
    stage.wait_well()
