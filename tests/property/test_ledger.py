"""What must hold of the books, whatever happened."""

from __future__ import annotations

import decimal
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.ledger_programs import (
    AMOUNTS,
    PRICES,
    START,
    UNITS,
    Event,
    FractionBooks,
    Trade,
    histories,
    tell,
)
from ticktrace.trading.ledger import Ledger, LedgerConfig, Lots, Report
from ticktrace.trading.ledger.calendar import Calendar

CAPITALS = st.sampled_from([Decimal(0), Decimal(10_000), Decimal("0.3")])
LOTS = st.sampled_from(["average", "fifo"])
# A quotient keeps 34 digits; amounts here have at most eleven before the point, and there are at most 40 quotients.
ROUNDING = Fraction(1, 10**20)


def kept(capital: Decimal = Decimal(10_000), lots: Lots = "average") -> Ledger:
    return Ledger(LedgerConfig(capital=capital, lots=lots, period="1h"))


def opposite(side: str) -> Literal["buy", "sell"]:
    return "sell" if side == "buy" else "buy"


@given(histories, CAPITALS, LOTS)
def test_equity_is_cash_and_positions_at_their_prices_exactly(
    history: list[Event], capital: Decimal, lots: Lots
) -> None:
    ledger, books = kept(capital, lots), FractionBooks(capital, average=lots == "average")
    for event in history:
        tell(ledger, event)
        books.tell(event)
    report = ledger.report()
    assert Fraction(report.account.value) == books.equity
    assert Fraction(report.flows) == books.flows


@given(histories, CAPITALS, LOTS)
def test_realised_and_unrealised_are_the_change_of_equity_without_flows(
    history: list[Event], capital: Decimal, lots: Lots
) -> None:
    ledger = kept(capital, lots)
    for event in history:
        tell(ledger, event)
    report = ledger.report()
    account = report.account
    with decimal.localcontext(prec=500):
        assert account.realized + account.unrealized == account.profit_loss == account.value - report.flows
        for books in (report.strategies, report.symbols):  # everything here has a strategy and a symbol
            assert sum((each.realized for each in books.values()), Decimal(0)) == account.realized
            assert sum((each.unrealized for each in books.values()), Decimal(0)) == account.unrealized
            assert sum((each.fees for each in books.values()), Decimal(0)) == account.fees
        open_now = sum((position.unrealized for position in report.positions), Decimal(0))
        assert open_now == account.unrealized


@given(histories, LOTS)
def test_what_is_realised_is_what_the_definition_says(history: list[Event], lots: Lots) -> None:
    ledger, books = kept(lots=lots), FractionBooks(Decimal(10_000), average=lots == "average")
    for event in history:
        tell(ledger, event)
        books.tell(event)
    for name, figures in ledger.report().strategies.items():
        assert abs(Fraction(figures.realized) - books.realized[name]) < ROUNDING


@given(st.lists(st.tuples(PRICES, UNITS, AMOUNTS), min_size=2, max_size=6), st.data())
def test_equal_sided_fills_may_come_in_any_order_at_average_cost(
    parts: list[tuple[Decimal, Decimal, Decimal]], data: st.DataObject
) -> None:
    entries = parts
    exits = data.draw(st.lists(st.tuples(PRICES, UNITS, AMOUNTS), min_size=1, max_size=5))
    shuffled_entries = data.draw(st.permutations(entries))
    shuffled_exits = data.draw(st.permutations(exits))
    entered, left = sum(units for _, units, _ in entries), sum(units for _, units, _ in exits)
    if left > entered:  # a flip in between would make different trades of them
        return

    def realized(
        first: list[tuple[Decimal, Decimal, Decimal]], then: list[tuple[Decimal, Decimal, Decimal]]
    ) -> Decimal:
        ledger = kept()
        for fills, side in ((first, "buy"), (then, "sell")):
            for price, units, fee in fills:
                tell(ledger, Event(1.0, Trade("m", "BTC", opposite(opposite(side)), price, units, fee)))
        return ledger.report().account.realized

    assert realized(entries, exits) == realized(list(shuffled_entries), list(shuffled_exits))


@given(st.lists(st.tuples(PRICES, UNITS, AMOUNTS), min_size=1, max_size=8), LOTS, PRICES)
@example([(Decimal("0.01"), Decimal("0.003"), Decimal(0))] * 3, "average", Decimal("0.07"))
def test_the_result_of_a_round_trip_is_the_exact_sum_of_its_fills(
    parts: list[tuple[Decimal, Decimal, Decimal]], lots: Lots, price: Decimal
) -> None:
    """Bought in parts, sold in thirds that do not divide evenly: no rounded average is left in the result."""
    ledger = kept(lots=lots)
    for paid, units, fee in parts:
        ledger.fill(symbol="BTC", side="buy", price=paid, quantity=units, fee=fee, at=START)
    total = sum((units for _, units, _ in parts), Decimal(0))
    third = (total / 3).quantize(Decimal("0.0001"))
    trade = None
    for units in (third, third, total - 2 * third):
        if units:
            trade = ledger.fill(symbol="BTC", side="sell", price=price, quantity=units, at=START + 1)
    assert trade is not None
    expected = Fraction(total) * Fraction(price) - sum(
        Fraction(units) * Fraction(paid) + Fraction(fee) for paid, units, fee in parts
    )
    assert Fraction(trade.profit_loss) == expected
    assert ledger.report().account.realized == trade.profit_loss
    assert ledger.report().positions == ()


