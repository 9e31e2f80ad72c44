"""Exponential histograms as classic ones: fewer bounds, the same counts."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    Buckets,
    ExponentialHistogramDataPoint,
    InMemoryMetricReader,
    Metric,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from ticktrace.exporters._exponential import MAX_BUCKETS, _power, classic_buckets

if TYPE_CHECKING:
    from collections.abc import Sequence


def recorded(
    values: Sequence[float], max_size: int = 160, max_scale: int = 20
) -> ExponentialHistogramDataPoint:
    """What the SDK aggregates of `values`."""
    reader = InMemoryMetricReader()
    aggregation = ExponentialBucketHistogramAggregation(max_size=max_size, max_scale=max_scale)
    provider = MeterProvider(
        [reader], shutdown_on_exit=False, views=[View(instrument_name="h", aggregation=aggregation)]
    )
    histogram = provider.get_meter("test").create_histogram("h")
    for value in values:
        histogram.record(value)
    data = reader.get_metrics_data()
    provider.shutdown()
    assert data is not None
    metric: Metric = data.resource_metrics[0].scope_metrics[0].metrics[0]
    point = metric.data.data_points[0]
    assert isinstance(point, ExponentialHistogramDataPoint)
    return point


amounts = st.one_of(
    st.just(0.0),
    st.floats(min_value=1e-9, max_value=1e9),
    st.integers(min_value=-40, max_value=40).map(lambda power: math.ldexp(1.0, power)),
)


@settings(max_examples=60)  # each one runs a whole meter provider
@given(
    values=st.lists(amounts, min_size=1, max_size=60),
    max_size=st.integers(min_value=2, max_value=160),
    max_scale=st.integers(min_value=-10, max_value=20),
)
@example(values=[1e-300, 1e300], max_size=2, max_scale=20)
@example(values=[5e-324, 1.0], max_size=160, max_scale=20)
@example(values=[0.0], max_size=160, max_scale=20)
def test_counts_at_every_bound_are_exact(values: list[float], max_size: int, max_scale: int) -> None:
    bounds, cumulative = classic_buckets(recorded(values, max_size, max_scale))
    assert 1 <= len(bounds) < MAX_BUCKETS
    assert list(bounds) == sorted(set(bounds))
    assert list(cumulative) == [sum(value <= bound for value in values) for bound in bounds]


def test_a_wide_range_is_capped_and_keeps_powers_of_two() -> None:
    values = [math.ldexp(1.0, power) * 1.1 for power in range(-30, 30)]
    bounds, cumulative = classic_buckets(recorded(values))
    assert len(bounds) < MAX_BUCKETS
    assert set(bounds[1:]) <= {math.ldexp(1.0, power) for power in range(-31, 32)}
    assert cumulative[-1] == 60


def test_a_coarser_scale_uses_bounds_of_the_finer_one() -> None:
    finer, _ = classic_buckets(recorded([1.0, 3.0], max_scale=3))
    coarser, _ = classic_buckets(recorded([1.0, 3.0], max_scale=1))
    assert set(coarser[2:-1]) <= set(finer)  # the outermost ones lie beyond the values


def test_negative_values_are_at_or_below_zero() -> None:
    """The SDK's histogram takes none, other producers' may."""
    point = ExponentialHistogramDataPoint(
        attributes={},
        start_time_unix_nano=0,
        time_unix_nano=1,
        count=6,
        sum=0,
        scale=0,
        zero_count=1,
        positive=Buckets(offset=0, bucket_counts=[2]),
        negative=Buckets(offset=0, bucket_counts=[1, 2]),
        flags=0,
        min=-3,
        max=2,
    )
    assert classic_buckets(point) == ((0.0, 1.0, 2.0), (4, 4, 6))


@given(index=st.integers(min_value=-400, max_value=400), scale=st.integers(min_value=0, max_value=3))
def test_a_bound_is_the_largest_float_that_is_not_above_the_true_one(index: int, scale: int) -> None:
    bound, steps = _power(index, scale), 1 << scale
    assert Fraction(bound) ** steps <= Fraction(2) ** index
    assert Fraction(math.nextafter(bound, math.inf)) ** steps > Fraction(2) ** index
