from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from ticktrace.engine import KeepingReader, Totals, keeps_totals
from ticktrace.exporters.periodic import PushReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

    Start = Callable[..., Telemetry]

FILL = "trading.order.fill.duration"
ORDERS = "trading.orders.submitted"
OBJECTIVE = {"fills": {"instrument": FILL, "threshold": 0.123}}


def totals_of(telemetry: Telemetry) -> Totals:
    assert telemetry._pipeline is not None
    return Totals(telemetry._pipeline.engine.meter_provider)


@pytest.mark.parametrize("exporters", [["memory"], ["none"], ["prometheus"]])
def test_totals_are_those_of_the_readers(start: Start, exporters: list[str]) -> None:
    telemetry = start(
        exporters={"metrics": exporters}, slo={"objectives": OBJECTIVE}, **{"prometheus.serve": "never"}
    )
    totals = totals_of(telemetry)
    for value in (0.1, 0.123, 0.1231, 50.0):
        telemetry.histogram(FILL, symbol="A").record(value)
    telemetry.histogram(FILL, symbol="B").record(1.0)
    telemetry.counter(ORDERS, symbol="A").add(3)
    telemetry.counter(ORDERS, symbol="A").add(4)
    telemetry.gauge("trading.engine.uptime").set(7.5)
    telemetry.histogram("trading.slippage.bps", symbol="A").record(-3.0)
    totals.settle()
    a, b = sorted(totals.of(FILL), key=lambda one: str(one.attributes["trading.symbol"]))
    assert (a.value, b.value) == (4, 1)
    assert sum(a.counts[: a.bounds.index(0.123) + 1]) == 2
    assert [(one.value, dict(one.attributes)["trading.symbol"]) for one in totals.of(ORDERS.upper())] == [
        (7, "A")
    ]
    assert [one.value for one in totals.of("trading.engine.uptime")] == [7.5]
    (slippage,) = totals.of("trading.slippage.bps")
    assert sum(slippage.counts) == slippage.value == 1
    assert totals.of("no.such") == []


def test_reading_takes_nothing_from_a_collection_and_a_collection_nothing_from_reading(start: Start) -> None:
    telemetry = start()
    totals = totals_of(telemetry)
    handle = telemetry.histogram(FILL, symbol="A")
    for number in range(1, 4):
        handle.record(0.5)
        totals.settle()
        (before,) = totals.of(FILL)
        data = telemetry.memory.metrics
        (after,) = totals.of(FILL)
        assert before == after
        assert before.value == number
        assert before.life is after.life
        assert data is not None


def test_where_exporters_begin_anew_a_reader_of_our_own_goes_on(start: Start, tmp_path: Any) -> None:
    telemetry = start(
        exporters={"metrics": ["otlp"]},
        otlp={"endpoint": "http://127.0.0.1:9", "timeout": 0.2},
        slo={"objectives": OBJECTIVE},
        **{"metrics.temporality": "delta", "metrics.export_interval": 3600},
    )
    totals = totals_of(telemetry)
    handle = telemetry.histogram(FILL, symbol="A")
    handle.record(0.1)
    assert telemetry._pipeline is not None
    provider: Any = telemetry._pipeline.engine.meter_provider
    readers = provider._measurement_consumer._reader_storages
    (push,) = [reader for reader in readers if isinstance(reader, PushReader)]
    assert not keeps_totals(push)
    push.collect()
    handle.record(0.1)
    totals.settle()
    assert [one.value for one in totals.of(FILL)] == [2]


def test_without_anybody_who_asks_there_is_no_reader_of_our_own(start: Start) -> None:
    telemetry = start(exporters={"metrics": ["none"]})
    telemetry.histogram(FILL, symbol="A").record(0.1)
    totals = totals_of(telemetry)
    totals.settle()
    assert totals.of(FILL) == []


def test_which_readers_keep_totals() -> None:
    assert keeps_totals(KeepingReader())
    assert keeps_totals(InMemoryMetricReader())


def test_a_lock_that_is_held_for_long_is_not_waited_for(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = start()
    totals = totals_of(telemetry)
    telemetry.histogram(FILL, symbol="A").record(0.1)
    totals.settle()
    (one,) = totals.of(FILL)
    monkeypatch.setattr("ticktrace.engine.totals._PATIENCE_SECONDS", 0.01)
    held, release = threading.Event(), threading.Event()
    life: Any = one.life

    def hold() -> None:
        with life._lock:
            held.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    try:
        with pytest.raises(TimeoutError):
            totals.of(FILL)
    finally:
        release.set()
        thread.join()
