"""A prompt made ready for the text encoder: cleaned, cut into tokens, padded.

In: what a person wrote. Out: ids and mask, int64 [1, length]. Cleaning follows the published one (ftfy's defaults,
HTML entities, white space); text that was decoded wrongly before it came here is not repaired.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pipeline.errors import BadInput, ConfigError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Vocabulary

END = "</s>"
PAD = "<pad>"
_ESCAPES = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]")  # colours of a terminal
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u206a-\u206f\ufeff\ufff9-\ufffc]")
_STRAIGHT = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc", "'") | dict.fromkeys("\u201c\u201d\u201e\u201f", '"')
)
_LIGATURES = str.maketrans(
    {
        mark: unicodedata.normalize("NFKC", mark)
        for mark in "\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06\u0132\u0133\u0149"
    }
)
_WIDTHS = str.maketrans(
    {chr(code): unicodedata.normalize("NFKC", chr(code)) for code in (0x3000, *range(0xFF01, 0xFFF0))}
)


def cleaned(text: str) -> str:
    """Entities resolved, quotes straight, ligatures and wide letters plain, one space between words."""
    text = html.unescape(html.unescape(text))
    text = _CONTROLS.sub("", _ESCAPES.sub("", text))
    text = unicodedata.normalize("NFC", text.translate(_LIGATURES).translate(_WIDTHS).translate(_STRAIGHT))
    return re.sub(r"\s+", " ", text).strip()


class Tokenizer:
    """The tokenizer that lies beside the weights, as `tokenizer.json` in `directory`; read at the first prompt."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "tokenizer.json"

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        from tokenizers import Tokenizer as Vocabulary

        if not self.file.is_file():
            raise ConfigError(f"{self.file}: no such file; it comes with the weights (google/umt5-xxl/tokenizer.json)")
        try:
            vocabulary = Vocabulary.from_file(str(self.file))
        except Exception as error:  # noqa: BLE001  the library raises nothing narrower
            raise ConfigError(f"{self.file}: not a tokenizer: {error}") from None
        for mark in (END, PAD):
            if vocabulary.token_to_id(mark) is None:
                raise ConfigError(f"{self.file}: has no {mark}; this is not the tokenizer of umT5")
        return vocabulary

    def __call__(self, text: str, length: int) -> tuple[Tensor, Tensor]:
        """ids and mask, int64 [1, length]; what is longer is cut, the end mark stays."""
        if not (text := cleaned(text)):
            raise BadInput("prompt: empty; a few words on what is to be seen are needed")
        ids: list[int] = self._vocabulary.encode(text).ids
        end, pad = (int(self._vocabulary.token_to_id(mark) or 0) for mark in (END, PAD))
        ids = [*[one for one in ids if one != end][: length - 1], end]
        mask = [1] * len(ids) + [0] * (length - len(ids))
        return torch.tensor([ids + [pad] * (length - len(ids))]), torch.tensor([mask])
