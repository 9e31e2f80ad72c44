"""`get_metric(name).labels(...)` in the manner of prometheus_client, on the catalog's instruments."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace.compat import get_metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry


class Side(Enum):
    BUY = "buy"


def test_a_counter_counts_under_its_labels(telemetry: Telemetry) -> None:
    trades = get_metric("trades_executed_total")
    trades.labels(strategy="sma", symbol="AAPL", side="buy").inc()
    trades.labels(strategy="sma", symbol="AAPL", side=Side.BUY).inc(2)
    trades.labels(strategy="ema").inc()
    trades.inc()
    captured = Captured(telemetry)
    sma = {"trading__strategy__name": "sma", "trading__symbol": "AAPL", "trading__order__side": "buy"}
    assert captured.value("trading.trades.executed", **sma, trading__engine__mode="live") == 3
    assert captured.value("trading.trades.executed") == 5


def test_a_gauge_is_set_and_counted_up_and_down(telemetry: Telemetry, engine: str) -> None:
    value = get_metric("portfolio_value")
    value.set(100)
    value.inc(10)
    value.dec(0.5)
    value.labels(strategy=engine).inc()
    value.labels(strategy=engine).inc()
    captured = Captured(telemetry)
    points = {
        point.attributes.get("trading.strategy.name"): point.value
        for point in captured.points("trading.portfolio.value")
    }
    assert points == {None: 109.5, engine: 2}


def test_a_histogram_observes_in_the_unit_that_its_name_says(telemetry: Telemetry) -> None:
    get_metric("trade_execution_duration_seconds").labels(symbol="AAPL").observe(0.25)
    get_metric("candle_processing_latency_ns").observe(50_000_000)
    get_metric("slippage_amount").observe(-0.5)
    captured = Captured(telemetry)
    assert captured.sum("trading.trade.execution.duration", trading__symbol="AAPL") == 0.25
    assert captured.sum("trading.candle.processing.duration") == pytest.approx(0.05)
    assert captured.sum("trading.slippage.amount") == -0.5


def test_a_gauge_knows_its_level_from_before_telemetry(start: Callable[..., Telemetry], engine: str) -> None:
    positions = get_metric("trading.engine.positions.open").labels(venue=engine)
    positions.inc(2)
    telemetry = start()
    positions.inc()
    assert Captured(telemetry).value("trading.engine.positions.open", trading__venue=engine) == 3


def test_an_up_down_counter_can_be_set_to_its_level(start: Callable[..., Telemetry]) -> None:
    """Also where an earlier telemetry, or none, was told of it: each counts from zero."""
    pool = get_metric("database_connection_pool_usage").labels(state="used")
    pool.set(7)
    for _ in range(2):
        telemetry = start()
        pool.inc(3)
        pool.set(5)
        pool.set(5)
        pool.dec()
        used = {"db__client__connection__state": "used"}
        assert Captured(telemetry).value("db.client.connection.count", **used) == 4
        telemetry.shutdown()


def test_time_measures_blocks_and_functions(telemetry: Telemetry) -> None:
    timer = get_metric("trade_execution_duration_seconds").labels(strategy="sma").time()
    with timer:
        pass
    assert timer(lambda: 1)() == 1
    captured = Captured(telemetry)
    assert captured.count("trading.trade.execution.duration", trading__strategy__name="sma") == 2


def test_record_does_what_the_kind_does(telemetry: Telemetry) -> None:
    for name, value in (
        ("signals_generated_total", 2),
        ("win_streak", 4),
        ("order_fill_duration_seconds", 0.5),
    ):
        get_metric(name).record(value)
        get_metric(name).record(value)
    captured = Captured(telemetry)
    assert captured.value("trading.signals.generated") == 4
    assert captured.value("trading.win_streak") == 4
    assert captured.sum("trading.order.fill.duration") == 1


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("trades_executed_total", lambda metric: metric.set(1)),
        ("trades_executed_total", lambda metric: metric.dec()),
        ("trades_executed_total", lambda metric: metric.observe(1)),
        ("trades_executed_total", lambda metric: metric.time()),
        ("portfolio_value", lambda metric: metric.observe(1)),
        ("order_fill_duration_seconds", lambda metric: metric.inc()),
        ("order_fill_duration_seconds", lambda metric: metric.set(1)),
    ],
)
def test_a_method_of_another_kind_records_nothing_and_says_so(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture, name: str, use: Callable[[Any], object]
) -> None:
    metric = get_metric(name)
    use(metric)
    assert Captured(telemetry).points(metric.spec.name) == []
    assert "nothing is recorded" in caplog.text


def test_a_label_that_the_instrument_does_not_have_is_left_out_and_said(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture, engine: str
) -> None:
    get_metric("win_streak").labels(symbol=engine, order_id="A-1").set(3)
    (point,) = Captured(telemetry).points("trading.win_streak")
    assert dict(point.attributes) == {"trading.symbol": engine, "trading.engine.mode": "live"}
    assert "no attribute 'order_id'" in caplog.text


def test_words_of_an_enumeration_are_its_own_or_other(telemetry: Telemetry) -> None:
    trades = get_metric("trades_rejected_total")
    trades.labels(reason="Insufficient-Funds").inc()
    trades.labels(reason="the cat sat on the keyboard").inc()
    reasons = {
        point.attributes["trading.order.reject.reason"]
        for point in Captured(telemetry).points("trading.trades.rejected")
    }
    assert reasons == {"insufficient_funds", "other"}


def test_a_metric_is_the_same_each_time_and_follows_telemetry(start: Callable[..., Telemetry]) -> None:
    bound = get_metric("trades_executed_total").labels(symbol="early")
    assert get_metric("trades_executed_total").labels(symbol="early") is bound
    bound.inc()
    telemetry = start()
    bound.inc()
    assert Captured(telemetry).value("trading.trades.executed", trading__symbol="early") == 1
    telemetry.shutdown()
    bound.inc()
