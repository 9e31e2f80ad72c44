"""Whatever the application passes to the old styles, nothing is raised into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace.compat import EventID, MetricsCollector, get_metric, get_metrics_logger
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from ticktrace import Telemetry


def test_a_collector_takes_values_of_any_type(telemetry: Telemetry) -> None:
    before = internal_errors()
    collector = MetricsCollector()
    collector.record_histogram(EventID.GC_PAUSE, None)  # type: ignore[arg-type]
    collector.record_end(EventID.ORDER_FILL, "yesterday")  # type: ignore[arg-type]
    assert internal_errors() == before + 2


def test_a_logger_takes_arguments_of_any_type(telemetry: Telemetry) -> None:
    before = internal_errors()
    logger = get_metrics_logger()
    logger.log_metric(["a", "list"], None)  # type: ignore[arg-type]
    logger.log_engine_cycle("long", None)  # type: ignore[arg-type]
    logger.log_trade_event("trade_opened", None, None, None, None)  # type: ignore[arg-type]
    assert internal_errors() > before


def test_a_metric_takes_values_and_labels_of_any_type(telemetry: Telemetry) -> None:
    before = internal_errors()
    metric = get_metric("win_streak")
    metric.labels(symbol=object(), strategy={"a": 1}).set("text")  # type: ignore[arg-type]
    metric.labels(symbol=None).inc(None)  # type: ignore[arg-type]
    get_metric("order_fill_duration_seconds").observe(None)  # type: ignore[arg-type]
    assert internal_errors() > before
