"""The rows: all of the domain, nothing unbounded, and OpenTelemetry's where it has a name."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    MeterProvider,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import Gauge, InMemoryMetricReader, Sum
from opentelemetry.semconv._incubating.metrics import db_metrics, http_metrics, system_metrics

from ticktrace import semconv
from ticktrace.catalog import BUCKETS, CATALOG, InstrumentSpec, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Instrument, Meter

# The domain, group by group, as its document lists it.
DOMAIN = """
candle.processing.duration candle.delay candle.last_close.timestamp candle.gaps candles.processed buffer.update.duration
stream.messages stream.disconnects stream.last_message.timestamp
decision.duration signal.generation.duration signals.generated signals.rejected signal.confidence filter.evaluations
trades.executed trades.rejected trade.execution.duration tick_to_trade.duration order.prepare.duration
order.submit.duration order.fill.duration orders.submitted orders.rejected order.fills order.reject.ratio
slippage.amount slippage.bps
strategy.evaluation.duration strategy.evaluations strategy.signals.per_hour strategy.active strategy.win_rate
strategy.profit_loss
scanner.scan.duration scanner.symbols.scanned scanner.candidates.found scanner.filtered
engine.cycle.duration engine.state engine.state.transitions engine.uptime engine.heartbeat.timestamp
engine.positions.open engine.orders.open
event_bus.publish.duration event_bus.handle.duration event_bus.queue.wait event_bus.queue.depth
provider.api.calls provider.api.duration provider.api.errors provider.rate_limit.hits provider.rate_limit.wait
provider.rate_limit.used_ratio provider.cache.hit_rate provider.data.freshness provider.available
trade.profit_loss pnl.realized pnl.unrealized pnl.daily pnl.monthly portfolio.value win_rate average_win average_loss
profit_factor sharpe_ratio drawdown.ratio drawdown.max_ratio recovery.duration r_multiple win_streak loss_streak
best_trade worst_trade position.holding.duration trades.per_hour trades.per_day
risk.checks risk.checks.failed risk.limit.hits stop_loss.triggers take_profit.triggers position.size exposure.ratio
position.mismatch pdt.avoided cash_account.violations
sentiment.calculation.duration sentiment.provider.usage sentiment.score sentiment.divergences sentiment.provider.weight
errors exceptions critical_errors cache.operation.duration cache.hit_rate clock.skew
"""
ELSEWHERE = """
http.server.request.duration http.server.request.body.size http.server.response.body.size http.server.active_requests
db.client.operation.duration db.client.connection.count python.gc.pause.duration python.event_loop.lag
process.cpu.utilization process.memory.usage system.cpu.utilization system.memory.utilization cpython.gc.collections
ticktrace.drain.duration ticktrace.dropped ticktrace.spans.kept ticktrace.spans.discarded
ticktrace.sampler.probability ticktrace.series ticktrace.series.overflow ticktrace.overhead.ratio ticktrace.build_info
"""
# Every metric name that the five seed documents mention.
SEEDS = """
http_requests_total http_request_duration_seconds http_request_size_bytes http_response_size_bytes http_errors_total
trading_decision_duration_seconds signal_generation_duration_seconds signals_generated_total signal_confidence
trades_executed_total trades_rejected_total trade_execution_duration_seconds order_fill_duration_seconds
slippage_amount strategy_evaluation_duration_seconds strategy_evaluations_total strategy_signals_per_hour
strategy_win_rate strategy_profit_loss provider_api_calls_total provider_api_duration_seconds
provider_api_errors_total provider_rate_limit_hits_total provider_cache_hit_rate provider_data_freshness_seconds
system_uptime_seconds system_memory_usage_bytes system_cpu_usage_percent system_disk_usage_bytes
database_query_duration_seconds database_connection_pool_usage redis_latency_seconds redis_cache_hit_rate
errors_total exceptions_total critical_errors_total portfolio_value daily_profit_loss monthly_profit_loss
win_streak loss_streak engine_uptime_seconds risk_checks_failed engine_cycle_time scanner_symbols_scanned trade_pnl
candle_processing_latency_ns candle_processing_count event_bus_queue_depth
cpu_percent memory_percent memory_used_mb disk_usage_percent active_threads open_files network_connections
"""


@pytest.mark.parametrize("name", [*(f"trading.{name}" for name in DOMAIN.split()), *ELSEWHERE.split()])
def test_every_instrument_of_the_domain_has_a_row(name: str) -> None:
    assert CATALOG[name].name == name


@pytest.mark.parametrize("name", SEEDS.split())
def test_every_name_of_the_seeds_is_an_alias(name: str) -> None:
    assert [row.name for row in CATALOG.values() if name in row.aliases]


def test_no_alias_is_made_up() -> None:
    assert {alias for row in CATALOG.values() for alias in row.aliases} == set(SEEDS.split())


@pytest.mark.parametrize("row", CATALOG.values(), ids=CATALOG)
def test_a_row_is_complete_and_bounded(row: InstrumentSpec) -> None:
    assert row.group
    assert row.name.startswith(
        ("trading.", "ticktrace.", "python.", "http.", "db.", "process.", "system.", "cpython.")
    )
    if row.recorded_by == "ticktrace":
        assert row.description.endswith(".")
        assert set(row.attributes) <= semconv.METRIC_ATTRIBUTES
    if row.name.startswith("trading."):
        assert semconv.ENGINE_MODE in row.attributes, "live, paper and backtest must never be added up"


def test_every_metric_attribute_is_used() -> None:
    used = {key for row in CATALOG.values() for key in row.attributes}
    assert used >= semconv.METRIC_ATTRIBUTES


def test_every_set_of_buckets_is_used_and_every_histogram_uses_one() -> None:
    assert {row.buckets for row in CATALOG.values()} - {None} == set(BUCKETS.values())


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("hot path", 10e-6, 10),
        ("network", 0.005, 30),
        ("confidence", 0.05, 1),
        ("score", -1, 1),
        ("slippage bps", -500, 500),
    ],
)
def test_buckets_span_their_quantity(name: str, lowest: float, highest: float) -> None:
    assert (BUCKETS[name][0], BUCKETS[name][-1]) == (lowest, highest)


def test_confidence_goes_in_steps_of_a_twentieth() -> None:
    assert {round(high - low, 9) for low, high in pairwise(BUCKETS["confidence"])} == {0.05}


@pytest.mark.parametrize("name", ["slippage bps", "slippage amount", "profit and loss", "score"])
def test_signed_quantities_have_symmetric_buckets(name: str) -> None:
    assert tuple(-bound for bound in reversed(BUCKETS[name])) == BUCKETS[name]
    assert 0 in BUCKETS[name]


SDK_KINDS: dict[type[Instrument], Kind] = {
    Counter: Kind.COUNTER,
    UpDownCounter: Kind.UP_DOWN_COUNTER,
    ObservableUpDownCounter: Kind.UP_DOWN_COUNTER,
    Histogram: Kind.HISTOGRAM,
    ObservableGauge: Kind.GAUGE,
}


@pytest.mark.parametrize(
    "create",
    [
        http_metrics.create_http_server_request_duration,
        http_metrics.create_http_server_request_body_size,
        http_metrics.create_http_server_response_body_size,
        http_metrics.create_http_server_active_requests,
        db_metrics.create_db_client_operation_duration,
        db_metrics.create_db_client_connection_count,
        db_metrics.create_db_client_connection_max,
        db_metrics.create_db_client_connection_pending_requests,
        db_metrics.create_db_client_connection_timeouts,
        db_metrics.create_db_client_connection_create_time,
        db_metrics.create_db_client_connection_wait_time,
        db_metrics.create_db_client_connection_use_time,
        system_metrics.create_system_filesystem_usage,
        lambda meter: system_metrics.create_system_filesystem_utilization(meter, []),
        lambda meter: system_metrics.create_system_uptime(meter, []),
    ],
)
def test_rows_that_opentelemetry_names_are_as_its_conventions_say(
    create: Callable[[Meter], Instrument],
) -> None:
    instrument = create(MeterProvider().get_meter("test"))
    row = CATALOG[instrument.name]  # type: ignore[attr-defined]
    assert (row.kind, row.unit, row.description) == (
        next(kind for type_, kind in SDK_KINDS.items() if isinstance(instrument, type_)),
        instrument.unit,  # type: ignore[attr-defined]
        instrument.description,  # type: ignore[attr-defined]
    )


def test_process_and_host_rows_are_what_the_psutil_instrumentation_records() -> None:
    contrib = pytest.importorskip(
        "opentelemetry.instrumentation.system_metrics",
        reason="pip install opentelemetry-instrumentation-system-metrics",
    )
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    instrumentor = contrib.SystemMetricsInstrumentor()
    instrumentor.instrument(meter_provider=provider)
    try:
        data = reader.get_metrics_data()
    finally:
        instrumentor.uninstrument()
        provider.shutdown()
    assert data is not None
    recorded = {
        metric.name: metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        # Deprecated doubles of process.*, of which the catalog has no rows.
        if not metric.name.startswith("process.runtime.")
    }
    expected = {
        row.name: row
        for row in CATALOG.values()
        if row.recorded_by == "otel" and row.name.startswith(("process.", "system.", "cpython."))
    }
    # What psutil cannot see on this machine (no disk, no swap, no permission) the instrumentation leaves out.
    assert set(recorded) <= set(expected)
    assert {
        "process.cpu.utilization",
        "process.memory.usage",
        "system.cpu.time",
        "cpython.gc.collections",
    } <= set(recorded)
    for name, metric in recorded.items():
        row = expected[name]
        match metric.data:
            case Gauge():
                kind = Kind.GAUGE
            case Sum(is_monotonic=True):
                kind = Kind.COUNTER
            case _:
                kind = Kind.UP_DOWN_COUNTER
        keys = {key for point in metric.data.data_points for key in point.attributes or ()}
        assert (row.kind, row.unit, row.description) == (kind, metric.unit, metric.description)
        assert keys <= set(row.attributes), name
