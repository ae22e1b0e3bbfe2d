"""Whether a model directory is whole: every file, name, shape and type, by headers alone.

In: a model directory or a run-time file. Out: a `Report`: what was found of each network, and each fault with what
mends it. No weights are read and no device is touched; it takes seconds for the 50 GB of the release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.expected import expected, fused, is_idle, is_released
from pipeline.headdir import TRANSFORMERS, HeadDir, HeadFile, at_file, is_headdir
from pipeline.modeldir import CONFIG, DIT_INDEX, ModelDir, RuntimeFile, read_json
from pipeline.models import wav2vec2
from pipeline.weightfiles import Shape, Stored, UnreadableWeights, read_header

TITLES = {
    "dit": "FlashTalk transformer",
    "pro": "FlashHead transformer, pro",
    "lite": "FlashHead transformer, lite",
    "teacher": "FlashHead transformer, teacher",
    "vae": "Wan 2.1 VAE",
    "ltx": "LTX VAE",
    "wav2vec2": "audio encoder",
    "umt5": "text encoder",
    "clip": "picture encoder",
}
TYPES = ("BF16", "F16", "F32")
TITLE = max(map(len, TITLES.values()))
LISTED = 20  #: faults of one kind and network that are printed for a person


@dataclass(frozen=True, slots=True)
class Fault:
    """kind: config | file | unreadable | foreign | missing | extra | shape | type. tensor: "" when it is no tensor's.

    right: what would be right, "" where nothing more can be said.
    """

    network: str
    kind: str
    file: str
    tensor: str
    text: str
    mend: str
    right: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What was found of a network. released: it has the sizes of the released model."""

    network: str
    files: tuple[str, ...]
    tensors: int
    parameters: int
    gigabytes: float
    types: tuple[str, ...]
    released: bool


@dataclass(frozen=True, slots=True)
class Report:
    path: str
    parts: tuple[Part, ...]
    faults: tuple[Fault, ...]

    @property
    def good(self) -> bool:
        return not self.faults

    def of(self, kind: str) -> list[Fault]:
        return [fault for fault in self.faults if fault.kind == kind]

    def as_json(self) -> dict[str, Any]:
        return {"good": self.good, **asdict(self)}

    def lines(self) -> Iterator[str]:
        """For a person. What is too long for one is whole in `as_json`, and the lines say so."""
        for part in self.parts:
            size = "released size" if part.released else "size of its config.json"
            yield (
                f"ok    {TITLES[part.network]:<{TITLE}} {part.tensors:,} tensors, {part.parameters:,} parameters, "
                f"{part.gigabytes:.2f} GB, {' '.join(part.types)}; {size}"
            )
        shown: dict[tuple[str, str], int] = {}
        for fault in self.faults:
            key = (fault.network, fault.kind)
            shown[key] = shown.get(key, 0) + 1
            if shown[key] <= LISTED:
                yield f"bad   {TITLES.get(fault.network, fault.network):<{TITLE}} {fault.text}"
        for (network, kind), count in shown.items():
            if count > LISTED:
                title = TITLES.get(network, network)
                yield f"bad   {title:<{TITLE}} {kind}: and {count - LISTED} more; --json lists all"
        for mend in dict.fromkeys(fault.mend for fault in self.faults if fault.mend):
            yield f"      -> {mend}"


def check(path: Path, networks: Sequence[str] = ()) -> Report:
    """Of a model directory or run-time file. ConfigError only when there is neither.

    networks: of FlashHead's, where only these are meant.
    """
    if path.is_dir():
        return _Check(HeadDir(path) if networks or is_headdir(path) else ModelDir(path), networks).report()
    if not path.exists():
        raise ConfigError(
            f"{path}: no such directory or file; `broadcaster models pull flashtalk` (or flashhead) fetches the weights"
        )
    try:
        return _Check(HeadFile.at(path) if networks else at_file(path), networks).report()
    except UnreadableWeights as error:
        return Report(str(path), (), (Fault("", "unreadable", str(path), "", str(error), _convert(path)),))


