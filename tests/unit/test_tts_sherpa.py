"""sherpa-onnx behind a module of the same signatures: what lies in a directory, and what becomes of its speech."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pipeline.errors import BadInput, SpeechError, UnknownVoice
from tts.pcm import joined
from tts.settings import SherpaSettings
from tts.sherpa import SherpaSynthesizer
from tts.sherpa_model import described, digest
from tts.synthesizer import Voice

RATE_HZ = 22_050


@dataclass
class Library:
    """What a test wants of it, and what it was given."""

    clauses: int = 3
    fails: str = ""
    tells: bool = True
    configs: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, int, float]] = field(default_factory=list)
    told: list[int] = field(default_factory=list)


def module(library: Library, version: str) -> ModuleType:
    """Signatures as in sherpa_onnx 1.13.8, whose arguments are checked as strictly."""
    made: Any = ModuleType("sherpa_onnx")
    made.__version__ = version

    def model(*names: str) -> Callable[..., dict[str, str]]:
        def config(**given: str) -> dict[str, str]:
            if unknown := set(given) - set(names):
                raise TypeError(f"incompatible constructor arguments: {unknown}")
            return given

        return config

    class Config:
        def __init__(self, model: Any, rule_fsts: str, rule_fars: str, max_num_sentences: int) -> None:
            library.configs.append({"model": model, "rule_fsts": rule_fsts, "rule_fars": rule_fars})

        def validate(self) -> bool:
            return library.fails != "invalid"

    class Tts:
        sample_rate, num_speakers = RATE_HZ, 4

        def __init__(self, config: Config) -> None:
            if library.fails == "broken":
                raise RuntimeError("Load model failed:Protobuf parsing failed.")

        def generate(self, text: str, sid: int = 0, speed: float = 1.0, callback: Any = None) -> Any:
            library.asked.append((text, sid, speed))
            parts = []
            for clause in range(library.clauses):
                at = np.arange(RATE_HZ // 2) / RATE_HZ
                parts.append((0.5 * np.abs(np.sin(8 * at)) * np.sin(1200 * at)).astype(np.float32))
                if library.tells:
                    library.told.append(callback(parts[-1], (clause + 1) / library.clauses))
                    if not library.told[-1]:
                        break
            made = ModuleType("audio")
            made.samples = np.concatenate([np.zeros(0, np.float32), *parts])  # type: ignore[attr-defined]
            return made

    common = ("model", "lexicon", "tokens", "data_dir", "length_scale")
    made.OfflineTtsVitsModelConfig = model(*common, "dict_dir", "noise_scale", "noise_scale_w")
    made.OfflineTtsKokoroModelConfig = model(*common, "voices", "dict_dir", "lang")
    made.OfflineTtsKittenModelConfig = model("model", "voices", "tokens", "data_dir", "length_scale")
    made.OfflineTtsMatchaModelConfig = model(
        "acoustic_model", "vocoder", "lexicon", "tokens", "data_dir", "dict_dir", "noise_scale", "length_scale"
    )
    made.OfflineTtsModelConfig = model("vits", "matcha", "kokoro", "kitten", "num_threads", "debug", "provider")
    made.OfflineTtsConfig, made.OfflineTts = Config, Tts
    return made


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setitem(sys.modules, "sherpa_onnx", module(made, "1.13.8"))
    return made


FILES = {
    "vits": ("model.onnx", "tokens.txt", "lexicon.txt", "phone.fst", "date.fst"),
    "matcha": ("model-steps-3.onnx", "vocos-22khz-univ.onnx", "tokens.txt", "espeak-ng-data/phontab"),
    "kokoro": ("model.onnx", "voices.bin", "tokens.txt", "lexicon-us-en.txt", "lexicon-gb-en.txt", "lexicon-zh.txt"),
    "kitten": ("model.fp16.onnx", "voices.bin", "tokens.txt", "espeak-ng-data/phontab"),
}


def directory(parent: Path, kind: str, but: str = "") -> Path:
    for name in FILES[kind]:
        if name != but:
            path = parent / "model" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"kitten-tts" if kind == "kitten" else b"")
    return parent / "model"


async def said(where: Path, voice: Voice = Voice("en"), **settings: Any) -> Any:  # noqa: B008
    provider = SherpaSynthesizer(SherpaSettings(str(where), **settings))
    try:
        return joined([piece async for piece in provider.speak("Hello. How are you? Well.", voice)])
    finally:
        await provider.close()


@pytest.mark.parametrize("kind", FILES)
async def test_each_kind_of_model_is_told_by_its_files_and_speaks(library: Library, tmp_path: Path, kind: str) -> None:
    where = directory(tmp_path, kind)
    assert described(where).kind == kind
    piece = await said(where, Voice("en", 1.25), speaker=2)
    assert library.asked == [("Hello. How are you? Well.", 2, 1.25)]
    assert abs(len(piece.air) - 1.5 * 48_000) < 500 and len(piece.air) == 3 * len(piece.drive)
    (config,) = library.configs
    assert list(config["model"]) == ["num_threads", "provider", kind]


def test_rules_and_lexicons_are_handed_over_in_order(tmp_path: Path) -> None:
    vits = described(directory(tmp_path / "a", "vits"))
    assert [Path(one).name for one in vits.rule_fsts.split(",")] == ["date.fst", "phone.fst"]
    kokoro = described(directory(tmp_path / "b", "kokoro"))
    assert [Path(one).name for one in kokoro.lexicon.split(",")] == ["lexicon-us-en.txt", "lexicon-zh.txt"]


@pytest.mark.parametrize(
    ("kind", "missing", "words"),
    [
        ("vits", "model.onnx", "no model"),
        ("vits", "tokens.txt", "tokens.txt: not there"),
        ("vits", "lexicon.txt", "neither espeak-ng-data/ nor lexicon.txt"),
        ("matcha", "vocos-22khz-univ.onnx", "no vocoder"),
    ],
)
def test_a_missing_file_is_named_and_where_it_comes_from(tmp_path: Path, kind: str, missing: str, words: str) -> None:
    with pytest.raises(BadInput, match=rf"{words}.*k2-fsa/sherpa-onnx/releases"):
        described(directory(tmp_path, kind, missing))


async def test_no_directory_is_an_error_of_the_voice(library: Library, tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=r"sherpa: .*no such directory; unpack"):
        await said(tmp_path / "nowhere")
    assert digest(tmp_path / "nowhere") == ""


@pytest.mark.parametrize(
    ("fails", "words"), [("broken", "Protobuf parsing failed"), ("invalid", "does not take it as a vits model")]
)
async def test_a_model_that_cannot_be_loaded_is_an_error_of_the_voice(
    library: Library, tmp_path: Path, fails: str, words: str
) -> None:
    library.fails = fails
    with pytest.raises(SpeechError, match=f"sherpa: .*{words}"):
        await said(directory(tmp_path, "vits"))


async def test_a_library_that_is_not_there_is_told_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sherpa_onnx", None)
    with pytest.raises(SpeechError, match=r"not installed.*pip install 'broadcaster\[sherpa\]'"):
        await said(directory(tmp_path, "vits"))


async def test_a_model_that_needs_espeak_is_refused_where_the_library_lacks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sherpa_onnx", module(Library(), "2.0.1"))
    with pytest.raises(SpeechError, match=r"has no lexicon\.txt, and sherpa-onnx 2\.0\.1 reads no espeak-ng-data"):
        await said(directory(tmp_path, "matcha"))


async def test_what_is_made_without_telling_is_heard_as_well(library: Library, tmp_path: Path) -> None:
    library.tells = False
    piece = await said(directory(tmp_path, "vits"))
    assert abs(len(piece.air) - 1.5 * 48_000) < 500


async def test_nothing_is_an_error_and_so_is_a_speaker_that_is_not_there(library: Library, tmp_path: Path) -> None:
    where = directory(tmp_path, "vits")
    with pytest.raises(SpeechError, match="speaker 4: the model has 4"):
        await said(where, speaker=4)
    library.clauses = 0
    with pytest.raises(SpeechError, match="sherpa: no sound"):
        await said(where)


async def test_a_language_that_the_model_lacks_is_left_to_the_next_provider(library: Library, tmp_path: Path) -> None:
    where = directory(tmp_path, "vits")
    with pytest.raises(UnknownVoice, match="'fr-FR-DeniseNeural' is none of zh, en"):
        await said(where, Voice("fr-FR-DeniseNeural"), languages=("zh", "en"))
    await said(where, Voice("zh-CN-XiaoxiaoNeural"), languages=("zh", "en"))


async def test_a_consumer_that_stops_ends_the_sentence(library: Library, tmp_path: Path) -> None:
    library.clauses = 2000
    provider = SherpaSynthesizer(SherpaSettings(str(directory(tmp_path, "vits"))))
    async with aclosing(provider.speak("Hello.", Voice("en"))) as pieces:
        await anext(pieces)
    async with aclosing(provider.speak("Again.", Voice("en"))) as pieces:
        await anext(pieces)
    await provider.close()
    assert 0 in library.told, "the first one was told to stop"
