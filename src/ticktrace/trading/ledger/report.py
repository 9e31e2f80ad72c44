"""What the books say, as plain values that do not change any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ticktrace.trading.ledger._plain import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from ticktrace.trading.ledger.history import CalendarResult, Sample
    from ticktrace.trading.ledger.trades import Trade

__all__ = [
    "DrawdownFigures",
    "ExposureFigures",
    "Figures",
    "OpenPosition",
    "Report",
    "ReturnFigures",
    "TradeFigures",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFigures:
    """Of all trades that were closed. What cannot be told yet is None.

    Attributes:
        count, won, lost, even: how many; an even one brought exactly nothing.
        win_rate: won / count, 0 to 1.
        average_win, average_loss: mean results of those that won, and that lost (negative).
        profit_factor: sum of wins / sum of losses.
        payoff: average win / average loss.
        expectancy: mean result of all.
        average_r: mean result in units of the initial risk, of those whose risk was told.
        best, worst: results of single trades.
        win_streak, loss_streak: won and lost in a row up to the latest; one of them is 0, both after an even trade.
        longest_win_streak, longest_loss_streak: of all time.
        average_holding_seconds, longest_holding_seconds: from first to last fill.
        per_hour, per_day: closed within the last hour (to the second) and the last 24 hours (to the minute).
    """

    count: int
    won: int
    lost: int
    even: int
    win_rate: float | None
    average_win: Decimal | None
    average_loss: Decimal | None
    profit_factor: float | None
    payoff: float | None
    expectancy: Decimal | None
    average_r: float | None
    best: Decimal | None
    worst: Decimal | None
    win_streak: int
    loss_streak: int
    longest_win_streak: int
    longest_loss_streak: int
    average_holding_seconds: float | None
    longest_holding_seconds: float
    per_hour: int
    per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawdownFigures:
    """Of equity below its peak, at each moment something was told. Ratios are None while there is no equity.

    Attributes:
        amount, ratio: now; 0 at a peak.
        worst_amount, worst_ratio: of all time.
        peak_at: when profit was last at its peak, Unix s.
        recovery_seconds: from the latest peak until it was reached again, or until now.
        longest_recovery_seconds: of all time.
    """

    amount: Decimal
    ratio: float | None
    worst_amount: Decimal
    worst_ratio: float | None
    peak_at: float | None
    recovery_seconds: float
    longest_recovery_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnFigures:
    """Of returns by period, time-weighted. What cannot be told yet is None.

    Attributes:
        periods: how many have ended.
        total: since the start, up to now.
        mean, volatility: of a period; the volatility is annualised.
        annual: what compounds to the total of the ended periods.
        sharpe, sortino, calmar: annualised.
        best, worst: of a period.
    """

    periods: int
    total: float | None
    mean: float | None
    volatility: float | None
    annual: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    best: float | None
    worst: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureFigures:
    """Positions at the mark.

    Attributes:
        gross: sum of their sizes, shorts counted as longs.
        net: longs minus shorts.
        ratio: gross / equity; None while there is no equity.
    """

    gross: Decimal
    net: Decimal
    ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of the account, a strategy or a symbol; of the latter two as if nothing else had been traded with the account.

    Attributes:
        realized, unrealized: profit or loss of what is closed, fees deducted, and of what is open, before fees.
        profit_loss: both.
        daily, monthly: profit or loss, both kinds, of the present day and month.
        value: equity: flows and profit.
        fees, income, turnover: paid; received in funding, dividends, interest; price times units of all fills.
        trades, drawdown, returns, exposure: see there.
    """

    realized: Decimal
    unrealized: Decimal
    profit_loss: Decimal
    daily: Decimal
    monthly: Decimal
    value: Decimal
    fees: Decimal
    income: Decimal
    turnover: Decimal
    trades: TradeFigures
    drawdown: DrawdownFigures
    returns: ReturnFigures
    exposure: ExposureFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosition:
    """A position as it stands.

    Attributes:
        venue, symbol, strategy, trade_id: whose it is.
        side: long or short.
        quantity: units held, without a sign.
        average_price: what a unit held has cost.
        mark: what a unit is valued at.
        realized, unrealized: of this round trip so far.
        fees: paid so far.
        risk: at stake at entry; None when it was not told.
        opened_at: Unix s.
    """

    venue: str
    symbol: str
    strategy: str
    trade_id: str
    side: Literal["long", "short"]
    quantity: Decimal
    average_price: Decimal
    mark: Decimal
    realized: Decimal
    unrealized: Decimal
    fees: Decimal
    risk: Decimal | None
    opened_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The books at one moment. Amounts are in `currency`.

    Attributes:
        at: the moment, Unix s; None before anything was told.
        currency, zone, period, periods_per_year, risk_free, lots: how the books are kept.
        flows: paid in minus paid out, the opening capital included.
        account: of everything.
        strategies, symbols: by name, those beyond the limits as ``other``.
        positions: open ones.
        trades: the latest closed ones, oldest first.
        samples: the account by period, the latest ones, oldest first.
        days, months: the latest that have ended and in which something was told, oldest first.
        unconverted_fees: by currency, what is missing in every other figure because no rate was told.
        refused: how often what was told was left out or bent, by reason; see the page on performance.
    """

    at: float | None
    currency: str
    zone: str
    period: str
    periods_per_year: float
    risk_free: float
    lots: str
    flows: Decimal
    account: Figures
    strategies: Mapping[str, Figures]
    symbols: Mapping[str, Figures]
    positions: tuple[OpenPosition, ...]
    trades: tuple[Trade, ...]
    samples: tuple[Sample, ...]
    days: tuple[CalendarResult, ...]
    months: tuple[CalendarResult, ...]
    unconverted_fees: Mapping[str, Decimal]
    refused: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values; amounts and dates are text, so that they keep their digits."""
        figures: dict[str, Any] = plain(self)
        figures["trades"] = [trade.as_dict() for trade in self.trades]
        return figures
