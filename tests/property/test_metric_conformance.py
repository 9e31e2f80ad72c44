"""Any program of measurements and collections leaves the same points on the deferred engine as on the SDK."""

from __future__ import annotations

import logging
import math
import operator
from array import array
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics._internal.instrument import Gauge
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    SumAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource

from support.metric_points import described
from ticktrace.engine.deferred.chunk import Chunk, running_sum
from ticktrace.engine.deferred.meter import DeferredMeterProvider

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RESOURCE = Resource({"service.name": "bot"})
DELTA = AggregationTemporality.DELTA
KINDS = (Counter, UpDownCounter, Histogram, Gauge, ObservableCounter)

DELTAS = st.lists(st.sampled_from(KINDS), unique=True).map(lambda kinds: dict.fromkeys(kinds, DELTA))
AGGREGATIONS: st.SearchStrategy[Aggregation] = st.one_of(
    st.builds(ExplicitBucketHistogramAggregation, st.sampled_from([None, (), (0.5,), (-1, 0, 1, 10.5)])),
    st.builds(
        ExponentialBucketHistogramAggregation,
        max_size=st.sampled_from([2, 3, 20, 160]),
        max_scale=st.sampled_from([-3, 0, 4, 20]),
    ),
    st.builds(SumAggregation),
    st.builds(LastValueAggregation),
    st.builds(DropAggregation),
)
READERS = st.tuples(
    DELTAS, st.one_of(st.just({}), st.dictionaries(st.sampled_from(KINDS[:3]), AGGREGATIONS, max_size=1))
)
VIEWS = st.builds(
    View,
    instrument_name=st.sampled_from(["orders", "latency", "*"]),
    description=st.sampled_from([None, "of a view"]),
    attribute_keys=st.sampled_from([None, set(), {"venue"}, {"venue", "side"}]),
    aggregation=st.one_of(st.none(), AGGREGATIONS),
)
ATTRIBUTES = st.one_of(
    st.none(),
    st.dictionaries(
        st.sampled_from(["venue", "side", "n"]), st.sampled_from(["a", "b", 1, True, 1.0, ("x", 2)])
    ),
)
# Any float where the order of additions is the SDK's; elsewhere those whose sums are exact in any order.
FLOATS = st.one_of(
    st.floats(0, 1e6),
    st.floats(width=64, allow_nan=True, allow_infinity=True),
    st.sampled_from([0, 0.0, -0.0, 1, 5, 5.0, 10, True, 2**60, 1e300, 5e-324, 2.0**-1022, 1024.0]),
)
# No two of them are equal and of different classes: of such, the least is the first that came, which is a matter of order.
EXACT = st.one_of(
    st.integers(-100, 1000),
    st.integers(-100, 100_000).map(lambda n: n / 8 + 1 / 16),
    st.sampled_from([math.nan, math.inf, np.float64(1 / 32), np.int64(2000), Fraction(1, 64)]),
)
CREATE = st.sampled_from(["orders", "balance", "latency", "depth", "fine", "Orders"])


def programs(values: st.SearchStrategy[Any], readers: int) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    step = st.one_of(
        st.tuples(st.just("record"), CREATE, ATTRIBUTES, st.lists(values, min_size=1, max_size=3)),
        st.tuples(st.just("record"), CREATE, ATTRIBUTES, st.lists(values, min_size=30, max_size=90)),
        st.tuples(st.just("bound"), CREATE, ATTRIBUTES, st.lists(values, max_size=40)),
        st.tuples(st.just("collect"), st.integers(0, readers - 1)),
        st.tuples(st.just("drain")),
    )
    return st.lists(step, max_size=25)


class Run:
    """A program on one provider; what each collection gave is in `seen`."""

    def __init__(self, provider: MeterProvider, readers: Sequence[InMemoryMetricReader]) -> None:
        self._provider = provider
        self._readers = readers
        self._observed = 0
        meter = provider.get_meter("bot", "1", attributes={"a": 1})
        create = meter.create_histogram
        self._methods: dict[str, Any] = {
            "orders": lambda: meter.create_counter("orders", "{order}", "how many"),
            "Orders": lambda: provider.get_meter("other").create_counter("Orders"),
            "balance": lambda: meter.create_up_down_counter("balance"),
            "latency": lambda: create("latency", "s", explicit_bucket_boundaries_advisory=[1, 10, 100.5]),
            "fine": lambda: create("fine"),
            "depth": lambda: meter.create_gauge("depth"),
        }
        meter.create_observable_counter("seen", [self._observe])
        self.seen: list[Any] = []

    def _observe(self, _options: Any) -> Iterator[Any]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415  one use

        self._observed += 1
        self._methods["orders"]().add(1, {"venue": "of a callback"})
        yield Observation(self._observed, {"venue": "a"})

    def run(self, program: list[tuple[Any, ...]]) -> list[Any]:
        for step, *arguments in program:
            getattr(self, step)(*arguments)
        for reader in range(len(self._readers)):
            self.collect(reader)
            self.collect(reader)
        return self.seen

    def _method(self, name: str) -> Any:
        instrument = self._methods[name]()
        return getattr(instrument, {"latency": "record", "fine": "record", "depth": "set"}.get(name, "add"))

    def record(self, name: str, attributes: Any, values: list[Any]) -> None:
        method = self._method(name)
        for value in values:
            method(value, attributes)

    def bound(self, name: str, attributes: Any, values: list[Any]) -> None:
        instrument = self._methods[name]()
        if not isinstance(self._provider, DeferredMeterProvider):
            self.record(name, attributes, values)
            return
        handle = instrument.bind(attributes)
        method = next(getattr(handle, m) for m in ("add", "record", "set") if hasattr(handle, m))
        for value in values:
            method(value)

    def drain(self) -> None:
        if isinstance(self._provider, DeferredMeterProvider):
            for _ in self._provider.steps():
                pass

    def collect(self, reader: int) -> None:
        self.seen.append(described(self._readers[reader].get_metrics_data()))


