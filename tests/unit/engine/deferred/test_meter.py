"""The meter provider: instruments, views, readers, and what happens when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics as api
from opentelemetry.metrics import NoOpMeter, Observation
from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics._internal import _MeterConfig
from opentelemetry.sdk.metrics._internal.aggregation import _SumAggregation
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    View,
)

from support.measured import Measured, delta_reader
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

A = {"venue": "a", "side": "buy"}
B = {"venue": "b", "side": "buy"}


# Instruments.


@pytest.mark.parametrize(
    ("kind", "theirs", "methods"),
    [
        ("counter", (sdk.Counter, api.Counter), ("add",)),
        ("up_down_counter", (sdk.UpDownCounter, api.UpDownCounter), ("add",)),
        ("histogram", (sdk.Histogram, api.Histogram), ("record",)),
        ("gauge", (api._Gauge,), ("set",)),
    ],
)
def test_instruments_are_the_sdks_in_all_but_speed(
    kind: str, theirs: tuple[type, ...], methods: tuple[str, ...]
) -> None:
    instrument = getattr(Measured().meter, f"create_{kind}")("Orders", "{order}", "How many.")
    for one in theirs:
        assert isinstance(instrument, one)
    assert (instrument.name, instrument.unit, instrument.description) == ("orders", "{order}", "How many.")
    assert instrument.instrumentation_scope.name == "tests"
    assert instrument._is_enabled()
    for method in methods:
        assert callable(getattr(instrument, method))


def test_every_meter_gives_them_and_an_instrument_is_made_once() -> None:
    measured = Measured()
    first = measured.provider.get_meter("library", "1").create_counter("orders")
    assert measured.provider.get_meter("library", "1").create_counter("orders") is first
    assert measured.provider.get_meter("library", "1").create_counter("ORDERS") is first
    assert measured.provider.get_meter("library", "2").create_counter("orders") is not first
    first.add(1)
    measured.provider.get_meter("library", "1").create_counter("Orders").add(1)
    assert measured.point("orders").value == 2


def test_duplicates_are_told_apart_and_warned_of_as_by_the_sdk(caplog: pytest.LogCaptureFixture) -> None:
    seen = []
    for meter in (sdk.MeterProvider(shutdown_on_exit=False).get_meter("tests"), Measured().meter):
        made = [
            meter.create_counter("orders", "{order}", "one"),
            meter.create_counter("orders", "{order}", "one"),
            meter.create_counter("orders", "{order}", "other"),
            meter.create_up_down_counter("orders", "{order}", "one"),
            meter.create_histogram("orders", explicit_bucket_boundaries_advisory=[1]),
            meter.create_histogram("orders", explicit_bucket_boundaries_advisory=[2]),
        ]
        same = [[one is other for other in made] for one in made]
        seen.append((same, [record.getMessage() for record in caplog.records]))
        caplog.clear()
    assert seen[1] == seen[0]
    assert len(seen[1][1]) == 1


@pytest.mark.parametrize("name", ["", "1 invalid", "ä", "x" * 300])
def test_a_wrong_name_is_refused_as_by_the_sdk(name: str) -> None:
    meter = Measured().meter
    with pytest.raises(Exception, match="Expected ASCII string"):
        meter.create_counter(name)
    meter.create_counter("orders").add(1)


def test_boundaries_advised_by_an_instrument_are_used() -> None:
    measured = Measured()
    timer = measured.meter.create_histogram("t", explicit_bucket_boundaries_advisory=[1, 10.5])
    for value in (0.5, 1, 2, 10.5, 11):
        timer.record(value)
    point = measured.point("t")
    assert point.explicit_bounds == (1, 10.5)
    assert point.bucket_counts == (2, 2, 1)


def test_wrong_advice_is_ignored_as_by_the_sdk() -> None:
    measured = Measured()
    timer = measured.meter.create_histogram("t", explicit_bucket_boundaries_advisory=["x"])
    timer.record(1)
    assert len(measured.point("t").explicit_bounds) == 15


def test_boundaries_that_do_not_increase_silence_that_instrument_and_no_other() -> None:
    measured = Measured()
    errors = internal_errors()
    wrong = measured.meter.create_histogram("wrong", explicit_bucket_boundaries_advisory=[2, 1])
    right = measured.meter.create_histogram("right")
    handle = wrong.bind(A)
    for _ in range(5000):
        handle.record(1)
        wrong.record(1, B)
        right.record(1)
    assert set(measured.metrics()) == {"right"}
    assert internal_errors() > errors
    assert measured.drain() == 0


# Views.


def test_views_rename_and_describe() -> None:
    measured = Measured(views=[View(instrument_name="orders", name="bot.orders", description="Of a view.")])
    measured.meter.create_counter("orders").add(1, A)
    metric = measured.metrics()["bot.orders"]
    assert metric.description == "Of a view."
    assert measured.provider.series_count() == {"bot.orders": 1}


@pytest.mark.parametrize("kind", ["counter", "histogram", "gauge"])
def test_what_views_drop_costs_nothing(kind: str) -> None:
    measured = Measured(views=[View(instrument_name="m", aggregation=DropAggregation())])
    instrument = getattr(measured.meter, f"create_{kind}")("m")
    handle = instrument.bind(A)
    method = {"counter": "add", "histogram": "record", "gauge": "set"}[kind]
    for _ in range(10):
        getattr(handle, method)(1)
        getattr(instrument, method)(1, B)
        getattr(instrument, method)("no number", B)
    assert measured.metrics() == {}
    assert measured.dropped == []
    assert measured.provider._registry._series == []


@pytest.mark.parametrize("kind", ["counter", "histogram"])
def test_series_that_a_view_makes_one_are_counted_together(kind: str) -> None:
    measured = Measured(views=[View(instrument_name="m", attribute_keys={"side"})])
    instrument = getattr(measured.meter, f"create_{kind}")("m")
    record = getattr(instrument, {"counter": "add", "histogram": "record"}[kind])
    record(1, A)
    record(1, B)
    record(1)
    assert measured.values("m") == {(("side", "buy"),): 2, (): 1}


def test_several_views_make_several_streams() -> None:
    views = [
        View(instrument_name="t", name="exponential", aggregation=ExponentialBucketHistogramAggregation()),
        View(instrument_name="t", name="explicit", aggregation=ExplicitBucketHistogramAggregation([1.0])),
        View(instrument_name="t", name="last", aggregation=LastValueAggregation(), attribute_keys=set()),
        View(instrument_name="t", name="none", aggregation=DropAggregation()),
    ]
    measured = Measured(views=views)
    timer = measured.meter.create_histogram("t")
    for value in (0.5, 2, 1):
        timer.record(value, A)
    metrics = measured.metrics()
    assert set(metrics) == {"exponential", "explicit", "last"}
    assert metrics["explicit"].data.data_points[0].bucket_counts == (2, 1)
    assert sum(metrics["exponential"].data.data_points[0].positive.bucket_counts) == 3
    assert [(dict(p.attributes), p.value) for p in metrics["last"].data.data_points] == [({}, 1)]


class _Raising(_SumAggregation):
    def aggregate(self, measurement: Any, should_sample_exemplar: bool = True) -> None:
        raise RuntimeError("somebody's aggregation")


class _Doubling(_SumAggregation):
    def aggregate(self, measurement: Any, should_sample_exemplar: bool = True) -> None:
        measurement.value *= 2
        super().aggregate(measurement, should_sample_exemplar)


class _Made(Aggregation):
    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def _create_aggregation(self, instrument: Any, attributes: Any, factory: Any, start: int) -> Any:
        temporality = sdk.export.AggregationTemporality.DELTA
        return self._kind(attributes, True, temporality, start, factory(_SumAggregation))


def test_aggregations_of_somebody_elses_class_are_fed_and_may_raise() -> None:
    views = [
        View(instrument_name="orders", name="raising", aggregation=_Made(_Raising)),
        View(instrument_name="orders", name="doubling", aggregation=_Made(_Doubling)),
        View(instrument_name="orders", name="plain"),
    ]
    measured = Measured(views=views)
    errors = internal_errors()
    orders = measured.meter.create_counter("orders")
    for _ in range(100):
        orders.add(1, A)
    metrics = measured.metrics()
    assert metrics["doubling"].data.data_points[0].value == 200
    assert metrics["plain"].data.data_points[0].value == 100
    assert internal_errors() > errors


# Readers.


def test_a_series_bound_before_there_is_a_reader_is_seen_by_the_reader() -> None:
    measured = Measured([])
    counter, timer = measured.meter.create_counter("c"), measured.meter.create_histogram("t")
    count, time = counter.bind(A), timer.bind(A)
    count.add(5)
    time.record(5)
    reader = InMemoryMetricReader()
    measured.provider.add_metric_reader(reader)
    measured.readers.append(reader)
    assert measured.metrics() == {}  # nobody was there
    count.add(1)
    time.record(1)
    metrics = measured.metrics()
    assert metrics["c"].data.data_points[0].value == 1
    assert metrics["t"].data.data_points[0].count == 1


@pytest.mark.parametrize("unbounded", [True, False])
def test_nothing_gathers_where_nobody_reads(unbounded: bool) -> None:
    measured = Measured([], unbounded=unbounded, buffer_size=100)
    time = measured.meter.create_histogram("t").bind(A)
    for _ in range(10_000):
        time.record(1)
    measured.drain()
    assert time._series._buffer == []
    assert measured.dropped == []


def test_a_reader_that_is_added_gets_what_is_recorded_from_then_on() -> None:
    measured = Measured()
    count, time = measured.meter.create_counter("c").bind(A), measured.meter.create_histogram("t").bind(A)
    count.add(1)
    time.record(1)
    late = InMemoryMetricReader()
    measured.provider.add_metric_reader(late)
    measured.provider.add_metric_reader(late)  # the SDK warns
    measured.readers.append(late)
    count.add(2)
    time.record(2)
    for reader, total, number in ((0, 3, 2), (1, 2, 1)):
        metrics = measured.metrics(reader)
        assert metrics["c"].data.data_points[0].value == total
        assert metrics["t"].data.data_points[0].count == number
    started = [measured.point("c", reader).start_time_unix_nano for reader in (0, 1)]
    assert started[0] < started[1]


def test_a_reader_that_is_removed_gets_nothing_more_and_costs_nothing() -> None:
    measured = Measured([InMemoryMetricReader(), delta_reader()])
    count, time = measured.meter.create_counter("c").bind(A), measured.meter.create_histogram("t").bind(A)
    count.add(1)
    time.record(1)
    gone = measured.readers[1]
    assert set(measured.metrics(1)) == {"c", "t"}
    measured.provider.remove_metric_reader(gone)
    count.add(2)
    time.record(2)
    assert gone.get_metrics_data() is None
    assert measured.point("c").value == 3
    assert measured.point("t").count == 2
    assert len(measured.provider._registry.storages) == 1
    assert {len(series._sinks) for series in measured.provider._registry._series} == {1}
    assert {len(series._restarts) for series in measured.provider._registry._series} == {0}
    measured.provider.remove_metric_reader(measured.readers[0])
    count.add(1)
    measured.drain()


def test_a_reader_may_come_back() -> None:
    measured = Measured([InMemoryMetricReader(), InMemoryMetricReader()])
    count = measured.meter.create_counter("c").bind(A)
    count.add(1)
    back = InMemoryMetricReader()
    measured.provider.remove_metric_reader(measured.readers[1])
    measured.provider.add_metric_reader(back)
    measured.readers[1] = back
    count.add(2)
    assert [measured.point("c", reader).value for reader in (0, 1)] == [3, 2]


class _Failing(InMemoryMetricReader):
    def shutdown(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("somebody's reader")


def test_a_reader_that_raises_while_it_is_removed_is_removed() -> None:
    measured = Measured([InMemoryMetricReader(), _Failing()])
    count = measured.meter.create_counter("c").bind(A)
    count.add(1)
    with pytest.raises(RuntimeError, match="somebody's reader"):
        measured.provider.remove_metric_reader(measured.readers[1])
    assert list(measured.provider._registry.storages) == [measured.readers[0]]
    assert measured.point("c").value == 1


def test_a_reader_with_wrong_boundaries_does_not_take_anything_from_the_others() -> None:
    measured = Measured()
    timer = measured.meter.create_histogram("t")
    timer.record(1, A)
    wrong: Any = ExplicitBucketHistogramAggregation([2, 1])
    measured.provider.add_metric_reader(InMemoryMetricReader({}, {sdk.Histogram: wrong}))
    errors = internal_errors()
    for _ in range(100):
        timer.record(1, A)
    assert measured.point("t").count == 101
    assert internal_errors() > errors


@pytest.mark.parametrize("wrong_first", [True, False])
def test_wrong_boundaries_of_one_reader_from_the_start_do_not_hurt_the_other(wrong_first: bool) -> None:
    wrong: Any = ExplicitBucketHistogramAggregation([2, 1])
    readers = [InMemoryMetricReader({}, {sdk.Histogram: wrong}), InMemoryMetricReader()]
    measured = Measured(readers if wrong_first else readers[::-1])
    measured.meter.create_histogram("t").record(1, A)
    assert measured.point("t", int(wrong_first)).count == 1
    assert measured.points("t", int(not wrong_first)) == []


def test_a_reader_that_wants_what_another_drops_gets_it_with_its_attributes() -> None:
    dropping: Any = {sdk.Counter: DropAggregation()}
    measured = Measured([InMemoryMetricReader({}, dropping)])
    counter = measured.meter.create_counter("c")
    counter.add(1, A)
    measured.readers.append(InMemoryMetricReader())
    measured.provider.add_metric_reader(measured.readers[1])
    counter.add(1, B)
    assert measured.values("c", 1) == {tuple(sorted(B.items())): 1}
    assert measured.points("c", 0) == []


def test_each_reader_has_its_own_temporality() -> None:
    measured = Measured([InMemoryMetricReader(), delta_reader()])
    counter, timer = measured.meter.create_counter("c"), measured.meter.create_histogram("t")
    seen = []
    for _ in range(3):
        counter.add(2)
        timer.record(1)
        for reader in (0, 1):
            metrics = measured.metrics(reader)
            seen.append((metrics["c"].data.data_points[0].value, metrics["t"].data.data_points[0].count))
    assert seen == [(2, 1), (2, 1), (4, 2), (2, 1), (6, 3), (2, 1)]


def test_what_others_have_not_recorded_yet_is_asked_for_before_a_collection() -> None:
    late: list[Any] = []
    measured = Measured(before=lambda: late[0].add(1) if late else None)
    late.append(measured.meter.create_counter("c").bind(A))
    assert measured.point("c").value == 1
    assert measured.point("c").value == 2


def test_what_is_asked_for_may_raise() -> None:
    def broken() -> None:
        raise RuntimeError("bug")

    measured = Measured(before=broken)
    measured.meter.create_counter("c").add(1)
    assert measured.point("c").value == 1


# Asynchronous instruments.


def test_asynchronous_instruments_stand_beside_ours() -> None:
    measured = Measured([InMemoryMetricReader(), delta_reader()])
    counter = measured.meter.create_counter("orders")
    timer = measured.meter.create_histogram("latency")

    def observe(_options: Any) -> Iterator[Observation]:
        counter.add(1, A)  # it may record, and bind
        timer.bind(A).record(1)
        yield Observation(7, A)

    measured.meter.create_observable_gauge("depth", [observe])
    for number in (1, 2):
        metrics = measured.metrics()
        assert metrics["depth"].data.data_points[0].value == 7
        assert metrics["orders"].data.data_points[0].value == number
        assert metrics["latency"].data.data_points[0].count == number
    assert set(measured.metrics(1)) == {"depth", "orders", "latency"}


# Being off.


@pytest.mark.parametrize("kind", ["counter", "histogram", "gauge"])
def test_a_meter_that_is_switched_off_records_nothing(kind: str) -> None:
    measured = Measured()
    instrument = getattr(measured.meter, f"create_{kind}")("m")
    record = getattr(instrument, {"counter": "add", "histogram": "record", "gauge": "set"}[kind])
    record(1)
    measured.provider._set_meter_configurator(
        meter_configurator=lambda _scope: _MeterConfig(is_enabled=False)
    )
    record(2)
    measured.drain()
    (before,) = measured.values("m").values()
    measured.provider._set_meter_configurator(meter_configurator=lambda _scope: _MeterConfig())
    record(3)
    (after,) = measured.values("m").values()
    assert (before, after) == {"counter": (1, 4), "histogram": (1, 2), "gauge": (1, 3)}[kind]


def test_a_disabled_sdk_gives_instruments_that_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    measured = Measured()
    assert isinstance(measured.meter, NoOpMeter)
    measured.meter.create_counter("orders").add(1)
    measured.meter.create_histogram("latency").record(1)
    assert measured.metrics() == {}


def test_a_meter_without_a_name_does_nothing() -> None:
    assert isinstance(Measured().provider.get_meter(""), NoOpMeter)


@pytest.mark.parametrize("unbounded", [True, False])
def test_after_the_shutdown_nothing_is_recorded_and_nothing_grows(unbounded: bool) -> None:
    measured = Measured(unbounded=unbounded)
    counter, timer = measured.meter.create_counter("c"), measured.meter.create_histogram("t")
    gauge = measured.meter.create_gauge("g")
    handle, other = timer.bind(A), counter.bind(A)
    handle.record(1)
    measured.provider.shutdown()
    assert isinstance(measured.provider.get_meter("late"), NoOpMeter)
    series = list(measured.provider._registry._series)
    for _ in range(10_000):
        handle.record(1)
        other.add(1)
        timer.record(1, A)
        counter.add(1, B)
        gauge.set(1, B)
    late = timer.bind(B)
    late.record(1)
    late.record_many([1, 2])
    handle.record_many([1, 2])
    handle.offer_exemplar(1, 1, 1, 1)
    counter.bind(Measured).add(1)
    assert measured.provider._registry._series[: len(series)] == series
    assert all(len(getattr(one, "_buffer", ())) <= 1 for one in measured.provider._registry._series)
    assert counter._sets.records == {}


def test_the_last_collection_of_a_shutdown_has_everything() -> None:
    seen: list[Any] = []

    class Leaving(InMemoryMetricReader):
        def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
            self.collect()
            seen.append(self.get_metrics_data())
            super().shutdown(timeout_millis, **kwargs)

    measured = Measured([Leaving()])
    handle = measured.meter.create_histogram("t").bind(A)
    handle.record(1)
    measured.provider.shutdown()
    assert seen[0].resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0].count == 1
