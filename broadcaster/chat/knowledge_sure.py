"""How sure an entry is the one that was asked for, from what speaks for it. Pure.

In: the evidence for an entry. Out: 0 to 1, calibrated: of the answers that are 0.8 sure, four of five are right. The
weights are those of a logistic regression; `python -m benchmarks.fit_retrieval` fits them to its questions and prints
them. None of them is a fact about any shop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

ODDS_MOST = 30.0  # beyond that it is certain
TELLING = 2.0  # of what a name, a topic or unexplained words tell: more makes no difference


class ProductEvidence(NamedTuple):
    """explained: share of the question that product and attributes account for. left: how much they do not; idle: the
    same where nothing is asked for that is in the file. said: share of the name that was said. told: how much that
    tells. head: how like its last word was said. ahead: of the next product, −1 to 1. asked: an attribute that the file
    has; hinted: one of its values; vague: something that its description may say; guessed: how
    much is not accounted for then. missing: an attribute that it has
    not. somebody: who or why is asked. in_talk: no name was said, it is the product of the
    conversation. pointed: with a word for it. topical: how sure the best entry of the FAQ is; elsewhere: the same where
    nothing known is asked of the product. goods, talk: how likely that something is asked of goods, and nothing, by all
    words; talked: how like it is to talk. asking: it is a question by its form; remark: it is none, and nothing is
    asked for by its name.
    """

    explained: float
    left: float
    idle: float
    said: float
    told: float
    head: float
    ahead: float
    asked: float
    hinted: float
    vague: float
    guessed: float
    missing: float
    somebody: float
    in_talk: float
    pointed: float
    topical: float
    elsewhere: float
    goods: float
    talked: float
    talk: float
    asking: float
    remark: float


class TopicEvidence(NamedTuple):
    """alike: to a way to ask it. whole: share of that one that was said. known: share of the question that the entry
    speaks of. told: how much that is. left: how much it does not speak of. ahead: of the next entry, −1 to 1. lean: how
    likely it asks that, by all words; goods, talk: something of goods, and nothing. nobodys: how like it is to what no
    entry answers; behind: so much more than to this. beside: how sure the best product is; known_beside: the same where
    something known is asked of it. asking: it is a question by its form.
    """

    alike: float
    whole: float
    known: float
    told: float
    left: float
    ahead: float
    lean: float
    nobodys: float
    behind: float
    goods: float
    talk: float
    beside: float
    known_beside: float
    asking: float


PRODUCT_BIAS = -7.82
PRODUCT_WEIGHTS = ProductEvidence(
    explained=2.45,
    left=0.18,
    idle=-0.81,
    said=1.45,
    told=2.53,
    head=0.98,
    ahead=4.15,
    asked=1.25,
    hinted=1.67,
    vague=-0.86,
    guessed=0.44,
    missing=-0.45,
    somebody=-2.08,
    in_talk=2.76,
    pointed=0.93,
    topical=-1.50,
    elsewhere=-1.99,
    goods=0.38,
    talked=0.00,
    talk=-1.58,
    asking=1.21,
    remark=-1.59,
)
TOPIC_BIAS = -10.58
TOPIC_WEIGHTS = TopicEvidence(
    alike=1.01,
    whole=1.13,
    known=2.02,
    told=3.27,
    left=-1.20,
    ahead=2.34,
    lean=4.05,
    nobodys=-0.19,
    behind=-0.26,
    goods=-1.17,
    talk=-0.77,
    beside=-2.72,
    known_beside=-2.26,
    asking=2.44,
)


def sure_of_product(evidence: ProductEvidence) -> float:
    return _logistic(PRODUCT_BIAS, PRODUCT_WEIGHTS, evidence)


def sure_of_topic(evidence: TopicEvidence) -> float:
    return _logistic(TOPIC_BIAS, TOPIC_WEIGHTS, evidence)


def bounded(told: float) -> float:
    """0 to 1."""
    return min(told, TELLING) / TELLING


def _logistic(bias: float, weights: Sequence[float], evidence: Sequence[float]) -> float:
    odds = bias + sum(weight * value for weight, value in zip(weights, evidence, strict=True))
    return 1.0 / (1.0 + math.exp(-max(-ODDS_MOST, min(ODDS_MOST, odds))))
