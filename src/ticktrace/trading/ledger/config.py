"""How the books are kept: decided once, before the first fill."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from math import isfinite
from typing import TYPE_CHECKING, Literal, get_args
from zoneinfo import ZoneInfo

from ticktrace.errors import SettingsError
from ticktrace.trading._time import timeframe_seconds
from ticktrace.trading.ledger._exact import ZERO, amount, positive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from ticktrace.trading.checks import Number

__all__ = ["LedgerConfig", "Lots"]

Lots = Literal["average", "fifo"]
"""Which units of a position a fill closes: a share of all at their average cost, or the oldest first."""

_DAYS_A_YEAR = 365
_CALENDAR_PERIODS = {"1d": 365.0, "1w": 52.0, "1M": 12.0}


def _zone(name: str) -> tzinfo:
    """The time zone of that name; UTC needs no database."""
    return UTC if name == "UTC" else ZoneInfo(name)


@dataclass(frozen=True, kw_only=True)
class LedgerConfig:
    """How the books are kept.

    Attributes:
        currency: what all amounts are in, such as USDT; needed to recognise fees in other currencies.
        capital: equity at the start; ratios (drawdown, Sharpe, …) need it, or a deposit. In `currency`.
        lots: ``average`` closes a share of all units at their average cost, ``fifo`` the oldest units first. It decides
            what a partial close realises; a closed trade's result is the same.
        zone: IANA time zone whose midnights end days, weeks and months.
        period: what returns are sampled by: ``1m``, ``15m``, ``1h`` … (of the Unix clock), ``1d``, ``1w``, ``1M`` (of the
            zone's calendar).
        periods_per_year: for annualised figures. As many as a year has, when left out, for a market that never closes:
            365 days, 52 weeks, 12 months, 8,760 hours. Stocks: 252 days.
        risk_free: annual rate, 0.04 for 4 %.
        multipliers: value of one unit and one point of price, by symbol; 50 for a future on the S&P 500, 1 by default.
        negative_prices: whether a price of 0 or below is one (spreads, power), and not a bad tick.
        most_positions: how many positions may be open at once.
        keep_trades, keep_samples, keep_days: how many of the latest closed trades, sampled periods and ended days (and
            months) are kept for `Report`. Figures are of all there ever were.
        keep_fill_ids: how many of the latest fill ids are known again.

    Raises:
        SettingsError: one or more of them are wrong; the message has them all.
    """

    currency: str = ""
    capital: Number = 0
    lots: Lots = "average"
    zone: str = "UTC"
    period: str = "1d"
    periods_per_year: float | None = None
    risk_free: float = 0.0
    multipliers: Mapping[str, Number] = field(default_factory=dict)
    negative_prices: bool = False
    most_positions: int = 10_000
    keep_trades: int = 1_000
    keep_samples: int = 1_000
    keep_days: int = 400
    keep_fill_ids: int = 2_000

    def __post_init__(self) -> None:
        problems = [*self._problems()]
        if problems:
            raise SettingsError([f"performance.{problem}" for problem in problems])

    def _problems(self) -> list[str]:
        problems = []
        try:
            if amount(self.capital, "capital") < 0:
                problems.append(f"capital: {self.capital} is below 0")
        except ValueError as error:
            problems.append(str(error))
        if self.lots not in get_args(Lots):
            problems.append(f'lots: unknown "{self.lots}"; known: {", ".join(get_args(Lots))}')
        try:
            _zone(self.zone)
        except (
            OSError,
            ValueError,
            TypeError,
            KeyError,
        ):  # ZoneInfo raises all of these for a name that is none
            problems.append(f"zone: {self.zone!r} is no IANA time zone here; is the package tzdata missing?")
        if self.period not in _CALENDAR_PERIODS and self.period_seconds is None:
            problems.append(f"period: {self.period!r} is none of 1m, 5m, 1h, … , 1d, 1w, 1M")
        if self.periods_per_year is not None and not _is_number(self.periods_per_year, above=0.0):
            problems.append(f"periods_per_year: {self.periods_per_year!r} is no number above 0")
        if not _is_number(self.risk_free, above=-1.0):
            problems.append(f"risk_free: {self.risk_free!r} is no annual rate such as 0.04")
        for symbol, multiplier in self.multipliers.items():
            try:
                positive(multiplier, f"multipliers.{symbol}")
            except ValueError as error:
                problems.append(str(error))
        for name in ("most_positions", "keep_trades", "keep_samples", "keep_days", "keep_fill_ids"):
            number = getattr(self, name)
            if not isinstance(number, int) or number < 1:
                problems.append(f"{name}: {number!r} is no whole number above 0")
        return problems

    @property
    def tz(self) -> tzinfo:
        """The time zone."""
        return _zone(self.zone)

    @property
    def period_seconds(self) -> int | None:
        """The length of a period of the Unix clock, s; None for one of the calendar."""
        if not isinstance(self.period, str) or self.period[-1:] not in ("s", "m", "h"):
            return None
        return timeframe_seconds(self.period) or None

    @property
    def annual_periods(self) -> float:
        """How many periods a year has."""
        if self.periods_per_year is not None:
            return self.periods_per_year
        seconds = self.period_seconds
        return _CALENDAR_PERIODS[self.period] if seconds is None else _DAYS_A_YEAR * 86_400 / seconds

    @property
    def period_risk_free(self) -> float:
        """The risk-free return of one period, compounding to `risk_free` in a year."""
        return float((1.0 + self.risk_free) ** (1.0 / self.annual_periods) - 1.0)

    def multiplier(self, symbol: str) -> Decimal:
        """What one unit of `symbol` is worth at a price of 1."""
        return amount(self.multipliers.get(symbol, 1), "multiplier")

    @property
    def opening(self) -> Decimal:
        """The capital, exact."""
        return amount(self.capital, "capital") or ZERO


def _is_number(value: object, *, above: float) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value > above
    )
