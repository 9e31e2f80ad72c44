"""What stages of trading leave in the journal, on either engine."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from support.captured import Captured
from support.journal import journal_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ticktrace import Telemetry
    from ticktrace.trading import Market

CLOSE = 1_700_000_040.0


@pytest.fixture
def market(telemetry: Telemetry) -> Market:
    return telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")


def test_a_candle_is_a_line_with_its_trace(telemetry: Telemetry, market: Market) -> None:
    with market.candle(close_time=CLOSE):
        pass
    (line,) = journal_lines(telemetry)
    span = Captured(telemetry).span("candle 1m")
    assert (line.component, line.stage, line.symbol, line.candle) == ("market", "candle", "BTC/USDT", CLOSE)
    assert line.passed is True
    assert line.reason is None
    assert line.payload is not None
    assert {"venue": "binance", "timeframe": "1m"}.items() <= line.payload.items()
    assert line.trace_id == f"{span.context.trace_id:032x}"
    assert line.span_id == f"{span.context.span_id:016x}"
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= line.ts
    assert abs(line.ts - span.end_time) < 1_000_000_000


def test_a_candle_that_fails_says_with_what(telemetry: Telemetry, market: Market) -> None:
    with pytest.raises(KeyError), market.candle(close_time=CLOSE):
        raise KeyError("x")
    (line,) = journal_lines(telemetry)
    assert (line.passed, line.reason) == (False, "error:KeyError")


def test_the_conditions_of_a_signal_stand_before_it(telemetry: Telemetry, market: Market) -> None:
    with market.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        signal.check("body", value=0.7, threshold=0.5)
        signal.check("volume", value=9.5, threshold=10)
        signal.check("atr", value=Decimal("3.10"), threshold=2, comparison="<=")
    found = journal_lines(telemetry)
    assert [line.stage for line in found] == ["condition", "condition", "condition", "signal", "candle"]
    body, volume, atr, outcome, _ = found
    assert (body.name, body.value, body.threshold, body.comparison, body.passed) == (
        "body",
        0.7,
        0.5,
        ">=",
        True,
    )
    assert body.reason is None
    assert (volume.passed, volume.near_miss, volume.reason) == (False, True, "signal:momentum:volume")
    assert (atr.value, atr.comparison, atr.passed, atr.near_miss) == ("3.10", "<=", False, False)
    assert {line.strategy for line in (body, volume, atr, outcome)} == {"momentum"}
    assert {line.candle for line in found} == {CLOSE}
    assert len({line.decision for line in (body, volume, atr, outcome)}) == 1
    assert body.ts <= volume.ts <= atr.ts <= outcome.ts
    assert (outcome.passed, outcome.reason) == (False, None)


def test_a_signal_without_a_word_says_so(telemetry: Telemetry, market: Market) -> None:
    with market.candle(close_time=CLOSE) as candle, candle.signal("momentum"):
        pass
    (line,) = journal_lines(telemetry, "signal")
    assert (line.passed, line.reason) == (False, "signal:momentum:no_signal")


def test_an_emission_and_what_risk_says_of_it(telemetry: Telemetry, market: Market) -> None:
    with market.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        signal.check("body", value=0.7, threshold=0.5)
        signal.emit("long", confidence=0.8, price=Decimal("42000.10"))
        telemetry.trading.risk.check("max_drawdown", value=0.2, limit=0.1, strategy="momentum")
        signal.reject("risk_denied", "too deep")
    condition, outcome, rule, rejection, _ = journal_lines(telemetry)
    assert outcome.passed is True
    assert outcome.payload is not None
    assert {"type": "long", "confidence": 0.8, "price": "42000.10"}.items() <= outcome.payload.items()
    assert (rule.stage, rule.name, rule.passed, rule.reason) == (
        "risk",
        "max_drawdown",
        False,
        "risk:max_drawdown",
    )
    assert (rule.value, rule.threshold, rule.comparison) == (0.2, 0.1, "<=")
    assert (rejection.stage, rejection.name, rejection.reason) == ("risk", None, "rejected:risk_denied")
    assert rejection.payload == {"message": "too deep"}
    assert {line.decision for line in (outcome, rule, rejection)} == {condition.decision}
    assert {line.candle for line in (outcome, rule, rejection)} == {CLOSE}


def test_what_is_said_after_the_block_gets_lines_of_its_own(telemetry: Telemetry, market: Market) -> None:
    with market.candle(close_time=CLOSE) as candle:
        with candle.signal("momentum") as signal:
            pass
        signal.check("late", value=1, threshold=2)
        signal.emit("long")
        signal.reject("cooldown")
    found = [(line.stage, line.name, line.passed, line.reason) for line in journal_lines(telemetry)]
    assert sorted(found, key=str) == sorted(
        [
            ("signal", None, False, "signal:momentum:no_signal"),
            ("condition", "late", False, "signal:momentum:late"),
            ("signal", None, True, None),
            ("risk", None, False, "rejected:cooldown"),
            ("candle", None, True, None),
        ],
        key=str,
    )
    assert len({line.decision for line in journal_lines(telemetry) if line.strategy}) == 1


def test_an_order_and_its_fills(telemetry: Telemetry, market: Market) -> None:
    with market.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        signal.emit("long")
    with signal.order(side="buy", type="limit", quantity=Decimal(2), expected_price=100) as order:
        order.acknowledged("77")
    order.filled(price=Decimal("100.5"), quantity=1)
    order.filled(price=101, quantity=1)
    (placed,) = journal_lines(telemetry, "order")
    assert placed.payload is not None
    assert (placed.component, placed.passed, placed.candle) == ("execution", True, CLOSE)
    told = {"side": "buy", "type": "limit", "quantity": "2", "expected_price": 100, "order_id": "77"}
    assert told.items() <= placed.payload.items()
    first, second = journal_lines(telemetry, "fill")
    assert first.payload == {
        "price": "100.5",
        "quantity": 1,
        "side": "buy",
        "complete": False,
        "order_id": "77",
    }
    assert second.payload == {"price": 101, "quantity": 1, "side": "buy", "complete": True, "order_id": "77"}
    (outcome,) = journal_lines(telemetry, "signal")
    assert {placed.decision, first.decision, second.decision} == {outcome.decision}


@pytest.mark.parametrize("late", [False, True])
def test_a_rejected_order_says_why(telemetry: Telemetry, market: Market, late: bool) -> None:
    with (
        market.candle() as candle,
        candle.signal("momentum") as signal,
        signal.order(side="buy", quantity=1) as order,
    ):
        order.acknowledged("77")
        if not late:
            order.rejected("insufficient_funds", "balance 3")
    if late:
        order.rejected("insufficient_funds", "balance 3")
    *before, last = journal_lines(telemetry, "order")
    assert [line.passed for line in before] == ([True] if late else [])
    assert (last.passed, last.reason) == (False, "order:insufficient_funds")
    assert last.payload is not None
    assert last.payload["message"] == "balance 3"
    assert last.payload["status"] == "rejected"
    assert last.payload.get("later", False) is late


def test_a_scan_tells_each_filter_and_then_its_numbers(telemetry: Telemetry, market: Market) -> None:
    with market.candle(close_time=CLOSE), telemetry.trading.scanner("breakout").scan() as scan:
        scan.scanned(3)
        scan.check("atr_range", value=0.5, threshold=0.6, symbol="ETH/USDT")
        scan.check("atr_range", value=0.9, threshold=0.6)
        scan.filtered("blacklist", 1)
        scan.candidates(["BTC/USDT"])
    eth, btc, scanned, _ = journal_lines(telemetry)
    assert (eth.stage, eth.component, eth.symbol, eth.passed) == ("filter", "scanner", "ETH/USDT", False)
    assert (eth.reason, eth.candle) == ("filter:atr_range", CLOSE)
    assert (btc.symbol, btc.passed, btc.reason) == ("BTC/USDT", True, None)
    assert (scanned.stage, scanned.name, scanned.passed) == ("scan", "breakout", True)
    assert scanned.payload is not None
    assert {"symbols": 3, "candidates": 1, "filtered": {"blacklist": 1}}.items() <= scanned.payload.items()
    assert {eth.decision, btc.decision} == {scanned.decision}


def test_a_scan_that_the_bot_has_timed_itself_is_written_down(telemetry: Telemetry) -> None:
    scanner = telemetry.trading.scanner("breakout")
    scanner.record_scan(0.25, scanned=5, candidates=["A", "B"], filtered={"atr": 3})
    (line,) = journal_lines(telemetry)
    assert line.payload == {"symbols": 5, "candidates": 2, "filtered": {"atr": 3}, "ms": 250.0}
    assert Captured(telemetry).value("trading.scanner.candidates.found") == 2


def test_a_risk_check_outside_of_any_candle_is_written_down(telemetry: Telemetry) -> None:
    telemetry.trading.risk.check("daily_loss", passed=False, symbol="BTC/USDT", strategy="momentum")
    (line,) = journal_lines(telemetry)
    assert (line.stage, line.name, line.reason) == ("risk", "daily_loss", "risk:daily_loss")
    assert (line.symbol, line.strategy, line.decision, line.trace_id) == ("BTC/USDT", "momentum", None, None)


def test_without_a_journal_nothing_is_written(start: Callable[..., Telemetry], tmp_path: Path) -> None:
    telemetry = start(diagnostics={"journal": {"enabled": False, "directory": str(tmp_path / "diag")}})
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with market.candle() as candle, candle.signal("momentum") as signal:
        signal.check("body", value=0.7, threshold=0.5)
        telemetry.diagnostics.record("bot", "filter")
    telemetry.flush()
    assert not (tmp_path / "diag").exists()
    assert telemetry.diagnostics.snapshot()["output_path"] is None
    assert Captured(telemetry).value("trading.filter.evaluations") == 1


def test_what_waits_at_the_shutdown_is_written(telemetry: Telemetry, market: Market, tmp_path: Path) -> None:
    with market.candle() as candle, candle.signal("momentum") as signal:
        signal.check("body", value=0.7, threshold=0.5)
    telemetry.shutdown()
    (path,) = (tmp_path / "logs" / "diag").iterdir()
    assert len(path.read_bytes().splitlines()) == 4
