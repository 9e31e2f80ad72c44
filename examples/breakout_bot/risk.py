"""Risk: how much to trade, and when not to trade at all."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from breakout_bot.money import MarketRules
    from breakout_bot.positions import Trade

__all__ = ["Denial", "Limits", "RiskCheck", "RiskDesk"]

Denial = Literal["max_open_trades", "cooldown", "risk_denied", "stale_data"]
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits as fractions of equity, counts, and seconds of market time."""

    max_positions: int = 2
    daily_loss: Decimal = Decimal("0.02")
    risk_per_trade: Decimal = Decimal("0.002")
    max_position: Decimal = Decimal("0.55")
    cooldown: float = 300.0


@dataclass(frozen=True, slots=True)
class RiskCheck:
    """One rule asked about one trade; `denial` is the reason a signal is turned down with, if it failed."""

    rule: str
    passed: bool
    denial: Denial
    message: str = ""


class RiskDesk:
    """Says yes or no to a signal, and how large; learns from closed trades."""

    def __init__(self, limits: Limits, equity: Decimal) -> None:
        self.limits = limits
        self._equity = equity
        self._day = -1
        self._lost_today = Decimal(0)
        self._last_loss: dict[str, float] = {}

    @property
    def equity(self) -> Decimal:
        """Starting equity plus realised P&L."""
        return self._equity

    def checks(self, strategy: str, *, now: float, open_positions: int, size: Decimal) -> list[RiskCheck]:
        """Ask every rule; `now` is unix seconds of market time, `size` what `position_size` came to."""
        self._turn_day(now)
        limit = self.limits
        waited = now - self._last_loss.get(strategy, -limit.cooldown)
        return [
            RiskCheck(
                "max_positions",
                open_positions < limit.max_positions,
                "max_open_trades",
                f"{open_positions} of {limit.max_positions} positions are open",
            ),
            RiskCheck(
                "cooldown",
                waited >= limit.cooldown,
                "cooldown",
                f"{waited:.0f} s after a loss, {limit.cooldown:.0f} s are due",
            ),
            RiskCheck(
                "daily_loss",
                self._lost_today < limit.daily_loss * self._equity,
                "risk_denied",
                f"lost {self._lost_today} today, {limit.daily_loss:.0%} of equity is the limit",
            ),
            RiskCheck(
                "position_size", size > 0, "risk_denied", "the stop is too far away for the smallest order"
            ),
        ]

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

    def _turn_day(self, now: float) -> None:
        day = int(now // DAY)
        if day != self._day:
            self._day, self._lost_today = day, Decimal(0)
