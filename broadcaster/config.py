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
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from broadcaster.wording import worded
from pipeline.engine import ENGINES
from pipeline.errors import ConfigError
from pipeline.follower import RANKED
from tts.synthesizer import PROVIDERS

ROOM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
REFERENCE = re.compile(r"\$\{(?:(file):)?([^}]+)\}")
TOKEN_MIN_CHARS = 16
RANKS_MAX = 64
URL_SCHEMES = ("rtmp", "rtmps", "file", "hls")


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AvatarSection(Section):
    image: Path | None = None
    engine: str = "portrait"
    size: tuple[int, int] = (448, 768)
    seed: int = Field(default=0, ge=0, lt=2**31)
    weights: Path | None = None
    ranks: int | str = 1
    device: Literal["auto", "cuda", "cpu"] = "auto"
    strategy: Literal["auto", "ulysses", "ring", "usp"] = "auto"
    attention: Literal["exact", "sage"] = "exact"
    offload: bool | None = None
    steps: int = Field(default=4, ge=1, le=50)
    prompt: str = Field(default="", max_length=2000)

    @field_validator("engine")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ENGINES:
            raise ValueError(f"unknown engine {name!r}; choose from {', '.join(ENGINES)}")
        return name

    @field_validator("ranks")
    @classmethod
    def _countable(cls, ranks: int | str) -> int | str:
        number = int(ranks) if str(ranks).isdigit() else 0
        if ranks != "auto" and not 1 <= number <= RANKS_MAX:
            raise ValueError(f"write a number from 1 to {RANKS_MAX}, or auto for as many as there are GPUs")
        return ranks if ranks == "auto" else number

    @field_validator("size")
    @classmethod
    def _encodable(cls, size: tuple[int, int]) -> tuple[int, int]:
        for side in size:
            if not 128 <= side <= 1920 or side % 2:
                raise ValueError(f"{side} px: each side must be even and from 128 to 1920")
        return size

    def options(self) -> dict[str, Any]:
        """What an engine with weights is made with, in words; the weights are an absolute path."""
        return {
            "weights": str(self.weights.resolve()) if self.weights else "",
            "device": self.device,
            "strategy": self.strategy,
            "steps": self.steps,
            "sage": self.attention == "sage",
            "offload": self.offload,
            **({"prompt": self.prompt} if self.prompt else {}),
        }


class VoiceSection(Section):
    chain: tuple[str, ...] = ("espeak",)
    name: str = "en"
    rate: float = Field(default=1.0, ge=0.5, le=2.0)
    timeout_s: float = Field(default=8.0, gt=0, le=60)
    cache_mb: int = Field(default=512, ge=0, le=1_000_000)

    @field_validator("chain")
    @classmethod
    def _known(cls, chain: tuple[str, ...]) -> tuple[str, ...]:
        if not chain:
            raise ValueError("name at least one provider, as [espeak]")
        for name in chain:
            if name not in PROVIDERS:
                raise ValueError(f"unknown provider {name!r}; choose from {', '.join(PROVIDERS)}")
        return chain


class ScriptSection(Section):
    file: Path
    loop: bool = True


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


class OutputSection(Section):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")
    url: SecretStr
    segment_s: int = Field(default=3600, ge=10, le=86400)
    keep_days: float = Field(default=7, gt=0)
    min_free_gb: float = Field(default=5, ge=0)
    hls_segments: int = Field(default=6, ge=3, le=1800)

    @field_validator("url")
    @classmethod
    def _pushable(cls, secret: SecretStr) -> SecretStr:
        url = secret.get_secret_value()
        scheme, _, rest = url.partition(":")
        if scheme not in URL_SCHEMES:
            raise ValueError(f"scheme {scheme[:12]!r}: use one of {', '.join(URL_SCHEMES)}")
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError("only printable ASCII without spaces; percent-encode the rest")
        if scheme == "file":
            if not rest or rest.endswith("/"):
                raise ValueError("a file name is missing: file:DIRECTORY/NAME.mp4")
            if Path(rest).suffix != ".mp4":
                raise ValueError("a recording is an MP4: file:DIRECTORY/NAME.mp4")
        elif scheme == "hls":
            if not rest:
                raise ValueError("a directory is missing: hls:DIRECTORY")
        else:
            _check_rtmp(url)
        return secret

    @property
    def scheme(self) -> str:
        return self.url.get_secret_value().partition(":")[0]


