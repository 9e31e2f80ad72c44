"""An open position: what its fills paid, what it holds, and what that has cost.

A position's *cash* is the sum of all that its fills paid and received, fees included, and is exact. Its *cost* is what the
units still held were bought for (negative for a short: what they were sold for). So at any time::

    realised = cash + cost        unrealised = value at the mark - cost

and both together are cash and value, whatever was rounded to tell the cost of a part.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from ticktrace.trading.ledger._exact import ZERO, quotient

if TYPE_CHECKING:
    from ticktrace.trading.ledger.config import Lots

__all__ = ["Lot", "Position"]

_MOST_LOTS = 1_000


class Lot(Struct):
    """Units bought (or sold) together; what a part of them cost is told from the whole, so that parts never drift.

    Attributes:
        units: how many there were, never negative.
        cost: what all of them cost, with the sign of the position.
        taken: how many of them are gone.
    """

    units: Decimal
    cost: Decimal
    taken: Decimal = ZERO

    @property
    def left(self) -> Decimal:
        """How many are still held."""
        return self.units - self.taken

    @property
    def cost_left(self) -> Decimal:
        """What those have cost."""
        return self.cost - quotient(self.cost * self.taken, self.units) if self.taken else self.cost

    def add(self, units: Decimal, cost: Decimal) -> None:
        """Put more units to them; from now on each has cost the same."""
        if self.taken:
            self.units, self.cost, self.taken = self.left, self.cost_left, ZERO
        self.units += units
        self.cost += cost


class Position(Struct):
    """The position of one strategy in one market, from flat to flat: a round trip that is not over.

    Attributes:
        venue, symbol, strategy: whose it is.
        trade_id: the bot's own name of the round trip; "" for none.
        opened_at: time of the first fill, Unix s.
        multiplier: value of one unit and one point of price.
        direction: 1 for long, -1 for short.
        quantity: units held, signed.
        cash: what fills paid and received and fees took, exact.
        cost: what the units held have cost, signed.
        value: what they are worth at the mark, signed.
        fees: paid so far; `income`: funding, dividends, interest received so far (negative: paid).
        lots: the units held, oldest first.
        entered, entry_value, exited, exit_value: units, and price times units, on either side.
        fills: how many there were.
        stop: the price that the initial risk is told from.
        risk: what was at stake at entry; None when it was not told.
    """

    venue: str
    symbol: str
    strategy: str
    trade_id: str
    opened_at: float
    multiplier: Decimal
    direction: int
    quantity: Decimal = ZERO
    cash: Decimal = ZERO
    cost: Decimal = ZERO
    value: Decimal = ZERO
    fees: Decimal = ZERO
    income: Decimal = ZERO
    lots: list[Lot] = []
    entered: Decimal = ZERO
    entry_value: Decimal = ZERO
    exited: Decimal = ZERO
    exit_value: Decimal = ZERO
    fills: int = 0
    stop: Decimal | None = None
    risk: Decimal | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is found by."""
        return self.venue, self.symbol, self.strategy, self.trade_id

    @property
    def held(self) -> Decimal:
        """Units held, without a sign."""
        return self.quantity.copy_abs()

    @property
    def realized(self) -> Decimal:
        """What it has brought so far, fees deducted."""
        return self.cash + self.cost

    @property
    def unrealized(self) -> Decimal:
        """What the units held would bring at the mark, before fees."""
        return self.value - self.cost

    def enter(self, units: Decimal, price: Decimal, fee: Decimal, lots: Lots) -> bool:
        """More units in the direction it has.

        Returns:
            False when the oldest-first order had to be given up for the newest units, because there are too many lots.
        """
        worth = units * price
        cost = worth * self.multiplier * self.direction
        self.cash -= cost + fee
        self.fees += fee
        self.fills += 1
        self.entered += units
        self.entry_value += worth
        self.quantity += units * self.direction
        if self.stop is not None:
            self._add_risk(units, price, self.stop)
        if self.lots and (lots == "average" or len(self.lots) >= _MOST_LOTS):
            newest = self.lots[-1]
            before = newest.cost_left
            newest.add(units, cost)
            self.cost += newest.cost - before
            return lots == "average"
        self.lots.append(Lot(units, cost))
        self.cost += cost
        return True

    def leave(self, units: Decimal, price: Decimal, fee: Decimal) -> None:
        """Fewer units; at most as many as are held."""
        worth = units * price
        self.cash += worth * self.multiplier * self.direction - fee
        self.fees += fee
        self.fills += 1
        self.exited += units
        self.exit_value += worth
        self.quantity -= units * self.direction
        while units:
            lot = self.lots[0]
            left, before = lot.left, lot.cost_left
            if left <= units:
                del self.lots[0]
                units -= left
                self.cost -= before
            else:
                lot.taken += units
                self.cost -= before - lot.cost_left
                return

    def revalue(self, price: Decimal) -> Decimal:
        """Value it at `price`; returns by how much that changed."""
        value = self.quantity * price * self.multiplier
        change = value - self.value
        self.value = value
        return change

    def receive(self, income: Decimal) -> None:
        """Funding, a dividend, interest; negative when it was paid."""
        self.cash += income
        self.income += income

    def stake(self, risk: Decimal) -> None:
        """So much more was at stake at entry."""
        self.risk = risk if self.risk is None else self.risk + risk

    def protect(self, stop: Decimal, price: Decimal) -> bool:
        """Tell the initial risk of this and later entries from a stop.

        Returns:
            False when the stop is on the winning side of `price`, so that it is none.
        """
        if stop >= price if self.direction > 0 else stop <= price:
            return False
        self.stop = stop
        return True

    def _add_risk(self, units: Decimal, price: Decimal, stop: Decimal) -> None:
        distance = (price - stop) * self.direction
        if distance > 0:
            self.stake(distance * units * self.multiplier)
