"""A signal handler, or a finaliser, records on top of a thread that is at a lock."""

from __future__ import annotations

import signal
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics._internal.aggregation import _SumAggregation
from opentelemetry.sdk.metrics.export import AggregationTemporality
from opentelemetry.sdk.metrics.view import Aggregation, View

from support.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGUSR1")

A, B = {"venue": "a"}, {"venue": "b"}


@pytest.fixture
def on_signal() -> Iterator[Callable[[Callable[[], None]], None]]:
    before = signal.getsignal(signal.SIGUSR1)

    def install(handle: Callable[[], None]) -> None:
        signal.signal(signal.SIGUSR1, lambda *_: handle())

    yield install
    signal.signal(signal.SIGUSR1, before)


class _Interrupted(Aggregation):
    """Makes sums that are interrupted by a signal, once, while they hold their lock."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.armed = False
        self.handled = False

    def strike(self, where: str) -> None:
        if self.armed and where == self.where:
            self.armed, self.handled = False, True
            signal.raise_signal(signal.SIGUSR1)

    def _create_aggregation(self, instrument: Any, attributes: Any, factory: Any, start: int) -> Any:
        owner = self

        class InterruptedSum(_SumAggregation):
            def aggregate(self, measurement: Any, should_sample_exemplar: bool = True) -> None:
                with self._lock:
                    owner.strike("aggregate")
                super().aggregate(measurement, should_sample_exemplar)

            def collect(self, *arguments: Any) -> Any:
                with self._lock:
                    owner.strike("collect")
                return super().collect(*arguments)

        return InterruptedSum(attributes, True, AggregationTemporality.DELTA, start, factory(_SumAggregation))


@pytest.mark.parametrize("where", ["aggregate", "collect"])
def test_a_handler_may_record_into_full_buffers_while_its_thread_is_at_the_sdks_locks(
    where: str, on_signal: Callable[[Callable[[], None]], None]
) -> None:
    owner = _Interrupted(where)
    measured = Measured(views=[View(instrument_name="m", aggregation=owner)], buffer_size=10)
    timer = measured.meter.create_histogram("m")
    one, other = timer.bind(A), timer.bind(B)
    other.record(1)
    measured.drain()

    def handle() -> None:
        for _ in range(20):
            one.record(1)
            other.record(1)
            timer.record(1, {"venue": "new"})

    on_signal(handle)
    owner.armed = True
    for _ in range(10):
        one.record(1)
    measured.metrics()
    assert owner.handled
    assert measured.values("m") == {
        (("venue", "a"),): 30,
        (("venue", "b"),): 21,
        (("venue", "new"),): 20,
    }
    assert measured.dropped == []


def test_a_handler_that_collects_on_top_of_a_thread_that_aggregates_gets_nothing(
    on_signal: Callable[[Callable[[], None]], None],
) -> None:
    owner = _Interrupted("aggregate")
    measured = Measured(views=[View(instrument_name="m", aggregation=owner)])
    handle = measured.meter.create_histogram("m").bind(A)
    handle.record(7)
    seen: list[Any] = []
    on_signal(lambda: seen.append(measured.metrics()))
    owner.armed = True
    measured.drain()
    assert seen == [{}]
    assert measured.point("m").value == 7


def test_a_handler_may_make_the_series_that_its_thread_is_making(
    on_signal: Callable[[Callable[[], None]], None],
) -> None:
    measured = Measured()
    counter = measured.meter.create_counter("m")
    sets = counter._sets
    make = sets._make
    struck: list[bool] = []

    def interrupted(attributes: Any, overflow: bool) -> Any:
        series = make(attributes, overflow)
        if not struck:
            struck.append(True)
            signal.raise_signal(signal.SIGUSR1)
        return series

    sets._make = interrupted
    on_signal(lambda: counter.add(5, A))
    counter.add(1, A)
    assert struck
    assert measured.point("m").value == 6
    assert len(measured.provider._registry._series) == 1


class Interrupting(float):
    """A number whose addition is Python code, in which a signal arrives."""

    def __radd__(self, other: float) -> float:
        signal.raise_signal(signal.SIGUSR1)
        return other + float(self)


def test_a_handler_may_add_while_its_thread_adds_under_a_lock(
    on_signal: Callable[[Callable[[], None]], None],
) -> None:
    measured = Measured()
    counter = measured.meter.create_counter("m")

    def handle() -> None:
        counter.add(1)
        counter.add(Decimal(1))  # would have to wait for the lock

    on_signal(handle)
    counter.add(Interrupting(2))
    assert measured.point("m").value == 3
    assert measured.dropped == [("buffer_full", 1)]
