"""HLS on disk: what players find there, whatever happens in between."""

from __future__ import annotations

import errno
import io
import re
import shutil
from itertools import islice, pairwise
from pathlib import Path

import av
import pytest

from pipeline.clock import FakeClock
from pipeline.errors import OutputError
from pipeline.wire import Tag
from streams.destination import PusherSpec
from streams.hls import PLAYLIST, HlsDestination
from tests.tagsource import Media, media

WINDOW = 3


@pytest.fixture
def material() -> Media:
    return media()


def made(directory: Path) -> HlsDestination:
    spec = PusherSpec("web", f"hls:{directory}", "/nowhere", hls_segments=WINDOW)
    return HlsDestination(spec, lambda *_, **__: None, FakeClock())


def tags(material: Media, until_ms: int) -> list[Tag]:
    return [tag for tag in islice(material.forever(), 4000) if tag.ms < until_ms]


def play(hls: HlsDestination, material: Media, until_ms: int, at_ms: int = 0, from_ms: int = 0) -> None:
    for tag in tags(material, until_ms):
        if tag.ms >= from_ms:
            hls.write(tag, tag.ms + at_ms)


def listed(directory: Path) -> list[str]:
    return [line for line in (directory / PLAYLIST).read_text().splitlines() if not line.startswith("#")]


def times(directory: Path, name: str) -> dict[str, list[float]]:
    """Decode one segment with its header, as a player does."""
    init = next(directory.glob("live-init-*.mp4"))
    found: dict[str, list[float]] = {"video": [], "audio": []}
    with av.open(io.BytesIO(init.read_bytes() + (directory / name).read_bytes())) as container:
        for packet in container.demux():
            if packet.dts is not None and packet.size:
                assert packet.time_base is not None
                found[packet.stream.type].append(float(packet.dts * packet.time_base))
            packet.decode()
    return found


def test_each_group_becomes_a_segment_that_plays_alone(tmp_path: Path, material: Media) -> None:
    hls = made(tmp_path / "new" / "dir")
    hls.open(material.headers)
    play(hls, material, 3_500)
    names = listed(tmp_path / "new" / "dir")
    assert names == ["live-00000001.m4s", "live-00000002.m4s", "live-00000003.m4s"], "the fourth is not whole"
    video: list[float] = []
    audio: list[float] = []
    for name in names:
        found = times(tmp_path / "new" / "dir", name)
        video += found["video"]
        audio += found["audio"]
    first = {kind: next(tag.ms for tag in tags(material, 200) if tag.kind == kind) / 1000 for kind in (8, 9)}
    assert audio[0] - video[0] == pytest.approx(first[8] - first[9], abs=0.001), "sound and picture stay together"
    assert max(b - a for a, b in pairwise(video)) == pytest.approx(0.04, abs=0.001)
    assert max(b - a for a, b in pairwise(audio)) == pytest.approx(1024 / 48_000, abs=0.001)
    text = (tmp_path / "new" / "dir" / PLAYLIST).read_text()
    assert text.count("#EXTINF:1.000,") == 3, "the test media has a key frame a second"


def test_old_segments_go_and_nothing_else_does(tmp_path: Path, material: Media) -> None:
    (tmp_path / "holiday.m4s").touch()
    hls = made(tmp_path)
    hls.open(material.headers)
    play(hls, material, 12_500)
    names = listed(tmp_path)
    assert len(names) == WINDOW
    kept = sorted(path.name for path in tmp_path.glob("live-0*.m4s"))
    assert kept[-WINDOW:] == names and len(kept) == 2 * WINDOW
    assert (tmp_path / "holiday.m4s").exists()
    assert not list(tmp_path.glob("*.part"))


def test_a_jump_in_time_is_told_to_players(tmp_path: Path, material: Media) -> None:
    hls = made(tmp_path)
    hls.open(material.headers)
    play(hls, material, 1_500)
    play(hls, material, 2_500, at_ms=3_000)
    text = (tmp_path / PLAYLIST).read_text()
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert len(listed(tmp_path)) == 3
    assert re.search(r"#EXTINF:0\.[45]", text), "the group that was broken off is published as far as it came"
    assert text.index("#EXT-X-DISCONTINUITY\n") < text.index("#EXTINF:1.000") < text.index("live-00000003")


def test_another_process_goes_on_in_the_same_playlist(tmp_path: Path, material: Media) -> None:
    first = made(tmp_path)
    first.open(material.headers)
    play(first, material, 2_500)  # and is killed
    again = made(tmp_path)
    again.open(material.headers)
    play(again, material, 1_500)
    assert listed(tmp_path) == ["live-00000001.m4s", "live-00000002.m4s", "live-00000003.m4s"]
    text = (tmp_path / PLAYLIST).read_text()
    assert text.index("live-00000002") < text.index("#EXT-X-DISCONTINUITY\n") < text.index("live-00000003")
    assert len(list(tmp_path.glob("live-init-*.mp4"))) == 1, "the same settings, the same header"


def test_the_end_publishes_what_was_begun(tmp_path: Path, material: Media) -> None:
    hls = made(tmp_path)
    hls.open(material.headers)
    play(hls, material, 1_500)
    hls.close()
    assert len(listed(tmp_path)) == 2
    hls.close()
    hls.open(material.headers)
    hls.close()
    assert len(listed(tmp_path)) == 2


def test_a_full_disk_is_told_and_leaves_no_half_file(
    tmp_path: Path, material: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    hls = made(tmp_path)
    hls.open(material.headers)
    play(hls, material, 1_500)
    real = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        real(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError) as failure:
        play(hls, material, 2_500, from_ms=1_500)
    assert failure.value.kind == "disk"
    hls.abort()
    monkeypatch.undo()
    assert listed(tmp_path) == ["live-00000001.m4s"]
    assert not list(tmp_path.glob("*.part"))
    hls.open(material.headers)
    play(hls, material, 1_500)
    assert listed(tmp_path) == ["live-00000001.m4s", "live-00000002.m4s"]


def test_a_directory_that_was_removed_is_made_again_and_numbers_rise(tmp_path: Path, material: Media) -> None:
    hls = made(tmp_path / "hls")
    hls.open(material.headers)
    play(hls, material, 2_500)
    shutil.rmtree(tmp_path / "hls")
    with pytest.raises(OutputError):
        play(hls, material, 3_500, from_ms=2_500)
    hls.abort()
    hls.open(material.headers)
    play(hls, material, 1_500)
    assert listed(tmp_path / "hls") == ["live-00000003.m4s"], "nothing is listed that is not there"


def test_a_directory_that_cannot_be_made_is_a_disk_error(tmp_path: Path, material: Media) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as failure:
        made(tmp_path / "file" / "hls").open(material.headers)
    assert failure.value.kind == "disk"
