"""Exporters that raise, hang or lie: the bot does not notice, the account says what it can know, the next export works."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.trace.export import SpanExportResult

from support import misbehaving
from support.captured import Captured
from support.misbehaving import MisbehavingMetrics, MisbehavingSpans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ticktrace import Telemetry

    Start = Callable[..., Telemetry]

SUCCESS = {"traces": SpanExportResult.SUCCESS, "metrics": MetricExportResult.SUCCESS}
EXPORTER: dict[str, Any] = {"traces": MisbehavingSpans, "metrics": MisbehavingMetrics}


@pytest.fixture(params=["traces", "metrics"])
def signal(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def begin(
    monkeypatch: pytest.MonkeyPatch, start: Start, tmp_path: Path, signal: str
) -> Iterator[Callable[[Callable[[Any], Any]], Telemetry]]:
    """Start telemetry of which one signal leaves through an exporter that behaves as told, and through memory."""
    misbehaving.install(monkeypatch, tmp_path / "installed")

    def setup(behave: Callable[[Any], Any]) -> Telemetry:
        EXPORTER[signal].behave = staticmethod(behave)
        exporters = {"traces": ["memory"], "metrics": ["memory"], "logs": ["none"]}
        exporters[signal] = [misbehaving.NAME, *exporters[signal]]
        return start(exporters=exporters, metrics={"export_interval": 3_600.0})

    yield setup
    EXPORTER[signal].released.set()


def work(times: int) -> None:
    tracer = trace.get_tracer("bot")
    counter = metrics.get_meter("bot").create_counter("acme.hits")
    for _ in range(times):
        with tracer.start_as_current_span("work", attributes={"answer": 42}):
            counter.add(1, {"place": "here"})


def the_bot_is_well(telemetry: Telemetry, done: int) -> None:
    """What it recorded is there, whole, where it leaves through another exporter, and more can be recorded."""
    work(2)
    captured = Captured(telemetry)
    assert len(captured.named("work")) == done + 2
    assert captured.value("acme.hits", place="here") == done + 2


def lost(telemetry: Telemetry, signal: str) -> float:
    return Captured(telemetry).value(
        "ticktrace.dropped", ticktrace__buffer__name=f"{signal}.{misbehaving.NAME}"
    )


def raises(_: Any) -> Any:
    raise RuntimeError("exporter bug")


def exits(_: Any) -> Any:
    raise SystemExit(1)


def returns_nothing(_: Any) -> Any:
    return None


def returns_text(_: Any) -> Any:
    return "SUCCESS"


def returns_truth(_: Any) -> Any:
    return True


@pytest.mark.parametrize("behave", [raises, exits, returns_nothing, returns_text, returns_truth])
def test_what_was_not_delivered_or_may_not_have_been_is_counted_as_lost(
    begin: Callable[[Callable[[Any], Any]], Telemetry], signal: str, behave: Callable[[Any], Any]
) -> None:
    telemetry = begin(behave)
    work(5)
    assert telemetry.flush(10) is False
    assert lost(telemetry, signal) == (5 if signal == "traces" else 1)
    the_bot_is_well(telemetry, 5)
    assert telemetry.shutdown() is False


def test_one_that_hangs_costs_others_nothing_and_the_end_no_more_than_its_deadline(
    begin: Callable[[Callable[[Any], Any]], Telemetry], signal: str
) -> None:
    entered = threading.Event()

    def hang(_: Any) -> None:
        entered.set()
        EXPORTER[signal].released.wait(60)

    telemetry = begin(hang)
    work(5)
    began = time.monotonic()
    assert telemetry.flush(0.2) is False
    assert entered.is_set()
    the_bot_is_well(telemetry, 5)
    assert telemetry.shutdown(1.0) is False
    assert time.monotonic() - began < 20


def test_success_without_sending_cannot_be_told_from_success(
    begin: Callable[[Callable[[Any], Any]], Telemetry], signal: str
) -> None:
    telemetry = begin(lambda _: SUCCESS[signal])
    work(5)
    assert telemetry.flush(10) is True
    assert lost(telemetry, signal) == 0
    the_bot_is_well(telemetry, 5)
    assert telemetry.shutdown() is True


def test_one_that_exports_twice_is_counted_once(
    begin: Callable[[Callable[[Any], Any]], Telemetry], signal: str
) -> None:
    sent: list[Any] = []

    def twice(items: Any) -> Any:
        sent.append(items)
        sent.append(items)
        return SUCCESS[signal]

    telemetry = begin(twice)
    work(5)
    assert telemetry.flush(10) is True
    assert len(sent) == 2
    pipeline: Any = telemetry._pipeline
    (account,) = [
        each for each in pipeline.engine.deliveries if (each.signal, each.name) == (signal, "misbehaving")
    ]
    assert (account.offered, account.delivered, account.lost) == (
        (5, 5, 0) if signal == "traces" else (1, 1, 0)
    )
    the_bot_is_well(telemetry, 5)
    assert telemetry.shutdown() is True


def spoil_spans(spans: Any) -> None:
    for span in spans:
        span._name = "spoiled"
        span._attributes = {}
        span._events = ()


def spoil_metrics(data: Any) -> None:
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    point.attributes.clear()
                    object.__setattr__(point, "value", -1)
            scope.metrics.clear()


def test_one_that_spoils_what_it_gets_spoils_nothing_that_is_recorded_or_read_later(
    begin: Callable[[Callable[[Any], Any]], Telemetry], signal: str, engine: str
) -> None:
    """Exporters share the SDK's objects, so another exporter may see a spoiled one; the sums behind them are not there."""
    answers: list[Any] = []

    def spoil(items: Any) -> Any:
        if signal == "traces":
            answers.extend(dict(span.attributes) for span in items)
            spoil_spans(items)
        else:
            spoil_metrics(items)
        return SUCCESS[signal]

    telemetry = begin(spoil)
    for _ in range(3):
        work(5)
        assert telemetry.flush(10) is True
    captured = Captured(telemetry)
    assert captured.value("acme.hits") == 15
    if signal == "traces":
        assert answers == [{"answer": 42}] * 15
        if engine == "deferred":
            assert captured.value("ticktrace.spans.kept") == 15
    else:
        assert len(captured.named("work")) == 15
        if engine == "deferred":  # the SDK hands out the attributes that the application gave it
            assert captured.value("acme.hits", place="here") == 15
    assert telemetry.shutdown() is True
