"""What lies in a model directory of sherpa-onnx: its kind, by the files in it, and which file is what.

In: a directory as it comes out of an archive of https://github.com/k2-fsa/sherpa-onnx/releases/tag/tts-models. Out: a
`Model`; BadInput names the file that is missing. Nothing is loaded, and the library is not needed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.errors import BadInput

SOURCE = "unpack an archive of https://github.com/k2-fsa/sherpa-onnx/releases/tag/tts-models there"
VOCODERS = ("vocos", "hifigan", "vocoder")  # a file whose name begins so belongs to a matcha model
TOKENS, VOICES, DATA, DICT = "tokens.txt", "voices.bin", "espeak-ng-data", "dict"
US, GB = "lexicon-us-en.txt", "lexicon-gb-en.txt"  # of kokoro: one of them
KITTEN = b"kitten"
TAIL_BYTES = 1 << 16  # of a model, where ONNX keeps what it says of itself

Kind = Literal["vits", "matcha", "kokoro", "kitten"]


@dataclass(frozen=True, slots=True)
class Model:
    """Paths as sherpa-onnx takes them; "" = there is none. lexicon and rules: several are separated by commas."""

    kind: Kind
    model: str
    tokens: str
    voices: str = ""
    vocoder: str = ""
    lexicon: str = ""
    data_dir: str = ""
    dict_dir: str = ""
    rule_fsts: str = ""
    rule_fars: str = ""


def described(directory: Path) -> Model:
    """BadInput when it is none, or a file is missing."""
    if not directory.is_dir():
        raise BadInput(f"{directory}: no such directory; {SOURCE}")
    models = sorted(directory.glob("*.onnx"), key=lambda path: ("int8" in path.name, path.name))
    vocoders = [path for path in models if path.name.startswith(VOCODERS)]
    acoustic = [path for path in models if path not in vocoders]
    if not acoustic:
        raise BadInput(f"{directory}: no model (*.onnx) in it; {SOURCE}")
    lexicons = sorted(path.name for path in directory.glob("lexicon*.txt"))
    if US in lexicons and GB in lexicons:
        lexicons.remove(GB)
    kind = _kind(directory, acoustic[0], bool(vocoders))
    needed = [TOKENS, *([VOICES] if kind in ("kokoro", "kitten") else [])]
    for name in needed:
        if not (directory / name).is_file():
            raise BadInput(f"{directory / name}: not there, and a {kind} model needs it; {SOURCE}")
    if kind == "matcha" and not vocoders:
        raise BadInput(
            f"{directory}: no vocoder (vocos-*.onnx or hifigan_*.onnx), and a matcha model needs one beside it: "
            "https://github.com/k2-fsa/sherpa-onnx/releases/tag/vocoder-models"
        )
    if not lexicons and not (directory / DATA).is_dir():
        raise BadInput(f"{directory}: neither {DATA}/ nor lexicon.txt in it, so words cannot be read; {SOURCE}")
    return Model(
        kind,
        str(acoustic[0]),
        str(directory / TOKENS),
        voices=str(directory / VOICES) if VOICES in needed else "",
        vocoder=str(vocoders[0]) if kind == "matcha" else "",
        lexicon=",".join(str(directory / name) for name in lexicons),
        data_dir=_if_there(directory / DATA),
        dict_dir=_if_there(directory / DICT),
        rule_fsts=_listed(directory, "*.fst"),
        rule_fars=_listed(directory, "*.far"),
    )


def digest(directory: Path) -> str:
    """Of names and sizes of its files: another model sounds otherwise. "" when it cannot be read."""
    try:
        files = sorted((path.name, path.stat().st_size) for path in directory.iterdir() if path.is_file())
    except OSError:
        return ""
    return hashlib.sha256(repr(files).encode()).hexdigest()[:16]


def _kind(directory: Path, model: Path, has_vocoder: bool) -> Kind:
    if has_vocoder or model.name.startswith("model-steps"):
        return "matcha"
    if (directory / VOICES).exists() or "kokoro" in directory.name.lower():
        return "kitten" if _is_kitten(directory, model) else "kokoro"
    return "kitten" if KITTEN.decode() in directory.name.lower() else "vits"


def _is_kitten(directory: Path, model: Path) -> bool:
    """The files of both are called alike; the model itself says what it is."""
    if KITTEN.decode() in directory.name.lower():
        return True
    try:
        with model.open("rb") as file:
            file.seek(max(0, model.stat().st_size - TAIL_BYTES))
            return KITTEN in file.read().lower()
    except OSError as error:
        raise BadInput(f"{model}: {error.strerror}") from error


def _if_there(path: Path) -> str:
    return str(path) if path.is_dir() else ""


def _listed(directory: Path, pattern: str) -> str:
    return ",".join(str(path) for path in sorted(directory.glob(pattern)))
