"""What may be recorded: numbers of any class; and what becomes of anything else."""

from __future__ import annotations

import logging
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from support.measured import Measured
from support.metric_points import described
from ticktrace.engine import internal_errors
from ticktrace.engine.deferred import registry

METHODS = {"counter": "add", "up_down_counter": "add", "histogram": "record", "gauge": "set"}
EVERY_KIND = pytest.mark.parametrize("kind", METHODS)


def made(measured: Measured, kind: str) -> Any:
    return getattr(measured.meter, f"create_{kind}")("m")


def record(instrument: Any, kind: str, value: Any, bound: bool = False) -> None:
    if bound:
        getattr(instrument.bind({}), METHODS[kind])(value)
    else:
        getattr(instrument, METHODS[kind])(value)


RUNS: list[list[Any]] = [
    [True, True, False],
    [False],
    [0],
    [-0.0],
    [1, True, 1.0],
    [Decimal("0.1"), Decimal("0.2"), 3, Decimal(1)],
    [3, Decimal("0.1")],
    [Fraction(1, 3), 1, Fraction(1, 3)],
    [np.float64(0.5), 1, np.float64(1.5)],
    [1.5, np.float32(0.5), np.int64(3)],
    [np.float32(0.5), np.float16(1.5)] * 20,
    [np.bool_(True), np.bool_(True), np.bool_(True)],
    [np.int64(2), 1.5],
    [2**70, 1, 0.5],
    [10**300, 10**300, 1],
]


@EVERY_KIND
@pytest.mark.parametrize("run", RUNS, ids=repr)
@pytest.mark.parametrize("collected", ["once", "each"])
@pytest.mark.parametrize("readers", [1, 2])
def test_numbers_of_any_class_give_the_points_of_the_sdk(
    kind: str, run: list[Any], collected: str, readers: int
) -> None:
    seen = []
    for provider in ("sdk", "ours"):
        made_readers = [InMemoryMetricReader() for _ in range(readers)]
        if provider == "sdk":
            meter: Any = MeterProvider(metric_readers=made_readers, shutdown_on_exit=False).get_meter("tests")
        else:
            meter = Measured(made_readers).meter
        instrument = getattr(meter, f"create_{kind}")("m")
        points: list[Any] = []
        for value in run:
            record(instrument, kind, value)
            if collected == "each":
                points.extend(described(reader.get_metrics_data()) for reader in made_readers)
        points.extend(described(reader.get_metrics_data()) for reader in made_readers)
        seen.append(points)
    assert seen[1] == seen[0]


INVALID: list[Any] = [
    math.nan,
    math.inf,
    -math.inf,
    Decimal("nan"),
    Decimal("snan"),
    np.float64("nan"),
    np.float32("inf"),
    np.float16("-inf"),
    10**400,
    "1",
    "",
    None,
    1j,
    b"1",
    [1, 2],
    np.array([1.0, 2.0]),
    object(),
]


@EVERY_KIND
@pytest.mark.parametrize("value", INVALID, ids=repr)
@pytest.mark.parametrize("bound", [True, False])
def test_what_is_no_finite_number_is_dropped_and_counted(kind: str, value: Any, bound: bool) -> None:
    measured = Measured()
    instrument = made(measured, kind)
    errors = internal_errors()
    record(instrument, kind, value, bound)
    assert measured.points("m") == []
    record(instrument, kind, 2, bound)
    assert list(measured.values("m").values()) in ([2], [1])  # a histogram counts one
    assert measured.dropped == [("invalid", 1)]
    assert measured.provider.rejected == 1
    assert internal_errors() == errors


@pytest.mark.parametrize(
    ("kind", "valid"), [("counter", 0), ("histogram", 0), ("up_down_counter", 1), ("gauge", 1)]
)
@pytest.mark.parametrize("value", [-1, -0.5, Decimal(-1), np.float64(-1), -(10**20)])
def test_negative_values_are_dropped_where_they_make_no_sense(kind: str, valid: int, value: Any) -> None:
    measured = Measured()
    record(made(measured, kind), kind, value)
    assert len(measured.points("m")) == valid
    assert measured.lost("invalid") == 1 - valid


@pytest.mark.parametrize("count", [3, 200])
def test_one_invalid_value_does_not_cost_the_others(count: int) -> None:
    measured = Measured()
    timer = measured.meter.create_histogram("m").bind({})
    for value in (*range(count), math.nan, "x", *range(count)):
        timer.record(value)
    point = measured.point("m")
    assert (point.count, point.sum) == (2 * count, count * (count - 1))
    assert measured.dropped == [("invalid", 2)]


