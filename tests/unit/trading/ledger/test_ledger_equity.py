"""Marks, flows, drawdowns, returns, and the ends of days, months and periods."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from statistics import fmean, stdev
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ticktrace.trading.ledger import Ledger, LedgerConfig

AT = 1_700_000_000.0
HOUR = 3_600.0


def ledger(**config: Any) -> Any:  # Any: amounts are held against whole numbers
    options: dict[str, Any] = {"capital": 1_000}
    return Ledger(LedgerConfig(**options | config))


def holding(**config: Any) -> Any:
    """Ten units bought at 100 with all there is: equity is ten times the price."""
    books = ledger(**config)
    books.fill(symbol="BTC", side="buy", price=100, quantity=10, at=AT, strategy="m")
    return books


def walk(books: Ledger, *prices: float, start: float = AT, step: float = 60.0) -> None:
    for number, price in enumerate(prices, 1):
        books.mark("BTC", price, start + number * step)


# --- marks --------------------------------------------------------------------------------------------------------------


def test_a_mark_without_a_venue_is_every_venues() -> None:
    books = ledger()
    for venue in ("binance", "bybit"):
        books.fill(symbol="BTC", side="buy", price=100, quantity=1, at=AT, venue=venue)
    books.mark("BTC", 110, AT + 1)
    assert books.report().account.unrealized == 20
    books.mark("BTC", 120, AT + 2, "bybit")
    assert books.report().account.unrealized == 30


def test_an_old_mark_is_left_out() -> None:
    books = holding()
    books.mark("BTC", 110, AT + 10)
    books.mark("BTC", 90, AT + 5)
    assert books.report().account.unrealized == 100
    assert books.report().refused == {"late_mark": 1}


def test_a_fill_is_a_mark_until_a_newer_one() -> None:
    books = holding()
    books.mark("BTC", 110, AT + 10)
    books.fill(symbol="BTC", side="buy", price=120, quantity=1, at=AT + 11, strategy="other")
    assert books.report().account.unrealized == 200
    assert books.report().strategies["m"].drawdown.peak_at == AT + 11  # the others see it, too
    books.mark("BTC", 130, AT + 10.5)  # older than the fill: nobody's mistake
    assert books.report().account.unrealized == 200
    books.fill(symbol="BTC", side="buy", price=125, quantity=1, at=AT + 11, strategy="third")
    assert books.report().account.unrealized == 195  # as old as the price there is
    assert books.report().refused == {}


# --- drawdown -----------------------------------------------------------------------------------------------------------


def test_drawdown_now_and_worst() -> None:
    books = holding()
    walk(books, 120, 90, 105)
    drawdown = books.report().account.drawdown
    assert (drawdown.amount, drawdown.worst_amount) == (150, 300)
    assert drawdown.ratio == pytest.approx(150 / 1_200)
    assert drawdown.worst_ratio == pytest.approx(300 / 1_200)
    assert drawdown.peak_at == AT + 60


def test_recovery_runs_until_the_peak_is_reached_again() -> None:
    books = holding()
    walk(books, 120, 90, 105)
    assert books.report().account.drawdown.recovery_seconds == 120
    assert books.report(AT + 1_000).account.drawdown.recovery_seconds == 940  # it goes on
    walk(books, 119, 120, 130, start=AT + 180)
    drawdown = books.report(AT + 1_000).account.drawdown
    assert drawdown.recovery_seconds == 240
    assert drawdown.amount == 0


def test_the_longest_recovery_is_remembered() -> None:
    books = holding()
    walk(books, 120, 90, 90, 120, 110, 120)
    drawdown = books.report().account.drawdown
    assert (drawdown.recovery_seconds, drawdown.longest_recovery_seconds) == (120, 180)


def test_a_first_loss_is_a_drawdown_from_the_capital() -> None:
    books = holding()
    walk(books, 95)
    assert books.report().account.drawdown.ratio == pytest.approx(0.05)


def test_a_strategy_is_measured_as_if_it_had_the_account_for_itself() -> None:
    books = holding()
    books.fill(symbol="ETH", side="sell", price=10, quantity=10, at=AT, strategy="hedge")
    walk(books, 90)
    books.mark("ETH", 5, AT + 120)
    report = books.report()
    assert report.account.drawdown.ratio == pytest.approx(0.05)
    assert report.strategies["m"].drawdown.ratio == pytest.approx(0.1)
    assert report.strategies["hedge"].drawdown.ratio == 0
    assert report.symbols["ETH"].profit_loss == 50


def test_without_capital_there_are_amounts_and_no_ratios() -> None:
    books = holding(capital=0)
    walk(books, 120, 90)
    account = books.report().account
    assert account.drawdown.worst_amount == 300
    assert account.drawdown.ratio is None
    assert account.drawdown.worst_ratio is None
    assert account.returns.total is None
    assert account.returns.sharpe is None


# --- flows --------------------------------------------------------------------------------------------------------------


def test_flows_are_neither_profit_nor_loss() -> None:
    books = holding()
    walk(books, 110)  # + 10 %
    books.deposit(900, AT + 100)
    books.withdraw("100.5", AT + 101)
    account = books.report().account
    assert account.value == Decimal("1899.5")
    assert account.profit_loss == 100
    assert account.returns.total == pytest.approx(0.1)
    assert account.drawdown.worst_amount == 0


def test_the_return_after_a_deposit_is_on_what_is_there() -> None:
    books = holding()
    walk(books, 110)
    books.deposit(1_100, AT + 100)
    walk(books, 99, start=AT + 100)  # 110 lost of 2,200
    assert books.report().account.returns.total == pytest.approx(1.1 * 0.95 - 1)
    assert books.report().account.drawdown.ratio == pytest.approx(0.05)


def test_capital_may_come_later() -> None:
    books = ledger(capital=0)
    books.deposit(1_000, AT)
    books.fill(symbol="BTC", side="buy", price=100, quantity=10, at=AT)
    walk(books, 80)
    assert books.report().account.drawdown.ratio == pytest.approx(0.2)


def test_an_account_that_was_emptied_goes_on_where_it_was() -> None:
    books = holding()
    walk(books, 110)
    books.fill(symbol="BTC", side="sell", price=110, quantity=10, at=AT + 100, strategy="m")
    books.withdraw(1_100, AT + 101)
    assert books.report().account.returns.total is None
    books.deposit(500, AT + 102)
    assert books.report().account.returns.total == pytest.approx(0.1)


def test_an_account_that_lost_everything_begins_anew() -> None:
    books = ledger()
    books.fill(symbol="BTC", side="buy", price=100, quantity=20, at=AT)
    walk(books, 40)
    assert books.report().account.drawdown.ratio == pytest.approx(1.2)
    books.deposit(700, AT + 100)
    walk(books, 45, start=AT + 100)
    account = books.report().account
    assert account.returns.total == pytest.approx(100 / 500)
    assert account.drawdown.worst_ratio == pytest.approx(1.2)


def test_income_belongs_to_the_trade_that_is_open() -> None:
    books = holding()
    books.income("-1.5", symbol="BTC", strategy="m", at=AT + 1)
    trade = books.fill(symbol="BTC", side="sell", price=100, quantity=10, at=AT + 2, strategy="m")
    assert trade is not None
    assert (trade.profit_loss, trade.income) == (Decimal("-1.5"), Decimal("-1.5"))
    books.income(4, symbol="BTC", strategy="m", at=AT + 3)  # a dividend after the sale
    report = books.report()
    assert report.account.realized == Decimal("2.5")
    assert report.account.income == Decimal("2.5")
    assert report.account.trades.expectancy == Decimal("-1.5")


# --- trades -------------------------------------------------------------------------------------------------------------


def trade(books: Ledger, result: float, at: float, held: float = 10.0) -> None:
    books.fill(symbol="X", side="buy", price=100, quantity=1, at=at - held)
    books.fill(symbol="X", side="sell", price=100 + result, quantity=1, at=at)


def test_figures_of_trades() -> None:
    books = ledger()
    for number, result in enumerate((10, 20, -5, 0, -10, -15, 30)):
        trade(books, result, AT + 100 * number)
    trades = books.report().account.trades
    assert (trades.count, trades.won, trades.lost, trades.even) == (7, 3, 3, 1)
    assert trades.win_rate == pytest.approx(3 / 7)
    assert (trades.average_win, trades.average_loss) == (20, -10)
    assert (trades.profit_factor, trades.payoff) == (2, 2)
    assert float(trades.expectancy or 0) == pytest.approx(30 / 7)
    assert (trades.best, trades.worst) == (30, -15)
    assert (trades.win_streak, trades.loss_streak) == (1, 0)
    assert (trades.longest_win_streak, trades.longest_loss_streak) == (2, 2)
    assert trades.average_holding_seconds == pytest.approx(10)


def test_an_even_trade_ends_a_streak() -> None:
    books = ledger()
    for number, result in enumerate((10, 10, 0)):
        trade(books, result, AT + 100 * number)
    trades = books.report().account.trades
    assert (trades.win_streak, trades.loss_streak, trades.longest_win_streak) == (0, 0, 2)


def test_nothing_is_told_of_what_has_not_happened() -> None:
    trades = ledger().report().account.trades
    assert trades.count == 0
    assert trades.win_rate is trades.average_win is trades.profit_factor is trades.best is None
    assert trades.average_r is trades.expectancy is trades.average_holding_seconds is None


def test_trades_of_the_last_hour_and_day_are_forgotten() -> None:
    books = ledger()
    for minute in range(120):
        trade(books, 1, AT + 60 * minute)
    last = AT + 60 * 119
    assert books.report(last).account.trades.per_hour == 60
    assert books.report(last).account.trades.per_day == 120
    assert books.report(last + HOUR).account.trades.per_hour == 0
    assert books.report(last + 23 * HOUR).account.trades.per_day == 60
    assert books.report(last + 25 * HOUR).account.trades.per_day == 0


# --- days, months, periods ----------------------------------------------------------------------------------------------


def moment(zone: str, *when: int) -> float:
    return datetime(*when, tzinfo=ZoneInfo(zone)).timestamp()  # type: ignore[misc, arg-type]  # y, m, d, h, min


def test_a_day_ends_at_midnight_of_its_zone() -> None:
    zone = "America/New_York"
    books = ledger(zone=zone)
    books.fill(symbol="BTC", side="buy", price=100, quantity=1, at=moment(zone, 2024, 5, 6, 20, 0))
    books.mark("BTC", 110, moment(zone, 2024, 5, 6, 23, 59))
    books.mark("BTC", 111, moment(zone, 2024, 5, 7, 0, 0))  # the close of the old day
    assert books.report().account.daily == 11
    books.mark("BTC", 115, moment(zone, 2024, 5, 7, 0, 1))
    report = books.report()
    assert report.account.daily == 4
    assert report.account.monthly == 15
    assert [(day.day, day.profit_loss) for day in report.days] == [(date(2024, 5, 6), 11)]


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2024, 3, 31), 23), (date(2024, 10, 27), 25), (date(2024, 5, 6), 24)]
)
def test_a_day_has_the_hours_that_its_clocks_show(day: date, hours: int) -> None:
    """An hourly profit of 1 from midnight to midnight in Berlin is as much as the day has hours."""
    zone = "Europe/Berlin"
    books = ledger(zone=zone)
    start = moment(zone, day.year, day.month, day.day, 0, 0)
    books.fill(symbol="BTC", side="buy", price=100, quantity=1, at=start)
    for hour in range(1, 30):
        books.mark("BTC", 100 + hour, start + hour * HOUR)
    report = books.report()
    assert [(each.day, each.profit_loss) for each in report.days][-1] == (day, hours)
    assert report.account.daily == 29 - hours


def test_a_month_ends_at_midnight_of_the_first() -> None:
    zone = "Asia/Kolkata"
    books = ledger(zone=zone)
    books.fill(symbol="BTC", side="buy", price=100, quantity=1, at=moment(zone, 2024, 1, 31, 12, 0))
    books.mark("BTC", 107, moment(zone, 2024, 1, 31, 23, 0))
    books.mark("BTC", 110, moment(zone, 2024, 2, 1, 1, 0))
    report = books.report()
    assert report.account.monthly == 3
    assert [(each.day, each.profit_loss) for each in report.months] == [(date(2024, 1, 1), 7)]


def test_days_and_months_tell_how_many_trades_they_closed() -> None:
    """So a week's are the sum of seven days'."""
    books = ledger(zone="UTC")
    for month, day, trades in ((1, 30, 2), (1, 31, 1), (2, 1, 3), (2, 2, 0)):
        for hour in range(trades):
            for side in ("buy", "sell"):
                books.fill(
                    symbol="BTC",
                    side=side,
                    price=1,
                    quantity=1,
                    at=moment("UTC", 2024, month, day, 9 + hour, 0),
                )
        books.mark("BTC", 1, moment("UTC", 2024, month, day, 20, 0))
    report = books.report(moment("UTC", 2024, 2, 3, 1, 0))
    assert [(day.day.day, day.trades) for day in report.days] == [(30, 2), (31, 1), (1, 3)]
    assert [(month.day, month.trades) for month in report.months] == [(date(2024, 1, 1), 3)]


def test_a_day_goes_on_at_midnight_sharp_when_an_hour_is_over() -> None:
    books = holding(period="1h")  # at 22:13:20
    midnight = AT - AT % 86_400 + 86_400
    books.mark("BTC", 110, midnight)
    assert books.report().days == ()
    assert books.report().account.daily == 100
    assert len(books.report().samples) == 1


def test_days_of_silence_are_no_days() -> None:
    books = holding(zone="UTC")
    walk(books, 110)
    books.mark("BTC", 120, AT + 5 * 86_400)
    report = books.report()
    assert len(report.days) == 1
    assert report.account.daily == 100


def test_reading_sees_that_a_day_is_over_and_changes_nothing() -> None:
    books = holding()
    walk(books, 110)
    before = books.to_json()
    later = books.report(AT + 2 * 86_400).account
    assert (later.daily, later.monthly, later.profit_loss) == (0, 100, 100)
    assert books.report(AT + 40 * 86_400).account.monthly == 0
    assert books.to_json() == before
    assert books.report().account.daily == 100


def test_what_is_told_late_belongs_to_the_present() -> None:
    books = holding()
    books.mark("BTC", 110, AT + 86_400)
    books.fill(symbol="ETH", side="buy", price=10, quantity=1, fee=3, at=AT + 60)
    report = books.report()
    assert report.account.daily == 97
    assert report.at == AT + 86_400


def test_sharpe_and_sortino_of_hourly_returns() -> None:
    books = holding(period="1h", periods_per_year=100, risk_free=0.0)
    start = 1_700_002_800.0  # a full hour
    prices = [110, 99, 108, 108, 120]
    walk(books, *prices, start=start, step=HOUR)
    returns = [after / before - 1 for before, after in pairwise([100, 100, *prices])]  # the first only bought
    figures = books.report(start + 5 * HOUR).account.returns
    assert figures.periods == 6
    assert figures.sharpe == pytest.approx(fmean(returns) / stdev(returns) * 10)
    downside = sqrt(fmean(min(each, 0) ** 2 for each in returns))
    assert figures.sortino == pytest.approx(fmean(returns) / downside * 10)
    assert figures.annual == pytest.approx(1.2 ** (100 / 6) - 1)
    assert figures.calmar == pytest.approx((1.2 ** (100 / 6) - 1) / 0.1)
    assert (figures.best, figures.worst) == (pytest.approx(120 / 108 - 1), pytest.approx(-0.1))


def test_a_period_counts_once_the_clock_says_that_it_is_over() -> None:
    books = holding(period="1h")
    walk(books, 110)
    end = AT - AT % HOUR + HOUR
    assert books.report(end - 1).account.returns.periods == 0
    assert books.report(end).account.returns.periods == 1
    assert books.report(end + 50 * HOUR).account.returns.periods == 1  # hours of silence are none


def test_samples_are_kept_of_the_account_and_bounded() -> None:
    books = holding(period="1m", keep_samples=10)
    walk(books, *range(101, 131))
    samples = books.report().samples
    assert len(samples) == 10
    assert samples[-1].value == 1_290
    assert samples[-1].index == pytest.approx(1.29)
    assert samples[-1].period_return == pytest.approx(129 / 128 - 1)
    assert all(after.at - before.at == 60 for before, after in pairwise(samples))


@pytest.mark.parametrize(
    ("period", "a_year"), [("1m", 525_600), ("4h", 2_190), ("1d", 365), ("1w", 52), ("1M", 12)]
)
def test_a_year_has_the_periods_of_a_market_that_never_closes(period: str, a_year: float) -> None:
    assert ledger(period=period).report().periods_per_year == a_year


def test_weeks_and_months_follow_the_calendar() -> None:
    zone = "Europe/Berlin"
    for period, days in (("1w", 7), ("1M", 31)):
        books = ledger(zone=zone, period=period)
        start = datetime(2024, 1, 1, tzinfo=ZoneInfo(zone))  # a Monday
        books.fill(symbol="BTC", side="buy", price=100, quantity=1, at=start.timestamp() + 1)
        for day in range(1, 40):
            books.mark("BTC", 100 + day, (start + timedelta(days=day)).timestamp())
        assert books.report().samples[0].at == (start + timedelta(days=days)).timestamp()
        assert books.report().samples[0].value == 1_000 + days
