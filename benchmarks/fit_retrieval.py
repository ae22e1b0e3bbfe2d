"""`python -m benchmarks.fit_retrieval`: the weights of broadcaster/chat/knowledge_sure.py, fitted to known questions.

They are those in tests/data/knowledge; the sets that retrieval is measured with have nothing to do with them. What is
printed is pasted there; two runs one after the other settle it, for a topic's evidence knows how sure a product is.
"""

from __future__ import annotations

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
RIDGE = 0.5  # keeps weights small where the questions do not tell them apart
STEPS = 50
NOBODY = "-"

Rows = list[tuple[Sequence[float], bool]]


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


def evidence(known: Knowledge, asked: Sequence[Asked]) -> tuple[Rows, Rows]:
    """Of every entry that was considered for these questions, and whether it was the right one."""
    of_products: Rows = []
    of_topics: Rows = []
    for one in asked:
        wanted = one.entry.partition(".")[0]
        considered = known.considered(one.text, language_of(one.text, "zh"), one.product)
        of_products += [(found, f"product:{named.product}" == wanted) for found, named, _ in considered.products]
        of_topics += [(found, f"faq:{topic.id}" == wanted) for found, topic in considered.topics]
    return of_products, of_topics


def fitted(rows: Rows) -> NDArray[np.float64]:
    """Weights of a logistic regression, that of the bias first, by Newton's method."""
    values = np.array([[1.0, *found] for found, _ in rows])
    right = np.array([float(is_right) for _, is_right in rows])
    weights = np.zeros(values.shape[1])
    ridge = RIDGE * np.eye(len(weights))
    ridge[0, 0] = 0.0
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(values @ weights, -30, 30)))
        slope = values.T @ (right - chance) - ridge @ weights
        curve = (values * (chance * (1 - chance))[:, None]).T @ values + ridge
        weights += np.linalg.solve(curve, slope)
    return np.asarray(weights)


def main() -> None:
    of_products, of_topics = evidence(knowledge(), list(questions()))
    for name, rows, kind in (("PRODUCT", of_products, ProductEvidence), ("TOPIC", of_topics, TopicEvidence)):
        bias, *weights = fitted(rows)
        print(f"{name}_BIAS = {bias:.2f}")
        print(f"{name}_WEIGHTS = {kind.__name__}(")
        for field, weight in zip(kind._fields, weights, strict=True):
            print(f"    {field}={weight:.2f},")
        print(")")


if __name__ == "__main__":
    main()