def both(program: list[Any], readers: list[Any], views: list[View], **options: Any) -> tuple[Any, Any]:
    """What the SDK and what ours gives; the program is rejected where the SDK itself fails."""
    logging.disable(logging.CRITICAL)  # each run warns of the same invalid values many times
    try:
        runs = []
        for make in (MeterProvider, DeferredMeterProvider):
            made = [InMemoryMetricReader(*reader) for reader in readers]
            extra = options if make is DeferredMeterProvider else {"shutdown_on_exit": False}
            provider = make(
                metric_readers=made,
                resource=RESOURCE,
                exemplar_filter=AlwaysOffExemplarFilter(),
                views=views,
                **extra,
            )
            try:
                runs.append(Run(provider, made).run(program))
            except Exception:
                if make is MeterProvider:
                    reject()  # what ours does instead: test_an_exponential_histogram_goes_on_after_a_start_with_zeros
                raise
        return runs[0], runs[1]
    finally:
        logging.disable(logging.NOTSET)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(
    program=programs(FLOATS, 1),
    reader=READERS,
    views=st.lists(VIEWS, max_size=1),
    buffer_size=st.sampled_from([1, 40, 4096]),
)
def test_one_reader_gets_every_point_bit_for_bit(
    program: list[Any], reader: Any, views: list[View], buffer_size: int
) -> None:
    sdk, ours = both(program, [reader], views, buffer_size=buffer_size)
    assert ours == sdk


# At powers of two and just beside them the SDK's formulas change; elsewhere only the logarithm's last place matters.
POSITIVE = st.one_of(
    st.builds(
        lambda power, ulps: math.ldexp(1.0 + ulps * 2.0**-52, power),
        st.integers(-1074, 1023),
        st.integers(-1, 3),
    ),
    st.floats(0.5, 2.0),
    st.floats(1.0, 1.0001),
    st.floats(0, 1e300),
    st.just(0.0),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(
    runs=st.lists(
        st.one_of(st.lists(POSITIVE, min_size=1, max_size=3), st.lists(POSITIVE, min_size=32, max_size=80)),
        min_size=1,
        max_size=6,
    ),
    collected=st.lists(st.booleans(), min_size=6, max_size=6),
    signed=st.booleans(),
    reader=DELTAS,
    bounds=st.tuples(st.sampled_from([2, 3, 20, 160, 16384]), st.sampled_from([-10, -1, 0, 1, 4, 20])),
)
def test_exponential_histograms_have_the_sdks_scale_offset_and_counts(
    runs: list[list[float]],
    collected: list[bool],
    signed: bool,
    reader: Any,
    bounds: tuple[int, int],
) -> None:
    """The bounds are the most buckets and the highest scale."""
    name = "balance" if signed else "fine"
    program: list[Any] = []
    for at, values in enumerate(runs):
        turned = [-value if signed and index % 3 == 0 else value for index, value in enumerate(values)]
        program.append(("record", name, None, turned))
        program.extend([("collect", 0)] * collected[at])
    view = View(instrument_name=name, aggregation=ExponentialBucketHistogramAggregation(*bounds))
    sdk, ours = both(program, [(reader, {})], [view])
    assert ours == sdk


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(program=programs(FLOATS, 2), readers=st.lists(READERS, min_size=2, max_size=2))
def test_two_readers_that_collect_at_different_times_get_every_point_bit_for_bit(
    program: list[Any], readers: list[Any]
) -> None:
    sdk, ours = both(program, readers, [])
    assert ours == sdk


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(
    program=programs(EXACT, 3),
    readers=st.lists(READERS, min_size=3, max_size=3),
    views=st.lists(VIEWS, max_size=3),
    unbounded=st.booleans(),
)
def test_three_readers_and_several_views_get_the_same_points(
    program: list[Any], readers: list[Any], views: list[View], unbounded: bool
) -> None:
    sdk, ours = both(program, readers, views, unbounded=unbounded)
    if any(view._attribute_keys != views[0]._attribute_keys for view in views):
        # A stream may then be fed by several series, and its last value be that of the one that was drained last.
        sdk, ours = ([[m for m in seen if m[1] != "Gauge"] for seen in run] for run in (sdk, ours))
    assert ours == sdk


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200),
    start=st.one_of(st.just(0), st.floats(-1e6, 1e6), st.integers(-5, 5)),
)
@example(values=[0.1] * 10, start=0)
@example(values=[1e308, 1e308, -1e308], start=0.5)
@pytest.mark.parametrize("as_array", [True, False])
def test_sums_are_added_from_left_to_right_also_where_the_builtin_compensates(
    values: list[float], start: float, as_array: bool
) -> None:
    chunk = Chunk(values, np.frombuffer(array("d", values)) if as_array else None)
    expected = reduce(operator.add, values, start)
    got = running_sum(chunk, start, plain=False)
    assert (repr(got), type(got)) == (repr(expected), type(expected))
