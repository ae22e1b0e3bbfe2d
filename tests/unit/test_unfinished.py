"""The directory of a file that is being made is refused to others, and cleared when nothing in it is worth keeping."""

from pathlib import Path

import pytest

from broadcaster.render.unfinished import held
from pipeline.errors import BadInput, ConfigError, SpeechError

REQUEST = {"words": "abc", "voice": "en by espeak"}


def interrupted(out: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), held(out, REQUEST, False) as place:
        place.speech.mkdir()
        (place.speech / "000000.speech").touch()
        raise error


def test_the_same_request_goes_on_and_another_is_refused_by_what_differs(tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    interrupted(out, SpeechError("no network"))
    with held(out, REQUEST, False) as place:
        assert (place.speech / "000000.speech").exists()
    other = REQUEST | {"voice": "zh by espeak"}
    with pytest.raises(ConfigError, match=r"voice en by espeak → zh by espeak.*--restart"), held(out, other, False):
        pass
    with held(out, other, True) as place:
        assert not place.speech.exists()


def test_a_mistake_leaves_nothing_that_would_refuse_its_correction(tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    interrupted(out, BadInput("no sound in it"))
    assert list(tmp_path.iterdir()) == []


def test_two_at_once_are_one_too_many(tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    with held(out, REQUEST, False), pytest.raises(ConfigError, match="another process"), held(out, REQUEST, False):
        pass


def test_a_finished_file_is_not_made_again_by_accident(tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    out.write_bytes(b"old")
    with pytest.raises(ConfigError, match="exists; --restart"), held(out, REQUEST, False):
        pass
    with held(out, REQUEST, True) as place:
        assert out.read_bytes() == b"old"
        place.joined.write_bytes(b"new")
        place.finish()
    assert out.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [out]


def test_a_kill_while_tidying_up_leaves_the_finished_file_alone(tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    out.write_bytes(b"whole")
    (tmp_path / "a.mp4.part").mkdir()
    (tmp_path / "a.mp4.part" / "000001.mp4").touch()  # what the kill left of it
    with pytest.raises(ConfigError, match="exists"), held(out, REQUEST, False):
        pass
    assert list(tmp_path.iterdir()) == [out]


def test_what_belongs_to_no_request_is_not_gone_on_with(tmp_path: Path) -> None:
    part = tmp_path / "a.mp4.part"
    part.mkdir()
    (part / "000000.mp4").touch()
    with held(tmp_path / "a.mp4", REQUEST, False) as place:
        assert place.groups_done() == 0


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4.part").touch()
    with pytest.raises(ConfigError, match=r"a\.mp4\.part: cannot be written"), held(tmp_path / "a.mp4", REQUEST, False):
        pass
