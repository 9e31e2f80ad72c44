"""Series that were not written for long are forgotten, and nothing that is written meanwhile is lost."""

from __future__ import annotations

import gc
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View

from support.measured import Measured, delta_reader

if TYPE_CHECKING:
    from collections.abc import Callable

A = {"venue": "a"}
KEY = (("venue", "a"),)

# With zero seconds a series is idle as soon as it has been collected.
AT_ONCE = 0.0


def counting(measured: Measured) -> tuple[Any, Callable[[float], None]]:
    instrument = measured.meter.create_counter("m")
    return instrument, lambda value: instrument.add(value, A)


def timing(measured: Measured) -> tuple[Any, Callable[[float], None]]:
    instrument = measured.meter.create_histogram("m")
    return instrument, lambda value: instrument.record(value, A)


def level(measured: Measured) -> tuple[Any, Callable[[float], None]]:
    instrument = measured.meter.create_gauge("m")
    return instrument, lambda value: instrument.set(value, A)


KINDS = pytest.mark.parametrize("kind", [counting, timing, level])


def number_of_series(measured: Measured) -> int:
    """How many the provider holds in any way."""
    return len(measured.provider._registry._series)


@KINDS
def test_a_cumulative_series_starts_over_with_a_new_start_time(kind: Any) -> None:
    measured = Measured(idle_series_seconds=AT_ONCE)
    _, record = kind(measured)
    record(5)
    first = measured.point("m")
    assert measured.points("m") == []
    assert measured.provider.series_count() == {"m": 0}
    record(2)
    again = measured.point("m")
    assert getattr(again, "sum", getattr(again, "value", None)) == 2
    if kind is not level:  # a gauge has no start
        assert again.start_time_unix_nano > first.time_unix_nano
        assert again.time_unix_nano >= again.start_time_unix_nano


@KINDS
def test_a_delta_series_goes_on_as_if_nothing_had_happened(kind: Any) -> None:
    measured = Measured([delta_reader()], idle_series_seconds=AT_ONCE)
    _, record = kind(measured)
    seen: list[Any] = []
    for value in (5, 2):
        record(value)
        seen.extend(getattr(p, "sum", getattr(p, "value", None)) for p in measured.points("m"))
        assert measured.points("m") == []
    assert seen == [5, 2]


@KINDS
def test_everything_about_a_forgotten_series_is_let_go(kind: Any) -> None:
    measured = Measured(idle_series_seconds=AT_ONCE)
    instrument, record = kind(measured)
    record(5)
    for _ in range(3):
        measured.metrics()
    assert number_of_series(measured) == 0
    assert instrument._sets._series == {}
    assert instrument._sets.records == {}
    assert measured.provider._registry._buffered == []
    assert measured.provider._registry.storages[measured.readers[0]]._feeders == {}


@KINDS
def test_a_series_that_is_written_is_not_forgotten(kind: Any) -> None:
    measured = Measured(idle_series_seconds=3600)
    _, record = kind(measured)
    record(5)
    starts = set()
    for _ in range(3):
        starts.add(measured.point("m").start_time_unix_nano)
    assert len(starts) == 1


@KINDS
def test_nothing_is_forgotten_by_default(kind: Any) -> None:
    measured = Measured()
    _, record = kind(measured)
    record(5)
    for _ in range(3):
        assert len(measured.points("m")) == 1


@KINDS
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_bound_is_not_forgotten_until_the_handle_is_dropped(kind: Any, whole: bool) -> None:
    """`ticktrace.engine.binding` keeps the handle's function only."""
    measured = Measured(idle_series_seconds=AT_ONCE)
    instrument, _ = kind(measured)
    held: Any = instrument.bind(A)
    method = held._method
    if not whole:
        held = getattr(held, method)
        held(5)
    else:
        getattr(held, method)(5)
    for _ in range(4):
        assert len(measured.points("m")) == 1
    del held
    gc.collect()
    measured.metrics()
    assert measured.points("m") == []
    assert number_of_series(measured) == 0


def test_an_unbounded_histogram_is_not_forgotten_while_it_is_bound_either() -> None:
    measured = Measured(idle_series_seconds=AT_ONCE, unbounded=True)
    record = measured.meter.create_histogram("m").bind(A).record
    record(5)
    for _ in range(4):
        assert measured.point("m").count == 1
    del record
    measured.metrics()
    assert measured.points("m") == []


