"""sherpa-onnx inside this process: a sentence in, pieces of speech out, by a model on this machine's disk.

In: plain text. Out: speech as the model makes it, clause by clause; no marks, it tells none. The model is loaded in the
thread that speaks, at the first sentence, which may be late and spoken by the next provider; one sentence is made at a
time. A consumer that stops iterating stops it at the end of its clause. Models: tts.sherpa_model.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Pcm
from pipeline.errors import BadInput, SpeechError, UnknownVoice
from tts.inthread import HandOver, pieces
from tts.pcm import Speech
from tts.settings import SherpaSettings
from tts.sherpa_model import Model, described, digest
from tts.synthesizer import Piece, Voice

EXTRA = "pip install 'broadcaster[sherpa]'"
WAIT_S = 60.0  #: for a clause, or for a model to load from a slow disk; beyond, the thread is lost
GO_ON, STOP = 1, 0  # what the library wants to hear
FULL = 32_767
ALIASES = {"cmn": "zh", "yue": "zh"}
WITHOUT_ESPEAK = 2  # from this major version on the library reads no espeak-ng-data

Told = Callable[[npt.NDArray[np.float32], float], int]


class Engine(Protocol):
    """A loaded model, as sherpa_onnx.OfflineTts has it."""

    sample_rate: int
    num_speakers: int

    def generate(self, text: str, sid: int = 0, speed: float = 1.0, callback: Told | None = None) -> Any:
        """Speak; `callback` is told of each clause's samples, and how far it is."""


class SherpaSynthesizer:
    """Speaks in one voice whatever is asked for, in the languages of its settings."""

    remote = False

    def __init__(self, settings: SherpaSettings) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sherpa")
        self._engine: Engine | None = None  # of the thread
        self.version = f"1 {digest(Path(settings.model_dir))} {settings.speaker}"

    async def speak(self, sentence: str, voice: Voice) -> AsyncGenerator[Piece, None]:
        self._check_language(voice.name)
        spoken = pieces(
            self._thread, lambda hand_over, stop: self._say(sentence, voice.rate, hand_over, stop), "sherpa", WAIT_S
        )
        try:
            async for piece in spoken:
                yield piece
        finally:
            await spoken.aclose()  # now, not when it is collected

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown, wait=False, cancel_futures=True)

    def _check_language(self, name: str) -> None:
        language = name.replace("_", "-").partition("-")[0].partition("+")[0].lower()
        languages = self._settings.languages
        if languages and language not in languages and ALIASES.get(language) not in languages:
            raise UnknownVoice(f"sherpa: {name[:60]!r} is none of {', '.join(languages)} (voice.sherpa.languages)")

    # ── in the thread ────────────────────────────────────────────────────────────────────────────

    def _say(self, text: str, rate: float, hand_over: HandOver, stop: threading.Event) -> None:
        if stop.is_set():
            return
        try:
            engine = self._loaded()
        except BadInput as error:
            raise SpeechError(f"sherpa: {error}") from error
        speech = Speech(engine.sample_rate)
        told = 0

        def take(samples: npt.NDArray[np.float32], _progress: float) -> int:
            nonlocal told
            told += len(samples)
            hand_over(speech.feed(_pcm(samples)))
            return STOP if stop.is_set() else GO_ON

        try:
            made = engine.generate(text, sid=self._settings.speaker, speed=rate, callback=take)
        except (RuntimeError, ValueError) as error:
            raise SpeechError(f"sherpa: {error}") from error
        if not stop.is_set():
            whole = np.asarray(made.samples, np.float32)
            hand_over(speech.feed(_pcm(whole[told:])))  # what it made without telling
            hand_over(speech.end())

    def _loaded(self) -> Engine:
        if self._engine is None:
            engine = load(described(Path(self._settings.model_dir)), self._settings.threads)
            speaker = self._settings.speaker
            if engine.num_speakers and speaker >= engine.num_speakers:
                raise BadInput(f"speaker {speaker}: the model has {engine.num_speakers}, counted from 0")
            self._engine = engine
        return self._engine


def load(model: Model, threads: int) -> Engine:
    """Load a model, which takes seconds; BadInput when the library is not there, or does not take the model."""
    try:
        import sherpa_onnx
    except ImportError as error:
        raise BadInput(f"sherpa-onnx is not installed ({error}): {EXTRA}") from error
    if not model.lexicon and int(sherpa_onnx.__version__.partition(".")[0]) >= WITHOUT_ESPEAK:
        raise BadInput(
            f"{Path(model.model).parent}: has no lexicon.txt, and sherpa-onnx {sherpa_onnx.__version__} reads no "
            f"espeak-ng-data; a version below {WITHOUT_ESPEAK} does: {EXTRA}"
        )
    common = {"tokens": model.tokens, "data_dir": model.data_dir}
    if model.lexicon and not (model.kind == "kitten" and model.data_dir):  # of old, kitten had none
        common["lexicon"] = model.lexicon
    if model.dict_dir:
        common["dict_dir"] = model.dict_dir
    kinds: dict[str, Callable[[], Any]] = {
        "vits": lambda: sherpa_onnx.OfflineTtsVitsModelConfig(model=model.model, **common),
        "kokoro": lambda: sherpa_onnx.OfflineTtsKokoroModelConfig(model=model.model, voices=model.voices, **common),
        "kitten": lambda: sherpa_onnx.OfflineTtsKittenModelConfig(model=model.model, voices=model.voices, **common),
        "matcha": lambda: sherpa_onnx.OfflineTtsMatchaModelConfig(
            acoustic_model=model.model, vocoder=model.vocoder, **common
        ),
    }
    try:
        made = kinds[model.kind]()
        config = sherpa_onnx.OfflineTtsConfig(
            model=sherpa_onnx.OfflineTtsModelConfig(num_threads=threads, provider="cpu", **{model.kind: made}),
            rule_fsts=model.rule_fsts,
            rule_fars=model.rule_fars,
            max_num_sentences=1,
        )
        if not config.validate():
            raise BadInput(f"{model.model}: sherpa-onnx does not take it as a {model.kind} model; its words are above")
        engine: Engine = sherpa_onnx.OfflineTts(config)
    except (RuntimeError, TypeError, ValueError) as error:
        raise BadInput(f"{model.model}: {error}") from error
    return engine


def _pcm(samples: npt.NDArray[np.float32]) -> Pcm:
    """-1 … 1 → int16; the samples are copied: the library takes its memory back."""
    return np.rint(np.clip(np.nan_to_num(samples), -1.0, 1.0) * FULL).astype(np.int16)
