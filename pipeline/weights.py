"""Weights into networks: strict, tensor by tensor, without a second copy.

In: a model directory or run-time file, and a network on the meta device. Out: the same network with its weights. In
host memory, in the type they are stored in, weights are mapped from the file and take no memory of their own; for
another device or type each tensor is converted as it comes. Headers are checked first, so a file that is cut short,
foreign or of other sizes is refused before a device is touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.headdir import TRANSFORMERS, HeadDir, HeadFile
from pipeline.modeldir import ModelDir, RuntimeFile, Source, opened
from pipeline.models import clip, flashhead, umt5, wav2vec2
from pipeline.models.clip import PictureConfig, PictureEncoder
from pipeline.models.dit import Dit
from pipeline.models.flashhead import FLASHHEAD_LITE, FLASHHEAD_PRO, FlashHead, FlashHeadConfig
from pipeline.models.flashtalk import FlashTalk, FlashTalkConfig
from pipeline.models.ltx_vae import LtxVae, LtxVaeConfig
from pipeline.models.umt5 import TextConfig, TextEncoder
from pipeline.models.wan_vae import WanVae, WanVaeConfig
from pipeline.models.wav2vec2 import Wav2Vec2, Wav2Vec2Config
from pipeline.weightfiles import UnreadableWeights, flat, read_header, torch_tensors

__all__ = ["ModelDir", "RuntimeFile", "Source", "load", "load_network", "made", "opened", "read_manifest"]

MANIFESTS = Path(__file__).parent / "manifests"
NAMED = 3  #: tensors that an error lists by name
_TYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}  #: that weights come in

Adapt = Callable[[str, Tensor], Iterable[tuple[str, Tensor]]]
"""A stored tensor → the parameters it holds; none when the network has no use for it."""


def read_manifest(name: str) -> Mapping[str, Any]:
    """A released file's list of tensors: pipeline/manifests/{name}.json, with `tensors: {name: shape}`."""
    path = MANIFESTS / f"{name}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        known = ", ".join(sorted(one.stem for one in MANIFESTS.glob("*.json")))
        raise ConfigError(f"no manifest {name!r}; there are: {known}") from None
    return found


def made(network: str, config: Mapping[str, Any], **options: Any) -> nn.Module:
    """A network of pipeline.modeldir.NETWORKS or pipeline.headdir.FOLDERS without weights, on the meta device.

    options: of its constructor.
    """
    with torch.device("meta"):
        if network == "dit":
            return FlashTalk(FlashTalkConfig.from_json(config), **options)
        if network in TRANSFORMERS:
            return FlashHead(head_config(network, config), **options)
        if network == "ltx":
            return LtxVae(LtxVaeConfig.from_json(config))
        if network == "vae":
            return WanVae(WanVaeConfig.from_json(config), **options)
        if network == "wav2vec2":
            return Wav2Vec2(Wav2Vec2Config.from_json(config))
        if network == "umt5":
            return TextEncoder(TextConfig.from_json(config))
        return PictureEncoder(PictureConfig.from_json(config))


def head_config(network: str, config: Mapping[str, Any]) -> FlashHeadConfig:
    """Of one of FlashHead's transformers; what a config.json leaves out is as in the released one."""
    return FlashHeadConfig.from_json(config, FLASHHEAD_LITE if network == "lite" else FLASHHEAD_PRO)


def load_network(
    source: Source | HeadDir | HeadFile,
    network: str,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    **options: Any,
) -> nn.Module:
    """One network with its weights, for use. dtype: None keeps each tensor's own."""
    config = source.config(network)
    module = made(network, config, **options)
    if isinstance(module, Dit) and isinstance(source, RuntimeFile | HeadFile):
        module.fuse()
    return load(module, source.files(network), adapter(network, config), dtype, device, source.prefix(network))


