"""The configuration: one tree, loaded once, checked whole, passed down by sections.

In: a YAML file. Out: a frozen `Config`, or ConfigError naming file, field, what is wrong and what
would be right; an unknown key names the nearest right one. Secrets may be written as `${NAME}`: they
come from systemd credentials ($CREDENTIALS_DIRECTORY/NAME), the environment, or `${file:PATH}`.
Every key, its unit and its consequence: configs/reference.yaml.
"""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator

from broadcaster import outputs_kept
from broadcaster.config_alarms import AlarmsSection
from broadcaster.config_chat import (
    ChatSection,
    ConnectorSection,
    KnowledgeSection,
    LlmSection,
    ProactiveSection,
)
from broadcaster.config_evidence import EvidenceSection
from broadcaster.config_guard import GuardSection
from broadcaster.config_outputs import OutputSection
from broadcaster.config_rewrite import RewriteSection
from broadcaster.config_schedule import JOBS_MAX, JobSection
from broadcaster.config_voice import HttpSection, SherpaSection, VoiceSection
from broadcaster.handmade import Kept, laid_over
from broadcaster.names import PREVIEW, PROBE
from broadcaster.references import resolved
from broadcaster.section import Section
from broadcaster.tiers import MEMORY_MAX_GB, RANKS_MAX, SHARED, STEPS_MAX, TierSection, encodable, faults
from broadcaster.wording import worded
from pipeline.crop import Crop
from pipeline.engine import ENGINES, MADE_FOR_STEPS, MODELS, OF_SOME
from pipeline.errors import ConfigError
from pipeline.follower import RANKED

ROOM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
TOKEN_MIN_CHARS = 16
ROOMS = "rooms"  # the key by which the file of a house is known (broadcaster.config_house)


S = TypeVar("S", bound=Section)


class EngineSection(Section):
    """What an engine is made with, whatever it draws."""

    engine: str = "portrait"
    weights: Path | dict[str, Path] | None = None
    ranks: int | str = 1
    device: Literal["auto", "cuda", "cpu"] = "auto"
    strategy: Literal["auto", "ulysses", "ring", "usp"] = "auto"
    attention: Literal["exact", "sage"] = "exact"
    offload: bool | None = None
    steps: int = Field(default=4, ge=1, le=STEPS_MAX)
    prompt: str = Field(default="", max_length=2000)

    @model_validator(mode="before")
    @classmethod
    def _as_made_for(cls, given: Any) -> Any:
        """The steps that an engine was made for, where none are given."""
        engine = given.get("engine") if isinstance(given, dict) else None
        if not isinstance(engine, str) or engine not in MADE_FOR_STEPS:
            return given
        return {"steps": MADE_FOR_STEPS[engine], **given}

    @field_validator("weights", mode="before")
    @classmethod
    def _by_model(cls, given: Any) -> Any:
        """One place, or one for each model."""
        models = sorted(set(MODELS.values()))
        if isinstance(given, dict):
            if foreign := [name for name in given if name not in models]:
                raise ValueError(f"there is no model {foreign[0]!r}; choose from {', '.join(models)}")
            places = list(given.values())
        else:
            places = [] if given is None else [given]
        if not all(isinstance(place, str | Path) for place in places):
            raise ValueError("write a directory or file, or one for each model, as {flashtalk: models/flashtalk}")
        return given

    @field_validator("ranks")
    @classmethod
    def _countable(cls, ranks: int | str) -> int | str:
        number = int(ranks) if str(ranks).isdigit() else 0
        if ranks != "auto" and not 1 <= number <= RANKS_MAX:
            raise ValueError(f"write a number from 1 to {RANKS_MAX}, or auto for as many as there are GPUs")
        return ranks if ranks == "auto" else number

    def weights_of(self, engine: str) -> Path | None:
        """Where an engine's weights lie; None where nothing is said of them."""
        if isinstance(self.weights, dict):
            return self.weights.get(MODELS.get(engine, engine))
        return self.weights

    def options(self, tier: str = "") -> dict[str, Any]:
        """What an engine with weights is made with, in words; the weights are an absolute path.

        tier: the engine of a tier, "" = the room's own. What is meant for another engine is not told to a tier's.
        """
        engine = tier or self.engine
        weights = self.weights_of(engine)
        told = {
            "weights": str(weights.resolve()) if weights else "",
            "device": self.device,
            "strategy": self.strategy,
            "steps": self.steps,
            "sage": self.attention == "sage",
            "offload": self.offload,
            **({"prompt": self.prompt} if self.prompt else {}),
        }
        if engine == self.engine:
            return told
        return {key: value for key, value in told.items() if engine in OF_SOME.get(key, (engine,))}


