"""The transformer's blocks live in host memory and come to the GPU one ahead of their use: for GPUs below 64 GB.

In: a FlashTalk whose weights lie in host memory. Out: the same module, which computes on the device with two blocks'
large weights there (0.7 GB each at full size) instead of forty. It changes no number and replaces no forward: hooks
point the parameters of a block at one of two buffers, while the next block's weights are copied into the other.

What is small, or used between the blocks (the sound's keys and values), stays on the device. The projections of text
and picture are used when an avatar is baked and not on air: they are fetched one by one then.

One forward moves 29 GB at full size: 1.2 s at 25 GB/s, which the arithmetic of one step hides or does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pipeline.models.flashtalk import FlashTalk

BELOW_BYTES = 64 * 1000**3  #: of GPU memory: 38 GB of weights, the VAE's work and the cached keys do not fit well
STAY = "audio_cross_attn.kv_linear."
BAKING = ("cross_attn.k.", "cross_attn.v.", "cross_attn.k_img.", "cross_attn.v_img.")
SLOTS = 2  #: one to compute with, one to copy into


def is_wanted(device: torch.device) -> bool:
    """Whether a device is too small to hold the model at full size."""
    return device.type == "cuda" and torch.cuda.get_device_properties(device).total_memory < BELOW_BYTES


def stream(model: FlashTalk, device: torch.device) -> Stream:
    """Make `model`, in host memory, compute on `device`. It must not be moved or loaded again afterwards."""
    blocks = list(model.blocks)
    moving = [_large(block) for block in blocks]
    baking = [block.get_submodule(name.rstrip(".")) for block in blocks for name in BAKING]
    at_home = {id(parameter) for each in moving for parameter in each.values()}
    at_home |= {id(parameter) for linear in baking for parameter in linear.parameters()}
    for parameter in model.parameters():
        if id(parameter) not in at_home:
            parameter.data = parameter.data.to(device)
    for linear in baking:
        _fetch_when_called(linear, device)
    return Stream(blocks, moving, device)


class Stream:
    """Which block's weights are where. One thread; made by `stream`, kept alive by the hooks."""

    def __init__(
        self, blocks: Sequence[nn.Module], weights: Sequence[Mapping[str, nn.Parameter]], device: torch.device
    ) -> None:
        self._weights = weights
        self._home = [{name: _pinned(p.data, device) for name, p in each.items()} for each in weights]
        shapes = self._home[0]
        self._slots = [{name: torch.empty_like(t, device=device) for name, t in shapes.items()} for _ in range(SLOTS)]
        self._on_gpu = device.type == "cuda"
        self._copying = torch.cuda.Stream(device) if self._on_gpu else None
        self._arrived: list[torch.cuda.Event | None] = [None] * SLOTS
        self._used: list[torch.cuda.Event | None] = [None] * SLOTS
        self.inside: list[int | None] = [None] * SLOTS  #: the block whose weights a slot has, or will have soon
        for index, block in enumerate(blocks):
            self._go_home(index)
            block.register_forward_pre_hook(lambda _, __, index=index: self._before(index))
            block.register_forward_hook(lambda _, __, ___, index=index: self._after(index))

    def _before(self, index: int) -> None:
        if index not in self.inside:
            self._fetch(index, 0)
        slot = self._slot_of(index)
        if (event := self._arrived[slot]) is not None:
            torch.cuda.current_stream().wait_event(event)
        for name, parameter in self._weights[index].items():
            parameter.data = self._slots[slot][name]
        following = (index + 1) % len(self._weights)  # after the last one comes the first of the next step
        if following not in self.inside:
            self._fetch(following, 1 - slot)

    def _after(self, index: int) -> None:
        if self._on_gpu:
            event = torch.cuda.Event()
            event.record()
            self._used[self._slot_of(index)] = event
        self._go_home(index)

    def _slot_of(self, index: int) -> int:
        return self.inside.index(index)

    def _go_home(self, index: int) -> None:
        for name, parameter in self._weights[index].items():
            parameter.data = self._home[index][name]

    def _fetch(self, index: int, slot: int) -> None:
        """Begin to copy a block into a slot, once the block that was there has been used."""
        self.inside[slot] = index
        if self._copying is None:
            self._copy(index, slot)
            return
        with torch.cuda.stream(self._copying):
            if (used := self._used[slot]) is not None:
                self._copying.wait_event(used)
            self._copy(index, slot)
            event = torch.cuda.Event()
            event.record(self._copying)
            self._arrived[slot] = event

    def _copy(self, index: int, slot: int) -> None:
        for name, tensor in self._home[index].items():
            self._slots[slot][name].copy_(tensor, non_blocking=True)


def _large(block: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that move: all matrices of a block but those that stay or are for baking."""
    return {
        name: parameter
        for name, parameter in block.named_parameters()
        if parameter.dim() == 2 and not name.startswith((STAY, *BAKING))
    }


def _fetch_when_called(linear: nn.Module, device: torch.device) -> None:
    """Its parameters are on the device while it computes, and nowhere but at home otherwise."""
    home = {name: parameter.data for name, parameter in linear.named_parameters()}

    def before(*_: object) -> None:
        for name, parameter in linear.named_parameters():
            parameter.data = home[name].to(device)

    def after(*_: object) -> None:
        for name, parameter in linear.named_parameters():
            parameter.data = home[name]

    linear.register_forward_pre_hook(before)
    linear.register_forward_hook(after)


def _pinned(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.pin_memory() if device.type == "cuda" else tensor
