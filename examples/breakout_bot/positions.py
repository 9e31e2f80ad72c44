"""Positions and realised profit, in Decimals, from fills alone."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from breakout_bot.conditions import Condition

if TYPE_CHECKING:
    from breakout_bot.market import Candle
    from breakout_bot.strategies import Direction

__all__ = ["ExitReason", "Position", "PositionBook", "Trade"]

ExitReason = Literal["stop", "target", "time"]


@dataclass(slots=True)
class Position:
    """One strategy's open position. Prices are per unit, `entry_value` and `exit_value` are sums over fills.

    `risk` is what would be lost at the stop, `booked` what is realised of it already.
    """

    strategy: str
    direction: Direction
    stop: float
    target: float
    opened_at: float
    quantity: Decimal = Decimal(0)
    entered: Decimal = Decimal(0)
    entry_value: Decimal = Decimal(0)
    exited: Decimal = Decimal(0)
    exit_value: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    booked: Decimal = Decimal(0)
    risk: Decimal = Decimal(0)
    bars: int = 0

    @property
    def entry_price(self) -> Decimal:
        return self.entry_value / self.entered

    @property
    def signed(self) -> Decimal:
        """The quantity, negative when short."""
        return self.quantity if self.direction == "long" else -self.quantity

    def profit_at(self, price: Decimal) -> Decimal:
        """What the open rest would make at `price`, before fees."""
        gain = (price - self.entry_price) * self.quantity
        return gain if self.direction == "long" else -gain

    def exit_conditions(self, candle: Candle, max_bars: int) -> tuple[tuple[ExitReason, Condition], ...]:
        """What would end the position, judged on the closed candle; the first that holds is the reason.

        The stop comes first: where one bar touched both stop and target, the worse is assumed.
        """
        if self.direction == "long":
            stop = Condition("stop", candle.low, "<=", self.stop)
            target = Condition("target", candle.high, ">=", self.target)
        else:
            stop = Condition("stop", candle.high, ">=", self.stop)
            target = Condition("target", candle.low, "<=", self.target)
        return ("stop", stop), ("target", target), ("time", Condition("time", self.bars, ">=", max_bars))


@dataclass(frozen=True, slots=True)
class Trade:
    """A position that is flat again; `profit_loss` is net of all its fees, times are unix seconds of market time."""

    strategy: str
    direction: Direction
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    profit_loss: Decimal
    fees: Decimal
    opened_at: float
    closed_at: float
    reason: ExitReason
    risk: Decimal = Decimal(0)

    @property
    def r_multiple(self) -> float | None:
        """The result in units of what was at risk."""
        return float(self.profit_loss / self.risk) if self.risk else None


class PositionBook:
    """Open positions by strategy, and the profit and loss realised so far, net of every fee paid."""

    def __init__(self) -> None:
        self.open: dict[str, Position] = {}
        self._settled = Decimal(0)

    @property
    def realized(self) -> Decimal:
        return self._settled + sum((position.booked for position in self.open.values()), Decimal(0))

    def unrealized(self, price: Decimal) -> Decimal:
        return sum((position.profit_at(price) for position in self.open.values()), Decimal(0))

    def entered(
        self,
        strategy: str,
        direction: Direction,
        *,
        price: Decimal,
        quantity: Decimal,
        fee: Decimal,
        at: float,
        stop: float,
        target: float,
    ) -> Position:
        """Book a fill of an entry order; the first one opens the position."""
        position = self.open.get(strategy)
        if position is None:
            position = self.open[strategy] = Position(strategy, direction, stop, target, opened_at=at)
        position.quantity += quantity
        position.entered += quantity
        position.entry_value += price * quantity
        position.fees += fee
        position.booked -= fee
        position.risk += abs(price - Decimal(repr(stop))) * quantity
        return position

    def exited(
        self, strategy: str, *, price: Decimal, quantity: Decimal, fee: Decimal, at: float, reason: ExitReason
    ) -> Trade | None:
        """Book a fill of an exit order; returns the finished trade once the position is flat."""
        position = self.open[strategy]
        gain = position.profit_at(price) * quantity / position.quantity
        position.quantity -= quantity
        position.exited += quantity
        position.exit_value += price * quantity
        position.fees += fee
        if position.quantity > 0:
            position.booked += gain - fee
            return None
        del self.open[strategy]
        total = position.exit_value - position.entry_value
        profit_loss = (total if position.direction == "long" else -total) - position.fees
        # What was booked on the way rests on an average price, a rounded quotient; the sums of a flat position are exact.
        self._settled += profit_loss
        return Trade(
            strategy=strategy,
            direction=position.direction,
            quantity=position.entered,
            entry_price=position.entry_price,
            exit_price=position.exit_value / position.exited,
            profit_loss=profit_loss,
            fees=position.fees,
            opened_at=position.opened_at,
            closed_at=at,
            reason=reason,
            risk=position.risk,
        )
