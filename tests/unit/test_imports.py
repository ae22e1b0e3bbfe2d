"""The house rules as facts: what may import what, and which foreign library lives in which file."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("broadcaster", "pipeline", "tts", "streams")
SHARED = {"media", "arrays", "clock", "errors", "wire", "engine", "link", "lifeline", "journal", "shipped"}

FOREIGN_HOMES = {
    "torch": {"pipeline/"},
    "xfuser": {"pipeline/parallel", "pipeline/attention"},
    "flash_attn": {"pipeline/parallel", "pipeline/attention"},
    "av": {"streams/", "tts/pcm.py", "tts/edge.py", "tts/loudness.py", "tts/voicein.py", "tts/decode.py"},
    "redis": {"broadcaster/queue.py", "broadcaster/client.py", "broadcaster/doctor/queue.py"},
    "edge_tts": {"tts/edge.py"},
    "aiohttp": {"tts/edge.py", "tts/http.py", "broadcaster/completions.py"},
    "espeakng_loader": {"tts/espeak.py"},
    "sherpa_onnx": {"tts/sherpa.py"},
    "pydub": {"tts/"},
    "cv2": {"pipeline/"},
    "PIL": {"streams/", "pipeline/avatar.py", "pipeline/picturefile.py", "pipeline/framing.py"},
    "safetensors": {"pipeline/"},
    "transformers": {"pipeline/models/umt5.py", "pipeline/models/clip.py"},
    "tokenizers": {"pipeline/models/prompt.py"},
    "huggingface_hub": {"broadcaster/download.py", "broadcaster/fetch.py"},
    "rich": {"broadcaster/render/progress.py"},
    "typer": {"broadcaster/cli", "broadcaster/demo.py"},
    "apscheduler": {"broadcaster/schedule/triggers.py"},
    "tzlocal": {"broadcaster/zone.py"},
    "fastapi": {"broadcaster/web/"},
    "uvicorn": {"broadcaster/web/"},
    "rapidfuzz": {"broadcaster/chat/knowledge_speller.py"},
    "snowballstemmer": {"broadcaster/chat/knowledge_units.py"},
    "websockets": {"broadcaster/cli/takeover.py", "broadcaster/connectors/wsjson.py"},
}


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Dotted names of all modules a file imports, TYPE_CHECKING blocks left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def layer(module: str) -> int | None:
    """0 … 3, or None for what is not ours."""
    parts = module.split(".")
    if parts[0] == "broadcaster":
        return 3
    if parts[0] in ("tts", "streams"):
        return 2
    if parts[0] == "pipeline" and len(parts) > 1:
        if parts[1] in SHARED:
            return 0
        return 2 if parts[1] in ("worker", "engines") else 1
    return None


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_imports_go_down_the_layers_only(path: Path) -> None:
    own = layer(module_of(path))
    if own is None:
        return
    for name in imported(path):
        other = layer(name)
        if other is None:
            continue
        siblings = own == 2 and other == 2 and name.split(".")[0] != path.relative_to(ROOT).parts[0]
        assert other <= own and not siblings, f"{module_of(path)} imports {name}"


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_foreign_libraries_stay_in_their_files(path: Path) -> None:
    where = path.relative_to(ROOT).as_posix()
    for name in {full.split(".")[0] for full in imported(path)}:
        homes = FOREIGN_HOMES.get(name)
        assert homes is None or any(where.startswith(home) for home in homes), f"{where} imports {name}"


def test_the_package_files_are_empty() -> None:
    for package in PACKAGES:
        assert (ROOT / package / "__init__.py").read_text(encoding="utf-8") == ""


def test_the_supervisor_carries_no_media_and_no_queue() -> None:
    heavy = ("torch", "av", "redis", "cv2", "PIL", "numpy", "zmq", "fastapi")
    code = f"import sys, broadcaster.supervisor, broadcaster.room; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"


def test_help_is_instant_and_needs_none_of_the_large_libraries() -> None:
    large = ("torch", "av", "cv2", "numpy", "redis")
    code = f"import sys, broadcaster.cli.app; print([m for m in {large} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
