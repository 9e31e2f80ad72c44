"""The engine's states, cycles and heartbeat; scanner, risk and performance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.captured import Captured

if TYPE_CHECKING:
    from ticktrace import Telemetry

LEGAL = {
    "idle": ("scanning",),
    "scanning": ("signal_wait", "idle"),
    "signal_wait": ("managing", "scanning"),
    "managing": ("scanning",),
}


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


def states(captured: Captured) -> dict[str, float]:
    return {
        point.attributes["trading.engine.state"]: point.value
        for point in captured.points("trading.engine.state")
    }


def test_one_series_a_state_and_only_the_present_one_is_1(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine(transitions=LEGAL)
    assert states(captured) == {"idle": 1, "scanning": 0, "signal_wait": 0, "managing": 0}
    engine.transition("scanning")
    assert states(captured) == {"idle": 0, "scanning": 1, "signal_wait": 0, "managing": 0}
    assert engine.state == "scanning"


def test_transitions_are_counted_and_told_on_the_current_span(
    telemetry: Telemetry, captured: Captured
) -> None:
    engine = telemetry.trading.engine(transitions=LEGAL)
    market = telemetry.trading.market(venue="x", symbol="Y", timeframe="1m")
    with market.candle(close_time=1_700_000_040):
        engine.transition("scanning", reason="market opened")
    (event,) = captured.span("candle 1m").events
    assert dict(event.attributes or {}) == {
        "trading.engine.transition.from": "idle",
        "trading.engine.transition.to": "scanning",
        "trading.engine.transition.legal": True,
        "trading.engine.transition.reason": "market opened",
    }
    counted = {"trading__engine__transition__from": "idle", "trading__engine__transition__to": "scanning"}
    assert captured.value("trading.engine.state.transitions", **counted) == 1


def test_an_illegal_transition_is_said_and_followed(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    engine = telemetry.trading.engine(transitions=LEGAL)
    engine.transition("managing")
    assert engine.state == "managing"
    assert states(captured)["managing"] == 1
    assert "from 'idle' to 'managing'" in caplog.text


def test_an_undeclared_state_makes_no_series(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    engine = telemetry.trading.engine()
    engine.transition("daydreaming")
    with engine.cycle():
        pass
    assert set(states(captured)) == set(engine.states)
    assert captured.value("trading.engine.state.transitions", trading__engine__transition__to="other") == 1
    assert captured.count("trading.engine.cycle.duration", trading__engine__state="other") == 1
    assert "'daydreaming' was not declared" in caplog.text


def test_a_cycle_is_timed_by_the_state_it_began_in_and_beats_the_heart(
    telemetry: Telemetry, captured: Captured
) -> None:
    engine = telemetry.trading.engine(transitions=LEGAL)
    with engine.cycle():
        engine.transition("scanning")
    assert captured.count("trading.engine.cycle.duration", trading__engine__state="idle") == 1
    assert captured.value("trading.engine.heartbeat.timestamp") > 1.7e9
    assert captured.value("trading.engine.uptime") > 0
    assert captured.spans == ()


def test_open_positions_and_orders(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine()
    engine.positions_open(2)
    engine.orders_open(3)
    assert captured.value("trading.engine.positions.open") == 2
    assert captured.value("trading.engine.orders.open") == 3


def test_a_scan_counts_without_symbols(telemetry: Telemetry, captured: Captured) -> None:
    with telemetry.trading.scanner("breakout").scan() as scan:
        scan.scanned(5)
        scan.filtered("atr_range", 3)
        scan.candidates(2)
    assert captured.value("trading.scanner.symbols.scanned") == 5
    assert captured.value("trading.scanner.filtered", trading__filter__name="atr_range") == 3
    assert captured.value("trading.scanner.candidates.found") == 2
    assert captured.count("trading.scanner.scan.duration", trading__scanner__name="breakout") == 1
    assert captured.span("scan breakout")


def test_risk_checks_hand_their_verdict_on(telemetry: Telemetry, captured: Captured) -> None:
    assert telemetry.trading.risk.check("daily_loss", True)
    assert not telemetry.trading.risk.check("daily_loss", False, value=4, limit=3)
    assert captured.value("trading.risk.checks", trading__risk__rule="daily_loss") == 2
    assert captured.value("trading.risk.checks.failed", trading__risk__rule="daily_loss") == 1


def test_performance_is_what_the_ledger_says(telemetry: Telemetry, captured: Captured) -> None:
    performance = telemetry.trading.performance
    performance.trade_closed(profit_loss=-3, strategy="momentum", symbol="BTC", holding_seconds=90)
    performance.update(realized=-3, unrealized=1.5, value=9_998.5, drawdown_ratio=0.01)
    performance.update(realized=-3, strategy="momentum")
    assert captured.sum("trading.trade.profit_loss", trading__strategy__name="momentum") == -3
    assert captured.sum("trading.position.holding.duration") == 90
    assert captured.value("trading.portfolio.value") == 9_998.5
    account = [point for point in captured.points("trading.pnl.realized") if len(point.attributes) == 1]
    assert [point.value for point in account] == [-3]
