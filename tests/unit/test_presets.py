"""The presets and the scripts that come with them: they run as they stand, last as long as they say, sell honestly."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from broadcaster.chat.faq import load as load_faq
from broadcaster.chat.files import checked
from broadcaster.checks import check as check_config
from broadcaster.config import Config, parse
from broadcaster.script import products
from broadcaster.script.check import check as check_script
from broadcaster.script.load import examined, load
from broadcaster.script.place import Place
from broadcaster.script.reading import Reading
from broadcaster.script.values import Values
from broadcaster.utterance import Utterance
from pipeline.clock import RealClock
from tts import markup
from tts.fallback import make_chain
from tts.synthesizer import Voice
from tts.text import sentences

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
SCRIPTS = sorted((CONFIGS / "scripts").glob("*.md"))
SHOPS = [CONFIGS / "scripts" / name for name in ("shop-en.md", "shop-zh.md")]
PRESETS = [CONFIGS / name for name in ("shop.yaml", "scheduled.yaml", "chat.yaml")]
FAQS = sorted((CONFIGS / "faq").glob("*.md"))
MORNING = datetime(2026, 11, 25, 10, 5)

SENTENCE_PAUSE_S, UTTERANCE_PAUSE_S = 0.22, 0.5  # where the script asks for none
SPOKEN = 24  # utterances of a script that are spoken to learn its pace
CLAIM = re.compile(r"(?:about|约) (?P<number>[\d.]+) (?P<unit>minutes|seconds|分钟|秒)", re.IGNORECASE)
ALLOWANCE = 0.15  # of what a head comment says: laps differ, and the pace is learnt from a part of them
TWENTY = (18, 30)  # minutes that may be called twenty: most voices speak more slowly than the one measured with

FORBIDDEN = {
    "en": r"\b(best|finest|greatest|unbeatable|number one|no\. ?1|world[- ]class|guaranteed?|miracle|health\w*|detox\w*"
    r"|cures?|heals?|immune|slimming|calming|only today|today only|last chance|hurry up|while stocks? last|selling fast"
    r"|only \S+ left|act now|don't miss)\b",
    "zh": r"最|第一|唯一|国家级|世界级|顶级|极品|极致|绝对|首选|冠军|王牌|万能|全网|保证|特效|养生|保健|健康|功效|疗效"
    r"|治疗|提神|助眠|排毒|减肥|降火|清热|美容|仅剩|秒杀|抢购|手慢|错过|赶紧|再不买",
}
FIGURES = re.compile(r"[$¥￥]\s?\d|\d\s?(?:元|块|dollars|USD)")


def named(path: Path) -> str:
    return path.stem


def words_of(path: Path) -> str:
    """The file without its front matter, in which shipping costs and the like stand."""
    return re.sub(r"\A---\n.*?\n---\n", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def reading_of(path: Path, now: datetime = MORNING) -> Reading:
    script = load(path)
    catalog = products.load(script.products) if script.products else {}
    values = Values(now=now, own=script.variables, products=catalog, language=script.voice or "en")
    return Reading(script, sentences, True, Place(), values=lambda: values)


@cache
def laps(path: Path, number: int, hour: int = MORNING.hour) -> list[list[Utterance]]:
    """The utterances of the first laps; of one, where the script ends after it."""
    reading = reading_of(path, MORNING.replace(hour=hour))
    found: list[list[Utterance]] = [[] for _ in range(number)]
    while utterance := reading.next(0.0):
        lap = reading.place_of(utterance.id).lap
        if lap >= number:
            return found
        found[lap].append(utterance)
    return found[:1]


async def minutes(utterances: list[Utterance], language: str) -> float:
    """How long they take on air with espeak, by the pace of some of them and the pauses of all."""
    chain = make_chain(["espeak"], 8.0, RealClock())
    spoken_s = spoken_chars = 0.0
    try:
        for utterance in utterances[:: max(1, len(utterances) // SPOKEN)]:
            for sentence in map(markup.plain, utterance.sentences):
                air = [piece.air async for piece in chain.speak(sentence, Voice(language))]
                spoken_s += np.ptp(np.flatnonzero(np.abs(np.concatenate(air)) > 100)) / 48_000
                spoken_chars += len(sentence)
    finally:
        await chain.close()
    return sum(_lasts_s(utterance, spoken_s / spoken_chars) for utterance in utterances) / 60


def _lasts_s(utterance: Utterance, s_per_char: float) -> float:
    marked = [markup.parse(sentence) for sentence in utterance.sentences]
    speech_s = sum(len(one.plain) for one in marked) * s_per_char / (utterance.speed or 1.0)
    marks_s = sum(span.pause_s for one in marked for span in one.spans)
    after_s = UTTERANCE_PAUSE_S if utterance.pause_s is None else utterance.pause_s
    return speech_s + marks_s + SENTENCE_PAUSE_S * (len(marked) - 1) + after_s


def claimed(text: str) -> float:
    """The minutes that a head comment speaks of."""
    match = CLAIM.search(text)
    assert match, "the head comment says how long it is"
    return float(match["number"]) / (60 if match["unit"] in ("seconds", "秒") else 1)


def preset(path: Path, **changes: Any) -> Config:
    return parse({**yaml.safe_load(path.read_text(encoding="utf-8")), **changes}, path.name)


def scripts_of(config: Config) -> Iterator[Path]:
    yield from (section.file for section in (config.script, config.evergreen) if section)
    yield from (job.script for job in config.schedule if job.script)


# ── presets ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", PRESETS, ids=named)
def test_a_preset_passes_config_check_without_network_key_or_environment(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("STREAM_KEY", raising=False)
    config = preset(path, state_dir=str(tmp_path))
    assert check_config(config, path.name)
    assert config.voice.chain == ("espeak",) and config.preview and config.redis is None
    assert {output.scheme for output in config.outputs} == {"file"}


def test_what_the_comments_of_a_preset_offer_can_be_put_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("STREAM_KEY", "abc")
    monkeypatch.setenv("CHAT_KEY", "abc")
    offers = re.findall(
        r"(?:^#   .*\n)+", "\n".join(path.read_text(encoding="utf-8") for path in PRESETS), re.MULTILINE
    )
    assert len(offers) == 6
    for offer in offers:
        given = yaml.safe_load(re.sub(r"^#   ", "", offer, flags=re.MULTILINE))
        config = preset(PRESETS[0], **({"schedule": given} if isinstance(given, list) else given))
        assert all((ROOT / file).exists() for file in scripts_of(config))
        assert not config.chat or checked(config.chat)


def test_every_script_of_the_schedule_is_in_a_preset_and_says_when_the_others_come() -> None:
    config = preset(PRESETS[1])
    named_there = {file.stem for file in scripts_of(config)}
    assert {"morning", "noon-zh", "evening", "hourly-en", "hourly-zh"} <= named_there
    assert {job.name: job.cron for job in config.schedule if job.name in ("morning", "evening")} == {
        "morning": "0 8 * * *",
        "evening": "0 20 * * *",  # the notices and the bulletins say so
    }


# ── scripts ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_a_shipped_script_has_no_mistake_and_no_warning(path: Path) -> None:
    assert [mistake.told(path) for mistake in check_script(path).mistakes] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_no_shipped_script_promises_what_the_law_on_advertising_forbids(path: Path) -> None:
    text = words_of(path)
    assert [match[0] for rule in FORBIDDEN.values() for match in re.finditer(rule, text, re.IGNORECASE)] == []


@pytest.mark.parametrize("path", [path for path in SCRIPTS if load(path).products], ids=named)
def test_prices_and_stock_are_said_from_the_products_file_alone(path: Path) -> None:
    assert FIGURES.findall(words_of(path)) == []
    assert "stock}" in path.read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize("path", [path for path in SCRIPTS if load(path).products], ids=named)
async def test_a_script_is_as_long_as_its_head_says(path: Path) -> None:
    script = load(path)
    heard = laps(path, 4)
    found = await minutes([one for lap in heard for one in lap], script.voice or "en") / len(heard)
    assert found == pytest.approx(claimed(path.read_text(encoding="utf-8")), rel=ALLOWANCE)
    assert path not in SHOPS or TWENTY[0] <= found <= TWENTY[1]


def test_the_programmes_of_the_schedule_make_twenty_minutes() -> None:
    files = {job.script for job in preset(PRESETS[1]).schedule if job.script}
    total = sum(claimed((ROOT / file).read_text(encoding="utf-8")) for file in files)
    assert TWENTY[0] <= total <= TWENTY[1]
    assert total == pytest.approx(claimed(PRESETS[1].read_text(encoding="utf-8")), abs=1)


@pytest.mark.parametrize("path", SHOPS, ids=named)
def test_no_lap_of_a_shop_sounds_like_the_one_before(path: Path) -> None:
    heard = laps(path, 6)
    for before, after in pairwise(heard):
        texts = {utterance.sentences for utterance in before}
        assert sum(utterance.sentences in texts for utterance in after) < len(after) / 2
        assert [one.section for one in before if one.section] != [one.section for one in after if one.section]


@pytest.mark.parametrize("path", SHOPS, ids=named)
def test_no_line_of_a_shop_is_said_in_the_same_words_twice_in_a_row(path: Path) -> None:
    said: dict[str, tuple[str, ...]] = {}
    for utterance in (one for lap in laps(path, 6) for one in lap):
        assert said.get(utterance.source) != utterance.sentences, utterance.source
        said[utterance.source] = utterance.sentences


@pytest.mark.parametrize("path", SHOPS, ids=named)
def test_a_shop_greets_at_every_minute_of_the_day_and_never_in_two_ways(path: Path) -> None:
    greetings = [section for section in load(path).sections if section.dayparts]
    assert all(sum(section.is_open(minute) for section in greetings) == 1 for minute in range(24 * 60))


def test_both_shops_show_every_product() -> None:
    catalog = products.load(CONFIGS / "products" / "shop.csv")
    assert 8 <= len(catalog) <= 12
    for path in SHOPS:
        assert {section.product for section in load(path).sections if section.product} == set(catalog)


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", FAQS, ids=named)
def test_a_shop_answers_thirty_questions_and_promises_nothing_that_the_law_forbids(path: Path) -> None:
    entries = load_faq(path).entries
    assert len(entries) == 30
    answers = "\n".join(paragraph for entry in entries for paragraph in entry.paragraphs)
    assert [match[0] for rule in FORBIDDEN.values() for match in re.finditer(rule, answers, re.IGNORECASE)] == []
    assert all(len(sentences(" ".join(entry.paragraphs))) <= 4 for entry in entries)


def test_the_shops_say_of_shipping_in_their_answers_what_they_say_in_their_scripts() -> None:
    for name, shown in (("en", ("postage", "free_from")), ("zh", ("postage", "free_from", "return_days"))):
        own = load(CONFIGS / "scripts" / f"shop-{name}.md").variables
        text = (CONFIGS / "faq" / f"shop-{name}.md").read_text(encoding="utf-8")
        assert all(str(own[key]) in text for key in shown)


# ── docs/scripts.md ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["markdown", "csv", "jsonl"])
def test_every_example_of_the_guide_is_a_script_without_a_mistake(kind: str, tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^ *```{kind}\n(.*?)^ *```$", guide, re.DOTALL | re.MULTILINE)
    blocks += [found for found in re.findall(r"`(\{\".*?\})`", guide) if kind == "jsonl" and '"text"' in found]
    assert blocks
    for block in map(textwrap.dedent, blocks):
        if block.startswith("id,"):
            file = tmp_path / "products.csv"
            file.write_text(block, encoding="utf-8")
            assert products.load(file)
        else:
            assert examined(Path(f"example.{kind.replace('markdown', 'md')}"), block).mistakes == []
