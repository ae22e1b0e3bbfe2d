"""Who is to blame when a director dies in the middle of a sentence."""

from __future__ import annotations

import random

from broadcaster.patience import TRIES, Patience


def director(kept: dict[str, int]) -> Patience:
    """The next one, with what its predecessor left."""
    return Patience(kept)


def test_a_sentence_over_which_directors_die_again_and_again_is_deadly() -> None:
    kept: dict[str, int] = {}
    for _ in range(TRIES):
        assert not director(kept).is_deadly("d")
        patience = director(kept)
        patience.begins(("d", 3))
        kept = patience.trying()
    assert director(kept).is_deadly("d") and not director(kept).is_deadly("e")


def test_fifty_deaths_bury_no_innocent_utterance() -> None:
    dice = random.Random(3)
    kept: dict[str, int] = {}
    for _ in range(50):
        patience = director(kept)
        for sentence in range(20):  # each is spoken in the end; the death comes in the middle of one of them
            patience.begins(("long", sentence))
            if sentence == dice.randrange(5, 20):
                break
            patience.ends(("long", sentence))
        kept = patience.trying()
        assert not patience.is_deadly("long")


def test_what_another_machine_s_directors_died_over_counts_here() -> None:
    patience = director({"a#0": 1})
    patience.recall({"a#0": TRIES, "b#1": 1})
    assert patience.is_deadly("a") and patience.is_suspect(("b", 1)) and not patience.is_suspect(("b", 0))


def test_a_suspect_is_cleared_when_it_was_spoken() -> None:
    patience = director({"a#0": 4})
    assert patience.is_suspect(("a", 0))
    patience.begins(("a", 0))
    patience.ends(("a", 0))
    assert not patience.is_suspect(("a", 0)) and patience.trying() == {}


def test_what_is_settled_is_forgotten_but_the_script_comes_again() -> None:
    patience = director({"gone#0": 2, "here#1": 1, "script:0:4#0": 3})
    patience.prune({"here"})
    assert patience.trying() == {"here#1": 1, "script:0:4#0": 3}


def test_a_deadly_message_that_is_pushed_again_is_tried_again() -> None:
    patience = director({"d#0": TRIES})
    patience.forget("d")
    assert not patience.is_deadly("d")
