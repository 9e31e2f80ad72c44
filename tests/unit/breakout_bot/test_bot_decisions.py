"""Indicators, filters, strategies and risk: the decisions, without anything around them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from breakout_bot.indicators import Window
from breakout_bot.market import Candle
from breakout_bot.money import MarketRules
from breakout_bot.positions import Trade
from breakout_bot.risk import Limits, RiskDesk
from breakout_bot.scanner import Filters, scan
from breakout_bot.strategies import Momentum, Retest, Setup

RULES = MarketRules(tick_size=Decimal("0.1"), lot_size=Decimal("0.001"), min_quantity=Decimal("0.01"))


def bar(
    number: int, price: float, to: float | None = None, *, volume: float = 10.0, wick: float = 0.5
) -> Candle:
    close = price if to is None else to
    return Candle(
        number * 60_000,
        (number + 1) * 60_000,
        price,
        max(price, close) + wick,
        min(price, close) - wick,
        close,
        volume,
    )


def quiet_window(bars: int = 80, *, scale: float = 1.0, volume: float = 10.0) -> Window:
    window = Window()
    for number in range(bars):
        price = (100.0 + 0.3 * (number % 3)) * scale
        window.add(bar(number, price, wick=0.5 * scale, volume=volume))
    return window


def failing(setup: Setup) -> set[str]:
    return {condition.name for condition in setup.conditions if not condition.holds}


def filtered(window: Window, filters: Filters | None = None) -> set[str]:
    return {verdict.name for verdict in scan(window, filters or Filters()) if not verdict.holds}


def test_a_quiet_market_passes_every_filter_after_the_warm_up() -> None:
    assert filtered(quiet_window(30)) == {"warm_up"}
    assert filtered(quiet_window(80)) == set()


def test_every_filter_can_keep_a_market_out() -> None:
    window = quiet_window()
    window.add(bar(200, 100.0, volume=0.1), after_gap=True)
    assert filtered(window) == {"freshness", "trades_per_minute"}
    for number in range(201, 220):
        window.add(bar(number, 100.0, 140.0, volume=0.1))
    assert filtered(window) == {"atr_range_max", "volume", "trades_per_minute"}
    calm = quiet_window()
    for number in range(200, 240):
        calm.add(bar(number, 100.0, wick=0.01))
    assert filtered(calm) == {"atr_range_min"}


def test_a_market_without_volume_is_not_filtered_for_it() -> None:
    window = quiet_window(volume=0.0)
    assert filtered(window) == set()
    assert "volume_surge" not in {condition.name for condition in Momentum().evaluate(window).conditions}


def test_the_feeds_own_number_of_trades_is_preferred_to_the_estimate() -> None:
    window = quiet_window()
    window.add(replace(bar(200, 100.0), trades=2))
    assert filtered(window) == {"trades_per_minute"}


def test_a_gap_is_not_a_range_that_anybody_traded() -> None:
    window, jumped = quiet_window(), quiet_window()
    window.add(bar(500, 150.0), after_gap=True)
    jumped.add(bar(500, 150.0))
    assert window.atr < 2 < jumped.atr


@pytest.mark.parametrize("scale", [420.0, 1.0, 0.000016])
def test_momentum_jumps_on_a_strong_bar_whatever_the_price_scale(scale: float) -> None:
    window = quiet_window(scale=scale)
    assert "breakout" in failing(Momentum().evaluate(window))
    window.add(bar(80, 100.5 * scale, 103.0 * scale, volume=30.0, wick=0.2 * scale))
    setup = Momentum().evaluate(window)
    assert (failing(setup), setup.direction, setup.order_type) == (set(), "long", "market")
    assert setup.stop < setup.entry < setup.target
    assert 0 <= setup.confidence <= 1


def test_momentum_sells_weakness_too() -> None:
    window = quiet_window()
    window.add(bar(80, 100.0, 97.0, volume=30.0))
    setup = Momentum().evaluate(window)
    assert (failing(setup), setup.direction) == (set(), "short")
    assert setup.target < setup.entry < setup.stop


def test_momentum_wants_volume() -> None:
    window = quiet_window()
    window.add(bar(80, 100.5, 103.0, volume=5.0))
    assert failing(Momentum().evaluate(window)) == {"volume_surge"}


def test_retest_waits_for_the_way_back_to_the_broken_level() -> None:
    window, retest = quiet_window(), Retest()
    retest.observe(window)
    assert failing(retest.evaluate(window)) == {"level_known"}
    steps = [(100.5, 103.0), (103.0, 103.5), (103.5, 103.0), (103.0, 102.2), (101.6, 102.0)]
    verdicts = []
    for number, (opened, closed) in enumerate(steps):
        window.add(bar(80 + number, opened, closed))
        retest.observe(window)
        verdicts.append(failing(retest.evaluate(window)))
    assert "retest_distance" in verdicts[1]
    assert verdicts[-1] == set()
    setup = retest.evaluate(window)
    assert (setup.direction, setup.order_type) == ("long", "limit")
    assert setup.stop < setup.entry < window.last.close < setup.target


def test_retest_forgets_a_breakout_that_failed() -> None:
    window, retest = quiet_window(), Retest()
    for number, (opened, closed) in enumerate([(100.5, 103.0), (103.0, 97.0), (97.0, 99.0)]):
        window.add(bar(80 + number, opened, closed))
        retest.observe(window)
    assert retest.evaluate(window).direction == "short"


def closed_trade(profit_loss: str, at: float, strategy: str = "momentum") -> Trade:
    one = Decimal(1)
    return Trade(strategy, "long", one, one, one, Decimal(profit_loss), Decimal(0), at - 60, at, "stop")


def denied(desk: RiskDesk, *, now: float, size: str = "1", **asked: Any) -> set[str]:
    checks = desk.checks(
        "momentum", now=now, size=Decimal(size), **{"open_positions": 0, "sentiment": 0.0, **asked}
    )
    return {check.rule for check in checks if not check.passed}


def test_every_risk_rule_can_say_no() -> None:
    desk = RiskDesk(Limits(max_positions=1, daily_loss=Decimal("0.02"), cooldown=300.0), Decimal(10_000))
    assert denied(desk, now=1000.0) == set()
    assert denied(desk, now=1000.0, open_positions=1) == {"max_positions"}
    assert denied(desk, now=1000.0, size="0") == {"position_size"}
    assert denied(desk, now=1000.0, sentiment=-0.7) == {"sentiment"}
    desk.closed(closed_trade("-150", at=1000.0))
    assert denied(desk, now=1100.0) == {"cooldown"}
    assert denied(desk, now=1300.0) == set()
    desk.closed(closed_trade("-100", at=1300.0, strategy="retest"))
    assert denied(desk, now=2000.0) == {"daily_loss"}
    assert denied(desk, now=90_000.0) == set()  # the next day
    assert desk.equity == Decimal(9_750)


def test_a_limit_is_hit_once_until_it_has_held_in_between() -> None:
    desk = RiskDesk(Limits(max_positions=1), Decimal(10_000))

    def hits(open_positions: int, strategy: str = "momentum") -> list[str]:
        checks = desk.checks(strategy, now=0.0, open_positions=open_positions, size=Decimal(0))
        return [check.rule for check in checks if desk.hits(check, strategy)]

    assert hits(1) == ["max_positions"]  # that there is no size is no limit that was hit
    assert hits(1) == []
    assert hits(1, "retest") == ["max_positions"]
    assert hits(0) == []
    assert hits(1) == ["max_positions"]


def test_day_trades_count_for_five_days_on_which_there_was_trading() -> None:
    desk = RiskDesk(Limits(day_trades=2), Decimal(10_000))
    assert RiskDesk(Limits(), Decimal(10_000)).day_trade_check() is None

    def may_trade(day: int) -> bool:
        desk.checks("momentum", now=day * 86_400.0 + 3_600, open_positions=0, size=Decimal(1))
        check = desk.day_trade_check()
        assert check is not None
        return check.passed

    assert may_trade(1)
    desk.closed(closed_trade("5", at=1 * 86_400.0 + 7_200))
    desk.closed(closed_trade("5", at=1 * 86_400.0 + 10))  # opened the day before: no day trade
    assert may_trade(1)
    desk.closed(closed_trade("-5", at=4 * 86_400.0 + 7_200))
    assert desk.day_trades.count == 2
    assert not may_trade(4)
    # The first one counts until there were five further days of trading; the one on the fourth day still does.
    assert [may_trade(day) for day in (5, 8, 9, 10)] == [False, False, False, True]
    assert desk.day_trades.count == 1


def test_the_position_is_sized_by_the_risk_and_capped_by_the_value() -> None:
    desk = RiskDesk(Limits(risk_per_trade=Decimal("0.01"), max_position=Decimal("0.5")), Decimal(10_000))
    assert desk.position_size(Decimal(100), Decimal(90), RULES) == Decimal(10)
    assert desk.position_size(Decimal(100), Decimal("99.9"), RULES) == Decimal(50)
    assert desk.position_size(Decimal(100), Decimal(100), RULES) == 0
    assert desk.position_size(Decimal(10_000_000), Decimal(1), RULES) == 0