class AvatarSection(EngineSection):
    image: Path | None = None
    persons: Path | None = None
    size: tuple[int, int] = (448, 768)
    crop: Crop = "none"
    seed: int = Field(default=0, ge=0, lt=2**31)
    memory_gb: float | None = Field(default=None, gt=0, le=MEMORY_MAX_GB)
    tiers: tuple[TierSection, ...] | None = None
    rtf_max: float = Field(default=1.0, gt=0, le=1000)

    @field_validator("engine")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in (*ENGINES, SHARED):
            raise ValueError(f"unknown engine {name!r}; choose from {', '.join(ENGINES)}, or {SHARED} in a house")
        return name

    @field_validator("size")
    @classmethod
    def _encodable(cls, size: tuple[int, int]) -> tuple[int, int]:
        return encodable(size)

    @model_validator(mode="after")
    def _lighter(self) -> AvatarSection:
        if wrong := faults(self):
            raise ValueError("; ".join(wrong))
        return self


class ScriptSection(Section):
    file: Path
    loop: bool = True
    rewrite: RewriteSection | None = None


class EvergreenSection(Section):
    file: Path
    after_s: float = Field(default=20.0, ge=1, le=86400)


class LabelSection(Section):
    text: str = Field(default="AI-generated", min_length=1, max_length=40)
    corner: Literal["top-left", "top-right", "bottom-left", "bottom-right"] = "top-left"

    @field_validator("text")
    @classmethod
    def _visible(cls, text: str) -> str:
        if not text.strip() or not text.isprintable():
            raise ValueError("the label must be visible: one line of printable text")
        return text


class EncoderSection(Section):
    bitrate_kbps: int = Field(default=3000, ge=200, le=12000)
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = "veryfast"


def check_weights(section: EngineSection, key: str, below: Sequence[tuple[str | None, str]] = ()) -> None:
    """Ranks and weights suit the engine and those below it, each with where it is written; ValueError names the key."""
    if section.engine not in RANKED and section.ranks not in (1, "auto"):
        raise ValueError(f"{key}.ranks: the engine {section.engine!r} works in one process; leave it out")
    for engine, where in [(section.engine, ""), *below]:
        if engine is None or engine not in RANKED:
            continue
        model, weights = MODELS.get(engine, engine), section.weights_of(engine)
        place = f"{key}.weights.{model}" if isinstance(section.weights, dict) else f"{key}.weights"
        if weights is None:
            raise ValueError(
                f"{place}: the engine {engine!r} needs them{where}: the directory that "
                f"`broadcaster models pull {model}` made, or the file of `broadcaster models convert`"
            )
        if not weights.exists():
            raise ValueError(f"{place}: {weights} is not there")


