"""A talk becomes an MP4 with exact length and sync, and a kill in the middle cannot be seen in it."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from broadcaster.config import AvatarSection
from broadcaster.config_voice import VoiceSection
from broadcaster.render.job import Rendered, Request, render
from pipeline.arrays import Pcm
from pipeline.engines.pattern import beep_track, read_counter
from pipeline.errors import AvatarError, BadInput, BroadcasterError, ConfigError, SpeechError
from pipeline.media import AIR_HZ, AIR_SAMPLES, FPS
from tests.avsync import av_offset_ms
from tests.station import until
from tests.terminal import typed
from tests.tinymodel import write_head_dir, write_model_dir

SMALL = (224, 384)
PATTERN = AvatarSection(engine="pattern", size=SMALL)
PORTRAIT = AvatarSection(size=SMALL)
TALK = (
    "This is a talk of several sentences. It goes on for a while, so that more than one group of pictures is made. "
    "The mug costs $12.50, and it is made by hand.\n\n"
    "Here is another paragraph. When somebody pulls the plug in the middle of it, nobody must be able to tell."
)
BRIEF = (
    "This is a talk of several sentences. The mug costs $12.50, and it is made by hand.\n\nHere is another paragraph."
)


class Silent:
    """Progress that tells nobody, and pulls the plug when a stage has come so far."""

    def __init__(self, stage: str = "", at: float = 0.0) -> None:
        self._stop = (stage, at)
        self._what = ""
        self.begun: list[tuple[str, float]] = []
        self.notes: list[str] = []

    def begin(self, what: str, total: float, unit: str = "s", done: float = 0) -> None:
        self._what = what
        self.begun.append((what, done))

    def reach(self, done: float) -> None:
        if self._what == self._stop[0] and done >= self._stop[1]:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        """Nothing is held."""


def wav(path: Path, pcm: Pcm, rate: int = AIR_HZ, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(pcm, channels).tobytes())
    return path


def beeps(folder: Path, samples: int) -> Path:
    return wav(folder / "beeps.wav", beep_track(samples // AIR_HZ + 1)[:samples])


def content(path: Path) -> tuple[str, str, int]:
    """Hashes of all pictures and all sound, decoded, and how many pictures there are."""
    pictures, sound, frames = hashlib.sha256(), hashlib.sha256(), 0
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            pictures.update(frame.to_ndarray().tobytes())
            frames += 1
    with av.open(str(path)) as file:
        for part in file.decode(audio=0):
            sound.update(part.to_ndarray().tobytes())
    return pictures.hexdigest(), sound.hexdigest(), frames


def test_a_sound_file_gives_exactly_its_pictures_in_order_and_in_sync(tmp_path: Path) -> None:
    samples = 13 * AIR_HZ + 700  # more than one group, and a last picture with a third of its sound
    out = tmp_path / "a.mp4"
    made = render(Request(out, audio=beeps(tmp_path, samples), avatar=PATTERN), Silent())
    assert made == Rendered(frames=326, samples=samples + 2)  # whole samples of the drive
    with av.open(str(out)) as file:
        counters = [read_counter(frame.to_ndarray()) for frame in file.decode(video=0)]
        assert file.metadata["AIGC"]
        assert file.streams.video[0].frames == 326
        assert file.streams.audio[0].duration == made.samples
    assert counters == list(range(326))
    assert abs(av_offset_ms(out)) <= 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "beeps.wav"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> AvatarSection:
    """The flashtalk engine with a tiny random model, and a picture without points."""
    folder = tmp_path_factory.mktemp("tiny")
    write_model_dir(folder / "model")
    rows, columns = np.mgrid[0:160, 0:160]
    Image.fromarray(np.stack([rows, columns, 255 - rows], 2).astype(np.uint8)).save(folder / "face.png")
    engine = {"engine": "flashtalk", "weights": folder / "model", "device": "cpu"}
    return AvatarSection.model_validate(engine | {"image": folder / "face.png", "size": (128, 128), "seed": 4})


@pytest.mark.long
def test_flashtalk_renders_a_sound_file_and_goes_on_after_a_kill(
    tiny: AvatarSection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broadcaster.render.footage.GROUP_FRAMES", 28)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    request = Request(tmp_path / "whole.mp4", audio=beeps(tmp_path, 2 * AIR_HZ), avatar=tiny)
    progress = Silent()
    assert render(request, progress) == Rendered(frames=50, samples=2 * AIR_HZ)
    assert [what for what, _ in progress.begun] == ["reading", "loading", "drawing", "joining"]
    assert len(list((tmp_path / "state" / "cache").iterdir())) == 1  # baked once, as in a room
    other = replace(request, out=tmp_path / "resumed.mp4")
    with pytest.raises(KeyboardInterrupt):
        render(other, Silent("drawing", 1.5))  # the second group is drawn and not written
    assert len(list((tmp_path / "resumed.mp4.part").glob("*.state"))) == 1
    again = Silent()
    render(other, again)
    assert ("drawing", 28 / FPS) in again.begun
    assert content(tmp_path / "resumed.mp4") == content(tmp_path / "whole.mp4")


@pytest.mark.parametrize("engine", ["flashhead-lite", pytest.param("flashhead-pro", marks=pytest.mark.long)])
def test_flashhead_renders_a_sound_file(
    tiny: AvatarSection, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    assert tiny.image is not None
    given = {"engine": engine, "weights": write_head_dir(tmp_path / "model"), "device": "cpu"}
    drawn = AvatarSection.model_validate(given | {"image": tiny.image, "size": (128, 128), "steps": 1})
    request = Request(tmp_path / "a.mp4", audio=beeps(tmp_path, AIR_HZ), avatar=drawn)
    assert render(request, Silent()) == Rendered(frames=25, samples=AIR_HZ)
    assert [path.name.partition("-")[0] for path in (tmp_path / "state" / "cache").iterdir()] == ["flashhead"]


def test_an_engine_with_weights_says_that_it_needs_them(tmp_path: Path) -> None:
    request = Request(tmp_path / "a.mp4", audio=beeps(tmp_path, AIR_HZ), avatar=AvatarSection(engine="flashtalk"))
    with pytest.raises(ConfigError, match="--weights; `broadcaster models pull flashtalk`"):
        render(request, Silent())
    with pytest.raises(ConfigError, match="--weights; `broadcaster models pull flashhead`"):
        render(replace(request, avatar=AvatarSection(engine="flashhead-lite")), Silent())
    with pytest.raises(ConfigError, match="--weights: engine portrait has none"):
        render(replace(request, avatar=AvatarSection(weights=tmp_path)), Silent())


def test_the_label_is_in_every_picture(tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    render(Request(out, audio=beeps(tmp_path, 2 * AIR_HZ), avatar=PATTERN), Silent())
    with av.open(str(out)) as file:
        for frame in file.decode(video=0):
            plate = frame.to_ndarray()[8:26, 8:70]
            assert plate.min() < 90 and plate.max() > 180  # white letters on a dark plate, on grey or white ground


@pytest.mark.parametrize(("suffix", "rate", "channels"), [("wav", 16_000, 1), ("flac", 44_100, 2), ("mp3", 22_050, 2)])
def test_sound_of_any_make_is_read_to_its_end(tmp_path: Path, suffix: str, rate: int, channels: int) -> None:
    path = tmp_path / f"sound.{suffix}"
    tone = (8000 * np.sin(np.arange(2 * rate) * 2 * np.pi * 440 / rate)).astype(np.int16)
    if suffix == "wav":
        wav(path, tone, rate, channels)
    else:
        with av.open(str(path), "w") as file:
            stream = file.add_stream(suffix, rate=rate, layout="stereo")
            sound = av.AudioFrame.from_ndarray(np.repeat(tone, channels).reshape(1, -1), format="s16", layout="stereo")
            sound.sample_rate = rate
            file.mux(stream.encode(sound))
            file.mux(stream.encode(None))
    made = render(Request(tmp_path / "a.mp4", audio=path, avatar=PATTERN), Silent())
    slack = 2400 if suffix == "mp3" else 3  # an mp3 has silence of its coder at its ends
    assert 0 <= made.samples - 2 * AIR_HZ <= slack
    assert made.frames == -(-made.samples // AIR_SAMPLES)


def test_a_text_is_spoken_with_subtitles(tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    progress = Silent()
    made = render(Request(out, text="The mug costs $12.50.", avatar=PORTRAIT), progress)
    assert [what for what, _ in progress.begun] == ["speaking", "drawing", "joining"]
    assert 2 < made.seconds < 6
    with av.open(str(out)) as file:
        shown = [frame.to_ndarray()[330:365, 40:184] for frame in file.decode(video=0)]
    middle = np.abs(shown[len(shown) // 2].astype(int) - shown[0].astype(int)).mean()
    assert middle > 20  # a plate with letters where there was none before the first word


def spoken(request: Request) -> None:
    """Have the speech made and nothing else: a voice does not say the same sentence twice in the same samples."""
    with pytest.raises(KeyboardInterrupt):
        render(request, Silent("drawing", 0.1))


def begun_alike(request: Request, out: Path) -> Request:
    """The same request under another name, with the speech that is there and no pictures."""
    part = Path(shutil.copytree(f"{request.out}.part", f"{out}.part"))
    for made in (*part.glob("0*.mp4"), *part.glob("0*.state")):
        made.unlink()
    return replace(request, out=out)


def test_a_render_that_was_interrupted_equals_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group_s = 2.0
    monkeypatch.setattr("broadcaster.render.footage.GROUP_FRAMES", round(group_s * FPS))
    request = Request(tmp_path / "broken.mp4", text=BRIEF, avatar=PORTRAIT)
    spoken(request)
    whole = begun_alike(request, tmp_path / "whole.mp4")
    once = render(whole, Silent())
    whole_s = once.frames / FPS
    assert whole_s > 2 * group_s
    for stage, at, done in (("drawing", 1.0, 0.0), ("drawing", 3.0, 0.0), ("joining", 1.5, group_s)):
        progress = Silent(stage, at)
        with pytest.raises(KeyboardInterrupt):
            render(request, progress)
        assert progress.begun[0] == ("drawing", done)
        assert not request.out.exists()
    rest = Silent()
    assert render(request, rest) == once
    assert rest.begun == [("drawing", whole_s), ("joining", 0)]
    assert content(request.out) == content(whole.out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.mp4", "whole.mp4"]


@pytest.mark.long
def test_a_kill_costs_no_more_than_the_group_it_hit(tmp_path: Path) -> None:
    script = tmp_path / "talk.md"
    script.write_text(f"# Talk\n\n{TALK}\n")
    out = tmp_path / "a.mp4"
    command = [
        sys.executable,
        "-m",
        "broadcaster.cli",
        "render",
        "--script",
        str(script),
        "--size",
        "224x384",
        str(out),
    ]
    killed = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until(lambda: Path(f"{out}.part", "000000.mp4").exists(), 60, "the first group")
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait(10) == -signal.SIGKILL
    assert not out.exists()
    whole = begun_alike(Request(out, script=script, avatar=PORTRAIT), tmp_path / "b.mp4")
    other = subprocess.run([*command, "--seed", "1"], capture_output=True, text=True, check=False)
    assert other.returncode == 2
    assert "seed 0 → 1" in other.stderr and "--restart" in other.stderr
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "done before" in done.stderr
    render(whole, Silent())
    assert content(out) == content(whole.out)


def test_a_full_disk_is_told_in_a_line_and_what_was_made_is_gone_on_with(tmp_path: Path) -> None:
    sound = beeps(tmp_path, 4 * AIR_HZ)
    script = f'{sys.executable} -m broadcaster.cli render --engine pattern --audio "$0" "$1"'
    words = ["bash", "-c", f"ulimit -f 100; {script}", str(sound), str(tmp_path / "a.mp4")]
    full = subprocess.run(words, capture_output=True, text=True, check=False)
    assert full.returncode == 2
    assert full.stderr.splitlines()[-1].startswith("error: disk: ") and "File too large" in full.stderr
    assert not (tmp_path / "a.mp4").exists()
    words[2] = script
    assert subprocess.run(words, capture_output=True, text=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, ConfigError, "one of --audio FILE"),
        ({"text": "a", "script": Path("b")}, ConfigError, "one of"),
        ({"text": " \n "}, BroadcasterError, "nothing in it that can be said"),
        ({"text": "…?!"}, BroadcasterError, "nothing"),
        ({"audio": Path("missing.wav")}, BadInput, r"missing\.wav"),
        ({"audio": Path(__file__)}, BadInput, "not sound that can be read"),
        ({"text": "a", "avatar": AvatarSection(image=Path("none.png"))}, AvatarError, "no such picture"),
        ({"text": "a", "voice": VoiceSection(name="tlh")}, SpeechError, "tlh"),
        ({"text": "a", "out": Path("a.avi")}, ConfigError, r"must end in \.mp4"),
        ({"text": "a", "out": Path("nowhere/a.mp4")}, ConfigError, "no such directory"),
    ],
)
def test_what_cannot_be_rendered_is_refused_in_words_and_leaves_nothing(
    tmp_path: Path, given: dict[str, object], error: type[Exception], words: str
) -> None:
    out = tmp_path / str(given.pop("out", "a.mp4"))
    with pytest.raises(error, match=words):
        render(Request(out, **given), Silent())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_picture_file_is_no_sound(tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    with av.open(str(silent), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        file.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        file.mux(stream.encode(None))
    with pytest.raises(BadInput, match="no sound in it"):
        render(Request(tmp_path / "a.mp4", audio=silent), Silent())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "protrait"], "--engine: unknown engine"),
        (["--size", "447x768"], "--size: 447 px"),
        (["--size", "big"], "--size: 'big'"),
        (["--rate", "9"], "--rate: "),
        (["--label", " "], "--label: the label must be visible"),
        (["--provider", "siri"], "--provider: unknown provider"),
        (["--provider", "http"], "--provider http: needs the section voice.http of a room; name its file"),
    ],
)
def test_the_command_line_names_the_option_that_is_wrong(tmp_path: Path, options: list[str], words: str) -> None:
    done = typed("render", "--text", "a", *options, str(tmp_path / "a.mp4"))
    assert done.returncode == 2
    assert words in done.stderr