def adapter(network: str, config: Mapping[str, Any]) -> Adapt:
    """How tensors of a released file become parameters of our network."""
    if network == "clip":
        return partial(_of_picture, PictureConfig.from_json(config).num_layers)
    if network in TRANSFORMERS:
        return renamed(flashhead.checkpoint_name)
    if network in ("umt5", "wav2vec2"):
        return renamed({"umt5": umt5.checkpoint_name, "wav2vec2": wav2vec2.checkpoint_name}[network])
    return renamed(str)


def renamed(rename: Callable[[str], str | None]) -> Adapt:
    """An `Adapt` that takes each tensor as it is, under another name; None leaves it out."""

    def adapt(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
        if (other := rename(name)) is not None:
            yield other, tensor

    return adapt


def load(
    module: nn.Module,
    files: Sequence[Path],
    adapt: Adapt | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    prefix: str = "",
) -> nn.Module:
    """Give a module on the meta device its weights; returned ready for use, without gradients.

    prefix: only tensors whose name begins so count, and lose it. ConfigError: something is missing, too much, or of
    another shape; UnreadableWeights: a file is cut short or foreign. Both come before a device is touched.
    """
    adapt = adapt or renamed(str)
    wanted = {name: tensor.shape for name, tensor in module.state_dict().items()}
    where = ", ".join(str(path) for path in files[:2]) + (f" and {len(files) - 2} more" if len(files) > 2 else "")
    _check(wanted, _stored(files, adapt, prefix), where)
    state = {}
    for path in files:
        for name, tensor in _tensors(path, prefix):
            for own, part in adapt(name, tensor):
                state[own] = part.to(device, dtype if dtype and part.is_floating_point() else None)
    module.load_state_dict(state, strict=True, assign=True)
    empty = [name for name, buffer in module.named_buffers() if buffer.is_meta]
    if empty:
        raise ConfigError(f"{where}: {type(module).__name__} waits for {empty[0]}, which no file holds")
    return module.requires_grad_(False).eval()


def _of_picture(layers: int, name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The file holds a text half too."""
    if name.startswith(clip.PREFIX):
        yield from clip.adapted(name, tensor, layers)


def _stored(files: Sequence[Path], adapt: Adapt, prefix: str) -> dict[str, torch.Size]:
    """What the files hold for the module, by its own names: shapes only."""
    found = {}
    for path in files:
        for name, stored in read_header(path).tensors.items():
            if name.startswith(prefix):
                for own, part in adapt(name.removeprefix(prefix), torch.empty(stored.shape, device="meta")):
                    found[own] = part.shape
    return found


def _check(wanted: Mapping[str, torch.Size], found: Mapping[str, torch.Size], where: str) -> None:
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    other = [name for name in wanted if name in found and wanted[name] != found[name]]
    said = [f"missing: {_some(missing)}"] * bool(missing) + [f"not of this network: {_some(extra)}"] * bool(extra)
    said += [f"{name} has shape {list(found[name])}, not {list(wanted[name])}" for name in other[:NAMED]]
    if said:
        raise ConfigError(f"{where}: {'; '.join(said)} (`broadcaster models check` lists all)")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _tensors(path: Path, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Mapped from the file, one after the other, without the prefix."""
    if path.suffix == ".safetensors":
        stored = _mapped(path)
    else:
        with path.open("rb") as file:
            beginning = file.read(64)
        stored = iter(flat(path, torch_tensors(path, beginning, onto="cpu")).items())
    for name, tensor in stored:
        if name.startswith(prefix):
            yield name.removeprefix(prefix), tensor


def _mapped(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Of a .safetensors file; what lies where no number of its type may lie is copied."""
    whole = torch.UntypedStorage.from_file(str(path), False, path.stat().st_size)
    for name, stored in read_header(path).tensors.items():
        dtype = _TYPES.get(stored.dtype)
        if dtype is None:
            raise UnreadableWeights(path, f"{name} is {stored.dtype}, not one of {' '.join(_TYPES)}")
        raw = whole[stored.start : stored.start + stored.nbytes]
        if stored.start % dtype.itemsize:
            raw = raw.clone()
        yield name, torch.empty(0, dtype=dtype).set_(raw).view(stored.shape)
