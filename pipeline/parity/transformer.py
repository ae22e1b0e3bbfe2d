"""How FlashTalk's transformer is run: one forward for each recorded time step.

In: a case's inputs and a seat, alone or beside other ranks. Out: our tensors under the golden names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor

from pipeline import attention
from pipeline.models.flashtalk import FlashTalk, FlashTalkConfig
from pipeline.parallel.strategy import Strategy, make
from pipeline.parity.seat import Given, Made, Seat

HOLDS = "patch_embedding.weight"  #: a tensor that only the transformer's weights hold


def transformer(given: Given) -> Iterator[Made]:
    """One forward at each time step; the stages in between are those of the step that the notes name."""
    net = flashtalk(given)
    audio = given.borrowed("audio_bank")[given["audio_index"]][None]
    said = re.search(r"\bt\[(\d+)\]", str(given.about.get("notes", "")))
    shown = int(said[1]) if said else None
    seen: dict[str, Tensor] = {}
    tokens = given["x"][0].numel() // math.prod(net.config.patch_size)
    context = net.context(given["context"], given["clip_fea"], seen)
    heard = net.hear(audio, seen)
    for index, time in enumerate(given["t"]):
        trace = seen if index == shown else None
        yield Made(f"out.t{index}", net(given["x"], time, given["y"], context, heard, trace))
    yield from (Made(f"inter.{name}", _whole(name, x, given.seat, tokens)) for name, x in seen.items())


def flashtalk(given: Given) -> FlashTalk:
    """Sizes that the published configuration does not name are those of the tensors."""
    kernel = attention.choose(given.seat.device, torch.float32)
    picture, bank = given.borrowed("clip_fea"), given.borrowed("audio_bank")
    shapes = {"picture_dim": picture.shape[-1], "audio_layers": bank.shape[1], "audio_dim": bank.shape[2]}

    def spread(heads: int) -> Strategy | None:
        return None if given.seat.alone else make(given.seat.strategy, heads, kernel)

    def made(config: FlashTalkConfig) -> FlashTalk:
        return FlashTalk(config, spread(config.num_heads), kernel)

    return given.filled(lambda config: made(FlashTalkConfig.from_json({**shapes, **config})), HOLDS)


def _whole(name: str, x: Tensor, seat: Seat, tokens: int) -> Tensor:
    """The stage over all tokens: beside other ranks, each holds a piece of what a block gives."""
    if seat.members is None or not name.startswith("block"):
        return x
    return seat.members.all_gather(x).transpose(0, 1).flatten(1, 2)[:, :tokens]  # [1, world * piece, D] → [1, N, D]
