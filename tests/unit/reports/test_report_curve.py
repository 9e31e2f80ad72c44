"""The curve of a threshold against counting one by one."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticktrace.reports.curve import Curve
from ticktrace.reports.values import Values

if TYPE_CHECKING:
    from collections.abc import Callable

COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
# Few different numbers, so that they meet each other and the threshold; and any.
numbers = st.one_of(st.integers(-6, 6).map(float), st.floats(-1e6, 1e6))


def curve_of(comparison: str, threshold: float, failed: list[float]) -> Curve:
    values = Values()
    values.pending.extend(failed)
    return Curve(comparison, threshold, values)


@given(
    st.sampled_from(sorted(COMPARE)), numbers, st.lists(numbers, max_size=120), st.lists(numbers, max_size=10)
)
def test_as_many_pass_as_counting_one_by_one_finds(
    comparison: str, threshold: float, asked: list[float], others: list[float]
) -> None:
    compare = COMPARE[comparison]
    failed = [value for value in asked if not compare(value, threshold)]
    curve = curve_of(comparison, threshold, failed)
    for other in (threshold, *others, *asked):
        if other == threshold or curve.looser(other):
            assert curve.passes_if(other) == sum(compare(value, other) for value in failed)
    assert len(curve) == len(failed)


@given(st.sampled_from(sorted(COMPARE)), numbers, st.lists(numbers, min_size=1, max_size=300))
def test_points_are_exact_few_and_reach_the_end(
    comparison: str, threshold: float, asked: list[float]
) -> None:
    compare = COMPARE[comparison]
    failed = [value for value in asked if not compare(value, threshold)]
    points = curve_of(comparison, threshold, failed).points()
    assert len(points) <= 40
    for at, additional in points:
        assert additional == sum(compare(value, at) for value in failed)
    more = [additional for _, additional in points]
    assert more == sorted(set(more))
    assert bool(points) == bool(failed)
    if failed:
        assert more[-1] == len(failed)
        nearest = min(failed) if comparison[0] == "<" else max(failed)
        assert more[0] == failed.count(nearest)


def test_a_stricter_threshold_has_no_answer() -> None:
    with pytest.raises(ValueError, match=r"2\.0 is stricter than 1\.0"):
        curve_of(">=", 1.0, [0.5]).passes_if(2.0)


def test_what_failed_although_it_passes_is_on_no_curve() -> None:
    curve = curve_of(">=", 1.0, [0.5, 1.0, 3.0])
    assert (len(curve), curve.off, curve.passes_if(0.5)) == (1, 2, 1)


def test_many_values_give_forty_points_denser_near_the_threshold() -> None:
    points = curve_of("<=", 0.0, [float(value) for value in range(1, 10_001)]).points()
    assert len(points) <= 40
    assert [additional for _, additional in points[:3]] == [1, 2, 3]
    assert points[-1] == (10_000.0, 10_000)
