"""How what waits in buffers is aggregated: in short pieces, by whoever is there, and nothing of it twice or never."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from opentelemetry.sdk.metrics._internal.aggregation import _SumAggregation
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    DropAggregation,
    LastValueAggregation,
    SumAggregation,
    View,
)

from support.measured import Measured, delta_reader
from ticktrace.engine import internal_errors
from ticktrace.engine.deferred.series_kinds import PIECE, BufferedSeries
from ticktrace.engine.recent import Recent

A = {"venue": "a"}


def buffered(handle: Any) -> BufferedSeries:
    series = handle._series
    assert isinstance(series, BufferedSeries)
    return series


# Pieces.


@pytest.mark.parametrize(("values", "pieces"), [(0, 0), (1, 1), (PIECE, 1), (PIECE + 1, 2), (10 * PIECE, 10)])
def test_the_drain_comes_in_pieces(values: int, pieces: int) -> None:
    measured = Measured(unbounded=True)
    handle = measured.meter.create_histogram("m").bind(A)
    buffer = buffered(handle)._buffer
    for _ in range(values):
        handle.record(1)
    left = values
    for _ in measured.provider.steps():
        assert left - len(buffer) <= PIECE
        left = len(buffer)
        pieces -= 1
    assert (left, pieces) == (0, 0)


def test_what_comes_meanwhile_does_not_keep_a_pass_from_ending() -> None:
    measured = Measured(unbounded=True)
    handle = measured.meter.create_histogram("m").bind(A)
    handle.record_many([1] * PIECE * 3)
    passed = 0
    for _ in measured.provider.steps():
        handle.record_many([1] * PIECE)
        passed += 1
    assert passed == 3
    assert measured.point("m").count == 6 * PIECE


def test_many_series_are_looked_at_in_pieces_too() -> None:
    measured = Measured()
    timer = measured.meter.create_histogram("m")
    for number in range(1200):
        timer.record(1, {"n": str(number)})
    assert measured.drain() == 1200 + 2
    assert measured.drain() == 2


def test_sums_and_last_values_need_no_draining() -> None:
    measured = Measured()
    measured.meter.create_counter("c").add(1)
    measured.meter.create_gauge("g").set(1)
    assert measured.drain() == 0
    assert set(measured.metrics()) == {"c", "g"}


# Bounds.


@pytest.mark.parametrize("limit", [1, 10, 5000])
def test_a_full_buffer_is_aggregated_by_who_records(limit: int) -> None:
    woken: list[bool] = []
    measured = Measured(buffer_size=limit, wake=lambda: woken.append(True))
    handle = measured.meter.create_histogram("m").bind(A)
    buffer = buffered(handle)._buffer
    for number in range(3 * limit):
        handle.record(1)
        assert len(buffer) < limit
        assert bool(woken) == (number >= limit - 1)
    assert measured.point("m").count == 3 * limit
    assert measured.dropped == []


@pytest.mark.parametrize("many", [True, False])
def test_a_buffer_that_nobody_can_drain_is_bounded_and_what_it_loses_counted(many: bool) -> None:
    """Somebody holds the lock: here a thread that never comes to an end."""
    measured = Measured(buffer_size=10)
    handle = measured.meter.create_histogram("m").bind(A)
    series = buffered(handle)
    series._patience = 0.01
    with series._lock:
        if many:
            handle.record_many([1] * 1000)
        else:
            for _ in range(1000):
                handle.record(1)
        assert len(series._buffer) == 160
        assert measured.lost("buffer_full") == 840
    for _ in range(100):
        handle.record(1)
    assert measured.point("m").count == 260
    assert measured.lost("buffer_full") == 840
    assert series._patience > 0.01  # there is hope again


def test_pieces_are_not_longer_than_the_bound() -> None:
    """Else a value might be dropped from behind the piece that somebody has just copied, and yet be aggregated."""
    measured = Measured(buffer_size=10)
    handle = measured.meter.create_histogram("m").bind(A)
    with buffered(handle)._lock:
        for _ in range(95):
            handle.record(1)
    assert measured.drain() == 10
    assert measured.point("m").count == 95


def test_who_overruns_a_buffer_waits_for_who_drains_it() -> None:
    measured = Measured(buffer_size=10)
    handle = measured.meter.create_histogram("m").bind(A)
    series = buffered(handle)
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with series._lock:
            holding.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert holding.wait(10)
    threading.Timer(0.05, release.set).start()
    for _ in range(1000):
        handle.record(1)
    holder.join()
    assert measured.point("m").count == 1000
    assert measured.dropped == []


def test_an_unbounded_buffer_is_a_list() -> None:
    measured = Measured(unbounded=True)
    handle = measured.meter.create_histogram("m").bind(A)
    assert handle.record.__self__ is buffered(handle)._buffer
    assert handle.record.__name__ == "append"
    for _ in range(100_000):
        handle.record(1)
    assert len(buffered(handle)._buffer) == 100_000
    assert measured.point("m").count == 100_000


@pytest.mark.parametrize("where", ["on_dropped", "wake"])
def test_who_is_told_may_raise(where: str) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("bug")

    told: dict[str, Any] = {where: broken}
    measured = Measured(buffer_size=10, **told)
    handle = measured.meter.create_histogram("m").bind(A)
    errors = internal_errors()
    for value in (*range(20), -1):
        handle.record(value)
    measured.meter.create_counter("c").add(-1)
    assert measured.point("m").count == 20
    assert internal_errors() > errors


# Many at once.


@pytest.mark.parametrize("unbounded", [True, False])
def test_many_values_are_recorded_at_once(unbounded: bool) -> None:
    measured = Measured(unbounded=unbounded, buffer_size=100)
    handle = measured.meter.create_histogram("m", explicit_bucket_boundaries_advisory=[1, 2]).bind(A)
    values = [0.5, 1, float("nan"), 1.5, -1, 3]
    handle.record_many(values)
    handle.record_many(values * 1000)
    handle.record_many([])
    handle.record_many((2.0,))
    point = measured.point("m")
    assert point.bucket_counts == (2002, 1002, 1001)
    assert point.count == 4 * 1001 + 1
    assert measured.lost("invalid") == 2 * 1001
    assert values == [0.5, 1, pytest.approx(float("nan"), nan_ok=True), 1.5, -1, 3]


@pytest.mark.parametrize("values", [None, 7, object(), "text", [None], [object()]])
def test_values_that_are_none_are_survived(values: Any) -> None:
    measured = Measured()
    handle = measured.meter.create_histogram("m").bind(A)
    handle.record_many(values)
    handle.record(1)
    assert measured.point("m").count == 1


def test_many_values_reach_also_what_keeps_no_values() -> None:
    for aggregation, expected in (
        (SumAggregation(), 6),
        (LastValueAggregation(), 3),
        (DropAggregation(), None),
    ):
        measured = Measured(views=[View(instrument_name="m", aggregation=aggregation)])
        measured.meter.create_histogram("m").bind(A).record_many([1, 2, 3])
        assert [point.value for point in measured.points("m")] == ([] if expected is None else [expected])


# Statistics in process.


def test_the_values_of_histograms_are_kept_for_statistics() -> None:
    recent = Recent(values=5)
    measured = Measured(recent=recent)
    timer, counter = measured.meter.create_histogram("Latency"), measured.meter.create_counter("c")
    for value in (*range(40), -1):
        timer.record(value, A)
        counter.add(1, A)
    assert recent.instruments() == ()
    measured.drain()
    (kept,) = recent.select("latency")
    assert kept.attributes == A
    assert kept.values.tolist() == [35, 36, 37, 38, 39]
    assert kept.recorded == 40
    timer.record(np.float64(0.5), A)
    measured.metrics()
    assert recent.select("latency")[0].values.tolist() == [36, 37, 38, 39, 0.5]
    assert recent.instruments() == ("latency",)


# Threads.


class Load:
    """Four threads that record without a pause, two readers that collect, and a drain."""

    def __init__(self, each: int, **options: Any) -> None:
        self.each = each
        self.measured = Measured([InMemoryMetricReader(), delta_reader()], **options)
        meter = self.measured.meter
        self.count, self.timer = meter.create_counter("c"), meter.create_histogram("t")
        self.deltas = {"count": 0, "sum": 0.0, "value": 0}
        self._done = threading.Event()

    def run(self) -> None:
        producers = [threading.Thread(target=self._produce) for _ in range(4)]
        others = [threading.Thread(target=work) for work in (self._read, self._read_deltas, self._drain)]
        for thread in (*producers, *others):
            thread.start()
        for thread in producers:
            thread.join()
        self._done.set()
        for thread in others:
            thread.join()
        self._add_deltas()

    def _produce(self) -> None:
        add, record = self.count.bind(A).add, self.timer.bind(A).record
        for _ in range(self.each):
            add(1)
            record(0.5)
        for _ in range(self.each // 100):
            self.timer.record(0.5, A)

    def _read(self) -> None:
        while not self._done.wait(0.005):
            self.measured.metrics()

    def _read_deltas(self) -> None:
        while not self._done.wait(0.005):
            self._add_deltas()

    def _add_deltas(self) -> None:
        for metric in self.measured.metrics(1).values():
            for point in metric.data.data_points:
                for name in self.deltas:
                    self.deltas[name] += getattr(point, name, 0)

    def _drain(self) -> None:
        while not self._done.wait(0.01):
            self.measured.drain()


@pytest.mark.parametrize("unbounded", [True, False])
def test_four_threads_lose_nothing_while_two_readers_collect(unbounded: bool) -> None:
    load = Load(250_000, unbounded=unbounded)
    load.run()
    records = 4 * (load.each + load.each // 100)
    assert load.deltas == {"count": records, "sum": records / 2, "value": 4 * load.each}
    cumulative = load.measured.metrics()
    assert cumulative["c"].data.data_points[0].value == 4 * load.each
    assert cumulative["t"].data.data_points[0].count == records
    assert load.measured.dropped == []


class _Slow(Aggregation):
    """Makes sums that take their time."""

    def __init__(self) -> None:
        self.entered, self.release = threading.Event(), threading.Event()

    def _create_aggregation(self, instrument: Any, attributes: Any, factory: Any, start: int) -> Any:
        slow = self

        class SlowSum(_SumAggregation):
            def aggregate(self, measurement: Any, should_sample_exemplar: bool = True) -> None:
                slow.entered.set()
                slow.release.wait(10)
                super().aggregate(measurement, should_sample_exemplar)

        return SlowSum(attributes, True, AggregationTemporality.DELTA, start, factory(_SumAggregation))


def test_a_collection_has_also_what_another_thread_is_aggregating() -> None:
    slow = _Slow()
    measured = Measured(views=[View(instrument_name="m", aggregation=slow)])
    measured.meter.create_histogram("m").bind(A).record(7)
    drainer = threading.Thread(target=measured.drain)
    drainer.start()
    assert slow.entered.wait(10)
    threading.Timer(0.05, slow.release.set).start()
    assert measured.point("m").value == 7
    drainer.join()
