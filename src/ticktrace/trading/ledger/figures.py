"""From books to figures: every definition of the page on performance, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from ticktrace.trading.ledger import ratios
from ticktrace.trading.ledger._exact import ZERO, quotient, ratio
from ticktrace.trading.ledger.report import (
    DrawdownFigures,
    ExposureFigures,
    Figures,
    OpenPosition,
    ReturnFigures,
    TradeFigures,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from ticktrace.trading.ledger.book import Book
    from ticktrace.trading.ledger.config import LedgerConfig
    from ticktrace.trading.ledger.curve import Curve
    from ticktrace.trading.ledger.positions import Position
    from ticktrace.trading.ledger.trades import Tally

__all__ = ["Moment", "figures", "open_position"]


@dataclass(frozen=True, slots=True)
class Moment:
    """When figures are told, and what every book shares then.

    Attributes:
        now: Unix s.
        flows: paid in minus paid out.
        period_over: whether the sampling period that was last told of is over by now.
        day_over, month_over: whether the day and month that were last told of are over by now.
    """

    now: float
    flows: Decimal
    period_over: bool
    day_over: bool
    month_over: bool


def figures(book: Book, gross: Decimal, moment: Moment, config: LedgerConfig) -> Figures:
    """Everything that a book says.

    Args:
        book: one that does not change meanwhile.
        gross: sum of the sizes of its positions.
        moment: now.
        config: how the books are kept.
    """
    profit = book.profit
    value = moment.flows + profit
    daily, _ = book.since(book.day)
    monthly, _ = book.since(book.month)
    return Figures(
        realized=book.realized,
        unrealized=book.unrealized,
        profit_loss=profit,
        daily=ZERO if moment.day_over else daily,
        monthly=ZERO if moment.month_over else monthly,
        value=value,
        fees=book.fees,
        income=book.income,
        turnover=book.turnover,
        trades=_trades(book.tally, moment.now),
        drawdown=_drawdown(book.curve, moment.now),
        returns=_returns(book.curve, config, period_over=moment.period_over),
        exposure=ExposureFigures(
            gross=gross, net=book.value, ratio=ratio(gross, value) if value > 0 else None
        ),
    )


def _trades(tally: Tally, now: float) -> TradeFigures:
    count = tally.count
    return TradeFigures(
        count=count,
        won=tally.won,
        lost=tally.lost,
        even=count - tally.won - tally.lost,
        win_rate=tally.won / count if count else None,
        average_win=tally.average_win,
        average_loss=tally.average_loss,
        profit_factor=tally.profit_factor,
        payoff=tally.payoff,
        expectancy=tally.expectancy,
        average_r=tally.r_sum / tally.r_count if tally.r_count else None,
        best=tally.best,
        worst=tally.worst,
        win_streak=max(tally.streak, 0),
        loss_streak=max(-tally.streak, 0),
        longest_win_streak=tally.longest_won,
        longest_loss_streak=tally.longest_lost,
        average_holding_seconds=tally.held / count if count else None,
        longest_holding_seconds=tally.longest_held,
        per_hour=tally.hour.count(now),
        per_day=tally.day.count(now),
    )


def _drawdown(curve: Curve, now: float) -> DrawdownFigures:
    return DrawdownFigures(
        amount=curve.fall,
        ratio=curve.fall_ratio,
        worst_amount=curve.worst,
        worst_ratio=None if curve.units is None and not curve.worst_ratio else curve.worst_ratio,
        peak_at=curve.peak_at,
        recovery_seconds=curve.recovery(now),
        longest_recovery_seconds=curve.longest_recovery(now),
    )


def _returns(curve: Curve, config: LedgerConfig, *, period_over: bool) -> ReturnFigures:
    returns, a_year, risk_free = curve.returns, config.annual_periods, config.period_risk_free
    total = curve.index - 1.0 if curve.units is not None else None
    ended = curve.sampled - 1.0
    if period_over:  # it has ended for the clock, though nothing has happened since: count it in, here only
        pending = curve.pending
        if pending is not None:
            returns.add(pending, risk_free)
            ended = curve.index - 1.0
    deviation = returns.deviation
    annual = ratios.annual_return(ended, returns.count - curve.began, a_year)
    return ReturnFigures(
        periods=returns.count,
        total=total,
        mean=returns.mean if returns.count else None,
        volatility=None if deviation is None else deviation * sqrt(a_year),
        annual=annual,
        sharpe=ratios.sharpe(returns, risk_free, a_year),
        sortino=ratios.sortino(returns, risk_free, a_year),
        calmar=ratios.calmar(annual, curve.worst_ratio),
        best=returns.best,
        worst=returns.worst,
    )


def open_position(position: Position, mark: Decimal) -> OpenPosition:
    """A position as a report has it."""
    units = position.quantity * position.multiplier
    return OpenPosition(
        venue=position.venue,
        symbol=position.symbol,
        strategy=position.strategy,
        trade_id=position.trade_id,
        side="long" if position.direction > 0 else "short",
        quantity=position.held,
        average_price=quotient(position.cost, units),
        mark=mark,
        realized=position.realized,
        unrealized=position.unrealized,
        fees=position.fees,
        risk=position.risk,
        opened_at=position.opened_at,
    )