class _Check:
    def __init__(self, source: ModelDir | HeadDir | RuntimeFile | HeadFile, wanted: Sequence[str]) -> None:
        self._source = source
        self._wanted = wanted
        self._faults: list[Fault] = []
        self._parts: list[Part] = []

    def report(self) -> Report:
        for network in self._networks():
            before = len(self._faults)
            part = self._network(network)
            if part is not None and len(self._faults) == before:
                self._parts.append(part)
        if isinstance(self._source, ModelDir):
            tokenizer = self._source.tokenizer_dir / "tokenizer.json"
            if not tokenizer.is_file():
                self._say("umt5", "file", tokenizer, "", f"{tokenizer}: no such file")
        return Report(str(self._source.path), tuple(self._parts), tuple(self._faults))

    def _networks(self) -> list[str]:
        """Those that are meant, or of the release; a teacher is looked at where there is one."""
        if self._wanted:
            return list(self._wanted)
        found = list(self._source.networks)
        if isinstance(self._source, HeadDir) and self._source.home("teacher").is_dir():
            found.append("teacher")
        return found

    def _network(self, network: str) -> Part | None:
        found: dict[str, tuple[Path, Stored]] = {}
        try:
            config = self._source.config(network)
            right = expected(network, config)
            if isinstance(self._source, RuntimeFile | HeadFile) and network in ("dit", *TRANSFORMERS):
                right = fused(right)
            released = is_released(network, config)
            files = self._source.files(network)
        except ConfigError as error:
            file = error.path if isinstance(error, UnreadableWeights) else self._source.config_file(network)
            self._say(network, "config", file, "", str(error))
            return None
        broken = False
        for path in files:
            try:
                header = read_header(path)
            except UnreadableWeights as error:
                broken = True
                self._say(network, "unreadable" if path.exists() else "file", path, "", str(error))
                continue
            prefix = self._source.prefix(network)
            for name, stored in header.tensors.items():
                if name.startswith(prefix):
                    found[name.removeprefix(prefix)] = (path, stored)
        self._compare(network, right, found, files, broken)
        used = [stored for name, (_, stored) in found.items() if not _ignored(network, name, right)]
        return Part(
            network,
            tuple(str(path) for path in files),
            len(used),
            sum(_count(stored.shape) for stored in used),
            round(sum(stored.nbytes for stored in used) / 1e9, 3),
            tuple(sorted({stored.dtype for stored in used})),
            released,
        )

    def _compare(
        self,
        network: str,
        right: Mapping[str, Shape],
        found: Mapping[str, tuple[Path, Stored]],
        files: Sequence[Path],
        broken: bool,
    ) -> None:
        own = {_own_name(network, name): name for name in found if not _ignored(network, name, right)}
        missing = [name for name in right if name not in own]
        if not broken and len(missing) * 2 > len(right):
            self._foreign(network, right, found, files)
            return
        for name in missing:
            place = self._place(network, name) or files[-1]
            if not place.exists() or self._is_unreadable(place):
                continue  # told of already, with the whole file
            self._say(network, "missing", place, name, f"{place.name}: {name} is missing", str(list(right[name])))
        for name, stored_name in own.items():
            path, stored = found[stored_name]
            if name not in right:
                text = f"{path.name}: {stored_name} {list(stored.shape)} does not belong to this network"
                self._say(network, "extra", path, stored_name, text)
                continue
            if stored.shape != right[name]:
                text = f"{path.name}: {stored_name} has shape {list(stored.shape)}, not {list(right[name])}"
                self._say(network, "shape", path, stored_name, text, str(list(right[name])))
            if stored.dtype not in TYPES:
                text = f"{path.name}: {stored_name} is {stored.dtype}, not one of {' '.join(TYPES)}"
                self._say(network, "type", path, stored_name, text, " ".join(TYPES))

    def _foreign(
        self,
        network: str,
        right: Mapping[str, Shape],
        found: Mapping[str, tuple[Path, Stored]],
        files: Sequence[Path],
    ) -> None:
        """Most tensors are not there: this is another file, and to list them all would hide that."""
        names = ", ".join(path.name for path in files[:3])
        have = sum(_own_name(network, name) in right for name in found)
        text = f"{names}: not the {TITLES[network]}: {have} of its {len(right):,} tensors are there"
        if _looks_like(network, found):
            text += f"; it looks like one of another size than {CONFIG} says"
        elif other := next((TITLES[other] for other in self._source.networks if _looks_like(other, found)), ""):
            text += f"; it looks like the {other}"
        elif found:
            text += f"; it holds {next(iter(found))}"
        self._say(network, "foreign", files[0], "", text)

    def _place(self, network: str, name: str) -> Path | None:
        """Where the index of a sharded file says that a tensor lies."""
        index = self._source.path / DIT_INDEX
        if network != "dit" or not isinstance(self._source, ModelDir) or not index.exists():
            return None
        file = read_json(index)["weight_map"].get(name)
        return None if file is None else self._source.path / str(file)

    def _is_unreadable(self, path: Path) -> bool:
        return any(fault.file == str(path) for fault in self._faults if fault.kind == "unreadable")

    def _say(self, network: str, kind: str, file: Path, tensor: str, text: str, right: str = "") -> None:
        self._faults.append(Fault(network, kind, str(file), tensor, text, self._mend(network, file), right))

    def _mend(self, network: str, file: Path) -> str:
        if isinstance(self._source, RuntimeFile | HeadFile):
            return _convert(self._source.path)
        if network == "teacher":
            return "no pull fetches a teacher: mend it by hand, or remove its folder"
        repository, home = self._source.repository(network)
        name = file.relative_to(home) if file.is_relative_to(home) else file
        first = f"remove {file}, then " if file.exists() else ""
        where = f"`broadcaster models pull {self._source.model} --to {self._source.path}`"
        return f"{first}{where} fetches {name} from {repository}"


def _convert(path: Path) -> str:
    return f"`broadcaster models convert MODEL_DIRECTORY -o {path}` makes it again"


def _own_name(network: str, name: str) -> str:
    return (wav2vec2.checkpoint_name(name) or name) if network == "wav2vec2" else name


def _ignored(network: str, name: str, right: Mapping[str, Shape]) -> bool:
    """A tensor that the released file holds too, and that nothing computes with."""
    if network == "wav2vec2":
        return wav2vec2.checkpoint_name(name) is None
    return name not in right and is_idle(network, name)


_MARKS: Mapping[str, Callable[[str], bool]] = {
    "dit": lambda name: name.startswith("blocks.0.self_attn.") or "transformer_blocks.0." in name,
    "vae": lambda name: name.startswith("decoder.upsamples."),
    "wav2vec2": lambda name: "feature_extractor.conv_layers." in name,
    "umt5": lambda name: name.startswith("blocks.0.pos_embedding."),
    "clip": lambda name: name.startswith("visual.transformer."),
    "ltx": lambda name: name.startswith("decoder.up_blocks."),
    **dict.fromkeys(TRANSFORMERS, lambda name: name.startswith("blocks.0.self_attn.")),
}


def _looks_like(network: str, found: Mapping[str, object]) -> bool:
    return any(_MARKS[network](name) for name in found)


def _count(shape: Shape) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
