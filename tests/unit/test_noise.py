"""Noise is a function of three numbers, and it is noise."""

import subprocess
import sys

import pytest
import torch

from pipeline import noise

SHAPE = (16, 9, 8, 12)


def test_the_same_numbers_give_the_same_noise() -> None:
    assert torch.equal(noise.draw(7, 3, 1, SHAPE), noise.draw(7, 3, 1, SHAPE))


@pytest.mark.parametrize(
    "other", [(8, 3, 1), (7, 4, 1), (7, 3, 2), (7, 1, 3), (3, 7, 1), (-7, 3, 1), (2**63 + 7, 3, 1)]
)
def test_other_numbers_give_unrelated_noise(other: tuple[int, int, int]) -> None:
    one, two = noise.draw(7, 3, 1, SHAPE).flatten(), noise.draw(*other, SHAPE).flatten()
    assert not torch.equal(one, two)
    assert abs(float((one * two).mean())) < 5 / len(one) ** 0.5


def test_large_seeds_that_differ_by_one_differ() -> None:
    assert not torch.equal(noise.draw(-8, 3, 1, SHAPE), noise.draw(-7, 3, 1, SHAPE))


def test_draws_are_not_stretches_of_one_another() -> None:
    one = set(noise.draw(7, 3, 0, SHAPE).flatten().tolist())
    other = set(noise.draw(7, 3, 1, SHAPE).flatten().tolist())
    assert len(one & other) < len(one) // 100


def test_it_is_standard_normal() -> None:
    drawn = noise.draw(1, 2, 3, (400_000,))
    assert abs(float(drawn.mean())) < 0.01
    assert abs(float(drawn.std()) - 1) < 0.01
    assert abs(float((drawn.abs() < 1).float().mean()) - 0.6827) < 0.005
    assert abs(float((drawn**4).mean()) - 3) < 0.1


def test_a_longer_draw_begins_as_the_shorter_one_so_that_shapes_can_grow() -> None:
    assert torch.equal(noise.draw(1, 2, 3, (100,)), noise.draw(1, 2, 3, (1000,))[:100])


def test_another_process_draws_the_same() -> None:
    code = "from pipeline import noise; print(noise.draw(-5, 2**40, 4, (3,)).tolist())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.strip() == str(noise.draw(-5, 2**40, 4, (3,)).tolist())


def test_the_generator_of_the_process_is_neither_read_nor_moved() -> None:
    torch.manual_seed(1)
    first = noise.draw(7, 3, 1, SHAPE)
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(1))
    assert torch.equal(first, noise.draw(7, 3, 1, SHAPE))


def test_a_type_is_rounded_from_the_same_numbers() -> None:
    whole = noise.draw(7, 3, 1, SHAPE)
    assert torch.equal(noise.draw(7, 3, 1, SHAPE, dtype=torch.bfloat16), whole.bfloat16())


def test_these_are_the_numbers_of_version_one() -> None:
    """A saved state goes on with the same noise after an update of the libraries."""
    told = [round(number, 6) for number in noise.draw(9999, 5, 2, (4,)).tolist()]
    assert told == [0.755524, 1.235356, -0.036239, 0.349138]
