"""`broadcaster chat`: the shipped shop asked at the terminal, and a mapping tried."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
import yaml
from typer.testing import CliRunner

from broadcaster import children
from broadcaster.chat.spec import ChatSpec
from broadcaster.chat.trial import Trial
from broadcaster.cli.chat import app
from broadcaster.config import load
from pipeline.clock import RealClock

ROOT = Path(__file__).parents[2]
PRESET = ROOT / "configs" / "chat.yaml"


@pytest.fixture(scope="module")
def answers() -> dict[str, list[str]]:
    """What the preset says to each question."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        config = load(PRESET)
        plan = next(plan for plan in children.plan(config, config.runtime_dir) if plan.kind == "chat")
        trial = Trial(msgspec.convert(dict(plan.spec), ChatSpec), RealClock())
        assert "60 entries of FAQ, 11 products" in trial.open()[0]

        async def ask(question: str) -> list[str]:
            return [line async for line in trial.ask(question)]

        async def asked() -> dict[str, list[str]]:
            return {question: await ask(question) for question in QUESTIONS}

        return asyncio.run(asked())


QUESTIONS = {
    "how much is the teapot?": ("$46", "by faq product:teapot.price"),
    "小茶壶多少钱": ("258元", "by faq product:teapot.price"),
    "when will my parcel arrive?": ("two working days", "by faq faq:how-long-does-delivery-take"),
    "包邮吗": ("99元", "by faq faq:"),
    "hello": ("writes: hello.", "by rule rule:"),
    "who won the world cup in 1966?": ("nobody answers",),
    "visit https://x.example": ("passed over: link",),
    "does it cure cancer?": ("neither read nor shown",),
    "[pause 30] how much is the **mug**": ("by faq product:mug.price",),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_shipped_shop_answers_and_says_who_decided(question: str, answers: dict[str, list[str]]) -> None:
    told = "\n".join(answers[question])
    assert all(words in told for words in QUESTIONS[question])
    assert "stopped by the guard" not in told


def test_a_room_that_does_not_answer_says_how_it_would(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"room": "shop"}))
    done = CliRunner().invoke(app, ["try", "--config", str(path), "hello"])
    assert "chat.yaml" in str(done.exception)


def test_a_mapping_is_tried_on_a_sample() -> None:
    mapping = ROOT / "configs" / "connectors" / "tikfinity.yaml"
    done = CliRunner().invoke(app, ["map", str(mapping)], input='{"event": "chat", "data": {"comment": "how much?"}}')
    assert done.exit_code == 0 and "messages would be taken" in done.output