def test_a_series_lives_as_long_as_one_of_several_handles() -> None:
    measured = Measured(idle_series_seconds=AT_ONCE)
    counter = measured.meter.create_counter("m")
    one, other = counter.bind(A), counter.bind(A)
    one.add(1)
    del one
    gc.collect()
    for _ in range(3):
        assert measured.point("m").value == 1
    other.add(1)
    assert measured.point("m").value == 2


def test_who_binds_after_a_series_was_forgotten_gets_a_new_one() -> None:
    measured = Measured(idle_series_seconds=AT_ONCE)
    counter = measured.meter.create_counter("m")
    counter.add(5, A)
    for _ in range(3):
        measured.metrics()
    handle = counter.bind(A)
    handle.add(1)
    counter.add(1, A)
    assert measured.point("m").value == 2


def test_each_reader_forgets_for_itself() -> None:
    measured = Measured([InMemoryMetricReader(), InMemoryMetricReader()], idle_series_seconds=AT_ONCE)
    counter = measured.meter.create_counter("m")
    counter.add(5, A)
    first = measured.point("m", 0)
    assert measured.points("m", 0) == []
    counter.add(1, A)
    again, other = measured.point("m", 0), measured.point("m", 1)
    assert (first.value, again.value, other.value) == (5, 1, 6)
    assert other.start_time_unix_nano == first.start_time_unix_nano
    assert again.start_time_unix_nano > first.time_unix_nano
    assert measured.points("m", 1) == []


def test_who_looked_a_series_up_before_it_was_forgotten_still_reaches_it() -> None:
    measured = Measured(idle_series_seconds=AT_ONCE)
    counter = measured.meter.create_counter("m")
    counter.add(5, A)
    late = counter._sets.record_for(A)
    measured.metrics()
    late(3)
    counter.add(1, A)  # into the one that took its place
    assert number_of_series(measured) == 2
    assert measured.point("m").value == 4
    for _ in range(3):
        measured.metrics()
    assert number_of_series(measured) == 0


def test_series_that_share_a_stream_are_forgotten_when_the_last_of_them_is_idle() -> None:
    views = [
        View(instrument_name="m", name="narrow", attribute_keys={"venue"}),
        View(instrument_name="m", name="wide"),
    ]
    measured = Measured(views=views, idle_series_seconds=AT_ONCE)
    counter = measured.meter.create_counter("m")
    pinned = counter.bind({"venue": "a", "side": "buy"})
    pinned.add(1)
    counter.add(1, {"venue": "a", "side": "sell"})
    first = measured.metrics()
    assert [p.value for p in first["narrow"].data.data_points] == [2]
    second = measured.metrics()
    assert [p.value for p in second["narrow"].data.data_points] == [2]
    assert [dict(p.attributes) for p in second["wide"].data.data_points] == [{"venue": "a", "side": "buy"}]


def test_nothing_is_lost_where_writes_race_with_forgetting() -> None:
    idle = 0.05
    measured = Measured([delta_reader(), delta_reader()], idle_series_seconds=idle)
    counter, timer = measured.meter.create_counter("count"), measured.meter.create_histogram("time")
    written = [0, 0, 0, 0]
    ends_at = time.monotonic() + 1.0
    collected = [{"count": 0, "time": 0}, {"count": 0, "time": 0}]
    forgotten = threading.Event()

    def write(who: int) -> None:
        pause = idle * (0.6 + 0.3 * who)  # some never idle, some always, and some on the edge
        while time.monotonic() < ends_at:
            for n in range(20):
                counter.add(1, {"who": str(who), "n": str(n)})
                timer.record(1, {"who": str(who), "n": str(n)})
            written[who] += 20
            time.sleep(pause)

    def collect(reader: int) -> None:
        for metric in measured.metrics(reader).values():
            for point in metric.data.data_points:
                collected[reader][metric.name] += point.value if metric.name == "count" else point.count

    def keep_collecting(reader: int) -> None:
        while time.monotonic() < ends_at:
            collect(reader)
            if measured.provider.series_count().get("count", 80) < 80:
                forgotten.set()
            time.sleep(0.005)

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    threads += [threading.Thread(target=keep_collecting, args=(reader,)) for reader in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for reader in range(2):
        collect(reader)
    assert forgotten.is_set()
    assert collected == [{"count": sum(written), "time": sum(written)}] * 2
