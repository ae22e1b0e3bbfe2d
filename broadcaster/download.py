"""Fetches the released weights of a model from the hub or a mirror of it, and goes on where it was interrupted.

In: a model's name and a directory. Out: the directory, laid out as pipeline.modeldir reads it. Only what is read is
fetched. It talks to the hub that HF_ENDPOINT names, with the token of HF_TOKEN where there is one; huggingface_hub is
imported when it runs. The library shows progress on stderr.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broadcaster.fetch import Remote, Told, drop_broken, fetch, part_of, size_of
from pipeline.errors import ConfigError

SPARE_BYTES = 1_000_000_000  #: that stay free on the disk: it may be the one that the room writes to


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is fetched of a repository, by pattern. into: a folder of the model directory, "" for itself.

    one_of: names of which the first one that is there is enough. welcome: may be missing.
    """

    repository: str
    into: str
    needed: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    welcome: tuple[str, ...] = ("LICENSE*", "README.md")


FLASHTALK = (
    Wanted(
        "Soul-AILab/SoulX-FlashTalk-14B",
        "",
        (
            "config.json",
            "diffusion_pytorch_model*",
            "Wan2.1_VAE.pth",
            "models_t5_umt5-xxl-enc-bf16.pth",
            "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth",
            "google/umt5-xxl/*",
        ),
    ),
    Wanted(
        "TencentGameMate/chinese-wav2vec2-base",
        "chinese-wav2vec2-base",
        ("config.json", "preprocessor_config.json"),
        ("model.safetensors", "pytorch_model.bin"),
    ),
)
FLASHHEAD = (
    Wanted(
        "Soul-AILab/SoulX-FlashHead-1_3B",
        "",
        (
            "Model_Pro/config.json",
            "Model_Pro/diffusion_pytorch_model.safetensors",
            "Model_Lite/config.json",
            "Model_Lite/diffusion_pytorch_model.safetensors",
            "VAE_Wan/Wan2.1_VAE.pth",
            "VAE_LTX/config.json",
            "VAE_LTX/diffusion_pytorch_model.safetensors",
        ),
    ),
    Wanted(
        "facebook/wav2vec2-base-960h",
        "wav2vec2-base-960h",
        ("config.json", "preprocessor_config.json"),
        ("model.safetensors", "pytorch_model.bin"),
    ),
)
MODELS: Mapping[str, tuple[Wanted, ...]] = {"flashtalk": FLASHTALK, "flashhead": FLASHHEAD}


def pull(model: str, to: Path, told: Told) -> Path:
    """Fetch what is not there yet. ConfigError: unknown model, no network, no such repository, no room on the disk."""
    if model not in MODELS:
        raise ConfigError(f"unknown model {model!r}; there are: {', '.join(MODELS)}")
    try:
        from huggingface_hub import HfApi, constants
    except ImportError:
        raise ConfigError("huggingface_hub is not installed: pip install 'broadcaster[flashtalk]'") from None
    endpoint = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    api, plans = HfApi(endpoint=endpoint), []
    for wanted in MODELS[model]:
        with _translated(wanted.repository, endpoint):
            info = api.model_info(wanted.repository, files_metadata=True)
        there = {one.rfilename: _remote(one) for one in info.siblings or []}
        files = {name: there[name] for name in _chosen(wanted, there)}
        plans.append((wanted.repository, str(info.sha), _place(wanted, to), files))
    missing = [_missing(place, files) for *_, place, files in plans]
    _check_room(to, sum(missing))
    for (repository, revision, place, files), size in zip(plans, missing, strict=True):
        whole = sum(remote.size for remote in files.values())
        told(f"{repository}: {len(files)} files, {size / 1e9:.1f} of {whole / 1e9:.1f} GB to fetch")
        drop_broken(place, files, told)
        with _translated(repository, endpoint):
            fetch(repository, revision, files, place, endpoint)
    return to


def _remote(sibling: Any) -> Remote:
    """What the hub says of a file."""
    digest = sibling.lfs.sha256 if sibling.lfs else ""
    return Remote(sibling.size or 0, digest, digest or str(sibling.blob_id))


def _place(wanted: Wanted, to: Path) -> Path:
    """The folder of a repository; a release that lies beside the directory, as published, is used as it is."""
    inside, beside = to / wanted.into, to.parent / wanted.into
    return beside if wanted.into and beside.is_dir() and not inside.is_dir() else inside


def _chosen(wanted: Wanted, there: Mapping[str, Remote]) -> list[str]:
    """Names of files to fetch. ConfigError: the repository lacks one that cannot be done without."""
    lacking = [pattern for pattern in wanted.needed if not fnmatch.filter(there, pattern)]
    either = [name for name in wanted.one_of if name in there][:1]
    if wanted.one_of and not either:
        lacking.append(" or ".join(wanted.one_of))
    if lacking:
        raise ConfigError(f"{wanted.repository}: has no {', '.join(lacking)}: not the release that is known here")
    patterns = (*wanted.needed, *wanted.welcome, *either)
    return [name for name in there if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def _missing(place: Path, files: Mapping[str, Remote]) -> int:
    """Bytes that have not come yet."""
    missing = 0
    for name, remote in files.items():
        path = place / name
        if size_of(path) != remote.size:
            missing += remote.size - max(0, size_of(part_of(path, remote)))
    return missing


def _check_room(to: Path, needed: int) -> None:
    existing = next((folder for folder in (to, *to.absolute().parents) if folder.exists()), Path("/"))
    free = shutil.disk_usage(existing).free
    if needed and free < needed + SPARE_BYTES:
        wanted = (needed + SPARE_BYTES) / 1e9
        raise ConfigError(f"{to}: {free / 1e9:.1f} GB free, {wanted:.1f} GB are needed: name another disk by --to")


@contextmanager
def _translated(repository: str, endpoint: str) -> Iterator[None]:
    """The library's exceptions as one clear line."""
    from huggingface_hub import errors

    again = "give the same command again: it goes on where it was"
    transport: Any = getattr(errors, "HTTPError", OSError)  # of whichever HTTP library this version uses
    try:
        yield
    except errors.GatedRepoError:
        raise ConfigError(f"{repository}: access must be asked for on {endpoint}, then set HF_TOKEN") from None
    except errors.RepositoryNotFoundError:
        raise ConfigError(f"{repository}: {endpoint} has no such repository, or HF_TOKEN must allow it") from None
    except errors.OfflineModeIsEnabled:
        raise ConfigError(f"{repository}: HF_HUB_OFFLINE forbids the network: unset it to fetch") from None
    except (errors.LocalEntryNotFoundError, errors.FileMetadataError) as error:
        raise ConfigError(f"{repository}: {endpoint} does not answer ({_last(error)}); {again}") from None
    except errors.HfHubHTTPError as error:
        raise ConfigError(f"{repository}: {endpoint}: {_last(error)}; {again}") from None
    except transport as error:
        raise ConfigError(
            f"{repository}: {endpoint} cannot be reached ({_last(error)}): see to the network, or set HF_ENDPOINT to a "
            f"mirror; {again}"
        ) from None
    except OSError as error:  # also what the library raises for a file of the wrong length
        raise ConfigError(f"{repository}: {_last(error)}; {again}") from None


def _last(error: BaseException) -> str:
    """A library's own words, on one line."""
    words: Sequence[str] = str(error).strip().splitlines() or [type(error).__name__]
    return words[0].rstrip(".")
