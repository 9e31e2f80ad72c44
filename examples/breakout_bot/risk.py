"""Risk: how much to trade, and when not to trade at all."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from breakout_bot.money import MarketRules
    from breakout_bot.positions import Trade

__all__ = ["DayTrades", "Denial", "Limits", "RiskCheck", "RiskDesk"]

Denial = Literal["max_open_trades", "cooldown", "risk_denied", "stale_data"]
DAY = 86_400.0
WINDOW = 5  # business days within which day trades count, by FINRA 4210(f)(8)(B)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits as fractions of equity, counts, and seconds of market time.

    `day_trades` is for accounts with a broker that has to count them: how many there may be within five days.
    """

    max_positions: int = 2
    daily_loss: Decimal = Decimal("0.02")
    risk_per_trade: Decimal = Decimal("0.002")
    max_position: Decimal = Decimal("0.55")
    cooldown: float = 300.0
    sentiment: float = 0.6
    day_trades: int | None = None


@dataclass(frozen=True, slots=True)
class RiskCheck:
    """One rule asked about one trade; `denial` is the reason a signal is turned down with, if it failed.

    Rules that guard a `limit` tell it and the `value` that was held against it.
    """

    rule: str
    passed: bool
    denial: Denial
    message: str = ""
    value: float | Decimal | None = None
    limit: float | Decimal | None = None


class RiskDesk:
    """Says yes or no to a signal, and how large; learns from closed trades."""

    def __init__(self, limits: Limits, equity: Decimal) -> None:
        self.limits = limits
        self.day_trades = DayTrades()
        self._equity = equity
        self._day = -1
        self._lost_today = Decimal(0)
        self._last_loss: dict[str, float] = {}
        self._failing: set[tuple[str, str]] = set()

    @property
    def equity(self) -> Decimal:
        """Starting equity plus realised P&L."""
        return self._equity

    def checks(
        self, strategy: str, *, now: float, open_positions: int, size: Decimal, sentiment: float = 0.0
    ) -> list[RiskCheck]:
        """Ask every rule but that of day trades.

        `now` is unix seconds of market time, `size` what `position_size` came to, `sentiment` -1 (all are against this
        trade) to 1.
        """
        self._turn_day(now)
        limit = self.limits
        waited = now - self._last_loss.get(strategy, -limit.cooldown)
        most_lost = limit.daily_loss * self._equity
        return [
            RiskCheck(
                "max_positions",
                open_positions < limit.max_positions,
                "max_open_trades",
                f"{open_positions} of {limit.max_positions} positions are open",
                value=open_positions,
                limit=limit.max_positions,
            ),
            RiskCheck(
                "cooldown",
                waited >= limit.cooldown,
                "cooldown",
                f"{waited:.0f} s after a loss, {limit.cooldown:.0f} s are due",
            ),
            RiskCheck(
                "daily_loss",
                self._lost_today < most_lost,
                "risk_denied",
                f"lost {self._lost_today} today, {limit.daily_loss:.0%} of equity is the limit",
                value=self._lost_today,
                limit=most_lost,
            ),
            RiskCheck(
                "position_size", size > 0, "risk_denied", "the stop is too far away for the smallest order"
            ),
            RiskCheck(
                "sentiment", sentiment > -limit.sentiment, "risk_denied", f"sentiment is at {sentiment:.2f}"
            ),
        ]

    def day_trade_check(self) -> RiskCheck | None:
        """Whether there may be another day trade; None where nobody counts them."""
        limit, count = self.limits.day_trades, self.day_trades.count
        if limit is None:
            return None
        message = f"{count} day trades within {WINDOW} days, {limit} is the limit"
        return RiskCheck("pdt", count < limit, "risk_denied", message, value=count, limit=limit)

    def hits(self, check: RiskCheck, strategy: str = "") -> bool:
        """Whether a limit is reached now that was not when this strategy asked last."""
        key = check.rule, strategy
        if check.passed or check.limit is None:
            self._failing.discard(key)
            return False
        hit = key not in self._failing
        self._failing.add(key)
        return hit

    def position_size(self, entry: Decimal, stop: Decimal, rules: MarketRules) -> Decimal:
        """The quantity that loses `risk_per_trade` at the stop, capped by `max_position`; 0 if below the venue's minimum."""
        distance = abs(entry - stop)
        if not distance:
            return Decimal(0)
        by_risk = self.limits.risk_per_trade * self._equity / distance
        by_value = self.limits.max_position * self._equity / entry
        quantity = rules.quantity(min(by_risk, by_value))
        return quantity if quantity >= rules.min_quantity else Decimal(0)

    def closed(self, trade: Trade) -> None:
        """Remember a closed trade's result."""
        self._turn_day(trade.closed_at)
        self._equity += trade.profit_loss
        self._lost_today -= trade.profit_loss
        if trade.profit_loss < 0:
            self._last_loss[trade.strategy] = trade.closed_at
        self.day_trades.closed(trade)

    def _turn_day(self, now: float) -> None:
        day = int(now // DAY)
        if day != self._day:
            self._day, self._lost_today = day, Decimal(0)
            self.day_trades.turn(day)


class DayTrades:
    """Positions that were opened and closed on one day, within the latest five days on which anything happened."""

    def __init__(self) -> None:
        self._days: deque[list[int]] = deque(maxlen=WINDOW)

    @property
    def count(self) -> int:
        return sum(number for _, number in self._days)

    def turn(self, day: int) -> None:
        """A day has begun; the oldest one of six no longer counts."""
        self._days.append([day, 0])

    def closed(self, trade: Trade) -> None:
        """A trade is over, on the day that was turned to last."""
        if trade.opened_at // DAY == trade.closed_at // DAY:
            self._days[-1][1] += 1
