"""Closed trades, and what is remembered of all of them when most are forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field

from ticktrace.trading.ledger._exact import ZERO, quotient, ratio
from ticktrace.trading.ledger._plain import plain
from ticktrace.trading.ledger.recent import Recent

if TYPE_CHECKING:
    from ticktrace.trading.ledger.positions import Position

__all__ = ["Tally", "Trade", "closed_trade"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A round trip: a position that is flat again. Amounts are in the account's currency.

    Attributes:
        venue, symbol, strategy, trade_id: whose it was; "" where that was not told.
        side: long or short.
        quantity: units that went in, and out again.
        entry_price, exit_price: averages over its fills, 34 digits.
        profit_loss: what it brought, fees deducted and income added; exact.
        fees: what it paid; part of `profit_loss`.
        income: funding, dividends, interest; part of `profit_loss`.
        opened_at, closed_at: times of the first and the last fill, Unix s.
        fills: how many there were.
        risk: what was at stake at entry; None when it was not told.
    """

    venue: str
    symbol: str
    strategy: str
    trade_id: str
    side: Literal["long", "short"]
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    profit_loss: Decimal
    fees: Decimal
    income: Decimal
    opened_at: float
    closed_at: float
    fills: int
    risk: Decimal | None = None

    @property
    def holding_seconds(self) -> float:
        """From the first fill to the last; never negative."""
        return max(0.0, self.closed_at - self.opened_at)

    @property
    def r_multiple(self) -> float | None:
        """`profit_loss` in units of `risk`; None when the risk was not told."""
        return None if self.risk is None else ratio(self.profit_loss, self.risk)

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values; amounts are text, so that they keep their digits."""
        fields: dict[str, Any] = plain(self)
        return fields | {"holding_seconds": self.holding_seconds, "r_multiple": self.r_multiple}


def closed_trade(position: Position, at: float) -> Trade:
    """The trade that a position has become by being flat."""
    return Trade(
        venue=position.venue,
        symbol=position.symbol,
        strategy=position.strategy,
        trade_id=position.trade_id,
        side="long" if position.direction > 0 else "short",
        quantity=position.entered,
        entry_price=quotient(position.entry_value, position.entered),
        exit_price=quotient(position.exit_value, position.exited),
        profit_loss=position.cash,
        fees=position.fees,
        income=position.income,
        opened_at=position.opened_at,
        closed_at=at,
        fills=position.fills,
        risk=position.risk,
    )


class Tally(Struct):
    """Sums over all closed trades there ever were.

    Attributes:
        count, won, lost: how many; a trade that brought exactly nothing is neither won nor lost.
        won_sum, lost_sum: what those brought.
        best, worst: results of single trades; None before the first.
        streak: trades won in a row up to the latest, negative for lost ones; 0 after one that is neither.
        longest_won, longest_lost: the longest streaks.
        held: sum of holding times, s; `longest_held` the longest.
        r_sum, r_count: of the trades whose risk was told.
        hour, day: when the latest were closed.
    """

    count: int = 0
    won: int = 0
    lost: int = 0
    won_sum: Decimal = ZERO
    lost_sum: Decimal = ZERO
    best: Decimal | None = None
    worst: Decimal | None = None
    streak: int = 0
    longest_won: int = 0
    longest_lost: int = 0
    held: float = 0.0
    longest_held: float = 0.0
    r_sum: float = 0.0
    r_count: int = 0
    hour: Recent = field(default_factory=lambda: Recent(window=3_600, step=1))
    day: Recent = field(default_factory=lambda: Recent(window=86_400, step=60))

    def add(self, trade: Trade) -> None:
        """One more."""
        result = trade.profit_loss
        self.count += 1
        if result > 0:
            self.won += 1
            self.won_sum += result
            self.streak = max(self.streak, 0) + 1
            self.longest_won = max(self.longest_won, self.streak)
        elif result < 0:
            self.lost += 1
            self.lost_sum += result
            self.streak = min(self.streak, 0) - 1
            self.longest_lost = max(self.longest_lost, -self.streak)
        else:
            self.streak = 0
        if self.best is None or result > self.best:
            self.best = result
        if self.worst is None or result < self.worst:
            self.worst = result
        held = trade.holding_seconds
        self.held += held
        self.longest_held = max(self.longest_held, held)
        multiple = trade.r_multiple
        if multiple is not None:
            self.r_sum += multiple
            self.r_count += 1
        self.hour.add(trade.closed_at)
        self.day.add(trade.closed_at)

    @property
    def total(self) -> Decimal:
        """What all of them brought."""
        return self.won_sum + self.lost_sum

    @property
    def average_win(self) -> Decimal | None:
        """Mean of those that won."""
        return quotient(self.won_sum, Decimal(self.won)) if self.won else None

    @property
    def average_loss(self) -> Decimal | None:
        """Mean of those that lost, negative."""
        return quotient(self.lost_sum, Decimal(self.lost)) if self.lost else None

    @property
    def expectancy(self) -> Decimal | None:
        """Mean of all."""
        return quotient(self.total, Decimal(self.count)) if self.count else None

    @property
    def profit_factor(self) -> float | None:
        """Sum of wins over sum of losses; None while nothing was lost."""
        return ratio(self.won_sum, -self.lost_sum)

    @property
    def payoff(self) -> float | None:
        """Average win over average loss; None while one of them is missing."""
        win, loss = self.average_win, self.average_loss
        return None if win is None or loss is None else ratio(win, -loss)
