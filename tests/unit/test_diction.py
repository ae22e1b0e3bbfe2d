"""How a room's way of speaking travels: from the file to the director, and a dictionary that changes or is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from broadcaster import children, reload
from broadcaster.checks import check
from broadcaster.config import Config, load, parse
from broadcaster.continuity import Continuity
from broadcaster.director import _diction
from broadcaster.director_spec import DirectorSpec
from broadcaster.reload import Question, in_force
from broadcaster.rundown import Rundown
from broadcaster.show import Show
from broadcaster.utterance import Utterance
from pipeline.clock import FakeClock
from pipeline.errors import ConfigError

ROOM = "room: shop\nstate_dir: {0}/var\nvoice: {{chain: [espeak], pronunciations: {0}/words.txt}}\n"


def voiced(**voice: Any) -> Config:
    return parse({"room": "shop", "voice": voice}, "room.yaml")


def director_spec(config: Config) -> DirectorSpec:
    plans = children.plan(config, Path("/run/x"))
    (spec,) = [plan.spec for plan in plans if plan.kind == "director"]
    return msgspec.convert(spec, DirectorSpec)


def test_the_director_is_told_how_the_room_speaks(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("gif = jif\n")
    spec = director_spec(voiced(pitch=2, languages={"FR": "fr-FR-DeniseNeural"}, pronunciations=str(words)))
    assert (spec.voice_pitch, spec.voice_languages) == (2.0, {"fr": "fr-FR-DeniseNeural"})
    diction = _diction(spec)
    assert diction.languages["fr"] == "fr-FR-DeniseNeural"
    assert diction.lexicon.find("gif", "en", ipa=False)


@pytest.mark.parametrize(
    ("voice", "words"),
    [
        ({"pitch": 13}, "voice.pitch"),
        ({"languages": {"french!": "x"}}, "is no language; write them as fr: fr-FR-DeniseNeural"),
        ({"languages": {"fr": " "}}, "fr: name a voice"),
    ],
)
def test_a_way_of_speaking_that_cannot_be_is_refused(voice: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        voiced(**voice)


def test_a_broken_dictionary_is_found_by_check_and_on_air_the_show_goes_on_without(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("gif\n")
    (tmp_path / "room.yaml").write_text(ROOM.format(tmp_path))
    config = load(tmp_path / "room.yaml")
    with pytest.raises(ConfigError, match=r"voice\.pronunciations: .*words\.txt:1: "):
        check(config, "room.yaml")
    with capture_logs() as logs:
        assert _diction(director_spec(config)).lexicon.find("gif", "en", ipa=False) == []
    assert [log["event"] for log in logs] == ["pronunciations.unusable"]


def test_a_dictionary_that_was_edited_renews_the_director_without_a_changed_key(tmp_path: Path) -> None:
    path, words = tmp_path / "room.yaml", tmp_path / "words.txt"
    words.write_text("gif = jif\n")
    path.write_text(ROOM.format(tmp_path))
    before = in_force(load(path))
    words.write_text("gif = ghif\n")
    found = reload.read_again(path, tmp_path, Question("me", before))
    assert found.applied == ["the text of voice.pronunciations"] and found.renew == ["director"]


def test_a_sentence_is_given_to_the_voice_with_its_marks_and_shown_without() -> None:
    show = Show(Rundown(), None, Continuity(), FakeClock(), lambda event: None, lambda name: False)
    show.opened = True
    show.left_behind_is_read()
    show.accept(Utterance("mug", ("[smile]The **mug**.",), stream_id="1-0"))
    (line,) = show.lines()
    assert line.text == "The mug."
    found = show.text(line.key)
    assert found is not None and found[0] == "[smile]The **mug**."
