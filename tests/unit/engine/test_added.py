"""Processors that users add: contained, and shut down with the rest."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor

from support.captured import Captured

if TYPE_CHECKING:
    import pytest
    from opentelemetry.context import Context

    from ticktrace import Telemetry


class Raising(SpanProcessor):
    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        raise RuntimeError

    def on_end(self, span: Any) -> None:
        raise RuntimeError

    def _on_ending(self, span: Any) -> None:
        raise RuntimeError

    def shutdown(self) -> None:
        raise RuntimeError


class Counting(SpanProcessor):
    def __init__(self) -> None:
        self.ended = 0
        self.shut_down = 0

    def on_end(self, span: Any) -> None:
        self.ended += 1

    def shutdown(self) -> None:
        self.shut_down += 1


class Hanging(SpanProcessor):
    def __init__(self, release: threading.Event) -> None:
        self._release = release

    def shutdown(self) -> None:
        self._release.wait(30)


class RaisingLogs(LogRecordProcessor):
    def __init__(self) -> None:
        self.shut_down = 0

    def on_emit(self, log_record: Any) -> None:
        raise RuntimeError

    def enabled(self, **_: Any) -> bool:
        raise RuntimeError

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        raise RuntimeError

    def shutdown(self) -> None:
        self.shut_down += 1


def test_an_added_span_processor_that_raises_reaches_neither_the_bot_nor_the_next_one(
    telemetry: Telemetry,
) -> None:
    provider: Any = trace.get_tracer_provider()
    counting = Counting()
    provider.add_span_processor(Raising())
    provider.add_span_processor(counting)
    with trace.get_tracer("library").start_as_current_span("work"):
        pass
    market = telemetry.trading.market(venue="x", symbol="Y", timeframe="1m")
    with market.candle(close_time=1):
        pass
    assert not trace.get_current_span().get_span_context().is_valid
    assert len(Captured(telemetry).spans) == 2
    assert counting.ended == 2
    assert provider.force_flush()
    assert telemetry.shutdown()
    assert counting.shut_down == 1


def test_an_added_log_record_processor_is_contained_and_shut_down(telemetry: Telemetry) -> None:
    provider: Any = _logs.get_logger_provider()
    processor = RaisingLogs()
    provider.add_log_record_processor(processor)
    logger = _logs.get_logger("library")
    assert logger.enabled()
    logger.emit(body="said")
    assert [record.log_record.body for record in telemetry.memory.logs] == ["said"]
    telemetry.shutdown()
    assert processor.shut_down == 1


def test_an_added_processor_that_hangs_costs_no_more_than_the_deadline(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    provider: Any = trace.get_tracer_provider()
    release = threading.Event()
    counting = Counting()
    provider.add_span_processor(Hanging(release))
    provider.add_span_processor(counting)
    assert telemetry.shutdown(0.2) is False
    assert counting.shut_down == 1
    release.set()
    assert not [entry for entry in caplog.records if entry.levelname == "WARNING"]
