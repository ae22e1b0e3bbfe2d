"""A room that answers: its process in the plan, its section, its files, its words in the status."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from broadcaster import child, children
from broadcaster.chat.files import checked
from broadcaster.chat.spec import ChatSpec
from broadcaster.config import Config, load, parse
from broadcaster.reload import Question as Asked
from broadcaster.reload import in_force, read_again
from broadcaster.report import describe
from pipeline.errors import ConfigError

KEY = "sk-chat-998877"
LLM = {"url": "http://127.0.0.1:1/v1", "model": "m", "key": KEY}


def room(**chat: Any) -> Config:
    return parse({"room": "shop", "chat": chat}, "c.yaml")


def test_a_room_has_a_process_that_answers_when_it_is_asked_for(tmp_path: Path) -> None:
    assert "chat" not in {plan.kind for plan in children.plan(parse({"room": "shop"}, "c.yaml"), tmp_path)}
    plan = next(plan for plan in children.plan(room(), tmp_path, "me") if plan.kind == "chat")
    assert (plan.stage, plan.renewable, plan.gated) == (0, True, False)
    assert plan.phases.keys() >= {"loading", "ready", "draining"} and plan.kind in children.REMEDIES
    assert plan.spec["owner"] == "me"


def test_its_section_arrives_as_it_was_written_and_its_secrets_are_not_shown(tmp_path: Path) -> None:
    config = room(
        llm=LLM,
        faq=["a.md", "b.md"],
        proactive={"after_s": 30},
        names="full",
        knowledge={"sure": 0.7},
        connectors=[{"name": "t", "kind": "twitch", "channel": "shop"}],
    )
    plan = next(plan for plan in children.plan(config, tmp_path) if plan.kind == "chat")
    module, _, name = child.KINDS["chat"].partition(":")
    spec = msgspec.convert(dict(plan.spec), getattr(importlib.import_module(module), name))
    assert isinstance(spec, ChatSpec) and spec.llm is not None and spec.proactive is not None
    assert (spec.llm.key, spec.faq, spec.names, spec.sure) == (KEY, ["a.md", "b.md"], "full", 0.7)
    assert (spec.proactive.after_s, spec.connectors[0].channel, spec.rules) == (30.0, "shop", "")
    assert KEY not in repr(spec) and not any(KEY in argument for argument in plan.command)


def test_a_changed_section_is_taken_up_on_air_and_so_is_one_that_comes_or_goes(tmp_path: Path) -> None:
    path = tmp_path / "room.yaml"
    tree: dict[str, Any] = {"room": "shop", "state_dir": str(tmp_path / "var"), "voice": {"chain": ["espeak"]}}

    def become(**chat: Any) -> tuple[list[str], set[str]]:
        before = in_force(load(path))
        path.write_text(yaml.safe_dump(tree | chat))
        found = read_again(path, tmp_path, Asked("me", before))
        assert not found.reasons and not found.need_restart
        return found.applied, {plan.kind for plan in found.plans}

    path.write_text(yaml.safe_dump(tree))
    assert become(chat={}) == (["chat"], become(chat={})[1])
    applied, kinds = become(chat={"per_minute": 30})
    assert applied == ["chat.per_minute"] and "chat" in kinds
    applied, kinds = become()
    assert applied == ["chat"] and "chat" not in kinds


def test_every_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "faq.md", tmp_path / "rules.txt"
    good.write_text("---\nlanguage: en\n---\n## Is it blue?\n\nIt is.\n")
    bad.write_text("no bar in this line\n")
    section = room(rules=str(bad), faq=[str(good), str(tmp_path / "none.md")]).chat
    assert section is not None
    with pytest.raises(ConfigError) as caught:
        checked(section)
    assert "chat.rules: " in str(caught.value) and "none.md" in str(caught.value)
    section = room(faq=[str(good)]).chat
    assert section is not None and checked(section) == [f"chat.faq: {good}, 1 entries"]


def test_the_status_tells_what_viewers_are_answered() -> None:
    facts = {
        "answers": {"faq": 3, "llm": 1, "unanswered": 2},
        "waiting": 4,
        "reading": True,
        "comments": {"comments": 90},
        "connectors": {"sources": {"twitch": {"connected": True, "messages": 80}}},
    }
    child = {"kind": "chat", "phase": "ready", "pid": 1, "starts": 1, "facts": facts}
    text = describe({"room": "shop", "ready": True, "children": {"chat": child}})
    assert "answers: 3 by faq, 1 by llm; nobody knew 2; 4 of 90 comments wait" in text
    assert "comments from twitch: connected, 80 came" in text
