"""What ticktrace tells of itself, by the rows of the catalog."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace

from support import misbehaving
from support.captured import Captured
from support.misbehaving import MisbehavingSpans
from ticktrace import setup_telemetry
from ticktrace.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from ticktrace import Telemetry

    Start = Callable[..., Telemetry]

OF_BOTH = {"ticktrace.series", "ticktrace.overhead.ratio", "ticktrace.build_info"}
OF_THE_DRAIN = {"ticktrace.backlog", "ticktrace.drain.duration", "ticktrace.drain.cpu.time"}
ONLY_IF_IT_HAPPENS = {
    "ticktrace.dropped",
    "ticktrace.spans.kept",
    "ticktrace.spans.discarded",
    "ticktrace.series.overflow",
    "ticktrace.sampler.probability",
}


def names(telemetry: Telemetry) -> set[str]:
    data = telemetry.memory.metrics
    assert data is not None
    return {
        metric.name
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def deferred(**settings: Any) -> Telemetry:
    exporters = {"traces": ["memory"], "metrics": ["memory"]}
    return setup_telemetry("bot", engine="deferred", exporters=exporters, **settings)


def record(traces: int) -> None:
    for _ in range(traces):
        with trace.get_tracer("bot").start_as_current_span("work"):
            pass


def test_every_row_about_ticktrace_is_recorded(start: Start, engine: str) -> None:
    telemetry = start(traces={"sampler": "ticktrace_adaptive"})
    record(1)
    assert telemetry.memory.spans  # which has the drain make a pass
    rows = {name for name, row in CATALOG.items() if row.group == "ticktrace"}
    assert rows == OF_BOTH | OF_THE_DRAIN | ONLY_IF_IT_HAPPENS
    expected = OF_BOTH | {"ticktrace.sampler.probability"}
    if engine == "deferred":
        expected |= OF_THE_DRAIN | {"ticktrace.spans.kept"}
    assert names(telemetry) & rows >= expected


def test_series_are_counted_by_instrument(start: Start) -> None:
    telemetry = start()
    counter = metrics.get_meter("bot").create_counter("acme.hits")
    for number in range(7):
        counter.add(1, {"place": number})
    telemetry.memory.metrics  # noqa: B018  series are there once somebody has collected them
    captured = Captured(telemetry)
    assert captured.value("ticktrace.series", ticktrace__instrument__name="acme.hits") == 7


def test_measurements_beyond_the_limit_of_series_are_counted_by_instrument() -> None:
    telemetry = deferred(**{"metrics.series_limit": 5})
    counter = metrics.get_meter("bot").create_counter("acme.hits")
    for number in range(20):
        counter.add(1, {"place": number})
    captured = Captured(telemetry)
    assert captured.value("ticktrace.series.overflow", ticktrace__instrument__name="acme.hits") == 16
    assert captured.value("acme.hits") == 20


def test_what_waits_for_an_exporter_is_told(
    monkeypatch: pytest.MonkeyPatch, start: Start, tmp_path: Path
) -> None:
    misbehaving.install(monkeypatch, tmp_path / "installed")
    entered = threading.Event()

    def hang(_: Any) -> None:
        entered.set()
        MisbehavingSpans.released.wait(30)

    MisbehavingSpans.behave = staticmethod(hang)
    telemetry = start(
        exporters={"traces": [misbehaving.NAME], "metrics": ["memory"], "logs": ["none"]},
        traces={"queue": {"max_export_batch_size": 1, "schedule_delay": 0.01}},
    )
    record(5)
    assert entered.wait(10)
    engine: Any = telemetry._pipeline.engine  # type: ignore[union-attr]
    engine.settle()
    captured = Captured(telemetry)
    assert captured.value("ticktrace.backlog", ticktrace__buffer__name=f"traces.{misbehaving.NAME}") == 4
    MisbehavingSpans.released.set()


def test_traces_and_stamps_that_wait_for_the_drain_are_told() -> None:
    telemetry = deferred()
    engine: Any = telemetry._pipeline.engine  # type: ignore[union-attr]
    with engine.drain._pass:  # the drain cannot get on
        record(3)
        assert engine.backlog()["traces"] == 3
        with telemetry.trading.market(venue="x", symbol="Y", timeframe="1m").candle():
            pass
        assert engine.backlog()["traces"] + engine.backlog()["stamps"] == 4
    captured = Captured(telemetry)
    assert len(telemetry.memory.spans) == 4
    assert captured.value("ticktrace.backlog", ticktrace__buffer__name="traces") == 0


def test_passes_of_the_drain_are_timed() -> None:
    telemetry = deferred()
    record(10)
    assert len(telemetry.memory.spans) == 10
    captured = Captured(telemetry)
    assert captured.count("ticktrace.drain.duration") >= 1
    assert captured.sum("ticktrace.drain.duration") > 0
    assert captured.value("ticktrace.drain.cpu.time") > 0
