"""The metrics logger: what each call records, and what the summaries say."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace.compat import get_metrics_logger
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ticktrace import Telemetry

LOGGER = get_metrics_logger()


@pytest.fixture(autouse=True)
def nothing_is_contained() -> Iterator[None]:
    before = internal_errors()
    yield
    assert internal_errors() == before


def test_there_is_one_logger() -> None:
    assert get_metrics_logger() is LOGGER


def test_a_metric_is_recorded_as_its_kind_asks(telemetry: Telemetry) -> None:
    LOGGER.log_metric("engine_cycle_time", 0.05, {"state": "scanning"}, {"note": "first"})
    LOGGER.log_metric("signals_generated_total", 2, tags={"strategy": "sma"})
    LOGGER.log_metric("portfolio_value", 1000)
    LOGGER.log_metric("portfolio_value", 1001)
    LOGGER.log_metric("candle_processing_latency_ns", 2_000_000)
    captured = Captured(telemetry)
    assert captured.sum("trading.engine.cycle.duration", trading__engine__state="scanning") == 0.05
    assert captured.value("trading.signals.generated", trading__strategy__name="sma") == 2
    assert captured.value("trading.portfolio.value") == 1001
    assert captured.sum("trading.candle.processing.duration") == pytest.approx(0.002)


def test_a_name_that_is_none_is_said_and_counted(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    LOGGER.log_metric("engine_cycle_tim", 1)
    LOGGER.log_metric("http_requests_total", 1)
    assert "no instrument is called 'engine_cycle_tim'; near: engine_cycle_time" in caplog.text
    assert "http_requests_total is the number of values of http.server.request.duration" in caplog.text
    lost = {"ticktrace__buffer__name": "measure", "ticktrace__drop__reason": "unknown_metric"}
    assert Captured(telemetry).value("ticktrace.dropped", **lost) == 2


def test_what_is_no_label_goes_to_the_log(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="ticktrace.metrics"):
        LOGGER.log_metric("portfolio_value", 1, {"strategy": "sma"}, {"desk": "A-1"})
    assert "portfolio_value=1 strategy=sma desk=A-1" in caplog.text
    assert "A-1" not in str(Captured(telemetry).points("trading.portfolio.value"))


def test_an_engine_cycle_is_its_time_its_counts_and_a_heartbeat(telemetry: Telemetry) -> None:
    before = time.time()
    LOGGER.log_engine_cycle(0.02, "managing", positions_count=2, signals_count=3, orders_count=1)
    captured = Captured(telemetry)
    assert captured.sum("trading.engine.cycle.duration", trading__engine__state="managing") == 0.02
    assert captured.value("trading.engine.positions.open") == 2
    assert captured.value("trading.engine.signals.active") == 3
    assert captured.value("trading.engine.orders.open") == 1
    assert captured.value("trading.engine.heartbeat.timestamp") >= before


def test_a_scan_is_counted_by_filter_and_never_by_symbol(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    LOGGER.log_scanner_metrics(500, 7, 1.5, {"atr": 300, "volume": 193}, scanner="breakout")
    with caplog.at_level(logging.DEBUG, logger="ticktrace.metrics"):
        LOGGER.log_scanner_metrics(10, 1, 0.5, ["atr", "spread"])
    captured = Captured(telemetry)
    assert captured.value("trading.scanner.symbols.scanned") == 510
    assert captured.value("trading.scanner.candidates.found", trading__scanner__name="breakout") == 7
    assert captured.sum("trading.scanner.scan.duration", trading__scanner__name="breakout") == 1.5
    assert captured.value("trading.scanner.filtered", trading__filter__name="atr") == 300
    assert captured.value("trading.scanner.filtered") == 493
    assert "atr, spread" in caplog.text


def test_trade_events_count_what_happened(telemetry: Telemetry) -> None:
    LOGGER.log_trade_event("trade_opened", "BTC/USDT", "buy", 0.5, 40_000, strategy="sma")
    LOGGER.log_trade_event("trade_closed", "BTC/USDT", "sell", 0.5, 41_000, pnl=480.0, strategy="sma")
    LOGGER.log_trade_event("trade_closed", "BTC/USDT", "sell", 0.5, 39_000, pnl=-510.0)
    LOGGER.log_trade_event("trade_rejected", "BTC/USDT", "buy", 0.5, 40_000)
    LOGGER.log_trade_event("stop_loss", "BTC/USDT", "sell", 0.5, 39_000)
    LOGGER.log_trade_event("take_profit", "BTC/USDT", "sell", 0.5, 41_000)
    LOGGER.log_trade_event("a word of the bot's own", "BTC/USDT", "sell", 1, 1)
    captured = Captured(telemetry)
    assert captured.value("trading.trades.executed", trading__symbol="BTC/USDT") == 3
    assert captured.value("trading.trades.executed", trading__strategy__name="sma") == 2
    assert captured.value("trading.trades.rejected", trading__order__side="buy") == 1
    assert captured.value("trading.stop_loss.triggers") == 1
    assert captured.value("trading.take_profit.triggers") == 1
    assert captured.sum("trading.position.size", trading__order__side="buy") == 20_000
    assert captured.sum("trading.trade.profit_loss") == -30


def test_summaries_are_of_whatever_was_logged(telemetry: Telemetry) -> None:
    for value in (1.0, 4.0, 2.0, 3.0):
        LOGGER.log_metric("portfolio_value", value, {"strategy": "sma"})
        LOGGER.log_metric("engine_cycle_time", value)
        LOGGER.log_metric("signals_generated_total", value)
    for name in ("portfolio_value", "engine_cycle_time", "signals_generated_total"):
        summary = LOGGER.get_metrics_summary(name)
        assert {key: summary[key] for key in ("count", "mean", "min", "max", "latest", "p50")} == {
            "count": 4,
            "mean": 2.5,
            "min": 1,
            "max": 4,
            "latest": 3,
            "p50": 2,
        }
        assert LOGGER.get_metrics_summary(name, 2)["mean"] == 2.5
        assert LOGGER.get_metrics_summary(name, 1)["mean"] == 3
        assert abs(summary["timestamp"] - time.time()) < 30
    assert {"trading.portfolio.value", "trading.engine.cycle.duration"} <= LOGGER.get_all_metrics().keys()
    (stats,) = telemetry.statistics.by_series("portfolio_value")
    assert stats.attributes == {"trading.strategy.name": "sma", "trading.engine.mode": "live"}


def test_what_trading_recorded_is_in_the_summary_too(telemetry: Telemetry) -> None:
    with telemetry.trading.engine().cycle():
        pass
    assert LOGGER.get_metrics_summary("engine_cycle_time")["count"] == 1


def test_clearing_empties_the_summaries_and_nothing_else(telemetry: Telemetry) -> None:
    LOGGER.log_metric("portfolio_value", 1)
    LOGGER.log_metric("engine_cycle_time", 1)
    LOGGER.clear_metrics()
    assert LOGGER.get_metrics_summary("portfolio_value") == {}
    assert LOGGER.get_metrics_summary("engine_cycle_time") == {}
    assert Captured(telemetry).value("trading.portfolio.value") == 1


def test_without_telemetry_nothing_is_recorded_and_nothing_raised() -> None:
    LOGGER.log_metric("portfolio_value", 1)
    LOGGER.log_engine_cycle(1, "idle")
    LOGGER.clear_metrics()
    assert LOGGER.get_metrics_summary("portfolio_value") == {}
    assert LOGGER.get_all_metrics() == {}


def test_the_performance_summary_is_read_when_asked() -> None:
    summary: dict[str, Any] = LOGGER.get_performance_summary()
    assert summary["memory_used_mb"] > 1
    assert 0 <= summary["memory_percent"] <= 100
    assert summary["active_threads"] >= 1
    assert abs(summary["timestamp"] - time.time()) < 30
