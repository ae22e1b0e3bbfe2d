"""How the transformers are run: one forward for each recorded time step.

In: a case's inputs and a seat, alone or beside other ranks. Out: our tensors under the golden names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from pipeline import attention
from pipeline.models.dit import Dit
from pipeline.models.flashhead import RELEASED_TIMES, FlashHead, FlashHeadConfig, checkpoint_name
from pipeline.models.flashtalk import FlashTalk, FlashTalkConfig
from pipeline.parallel.strategy import Strategy, make
from pipeline.parity.seat import Given, Made, Seat

HOLDS = "patch_embedding.weight"  #: a tensor that only the transformer's weights hold


def transformer(given: Given) -> Iterator[Made]:
    """One forward at each time step; the stages in between are those of the step that the notes name."""
    net = flashtalk(given)
    seen: dict[str, Tensor] = {}
    context = net.context(given["context"], given["clip_fea"], seen)
    heard = net.hear(_audio(given), seen)
    shown = _shown(given)
    for index, time in enumerate(given["t"]):
        trace = seen if index == shown else None
        yield Made(f"out.t{index}", net(given["x"], time, given["y"], context, heard, trace))
    tokens = _count(given["x"], net)
    yield from (Made(f"inter.{name}", _whole(name, x, given.seat, tokens)) for name, x in seen.items())


def speaker(given: Given) -> Iterator[Made]:
    """FlashHead's, at the time steps and at the same ones rounded as its released weights are told them."""
    net = flashhead(given)
    x, y = given["x"][0], given["y"]
    seen: dict[str, Tensor] = {}
    heard = net.hear(_audio(given), seen)
    shown = _shown(given)
    for index, time in enumerate(given["t"]):
        yield Made(f"out.t{index}", net(x, time, y, None, heard, seen if index == shown else None))
    yield Made("t_rounded", given["t"].to(RELEASED_TIMES).float())
    told = flashhead(given, RELEASED_TIMES)
    for name in list(given):
        if found := re.fullmatch(r"out_rounded_t\.t(\d+)", name):
            yield Made(name, told(x, given["t"][int(found[1])], y, None, heard))
    tokens = _count(x, net)
    for name, stage in seen.items():
        whole = _whole(name, stage, given.seat, tokens)
        if f"inter.{name}" in given:
            yield Made(f"inter.{name}", whole.reshape(given.golden[f"inter.{name}"].shape))


def flashtalk(given: Given) -> FlashTalk:
    """Sizes that the published configuration does not name are those of the tensors."""
    kernel = attention.choose(given.seat.device, torch.float32)
    picture, bank = given.borrowed("clip_fea"), given.borrowed("audio_bank")
    shapes = {"picture_dim": picture.shape[-1], "audio_layers": bank.shape[1], "audio_dim": bank.shape[2]}

    def made(config: FlashTalkConfig) -> FlashTalk:
        return FlashTalk(config, _spread(given.seat, config.num_heads, kernel), kernel)

    return given.filled(lambda config: made(FlashTalkConfig.from_json({**shapes, **config})), HOLDS)


def flashhead(given: Given, times: torch.dtype | None = None) -> FlashHead:
    """times: see `FlashHead`."""
    kernel = attention.choose(given.seat.device, torch.float32)

    def made(config: FlashHeadConfig) -> FlashHead:
        return FlashHead(config, _spread(given.seat, config.num_heads, kernel), kernel, times)

    def used(key: str, tensor: Tensor) -> Iterable[tuple[str, Tensor]]:
        if (name := checkpoint_name(key)) is not None:
            yield name, tensor

    return given.filled(lambda config: made(FlashHeadConfig.from_json(config)), HOLDS, used)


def _spread(seat: Seat, heads: int, kernel: attention.Kernel) -> Strategy | None:
    return None if seat.alone else make(seat.strategy, heads, kernel)


def _audio(given: Given) -> Tensor:
    return given.borrowed("audio_bank")[given["audio_index"]][None]


def _shown(given: Given) -> int | None:
    """The time step whose stages are recorded."""
    said = re.search(r"\bt\[(\d+)\]", str(given.about.get("notes", "")))
    return int(said[1]) if said else None


def _count(x: Tensor, net: Dit) -> int:
    """Tokens of a latent [C, T, h, w]."""
    return x[0].numel() // math.prod(net.config.patch_size)


def _whole(name: str, x: Tensor, seat: Seat, tokens: int) -> Tensor:
    """The stage over all tokens: beside other ranks, each holds a piece of what a block gives."""
    if seat.members is None or not name.startswith("block"):
        return x
    return seat.members.all_gather(x).transpose(0, 1).flatten(1, 2)[:, :tokens]  # [1, world * piece, D] → [1, N, D]
