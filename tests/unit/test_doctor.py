"""The doctor's findings, one examination at a time, and what becomes of examinations that go wrong."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from broadcaster import checks, disk, gpus, outputs_kept
from broadcaster.config import Config, parse
from broadcaster.doctor import examination, gpu, machine, queue, tiers
from broadcaster.doctor import room as rooms
from broadcaster.doctor.examination import BAD, OK, WARN, Finding
from broadcaster.doctor.outputs import HANDSHAKE_BYTES, output
from broadcaster.handmade import Change
from pipeline.cardprobe import Machine
from pipeline.cards import CARDS
from pipeline.errors import ConfigError
from tests.tinymodel import write_head_dir, write_model_dir

ROOT = Path(__file__).parents[2]
KEY = "sk_live_12ab"


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server for one visitor; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve() -> None:
            line, _ = listener.accept()
            with line:
                talk(line)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


def shake_hands(line: socket.socket) -> None:
    got = b""
    while len(got) < 1 + HANDSHAKE_BYTES and (data := line.recv(4096)):
        got += data
    line.sendall(b"\x03" + bytes(HANDSHAKE_BYTES) + got[1:])
    assert line.recv(1) == b""  # nothing is published: the visitor leaves


def found_at(url: str) -> tuple[str, ...]:
    return output(parse({"room": "shop", "outputs": [{"name": "main", "url": url}]}, "c.yaml"), "main")


def test_a_server_that_shakes_hands_is_well_and_hears_nothing_more() -> None:
    with server(shake_hands) as port:
        found = found_at(f"rtmp://127.0.0.1:{port}/live/{KEY}")
    assert found[0] == OK and KEY not in str(found)


def test_a_server_that_speaks_something_else_is_bad() -> None:
    with server(lambda line: line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        found = found_at(f"rtmp://127.0.0.1:{port}/live/{KEY}")
    assert found[0] == BAD and "speaks no RTMP" in found[1] and KEY not in str(found)


def test_a_server_without_tls_behind_rtmps_is_bad() -> None:
    with server(lambda line: line.sendall(b"hello, this is no TLS")) as port:
        found = found_at(f"rtmps://127.0.0.1:{port}/live/{KEY}")
    assert found[0] == BAD and "TLS" in found[1] and KEY not in str(found)


def test_nobody_at_the_port_is_bad() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = found_at(f"rtmp://127.0.0.1:{port}/live/{KEY}")
    assert found[0] == BAD and "refused" in found[1] and KEY not in str(found)


def test_recordings_need_a_directory_that_can_be_written(tmp_path: Path) -> None:
    assert found_at(f"file:{tmp_path}/new/a.mp4")[0] == OK and list(tmp_path.iterdir()) == []
    assert found_at("file:/proc/no/a.mp4")[0] == BAD


def test_a_disk_is_tried_where_the_directory_would_be_made(tmp_path: Path) -> None:
    found = disk.tried(tmp_path / "a" / "b", size=4096)
    assert isinstance(found, disk.Writable) and found.free_gb > 0 and list(tmp_path.iterdir()) == []
    assert isinstance(disk.tried(Path("/dev/full/x")), disk.NotWritable)


REDIS = {"redis_version": "7.0.15", "maxmemory": 0, "maxmemory_policy": "noeviction", "aof_enabled": 1}


@pytest.mark.parametrize(
    ("facts", "refused", "verdict"),
    [
        ({}, "", OK),
        ({"redis_version": "6.0.16"}, "", BAD),
        ({}, "READONLY You can't write against a read only replica.", BAD),
        ({"maxmemory": 1 << 28, "maxmemory_policy": "allkeys-lru"}, "", WARN),
        ({"aof_enabled": 0}, "", WARN),
        ({"valkey_version": "8.1.0", "redis_version": "7.2.4"}, "", OK),
    ],
)
def test_a_queue_that_loses_or_refuses_words_is_named(facts: dict[str, object], refused: str, verdict: str) -> None:
    assert queue._judged(REDIS | facts, refused)[0] == verdict


def test_a_queue_that_is_away_is_bad_and_its_password_is_not_shown() -> None:
    found = queue.examined(f"redis://:{KEY}@127.0.0.1:1/0", "shop")
    assert found[0] == BAD and KEY not in str(found)


def test_a_voice_says_a_word() -> None:
    room = parse({"room": "shop", "voice": {"chain": ["espeak"], "name": "zh"}}, "c.yaml")
    assert rooms.voice(room, "espeak")[0] == OK


def test_what_is_printed_can_be_encoded() -> None:
    room = parse({"room": "shop"}, "c.yaml")
    assert rooms.fonts(room, "")[0] == OK
    assert rooms.codecs(room, "")[0] != BAD


def test_packages_that_are_missing_or_old_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda _: ["nosuch>=1", "msgspec>=99,<100", "x; extra == 'gpu'"])
    verdict, text, remedy = machine.packages(None, "")
    assert verdict == BAD and "missing: nosuch" in text and "too old: msgspec" in text and remedy


def test_the_machine_is_examined_with_nothing_installed(tmp_path: Path) -> None:
    """-S hides what is installed; the package lies in the working directory."""
    names = ("python", "codecs", "memory")
    code = f"from broadcaster.doctor import examination; print([examination._examine(n, '', None) for n in {names}])"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "not examined" in done.stdout and done.stdout.count("verdict") == 3


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import signal; signal.raise_signal(signal.SIGALRM)", "no result within 5 s"),
        ("import os; os.abort()", "ended with status -6"),
        ("raise SystemExit('out of luck')", "out of luck"),
    ],
)
def test_an_examination_that_hangs_or_crashes_is_a_finding(
    body: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c {json.dumps(body)}\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    finding = examination.examined("codecs", "", None)
    assert finding.verdict == BAD and words in finding.text and finding.remedy


def test_one_bad_finding_is_exit_status_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    findings = [Finding("clock", WARN, "ägypten", "wait"), Finding("disk", OK, "well")]
    monkeypatch.setattr(examination, "examine", lambda _: findings)
    assert examination.run(None) == 0
    printed = capsys.readouterr().out
    assert printed.isascii() and "-> wait" in printed and "2 examined: 1 to look at, 0 bad" in printed
    findings.append(Finding("gpu", BAD, "none"))
    assert examination.run(None, as_json=True) == 1
    assert [one["verdict"] for one in json.loads(capsys.readouterr().out)] == [WARN, OK, BAD]


def test_a_port_that_is_taken_is_told_of_and_a_free_one_is_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        room = parse({"room": "shop", "state_dir": "/nowhere", "control": {"listen": listen}}, "c.yaml")
        assert rooms.port(room, "")[0] == WARN
    assert rooms.port(room, "")[0] == OK


# ── flashtalk ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model_dir(tmp_path_factory.mktemp("doctor") / "model")


def neural(model: Path, **avatar: object) -> Config:
    return parse({"room": "shop", "avatar": {"engine": "flashtalk", "weights": str(model), **avatar}}, "c.yaml")


def machine_of(name: str, cards: int = 8, free_gb: float = 1000.0, host_gb: float = 500.0) -> Machine:
    return Machine(CARDS[name], free_gb, 25.0, cards, ("cudnn-sdpa", "sdpa"), host_gb)


def test_eight_cards_that_keep_up_are_well_and_the_kernels_and_the_speed_are_told(model: Path) -> None:
    verdict, text, *_ = gpu.judged(neural(model, ranks=8), machine_of("h800"))
    assert verdict == OK and "attention: cudnn-sdpa, sdpa" in text and "pictures a second" in text


@pytest.mark.parametrize(
    ("avatar", "machine", "verdict", "words"),
    [
        ({}, machine_of("h800"), WARN, "8 such cards make them"),
        ({}, machine_of("l40s"), WARN, "8 such cards do not make them"),
        ({"ranks": "auto"}, machine_of("h800"), OK, "8 ranks of 448x768"),
        ({"ranks": 4}, machine_of("h800", cards=2), BAD, "there are 2 GPUs"),
        ({"offload": False}, machine_of("rtx-4090"), BAD, "needs 43 GB of 24"),
        ({}, machine_of("rtx-4090", host_gb=32.0), BAD, "38 GB of host memory"),
        ({"ranks": 8}, machine_of("h800", free_gb=20.0), WARN, "other programs have 60 GB"),
    ],
)
def test_what_the_card_cannot_do_is_said_with_what_helps(
    model: Path, avatar: dict[str, object], machine: Machine, verdict: str, words: str
) -> None:
    found = gpu.judged(neural(model, **avatar), machine)
    assert found[0] == verdict and words in " ".join(found)


def test_weights_that_are_not_whole_are_bad_and_named(model: Path, tmp_path: Path) -> None:
    found = gpu.weights(neural(model), "")
    assert found[0] == OK and "5 networks" in found[1]
    broken = Path(shutil.copytree(model, tmp_path / "broken"))
    (broken / "Wan2.1_VAE.pth").write_bytes(b"PK\x03\x04 and then the line went dead")
    found = gpu.weights(neural(broken), "")
    assert found[0] == BAD and "Wan2.1_VAE.pth" in found[1] and "models pull flashtalk" in found[2]


def test_a_room_without_flashtalk_is_not_asked_about_cards_and_one_with_it_is(model: Path, tmp_path: Path) -> None:
    config = tmp_path / "room.yaml"
    config.write_text(json.dumps({"room": "shop"}))
    assert examination._parts(config)["flashtalk"] == [] and examination._parts(None)["weights"] == []
    config.write_text(json.dumps({"room": "shop", "avatar": {"engine": "flashtalk", "weights": str(model)}}))
    parts = examination._parts(config)
    assert (parts["flashtalk"], parts["weights"], parts["cpu"]) == ([""], [""], [])
    config.write_text(json.dumps({"room": "shop", "avatar": {"engine": "flashhead-lite", "weights": str(model)}}))
    parts = examination._parts(config)
    assert (parts["flashtalk"], parts["weights"], parts["cpu"]) == ([], [""], [])


# ── tiers ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_head_dir(tmp_path_factory.mktemp("doctor") / "heads")


def ladder_of(model: Path, heads: Path, *tiers: dict[str, object], **avatar: object) -> Config:
    weights = {"flashtalk": str(model), "flashhead": str(heads)}
    return neural(model, **({"weights": weights, "tiers": list(tiers), "device": "cpu"} | avatar))


LITE: dict[str, object] = {"engine": "flashhead-lite"}
PORTRAIT: dict[str, object] = {"engine": "portrait"}


def test_every_tier_and_every_model_is_examined_once(model: Path, heads: Path, tmp_path: Path) -> None:
    config = tmp_path / "room.yaml"
    room = ladder_of(model, heads, {"engine": "flashhead-pro"}, LITE, PORTRAIT)
    config.write_text(json.dumps({"room": "shop", "avatar": room.avatar.model_dump(mode="json", exclude_none=True)}))
    parts = examination._parts(config)
    assert parts["tier"] == ["flashhead-pro-1", "flashhead-lite-1", "portrait"]
    assert parts["weights"] == ["", "flashhead"]
    assert [tiers.tier(room, name)[0] for name in parts["tier"]] == [OK] * 3
    verdict, text, *_ = gpu.weights(room, "flashhead")
    assert verdict == OK and f"{heads}: 5 networks for flashhead-pro, flashhead-lite" in text


def test_a_tier_that_cannot_draw_the_avatar_is_bad_by_name(model: Path, heads: Path, tmp_path: Path) -> None:
    """The size is off its grid; the weights are another model's; the avatar has no points."""
    image = tmp_path / "face.png"
    Image.new("RGB", (320, 320)).save(image)
    room = ladder_of(model, heads, LITE, PORTRAIT, size=[144, 144], image=str(image))
    found = tiers.tier(room, "flashhead-lite-1")
    assert found[0] == BAD and "multiples of 32; near: 128x128 or 160x160" in found[1]
    assert "no points file" in tiers.tier(room, "portrait")[1]
    with pytest.raises(ConfigError) as caught:
        checks._avatar(room)
    size, points = str(caught.value).splitlines()
    assert size.startswith("avatar.tiers: flashhead-lite-1: avatar size 144x144: flashhead needs multiples of 32")
    assert points.startswith("avatar.tiers: portrait: face: no points file")


