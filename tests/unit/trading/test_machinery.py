"""Every instrument of engine, scanner, strategy and risk is recorded, and each label that the catalog allows it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from support.captured import Captured
from ticktrace.catalog import CATALOG
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from ticktrace import Telemetry
    from ticktrace.trading import Trading

ELSEWHERE = {"trading.strategy.win_rate", "trading.strategy.profit_loss"}  # the ledger's
GROUPS = ("engine", "scanner", "strategy", "risk")
ROWS = [row for row in CATALOG.values() if row.group in GROUPS and row.name not in ELSEWHERE]
WHAT: dict[str, Any] = {"symbol": "BTC/USDT", "strategy": "momentum", "venue": "binance"}


def work(trading: Trading) -> None:
    """What a bot does in a day, told as fully as it can be."""
    engine = trading.engine(transitions={"idle": ("scanning",)}, cycle_budget=1e-12)
    engine.transition("scanning")
    engine.transition("managing")
    with engine.cycle() as cycle:
        cycle.signals(1)
    with pytest.raises(OSError, match="feed"), engine.cycle():
        raise OSError("feed")
    engine.orders_open(2, venue="binance")
    scanner = trading.scanner("breakout", venue="binance")
    with scanner.scan() as scan:
        scan.scanned(3)
        scan.check("volume", value=1, threshold=2)
        scan.candidates(1)
    with pytest.raises(OSError, match="feed"), scanner.scan():
        raise OSError("feed")
    strategy = trading.strategy("momentum")
    strategy.evaluated(0.1, symbol="BTC/USDT", timeframe="1m", signals=1, failed="OSError")
    risk = trading.risk
    risk.check("daily_loss", value=3, limit=2, symbol="BTC/USDT", strategy="momentum")
    risk.stop_loss_triggered(**WHAT)
    risk.take_profit_triggered(**WHAT)
    risk.position_sized(100, side="buy", confidence=0.9, **WHAT)
    trading.positions.update("BTC/USDT", 1, price=50, venue="binance", strategy="momentum")
    trading.positions.set_exposure(0.5, **WHAT)
    trading.positions.reconcile({}, venue="binance")
    trading.compliance.day_trades(2, venue="ibkr")
    trading.compliance.pdt_avoided(**WHAT)
    trading.compliance.cash_violation(**WHAT)


def test_all_is_recorded_with_what_the_catalog_allows_and_nothing_else(telemetry: Telemetry) -> None:
    before = internal_errors()
    captured = Captured(telemetry)
    work(telemetry.trading)
    assert internal_errors() == before
    missing = {}
    for row in ROWS:
        points = captured.points(row.name)
        used = {key for point in points for key in point.attributes}
        assert used <= set(row.attributes), row.name
        if used != set(row.attributes):
            missing[row.name] = set(row.attributes) - used
    assert missing == {}


class Unprintable(Exception):  # noqa: N818  it is nothing but unprintable
    def __str__(self) -> str:
        raise RuntimeError


WRONG: list[Any] = [
    Unprintable(),
    None,
    "text",
    b"bytes",
    float("nan"),
    Decimal("NaN"),
    10**400,
    [],
    {},
    object(),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
def test_no_wrong_value_reaches_the_bot(telemetry: Telemetry, wrong: Any) -> None:
    trading = telemetry.trading
    engine = trading.engine(states=[wrong], initial=wrong, transitions={"a": [wrong]}, cycle_budget=wrong)
    engine.transition(wrong, wrong)
    with engine.cycle(budget=wrong) as cycle:
        cycle.signals(wrong)
        cycle.positions(wrong)
        cycle.orders(wrong)
    engine.record_cycle(wrong, state=wrong, positions=wrong, signals=wrong, orders=wrong)
    engine.orders_open(wrong, venue=wrong)
    scanner = trading.scanner(wrong, venue=wrong)
    with scanner.scan() as scan:
        scan.check(wrong, value=wrong, threshold=wrong, comparison=wrong, margin=wrong, symbol=wrong)
        scan.scanned(wrong)
        scan.candidates(wrong)
        scan.filtered(wrong, wrong)
    scanner.record_scan(wrong, scanned=wrong, candidates=wrong, filtered=wrong)
    strategy = trading.strategy(wrong)
    with strategy.evaluation(symbol=wrong, timeframe=wrong) as evaluation:
        evaluation.emit(wrong)
    strategy.evaluated(wrong, symbol=wrong, signals=wrong, failed=wrong)
    strategy.emitted(wrong)
    risk = trading.risk
    risk.check(wrong, value=wrong, limit=wrong, comparison=wrong, symbol=wrong, strategy=wrong)
    risk.limit_hit(wrong, value=wrong, limit=wrong)
    risk.stop_loss_triggered(symbol=wrong, strategy=wrong, venue=wrong, price=wrong, stop=wrong)
    risk.position_sized(wrong, quantity=wrong, price=wrong, side=wrong, confidence=wrong, symbol=wrong)
    compliance = trading.compliance
    compliance.day_trades(wrong, limit=wrong, venue=wrong)
    compliance.pdt_avoided(symbol=wrong, message=wrong)
    compliance.cash_violation(wrong, symbol=wrong, message=wrong)
    bus = trading.event_bus(wrong)
    bus.subscribe(object, lambda _: None, name=wrong)
    bus.publish_nowait(wrong)
    observed = trading.observe_bus(name=wrong)
    observed.publishing(lambda _: None)(wrong)
    observed.handling(lambda _: None)(wrong)
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert telemetry.flush()