@given(histories, LOTS)
def test_long_and_short_mirror_each_other(history: list[Event], lots: Lots) -> None:
    """Every buy a sell and no fees: what one wins, the other loses."""
    there, back = kept(lots=lots), kept(lots=lots)
    for event in history:
        what = event.what
        if isinstance(what, Trade):
            free = what._replace(fee=Decimal(0))
            tell(there, event._replace(what=free))
            tell(back, event._replace(what=free._replace(side=opposite(what.side))))
        elif hasattr(what, "price"):
            tell(there, event)
            tell(back, event)
    won, lost = there.report(), back.report()
    assert won.account.realized == lost.account.realized.copy_negate()
    assert won.account.unrealized == lost.account.unrealized.copy_negate()
    assert won.account.trades.count == lost.account.trades.count
    assert won.account.trades.won == lost.account.trades.lost
    assert won.account.trades.longest_win_streak == lost.account.trades.longest_loss_streak
    assert won.account.exposure.gross == lost.account.exposure.gross
    assert won.account.exposure.net == lost.account.exposure.net.copy_negate()


@given(histories, st.integers(0, 40), LOTS)
def test_books_go_on_after_a_restart_as_if_there_had_been_none(
    history: list[Event], stop: int, lots: Lots
) -> None:
    through = kept(lots=lots)
    for event in history[:stop]:
        tell(through, event)
    saved = through.to_json()
    restored = Ledger.from_json(saved, through.config)
    assert restored.to_json() == saved
    assert restored.report() == through.report()
    if through.present is None:
        return
    for event in history[stop:]:
        tell(through, event)
        tell(restored, event)
    assert restored.to_json() == through.to_json()


@given(histories)
def test_the_decimal_context_of_the_bot_changes_nothing_and_is_not_changed(history: list[Event]) -> None:
    calm, hurried = kept(), kept()
    for event in history:
        tell(calm, event)
    expected = calm.report()
    rough = decimal.Context(prec=3, rounding=decimal.ROUND_UP, traps=[decimal.Inexact])
    with decimal.localcontext(rough) as own:
        for event in history:
            what = event.what
            tell(hurried, event)
            assert decimal.getcontext() is own, what
        told = hurried.report()
        assert decimal.getcontext() is own
    assert told == expected


def samples(report: Report) -> list[float]:
    return [sample.period_return for sample in report.samples if sample.period_return is not None]


@given(histories)
def test_flows_make_no_returns_and_no_drawdown(history: list[Event]) -> None:
    """Money that comes and goes while nothing is held leaves the index where it is."""
    ledger = kept()
    for event in history:
        if not isinstance(event.what, Trade) and not hasattr(event.what, "strategy"):
            tell(ledger, event)
    account = ledger.report().account
    assert account.profit_loss == 0
    assert account.drawdown.worst_amount == 0
    assert account.drawdown.worst_ratio == pytest.approx(0, abs=1e-12)
    assert samples(ledger.report()) == pytest.approx([0.0] * len(samples(ledger.report())), abs=1e-12)


@given(histories)
def test_bounds_of_what_ratios_can_be(history: list[Event]) -> None:
    ledger = kept()
    worst = Decimal(0)
    for event in history:
        tell(ledger, event)
        drawdown = ledger.report().account.drawdown
        assert drawdown.amount >= 0
        assert drawdown.worst_amount >= max(worst, drawdown.amount)
        assert drawdown.recovery_seconds <= drawdown.longest_recovery_seconds
        worst = drawdown.worst_amount
    account = ledger.report().account
    trades = account.trades
    assert trades.count == trades.won + trades.lost + trades.even
    assert 0 <= trades.per_hour <= trades.per_day <= trades.count
    assert trades.win_rate is None or 0 <= trades.win_rate <= 1
    assert trades.win_streak == 0 or trades.loss_streak == 0
    assert account.exposure.gross >= abs(account.exposure.net)


ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/Sao_Paulo",
        "America/Havana",
        "Asia/Kolkata",
        "Asia/Beirut",
    ]
)


@given(ZONES, st.dates(date(1995, 1, 1), date(2035, 1, 1)))
def test_days_follow_each_other_without_gap_or_overlap(zone: str, day: date) -> None:
    calendar = Calendar(LedgerConfig(zone=zone))
    start, end = calendar.start_of(day), calendar.end_of_day(day)
    assert end == calendar.start_of(day + timedelta(days=1))
    assert end - start in {82_800.0, 86_400.0, 90_000.0}
    assert calendar.day_of(start) == day - timedelta(days=1)
    assert calendar.day_of(start + 0.001) == day
    assert calendar.day_of(end) == day
    assert datetime.fromtimestamp(start + 0.001, ZoneInfo(zone)).date() == day


@given(ZONES, st.sampled_from(["1m", "15m", "1h", "4h", "1d", "1w", "1M"]), st.floats(8e8, 2e9))
def test_a_period_holds_its_end_and_not_its_beginning(zone: str, period: str, at: float) -> None:
    calendar = Calendar(LedgerConfig(zone=zone, period=period))
    end = calendar.end_of_period(at)
    assert end >= at
    assert calendar.end_of_period(end) == end
    assert calendar.end_of_period(end + 0.001) > end
    if period[-1] in "dwM":
        moment = datetime.fromtimestamp(end, UTC if zone == "UTC" else ZoneInfo(zone))
        assert moment.hour in {0, 1}  # 1 where midnight does not exist