def test_one_path_for_two_models_is_said_to_be_one(model: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        checks._avatar(neural(model, tiers=[LITE]))
    first, hint = str(caught.value).splitlines()
    assert first.startswith("avatar.tiers: flashhead-lite-1: ") and "Model_Lite" in first
    assert hint.endswith("write one for each, as {flashhead: PATH, flashtalk: PATH}")


def test_a_check_says_what_viewers_see_between_two_tiers_and_which_cards_are_missing(
    model: Path, heads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "count", lambda: 1)
    monkeypatch.setattr(gpus, "memory_gb", lambda _device: 80.0)
    room = ladder_of(model, heads, {**LITE, "ranks": 1, "memory_gb": 8}, PORTRAIT, ranks=2, memory_gb=43, device="auto")
    lines = checks._avatar(room)
    assert lines[1:] == [
        "tiers below: flashhead-lite-1, portrait",
        "flashhead-lite-1 loads beside flashtalk: 51 of 80 GB",
        "flashtalk wants 2 GPUs; this machine has 1",
    ]
    verdict, text, *_ = tiers.tier(room, "flashhead-lite-1")
    assert verdict == OK and text.endswith(lines[2])
    monkeypatch.setattr(gpus, "count", lambda: 0)
    assert tiers.tier(room, "flashhead-lite-1")[0] == WARN


def test_an_engine_that_stands_in_by_default_and_cannot_is_no_fault_and_is_told_of(model: Path, tmp_path: Path) -> None:
    image = tmp_path / "face.png"
    Image.new("RGB", (320, 320)).save(image)
    room = neural(model, image=str(image), device="cpu")
    assert any(line.startswith("portrait cannot stand in for flashtalk: ") for line in checks._avatar(room))
    assert tiers.tier(room, "portrait")[0] == WARN


def test_on_a_processor_the_kernels_are_named_and_a_missing_gpu_is_bad(model: Path) -> None:
    """In a process of its own, as the doctor does it."""
    assert gpu.flashtalk(neural(model, device="cpu"), "")[0] == WARN
    code = "from tests.unit.test_doctor import *; print(gpu.flashtalk(neural(Path(sys.argv[1])), ''))"
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code, str(model)], capture_output=True, text=True, env=hidden)
    assert "sees no GPU" in done.stdout and BAD in done.stdout


def test_a_forecast_is_made_for_a_card_that_is_not_here() -> None:
    lines = list(gpu.forecasts("NVIDIA H100 80GB HBM3"))
    assert lines[0].startswith("h100: 80 GB") and len(lines) == 9
    with pytest.raises(ConfigError, match="rtx-4090"):
        list(gpu.forecasts("voodoo2"))


def test_outputs_changed_on_air_are_told_of_and_those_that_do_not_fit_any_more(tmp_path: Path) -> None:
    path = tmp_path / "room.yaml"
    path.write_text(f"room: shop\nstate_dir: {tmp_path}\n")
    outputs_kept.save(tmp_path, {"more": Change("add", "", {"url": f"rtmp://h/live/{KEY}"})})
    assert rooms.configuration(None, str(path)) == (OK, "can go on air; outputs changed on air count as well: more")
    outputs_kept.save(tmp_path, {"more": Change("add", "", {"url": "rtmp://h"})})
    verdict, text, remedy = rooms.configuration(None, str(path))
    assert verdict == WARN and "application or stream key is missing" in text and "restore --all" in remedy
