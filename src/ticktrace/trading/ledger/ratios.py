"""Returns by period, and what is told from their mean and spread.

Sums run over all periods there ever were, by Welford's method (Technometrics 4(3), 1962), so that nothing has to be kept
and nothing cancels out.
"""

from __future__ import annotations

from math import inf, sqrt

from msgspec import Struct

__all__ = ["Returns", "annual_return", "calmar", "sharpe", "sortino"]


class Returns(Struct):
    """Returns of the periods that have ended.

    Attributes:
        count: how many.
        mean: of them.
        squares: sum of squared distances from the mean.
        shortfall: sum of squares of what was missing to the target.
        best, worst: single returns; None before the first.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    shortfall: float = 0.0
    best: float | None = None
    worst: float | None = None

    def add(self, value: float, target: float) -> None:
        """One more period."""
        self.count += 1
        distance = value - self.mean
        self.mean += distance / self.count
        self.squares += distance * (value - self.mean)
        self.shortfall += min(value - target, 0.0) ** 2
        self.best = value if self.best is None else max(self.best, value)
        self.worst = value if self.worst is None else min(self.worst, value)

    @property
    def deviation(self) -> float | None:
        """Standard deviation of a sample (n - 1); None of fewer than two."""
        return sqrt(self.squares / (self.count - 1)) if self.count > 1 else None


def sharpe(returns: Returns, risk_free: float, periods_per_year: float) -> float | None:
    """Mean excess return over its standard deviation, annualised (Sharpe, J. Portfolio Management 21(1), 1994).

    Args:
        returns: by period.
        risk_free: what a period brings without risk.
        periods_per_year: the ratio grows with the root of it.

    Returns:
        None of fewer than two periods, or of returns that do not vary.
    """
    deviation = returns.deviation
    return (returns.mean - risk_free) / deviation * sqrt(periods_per_year) if deviation else None


def sortino(returns: Returns, risk_free: float, periods_per_year: float) -> float | None:
    """Mean excess return over its downside deviation, annualised (Sortino and Price, J. Investing 3(3), 1994).

    The downside deviation is the root of the mean square of what was missing to `risk_free`, over *all* periods.

    Returns:
        None of fewer than two periods, or while nothing fell short.
    """
    if returns.count < 2 or not returns.shortfall:  # noqa: PLR2004  of one period nobody tells a spread
        return None
    return (returns.mean - risk_free) / sqrt(returns.shortfall / returns.count) * sqrt(periods_per_year)


def annual_return(total: float, periods: int, periods_per_year: float) -> float | None:
    """The yearly return that compounds to `total`; None of no period, of ruin, and of what no float can hold."""
    if not periods or total <= -1.0:
        return None
    try:
        annual = float((1.0 + total) ** (periods_per_year / periods) - 1.0)
    except OverflowError:
        return None
    return annual if annual < inf else None


def calmar(annual: float | None, worst_drawdown: float) -> float | None:
    """Annual return over the worst drawdown (Young, Futures 20(1), 1991), here of all time; None without a drawdown."""
    return annual / worst_drawdown if annual is not None and worst_drawdown > 0 else None