def default_state_dir() -> Path:
    return Path(os.environ.get("STATE_DIRECTORY", "var"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class ControlSection(Section):
    listen: str = "127.0.0.1:8787"
    token: SecretStr | None = None

    @field_validator("listen")
    @classmethod
    def _address(cls, listen: str) -> str:
        host, _, port = listen.rpartition(":")
        if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
            raise ValueError(f"{listen!r}: write HOST:PORT, as 127.0.0.1:8787")
        return listen

    @field_validator("token")
    @classmethod
    def _hard_to_guess(cls, secret: SecretStr | None) -> SecretStr | None:
        token = secret.get_secret_value() if secret else None
        if token is not None and (len(token) < TOKEN_MIN_CHARS or not token.isascii() or not token.isprintable()):
            raise ValueError(f"at least {TOKEN_MIN_CHARS} printable ASCII characters, as `openssl rand -hex 16` makes")
        return secret

    @model_validator(mode="after")
    def _guarded(self) -> ControlSection:
        if self.token is None and not _is_loopback(self.host):
            raise ValueError(f"listen: {self.host} can be reached from other machines, so a token is needed as well")
        return self

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class Config(Section):
    room: Annotated[str, Field(min_length=1)]
    state_dir: Path = Field(default_factory=lambda: default_state_dir())
    timezone: str | None = None
    redis: SecretStr | None = None
    avatar: AvatarSection = AvatarSection()
    voice: VoiceSection = VoiceSection()
    script: ScriptSection | None = None
    evergreen: EvergreenSection | None = None
    label: LabelSection = LabelSection()
    schedule: tuple[JobSection, ...] = Field(default=(), max_length=JOBS_MAX)
    chat: ChatSection | None = None
    guard: GuardSection | None = None
    outputs: tuple[OutputSection, ...] = ()
    ack: str = "any"
    when_no_output: Literal["go_on", "pause"] = "go_on"
    encoder: EncoderSection = EncoderSection()
    control: ControlSection = ControlSection()
    alarms: AlarmsSection = AlarmsSection()
    evidence: EvidenceSection = EvidenceSection()
    preview: bool = True
    probe: bool = True
    standby: bool = True

    @field_validator("room")
    @classmethod
    def _room(cls, room: str) -> str:
        if not ROOM.fullmatch(room):
            raise ValueError(f"{room!r}: up to 64 letters, digits, '-' and '_', beginning with a letter or digit")
        return room

    @field_validator("timezone")
    @classmethod
    def _place(cls, name: str | None) -> str | None:
        try:
            if name is not None:
                ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("no time zone has this name; write it as Europe/Berlin or Asia/Shanghai") from None
        return name

    @field_validator("redis")
    @classmethod
    def _redis(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not secret.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("write redis://HOST:PORT/DB, rediss:// or unix://PATH, or leave it out")
        return secret

    @model_validator(mode="after")
    def _weights(self) -> Config:
        avatar = self.avatar
        if avatar.engine not in RANKED and avatar.memory_gb is not None:
            raise ValueError(f"avatar.memory_gb: the engine {avatar.engine!r} uses no GPU; leave it out")
        below = [(tier.engine, f" (avatar.tiers.{index})") for index, tier in enumerate(avatar.tiers or ())]
        check_weights(avatar, "avatar", below)
        return self

    @field_validator("schedule")
    @classmethod
    def _schedule(cls, jobs: tuple[JobSection, ...]) -> tuple[JobSection, ...]:
        names = [job.name for job in jobs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the name {twice[0]!r} is used twice")
        return jobs

    @model_validator(mode="after")
    def _outputs(self) -> Config:
        names = [output.name for output in self.outputs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"outputs: the name {twice[0]!r} is used twice")
        if PREVIEW in names:
            raise ValueError("outputs: the name 'preview' is that of the page's own picture; choose another")
        if PROBE in names:
            raise ValueError("outputs: the name 'probe' is that of the room's own eye; choose another")
        if self.ack not in ("any", "all", *names):
            raise ValueError(
                f"ack: {self.ack!r} is neither any, all nor an output ({', '.join(names) or 'there are none'})"
            )
        return self

    @property
    def runtime_dir(self) -> Path:
        """Where the sockets are: $RUNTIME_DIRECTORY, else a short private directory for this state_dir."""
        if given := os.environ.get("RUNTIME_DIRECTORY"):
            return Path(given)
        digest = hashlib.sha256(str(self.state_dir.resolve()).encode()).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"broadcaster-{os.getuid()}" / f"{self.room[:16]}-{digest}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration with the outputs that were changed on air.

    filed: the outputs as the file has them. kept, void: changes that stand, and those that the file has overtaken.
    unfit: why the changes had to be left out, "" when they were not.
    """

    config: Config
    filed: list[dict[str, Any]]
    kept: Kept
    void: Kept
    unfit: str = ""


def load(path: Path) -> Config:
    """Read and check a file and what was changed on air; relative paths count from the working directory."""
    return load_whole(path).config


def load_whole(path: Path, kept: Kept | None = None) -> Loaded:
    """The same with what is known of it. kept: these changes, not those on the disk.

    Changes that do not fit are left out and told of: a room must be able to go on air without them.
    """
    source = str(path)
    tree = resolved(read_room(path), source)
    listed = tree.get("outputs")
    filed = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    try:
        if kept is None:
            kept = outputs_kept.load(Path(str(tree.get("state_dir") or default_state_dir())))
        outputs, standing = laid_over(filed, kept, lambda given: resolved(given, outputs_kept.FILE))
        if not standing:
            outputs = listed
        config = validated(tree if outputs is None else tree | {"outputs": outputs}, source)
    except ConfigError as error:
        return Loaded(validated(tree, source), filed, kept or {}, {}, unfit=str(error))
    void = {name: change for name, change in kept.items() if name not in standing}
    return Loaded(config, filed, standing, void)


def read_room(path: Path) -> dict[str, Any]:
    """A room's keys and values, unchecked; ConfigError for the file of a house."""
    tree = read(path)
    if ROOMS in tree:
        raise ConfigError(f"{path}: this is a house of several rooms; here the file of one of them is needed")
    return tree


def read(path: Path) -> dict[str, Any]:
    """The file's keys and values, unchecked."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from error
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    return _as_tree(tree, str(path))


def parse(tree: object, source: str) -> Config:
    """Check a tree of plain values; `source` names it in errors."""
    return validated(resolved(_as_tree(tree, source), source), source)


def validated(tree: dict[str, Any], source: str) -> Config:
    """Check a tree in which the secrets stand already."""
    return checked(Config, tree, source)


def checked_output(tree: dict[str, Any], source: str) -> OutputSection:
    """The same for one output alone, so that what is wrong is told of its keys and not of its place in a list."""
    return checked(OutputSection, tree, source)


def checked_job(tree: dict[str, Any], source: str) -> JobSection:
    """The same for one job of the schedule."""
    return checked(JobSection, tree, source)


def checked(model: type[S], tree: dict[str, Any], source: str) -> S:
    """Any section. ConfigError tells all that is wrong with it."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        # `from None`: pydantic's own text repeats the input, which may hold a stream key
        raise ConfigError(
            "\n".join(f"{source}: {_explain(one, model)}" for one in error.errors(include_input=False))
        ) from None


def _as_tree(tree: object, source: str) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise ConfigError(f"{source}: expected keys and values, as `room: shop`")
    return tree


def _explain(error: Any, root: type[Section]) -> str:
    """One pydantic error as `field: what is wrong`, without the value, which may be a secret."""
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _keys_at(error["loc"][:-1], root)
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
        return f"{where}: unknown key; {hint}"
    text = worded(error)
    return f"{where}: {text}" if where else text


def _keys_at(location: tuple[int | str, ...], root: type[Section]) -> list[str]:
    model: Any = root
    for part in location:
        if isinstance(part, str):
            model = SECTIONS.get(part) or INNER[part]
    return list(model.model_fields)


SECTIONS: dict[str, type[Section]] = {
    "avatar": AvatarSection,
    "voice": VoiceSection,
    "script": ScriptSection,
    "evergreen": EvergreenSection,
    "label": LabelSection,
    "schedule": JobSection,
    "chat": ChatSection,
    "guard": GuardSection,
    "outputs": OutputSection,
    "encoder": EncoderSection,
    "control": ControlSection,
    "alarms": AlarmsSection,
    "evidence": EvidenceSection,
}
INNER: dict[str, type[Section]] = {
    "tiers": TierSection,
    "http": HttpSection,
    "sherpa": SherpaSection,
    "rewrite": RewriteSection,
    "knowledge": KnowledgeSection,
    "llm": LlmSection,
    "proactive": ProactiveSection,
    "connectors": ConnectorSection,
    "engine": EngineSection,  # of a house
}  # lie in others