@EVERY_KIND
def test_an_instrument_warns_once_of_invalid_values(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    measured = Measured()
    instrument, other = made(measured, kind), getattr(measured.meter, f"create_{kind}")("other")
    for value in (math.nan, math.inf, "x"):
        record(instrument, kind, value)
    measured.metrics()
    record(other, kind, "x")
    record(instrument, kind, math.nan)
    measured.metrics()
    sdk = [r for r in caplog.records if r.name == "opentelemetry.sdk.metrics._internal.instrument"]
    assert len(sdk) == 2
    assert "nan is not finite" in sdk[0].getMessage()
    assert "amount of type str is not a number" in sdk[1].getMessage()
    assert {r.levelno for r in sdk} == {logging.WARNING}


def test_the_sdks_words_are_said_of_negative_values(caplog: pytest.LogCaptureFixture) -> None:
    MeterProvider(metric_readers=[InMemoryMetricReader()], shutdown_on_exit=False).get_meter(
        "t"
    ).create_counter("m").add(-1)
    Measured().meter.create_counter("m").add(-1)
    theirs, ours = (record.getMessage() for record in caplog.records)
    assert ours == theirs


@pytest.mark.parametrize("aggregation", ["explicit", "exponential"])
@pytest.mark.parametrize("count", [1, 40])
def test_values_that_cannot_be_added_are_added_as_floats(aggregation: str, count: int) -> None:
    """The SDK raises into the application, or in every collection from then on."""
    views = [View(instrument_name="t", aggregation=ExponentialBucketHistogramAggregation())]
    measured = Measured(views=views if aggregation == "exponential" else [])
    counter, timer = measured.meter.create_counter("c"), measured.meter.create_histogram("t")
    errors = internal_errors()
    for values in ((Decimal("0.5"), 0.25), (Decimal(1),), (0.5,)):
        for _ in range(count):
            for value in values:
                counter.add(value)
                timer.record(value)
        metrics = measured.metrics()
    assert metrics["c"].data.data_points[0].value == 2.25 * count
    assert metrics["t"].data.data_points[0].sum == 2.25 * count
    assert metrics["t"].data.data_points[0].count == 4 * count
    assert internal_errors() == errors
    assert measured.dropped == []


def test_an_infinite_sum_is_no_error() -> None:
    measured = Measured()
    timer = measured.meter.create_histogram("m")
    for _ in range(100):
        timer.record(1e308)
    assert measured.point("m").sum == math.inf
    assert measured.dropped == []


class Strange(float):
    """A number whose addition is Python code."""

    def __add__(self, other: float) -> float:
        raise RuntimeError("no")

    __radd__ = __add__


def test_a_number_that_cannot_be_added_at_all_is_survived() -> None:
    measured = Measured()
    counter = measured.meter.create_counter("m")
    counter.add(1)
    counter.add(Strange(2))
    counter.add(3)
    assert measured.point("m").value in (4, 6)


def test_an_exponential_histogram_goes_on_after_a_start_with_zeros() -> None:
    """Where the SDK's second collection raises, and all metrics of the collection are gone."""
    view = View(instrument_name="m", aggregation=ExponentialBucketHistogramAggregation(max_size=2))
    sdk_reader = InMemoryMetricReader()
    measured = Measured(views=[view])
    sdk = MeterProvider(metric_readers=[sdk_reader], views=[view], shutdown_on_exit=False).get_meter("t")
    theirs, ours = sdk.create_histogram("m"), measured.meter.create_histogram("m")
    for timer in (theirs, ours):
        timer.record(0)
    sdk_reader.get_metrics_data()
    measured.metrics()
    for timer in (theirs, ours):
        timer.record(1e9)
    with pytest.raises(Exception, match="merge scale"):
        sdk_reader.get_metrics_data()
    point = measured.point("m")
    assert (point.count, point.sum, point.zero_count, sum(point.positive.bucket_counts)) == (2, 1e9, 1, 1)


def test_sums_are_exact_without_a_gil(monkeypatch: pytest.MonkeyPatch) -> None:
    """There every series keeps its values in a buffer."""
    monkeypatch.setattr(registry, "TURNS", False)
    measured = Measured()
    counter, gauge = measured.meter.create_counter("c"), measured.meter.create_gauge("g")
    for value in (0.1, 0.2, 0.3, True, 10**20):
        counter.add(value)
        gauge.set(value)
    metrics = measured.metrics()
    assert metrics["c"].data.data_points[0].value == 0.1 + 0.2 + 0.3 + True + 10**20
    assert metrics["g"].data.data_points[0].value == 10**20
    assert measured.drain() == 0
    assert len(measured.provider._registry._buffered) == 2
