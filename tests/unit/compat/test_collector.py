"""The collector of declared events, and its statistics in nanoseconds."""

from __future__ import annotations

import asyncio
from enum import Enum, IntEnum, auto
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace.catalog import CATALOG, Kind
from ticktrace.compat import EventID, MetricsCollector, measure, measure_async
from ticktrace.engine import internal_errors
from ticktrace.settings.seeds import SEED_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ticktrace import Telemetry


@pytest.fixture(autouse=True)
def nothing_is_contained() -> Iterator[None]:
    before = internal_errors()
    yield
    assert internal_errors() == before


def test_the_events_agree_with_those_of_the_settings() -> None:
    assert {name: EventID[name].value for name in SEED_EVENTS} == dict(SEED_EVENTS)
    assert {event.value for event in EventID} <= CATALOG.keys()


def test_start_and_end_record_a_duration(telemetry: Telemetry) -> None:
    collector = MetricsCollector()
    started = collector.record_start(EventID.ORDER_SUBMIT)
    collector.record_end(EventID.ORDER_SUBMIT, started)
    collector.record_end(EventID.ORDER_SUBMIT, collector.record_start(EventID.ORDER_SUBMIT), symbol="BTC")
    collector.record_end(
        EventID.ORDER_SUBMIT, collector.record_start(EventID.ORDER_SUBMIT), TimeoutError(), symbol="BTC"
    )
    captured = Captured(telemetry)
    assert captured.count("trading.order.submit.duration") == 3
    assert captured.count("trading.order.submit.duration", trading__symbol="BTC") == 2
    assert captured.count("trading.order.submit.duration", error__type="TimeoutError") == 1


def test_a_start_of_zero_was_not_sampled_and_is_not_recorded(telemetry: Telemetry) -> None:
    MetricsCollector().record_end(EventID.ORDER_SUBMIT, 0)
    assert Captured(telemetry).points("trading.order.submit.duration") == []


def test_counters_gauges_and_histograms(telemetry: Telemetry) -> None:
    collector = MetricsCollector()
    collector.record_counter(EventID.ORDERS_SUBMITTED, 1)
    collector.record_counter(EventID.ORDERS_SUBMITTED, symbol="BTC")
    collector.record_gauge(EventID.QUEUE_BACKLOG, 17)
    collector.record_histogram(EventID.GC_PAUSE, 12_000_000)
    captured = Captured(telemetry)
    assert captured.value("trading.orders.submitted") == 2
    assert captured.value("trading.orders.submitted", trading__symbol="BTC") == 1
    assert captured.value("trading.event_bus.queue.depth") == 17
    assert captured.sum("python.gc.pause.duration") == pytest.approx(0.012)


@pytest.mark.parametrize("event", EventID)
def test_each_event_can_be_recorded(telemetry: Telemetry, event: EventID) -> None:
    collector = MetricsCollector()
    match CATALOG[event].kind:
        case Kind.HISTOGRAM:
            collector.record_end(event, collector.record_start(event))
        case Kind.COUNTER:
            collector.record_counter(event)
        case _:
            collector.record_gauge(event, 1)
    assert len(Captured(telemetry).points(event)) == 1


class Mine(IntEnum):
    """As an application has them: numbers, some called like the seeds', some its own."""

    CANDLE_PROCESSING = auto()
    REBALANCE = auto()


class Named(Enum):
    DECIDE = "trading.decision.duration"
    FILLS = "order_fill_duration_seconds"


def test_events_of_the_application_are_declared_by_an_enumeration(telemetry: Telemetry) -> None:
    collector = MetricsCollector(Mine)
    for event in (Mine.CANDLE_PROCESSING, "CANDLE_PROCESSING", 1, Mine.REBALANCE, "REBALANCE", 2):
        collector.record_end(event, collector.record_start(event))
    captured = Captured(telemetry)
    assert captured.count("trading.candle.processing.duration") == 3
    assert captured.count("ticktrace.measure.duration", ticktrace__measure__name="rebalance") == 3


def test_events_may_name_their_instruments(telemetry: Telemetry) -> None:
    collector = MetricsCollector(Named)
    collector.record_histogram(Named.DECIDE, 1e9)
    collector.record_end(Named.FILLS, collector.record_start(Named.FILLS))
    captured = Captured(telemetry)
    assert captured.sum("trading.decision.duration") == 1
    assert captured.count("trading.order.fill.duration") == 1


@pytest.mark.parametrize("event", [EventID.ORDER_FILL, "WIBBLE", 3, None, ["no", "hash"]])
def test_an_event_that_is_not_declared_is_said_counted_and_not_recorded(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture, event: Any
) -> None:
    collector = MetricsCollector(Mine)
    collector.record_end(event, collector.record_start(event))
    collector.record_counter(event)
    lost = {"ticktrace__buffer__name": "measure", "ticktrace__drop__reason": "undeclared_event"}
    assert Captured(telemetry).value("ticktrace.dropped", **lost) == 2
    assert "declared: CANDLE_PROCESSING, REBALANCE" in caplog.text


def test_an_event_recorded_as_another_kind_is_said_and_not_recorded(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    MetricsCollector().record_gauge(EventID.ORDERS_SUBMITTED, 5)
    assert Captured(telemetry).points("trading.orders.submitted") == []
    assert "a counter, and not as a gauge" in caplog.text


def test_statistics_are_in_nanoseconds_and_by_the_events_name(telemetry: Telemetry) -> None:
    collector = MetricsCollector()
    for milliseconds in range(1, 101):
        collector.record_histogram(EventID.CANDLE_PROCESSING, milliseconds * 1_000_000)
    statistics = collector.get_statistics()
    assert list(statistics) == ["CANDLE_PROCESSING"]
    candles = statistics["CANDLE_PROCESSING"]
    assert candles == {
        "count": 100,
        "mean_ns": pytest.approx(50.5e6),
        "min_ns": pytest.approx(1e6),
        "max_ns": pytest.approx(100e6),
        "latest_ns": pytest.approx(100e6),
        "p50_ns": pytest.approx(50e6),
        "p95_ns": pytest.approx(95e6),
        "p99_ns": pytest.approx(99e6),
        "p99.9_ns": pytest.approx(100e6),
    }
    assert collector.get_statistics(window=60)["CANDLE_PROCESSING"]["count"] == 100


def test_an_event_of_ones_own_has_statistics_of_its_own(telemetry: Telemetry) -> None:
    collector = MetricsCollector(Mine)
    collector.record_histogram(Mine.REBALANCE, 5)
    with measure("other code"):
        pass
    assert collector.get_statistics()["REBALANCE"]["count"] == 1


def test_without_telemetry_there_is_nothing() -> None:
    collector = MetricsCollector()
    collector.record_end(EventID.ORDER_FILL, collector.record_start(EventID.ORDER_FILL))
    assert collector.get_statistics() == {}


def test_measure_takes_events_of_any_enumeration(telemetry: Telemetry) -> None:
    @measure_async(EventID.CANDLE_PROCESSING)
    async def process_candle() -> str:
        with measure(EventID.BUFFER_UPDATE), measure(Mine.REBALANCE), measure("own"):
            return await measure_async(Named.DECIDE, asyncio.sleep(0, "done"))

    assert asyncio.run(process_candle()) == "done"
    captured = Captured(telemetry)
    for name in ("candle.processing", "buffer.update", "decision"):
        assert captured.count(f"trading.{name}.duration") == 1
    assert captured.count("ticktrace.measure.duration") == 2