class EncoderSection(Section):
    bitrate_kbps: int = Field(default=3000, ge=200, le=12000)
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = "veryfast"


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
    state_dir: Path = Field(default_factory=lambda: Path(os.environ.get("STATE_DIRECTORY", "var")))
    redis: SecretStr | None = None
    avatar: AvatarSection = AvatarSection()
    voice: VoiceSection = VoiceSection()
    script: ScriptSection | None = None
    evergreen: EvergreenSection | None = None
    label: LabelSection = LabelSection()
    outputs: tuple[OutputSection, ...] = ()
    ack: str = "any"
    when_no_output: Literal["go_on", "pause"] = "go_on"
    encoder: EncoderSection = EncoderSection()
    control: ControlSection = ControlSection()
    preview: bool = True

    @field_validator("room")
    @classmethod
    def _room(cls, room: str) -> str:
        if not ROOM.fullmatch(room):
            raise ValueError(f"{room!r}: up to 64 letters, digits, '-' and '_', beginning with a letter or digit")
        return room

    @field_validator("redis")
    @classmethod
    def _redis(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not secret.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("write redis://HOST:PORT/DB, rediss:// or unix://PATH, or leave it out")
        return secret

    @model_validator(mode="after")
    def _weights(self) -> Config:
        avatar = self.avatar
        if avatar.engine not in RANKED:
            if avatar.ranks not in (1, "auto"):
                raise ValueError(f"avatar.ranks: the engine {avatar.engine!r} works in one process; leave it out")
            return self
        if avatar.weights is None:
            raise ValueError(
                f"avatar.weights: the engine {avatar.engine!r} needs them: the directory that "
                f"`broadcaster models pull {avatar.engine}` made, or the file of `broadcaster models convert`"
            )
        if not avatar.weights.exists():
            raise ValueError(f"avatar.weights: {avatar.weights} is not there")
        return self

    @model_validator(mode="after")
    def _outputs(self) -> Config:
        names = [output.name for output in self.outputs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"outputs: the name {twice[0]!r} is used twice")
        if "preview" in names:
            raise ValueError("outputs: the name 'preview' is that of the page's own picture; choose another")
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


def load(path: Path) -> Config:
    """Read and check a configuration file; relative paths in it count from the working directory."""
    return parse(read(path), str(path))


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
    try:
        return Config.model_validate(_resolve(_as_tree(tree, source), source))
    except ValidationError as error:
        # `from None`: pydantic's own text repeats the input, which may hold a stream key
        raise ConfigError(
            "\n".join(f"{source}: {_explain(one)}" for one in error.errors(include_input=False))
        ) from None


def _as_tree(tree: object, source: str) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise ConfigError(f"{source}: expected keys and values, as `room: shop`")
    return tree


def _check_rtmp(url: str) -> None:
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or parts.port > 0
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from None
    if not parts.hostname or not port_ok:
        raise ValueError("the host is missing: rtmp://HOST/APP/KEY")
    application, _, key = parts.path.lstrip("/").partition("/")
    if not application or not (key or parts.query):
        raise ValueError("application or stream key is missing: rtmp://HOST/APP/KEY")


def _resolve(value: Any, source: str) -> Any:
    """Put secrets in the place of ${NAME} and ${file:PATH}, in every string of the tree."""
    if isinstance(value, dict):
        return {key: _resolve(inner, source) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolve(inner, source) for inner in value]
    if isinstance(value, str):
        return REFERENCE.sub(lambda match: _secret(match[1], match[2], source), value)
    return value


def _secret(kind: str | None, name: str, source: str) -> str:
    if kind == "file":
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{source}: ${{file:{name}}} cannot be read: {error}") from error
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and (Path(credentials) / name).is_file():
        return (Path(credentials) / name).read_text(encoding="utf-8").strip()
    if name in os.environ:
        return os.environ[name]
    raise ConfigError(f"{source}: ${{{name}}} is set neither as a systemd credential nor in the environment")


def _explain(error: Any) -> str:
    """One pydantic error as `field: what is wrong`, without the value, which may be a secret."""
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _keys_at(error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
        return f"{where}: unknown key; {hint}"
    text = worded(error)
    return f"{where}: {text}" if where else text


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Config
    for part in location:
        if isinstance(part, str):
            model = SECTIONS[part]
    return list(model.model_fields)


SECTIONS: dict[str, type[Section]] = {
    "avatar": AvatarSection,
    "voice": VoiceSection,
    "script": ScriptSection,
    "evergreen": EvergreenSection,
    "label": LabelSection,
    "outputs": OutputSection,
    "encoder": EncoderSection,
    "control": ControlSection,
}
