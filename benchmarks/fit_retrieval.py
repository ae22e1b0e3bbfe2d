"""`python -m benchmarks.fit_retrieval`: the weights of broadcaster/chat/knowledge_sure.py, fitted to known questions.

They are those in tests/data/knowledge, those in the open halves of benchmarks/sets, and the even lines of the second
set there; nothing is fitted to the others. What is printed is pasted there; three runs one after the other settle it,
for a topic's evidence knows how sure a product is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from broadcaster.chat import faq as faq_files
from broadcaster.chat.faq import Faq
from broadcaster.chat.knowledge import Knowledge
from broadcaster.chat.knowledge_sure import ProductEvidence, TopicEvidence
from broadcaster.script import products
from tts.text import language_of

DATA = Path(__file__).parents[1] / "tests" / "data" / "knowledge"
SETS = Path(__file__).parent / "sets"
OPEN = ("open", "2")  # of which the last is looked at by its even lines alone
HARD_WEIGHT = 0.3  # of a question of the tests, which are meant to be hard, beside one in a viewer's own words
#: added to the odds: of a product, an answer that is not given weighs more than one that is beside the point
EAGER = {"PRODUCT": 0.3, "TOPIC": -0.2}
RIDGE = 0.5  # keeps weights small where the questions do not tell them apart
STEPS = 50
NOBODY = "-"

Rows = list[tuple[Sequence[float], bool, float]]  # evidence, whether it is right, weight


class Asked(NamedTuple):
    """entry: "product:mug.price", "faq:delivery", or "-" where nothing here answers. product: on air."""

    entry: str
    product: str
    text: str


def questions(path: Path = DATA / "questions.txt") -> Iterator[Asked]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            head, _, text = line.partition(" | ")
            entry, _, product = head.partition(" @")
            yield Asked(entry, product, text)


def knowledge(*, data: Path = DATA) -> Knowledge:
    entries = [faq_files.load(path).entries for path in sorted(data.glob("faq-*.md"))]
    return Knowledge(products.load(data / "products.csv"), Faq(tuple(entry for some in entries for entry in some)))


def asked_in_sets() -> Iterator[Asked]:
    for half in OPEN:
        for name in ("questions", "unanswerable"):
            lines = (SETS / f"{name}-{half}.jsonl").read_text(encoding="utf-8").splitlines()
            for line in lines[1::2] if half == OPEN[-1] else lines:
                row = json.loads(line)
                yield Asked(row.get("entry", NOBODY), row.get("product", ""), row["text"])


def evidence(known: Knowledge, asked: Sequence[Asked], weight: float) -> tuple[Rows, Rows]:
    """Of every entry that was considered for these questions, and whether it was the right one."""
    of_products: Rows = []
    of_topics: Rows = []
    for one in asked:
        wanted = one.entry.partition(".")[0]
        considered = known.considered(one.text, language_of(one.text, "zh"), one.product)
        for product, named, _ in considered.products:
            of_products.append((product, f"product:{named.product}" == wanted, weight))
        for told, topic in considered.topics:
            of_topics.append((told, f"faq:{topic.id}" == wanted, weight))
    return of_products, of_topics


def fitted(rows: Rows) -> NDArray[np.float64]:
    """Weights of a logistic regression, that of the bias first, by Newton's method."""
    values = np.array([[1.0, *found] for found, _, _ in rows])
    right = np.array([float(is_right) for _, is_right, _ in rows])
    counts = np.array([weight for _, _, weight in rows])
    weights = np.zeros(values.shape[1])
    ridge = RIDGE * np.eye(len(weights))
    ridge[0, 0] = 0.0
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(values @ weights, -30, 30)))
        slope = values.T @ (counts * (right - chance)) - ridge @ weights
        curve = (values * (counts * chance * (1 - chance))[:, None]).T @ values + ridge
        weights += np.linalg.solve(curve, slope)
    return np.asarray(weights)


def main() -> None:
    hard = evidence(knowledge(), list(questions()), HARD_WEIGHT)
    own_words = evidence(knowledge(data=SETS), list(asked_in_sets()), 1.0)
    of_products, of_topics = (some + others for some, others in zip(hard, own_words, strict=True))
    for name, rows, kind in (("PRODUCT", of_products, ProductEvidence), ("TOPIC", of_topics, TopicEvidence)):
        bias, *weights = fitted(rows)
        print(f"{name}_BIAS = {bias + EAGER[name]:.2f}")
        print(f"{name}_WEIGHTS = {kind.__name__}(")
        for field, weight in zip(kind._fields, weights, strict=True):
            print(f"    {field}={weight:.2f},")
        print(")")


if __name__ == "__main__":
    main()
