"""The line through a figure's history, and when an answer makes no sense."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticktrace.runtime.trend import fit


@given(
    st.lists(st.tuples(st.floats(0.001, 1e4), st.integers(-(10**9), 10**9)), min_size=3, max_size=50).filter(
        lambda points: len({value for _, value in points}) > 1
    )
)
def test_it_is_the_line_that_the_standard_library_finds(points: list[tuple[float, int]]) -> None:
    times, at = [], 1e9
    for step, _ in points:
        at += step
        times.append(at)
    values = [float(value) for _, value in points]
    wanted = statistics.linear_regression([time - times[0] for time in times], values)
    found = fit("threads", times, values, None)
    assert found.n == len(points)
    assert found.slope == pytest.approx(wanted.slope, rel=1e-5, abs=1e-6 * max(map(abs, values)) / (at - 1e9))
    if found.r2 is not None and found.r2 > 1e-6:
        correlation = statistics.correlation([time - times[0] for time in times], values)
        assert found.r2 == pytest.approx(correlation**2, rel=1e-3, abs=1e-6)


RISING = [float(number) for number in range(20)]


@pytest.mark.parametrize(
    ("values", "limit", "wanted"),
    [
        (RISING, 29.0, 10.0),
        (RISING, None, None),
        (RISING[:9], 29.0, None),  # too few
        (RISING[::-1], 29.0, None),  # falling
        ([5.0] * 20, 29.0, None),  # level
        ([number % 2 * 100.0 + number for number in range(20)], 200.0, None),  # up and down
        (RISING, 19.0 + 24 * 19 + 1, None),  # farther ahead than it may look
        (RISING, 19.0 + 24 * 19, 24 * 19.0),
        (RISING, 18.5, 0.0),  # beyond it already
        ([1.0], 0.5, 0.0),
        ([], 0.5, None),
    ],
)
def test_time_to_the_limit(values: list[float], limit: float | None, wanted: float | None) -> None:
    found = fit("threads", [float(at) for at in range(len(values))], values, limit)
    assert found.time_to_limit == (None if wanted is None else pytest.approx(wanted))
    assert found.n == len(values)


def test_a_level_line_explains_everything_and_one_point_nothing() -> None:
    assert fit("threads", [0, 1, 2], [5, 5, 5], None)[3:5] == (0.0, 1.0)
    assert fit("threads", [0], [5], None)[3:5] == (None, None)
    assert fit("threads", [3, 3], [5, 6], None)[3:5] == (None, None)


def test_large_numbers_lose_no_digits() -> None:
    """A process of 64 GB that grows by a byte a second, on a clock of 60 years."""
    times = [1.9e9 + number for number in range(100)]
    found = fit("memory_bytes", times, [64e9 + number for number in range(100)], None)
    assert found.slope == pytest.approx(1.0)
    assert found.r2 is not None
    assert math.isclose(found.r2, 1.0)
