"""Risk: verdicts, limits that are hit, stops and targets, sizes, and what brokers' rules forbid."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ticktrace import Telemetry


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture(autouse=True)
def nothing_breaks_inside() -> Iterator[None]:
    before = internal_errors()
    yield
    assert internal_errors() == before


def events_in_a_scan(telemetry: Telemetry, captured: Captured, tell: Callable[[], object]) -> list[Any]:
    """What is told inside a span: names and attributes of its events."""
    with telemetry.trading.scanner("s").scan():
        tell()
    return [(event.name, dict(event.attributes or {})) for event in captured.span("scan s").events]


def test_risk_checks_hand_their_verdict_on(telemetry: Telemetry, captured: Captured) -> None:
    assert telemetry.trading.risk.check("daily_loss", True)
    assert not telemetry.trading.risk.check("daily_loss", False, value=4, limit=3)
    assert captured.value("trading.risk.checks", trading__risk__rule="daily_loss") == 2
    assert captured.value("trading.risk.checks.failed", trading__risk__rule="daily_loss") == 1


def test_a_check_without_a_verdict_compares(telemetry: Telemetry, captured: Captured) -> None:
    risk = telemetry.trading.risk
    assert risk.check("max_positions", value=5, limit=5)
    assert not risk.check("max_positions", value=6, limit=5)
    assert risk.check("daily_loss", value=Decimal("-0.02"), limit=Decimal("-0.03"), comparison=">=")
    assert not risk.check("daily_loss", value=-0.04, limit=-0.03, comparison=">=")
    assert not risk.check("nothing to go by")
    assert captured.value("trading.risk.checks.failed") == 3


def test_checks_and_hits_may_be_told_apart_by_symbol_and_strategy(
    telemetry: Telemetry, captured: Captured
) -> None:
    telemetry.trading.risk.check("position_size", value=2, limit=1, symbol="BTC", strategy="momentum")
    labels = {
        "trading__risk__rule": "position_size",
        "trading__symbol": "BTC",
        "trading__strategy__name": "momentum",
    }
    for name in ("checks", "checks.failed", "limit.hits"):
        assert captured.value(f"trading.risk.{name}", **labels) == 1


def test_a_limit_that_stays_broken_is_hit_once(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    risk = telemetry.trading.risk
    for loss in (1, 3, 4, 5, 2, 6):
        risk.check("daily_loss", value=loss, limit=2.5)
    assert captured.value("trading.risk.checks.failed") == 4
    assert captured.value("trading.risk.limit.hits", trading__risk__rule="daily_loss") == 2
    assert "risk limit 'daily_loss' was hit: 3 against 2.5" in caplog.text


def test_a_verdict_without_a_limit_is_no_limit_that_is_hit(telemetry: Telemetry, captured: Captured) -> None:
    telemetry.trading.risk.check("cooldown", False)
    assert captured.points("trading.risk.limit.hits") == []


def test_the_event_has_value_against_limit(telemetry: Telemetry, captured: Captured) -> None:
    risk = telemetry.trading.risk
    events = events_in_a_scan(
        telemetry, captured, lambda: risk.check("daily_loss", value=Decimal("3.10"), limit=3)
    )
    numbers = {
        "trading.risk.rule": "daily_loss",
        "trading.filter.value": "3.10",
        "trading.filter.threshold": 3,
    }
    assert events == [
        ("trading.risk.checked", {**numbers, "trading.filter.result": "fail"}),
        ("trading.risk.limit_hit", numbers),
    ]


def test_a_hit_can_be_told_by_itself(telemetry: Telemetry, captured: Captured) -> None:
    risk = telemetry.trading.risk
    events = events_in_a_scan(
        telemetry, captured, lambda: risk.limit_hit("max_drawdown", value=0.06, limit=0.05)
    )
    assert [name for name, _ in events] == ["trading.risk.limit_hit"]
    assert captured.value("trading.risk.limit.hits", trading__risk__rule="max_drawdown") == 1


def test_four_threads_hit_a_limit_once(telemetry: Telemetry, captured: Captured) -> None:
    def check() -> None:
        for _ in range(250):
            telemetry.trading.risk.check("daily_loss", value=3, limit=2)

    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert captured.value("trading.risk.checks.failed") == 1_000
    assert captured.value("trading.risk.limit.hits") == 1


def test_ten_thousand_rules_make_bounded_series(telemetry: Telemetry, captured: Captured) -> None:
    for number in range(10_000):
        telemetry.trading.risk.check(f"rule-{number}", value=2, limit=1, symbol=f"COIN{number}")
    for name in ("checks", "checks.failed", "limit.hits"):
        assert len(captured.points(f"trading.risk.{name}")) <= 301


def test_stops_and_targets(telemetry: Telemetry, captured: Captured) -> None:
    risk = telemetry.trading.risk

    def trigger() -> None:
        risk.stop_loss_triggered(
            symbol="BTC", strategy="momentum", venue="binance", price=Decimal("41.90"), stop=42
        )
        risk.take_profit_triggered(symbol="BTC", strategy="momentum", price=50.5, target=50)

    events = events_in_a_scan(telemetry, captured, trigger)
    labels = {"trading__symbol": "BTC", "trading__strategy__name": "momentum"}
    assert captured.value("trading.stop_loss.triggers", trading__venue="binance", **labels) == 1
    assert captured.value("trading.take_profit.triggers", **labels) == 1
    assert [(name, a["trading.trigger.price"], a["trading.trigger.level"]) for name, a in events] == [
        ("trading.stop_loss.triggered", "41.90", 42),
        ("trading.take_profit.triggered", 50.5, 50),
    ]


def test_position_sizes_by_confidence(telemetry: Telemetry, captured: Captured) -> None:
    risk = telemetry.trading.risk
    risk.position_sized(100, confidence=0.4, strategy="momentum")
    risk.position_sized(quantity=Decimal("0.005"), price=Decimal(42_000), side="BUY", confidence=0.6)
    risk.position_sized(quantity=-2, price=150, side="sell", confidence=0.75)
    risk.position_sized(40)
    sums = {
        band: captured.sum("trading.position.size", trading__confidence__band=band)
        for band in ("low", "medium", "high")
    }
    assert sums == {"low": 100, "medium": 210, "high": 300}
    assert captured.sum("trading.position.size") == 650
    assert captured.sum("trading.position.size", trading__order__side="buy") == 210


@pytest.mark.parametrize("wrong", [None, "much", float("nan"), Decimal("NaN"), ...], ids=repr)
def test_a_size_that_is_none_is_left_out(telemetry: Telemetry, captured: Captured, wrong: Any) -> None:
    telemetry.trading.risk.position_sized(wrong, quantity=wrong, price=1, side=wrong, confidence=wrong)
    assert captured.points("trading.position.size") == []


def test_day_trades_are_shown_and_held_against_the_limit(telemetry: Telemetry, captured: Captured) -> None:
    compliance = telemetry.trading.compliance
    assert compliance.day_trades(1)
    assert compliance.day_trades(2, limit=3, venue="ibkr")
    assert not compliance.day_trades(3, limit=3, venue="ibkr")
    assert captured.value("trading.pdt.day_trades", trading__venue="ibkr") == 3
    assert captured.value("trading.risk.checks", trading__risk__rule="pdt") == 2
    assert captured.value("trading.risk.limit.hits", trading__risk__rule="pdt") == 1


def test_what_compliance_keeps_the_bot_from(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    compliance = telemetry.trading.compliance

    def tell() -> None:
        compliance.pdt_avoided(symbol="AAPL", strategy="momentum", message="3 of 3")
        compliance.cash_violation("good-faith", symbol="AAPL", venue="ibkr")
        compliance.cash_violation("borrowed from a friend")

    events = events_in_a_scan(telemetry, captured, tell)
    assert captured.value("trading.pdt.avoided", trading__symbol="AAPL") == 1
    assert captured.value("trading.cash_account.violations", trading__violation__type="good_faith") == 1
    assert captured.value("trading.cash_account.violations", trading__violation__type="other") == 1
    assert [name for name, _ in events] == [
        "trading.pdt.trade_avoided",
        "trading.cash_account.violated",
        "trading.cash_account.violated",
    ]
    assert events[0][1]["trading.reject.message"] == "3 of 3"
    assert "a rule for cash accounts was broken: good_faith" in caplog.text


def test_nothing_is_told_to_a_span_that_has_ended(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    """As behind a queue, where the producer's span is current and may be over; OTel's SDK would warn of it."""
    from opentelemetry.trace import use_span  # noqa: PLC0415

    with telemetry.trading.scanner("s").scan() as scan:
        span = scan.span
    with use_span(span):
        telemetry.trading.risk.check("daily_loss", value=4, limit=3)
        telemetry.trading.engine().transition("managing")
    assert "ended span" not in caplog.text


def test_verdicts_stay_while_telemetry_is_off(start: Callable[..., Telemetry]) -> None:
    trading = start(enabled=False).trading
    assert trading.risk.check("daily_loss", value=1, limit=2)
    assert not trading.risk.check("daily_loss", value=3, limit=2)
    assert not trading.compliance.day_trades(3, limit=3)
    trading.risk.position_sized(100)
    trading.risk.stop_loss_triggered(symbol="BTC")
    trading.compliance.cash_violation()
