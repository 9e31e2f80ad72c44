"""A multiset of floats: exact, small, and rounded only when told to."""

from __future__ import annotations

import statistics
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticktrace.reports.values import Values

floats = st.floats(allow_nan=False, allow_infinity=False, width=32)


def values_of(batches: list[list[float]]) -> Values:
    values = Values()
    for batch in batches:
        values.pending.extend(batch)
        values.ordered()
    return values


@given(st.lists(st.lists(floats, max_size=30), max_size=6))
def test_every_number_is_kept_as_often_as_it_came(batches: list[list[float]]) -> None:
    values = values_of(batches)
    expected = Counter(number for batch in batches for number in batch)
    distinct, counts = values.ordered()
    assert dict(zip(distinct.tolist(), counts.tolist(), strict=True)) == expected
    assert distinct.tolist() == sorted(expected)
    assert len(values) == expected.total()


@given(st.lists(floats, min_size=1, max_size=60), st.integers(0, 60))
def test_the_median_is_that_of_all_numbers(numbers: list[float], cut: int) -> None:
    assert values_of([numbers[:cut], numbers[cut:]]).median() == statistics.median(numbers)


def test_nothing_has_no_median() -> None:
    assert Values().median() is None


def test_numbers_settle_when_there_are_many_of_them() -> None:
    values = Values()
    for _ in range(5):
        values.pending.extend([1.5, 2.5] * 5_000)
        values.settle()
    assert (values.held, len(values)) == (2, 50_000)


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=40))
def test_rough_numbers_are_within_a_thousandth(numbers: list[float]) -> None:
    values = values_of([numbers])
    values.roughen()
    assert not values.exact
    assert len(values) == len(numbers)
    expected = statistics.median(numbers)
    assert values.median() == pytest.approx(expected, rel=1e-3)


def test_rounding_makes_room() -> None:
    values = Values()
    values.pending.extend(np.random.default_rng(0).uniform(1, 2, 100_000).tolist())
    values.settle()
    assert values.held == 100_000
    values.roughen()
    assert (values.held <= 1_025, len(values)) == (True, 100_000)


def test_absorbed_numbers_are_changed_and_the_others_are_not() -> None:
    one, other = values_of([[1.0, 2.0]]), values_of([[4.0, 4.0, 8.0]])
    one.absorb(other, lambda numbers: numbers / 4)
    distinct, counts = one.ordered()
    assert (distinct.tolist(), counts.tolist()) == ([1.0, 2.0], [3, 2])
    assert other.ordered()[0].tolist() == [4.0, 8.0]
