"""A book: all money and trades of the account, of one strategy, or of one symbol."""

from __future__ import annotations

from copy import copy
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct, field

from ticktrace.trading.ledger._exact import ZERO
from ticktrace.trading.ledger.curve import Curve
from ticktrace.trading.ledger.trades import Tally

if TYPE_CHECKING:
    from ticktrace.trading.ledger.trades import Trade

__all__ = ["Book", "Mileage"]


class Mileage(Struct):
    """Where a book stood when a day or month began.

    Attributes:
        profit: realised and unrealised, since the start of the book.
        trades: closed, since the start of the book.
    """

    profit: Decimal = ZERO
    trades: int = 0


class Book(Struct):
    """Sums over fills and positions. Every amount is exact.

    Attributes:
        cash: what fills paid and received, fees taken and income added.
        value: positions at the mark, signed; `cost` what they have cost, signed.
        fees, income, turnover: paid in fees; received in funding, dividends, interest; price times units of all fills.
        tally: of the closed trades.
        curve: of the equity, as it would be had only this book been traded.
        day, month: where it stood when the present ones began.
    """

    cash: Decimal = ZERO
    value: Decimal = ZERO
    cost: Decimal = ZERO
    fees: Decimal = ZERO
    income: Decimal = ZERO
    turnover: Decimal = ZERO
    tally: Tally = field(default_factory=Tally)
    curve: Curve = field(default_factory=Curve)
    day: Mileage = field(default_factory=Mileage)
    month: Mileage = field(default_factory=Mileage)

    @property
    def realized(self) -> Decimal:
        """What closed positions, and closed parts of open ones, have brought, all fees deducted."""
        return self.cash + self.cost

    @property
    def unrealized(self) -> Decimal:
        """What open positions would bring at the mark, before fees."""
        return self.value - self.cost

    @property
    def profit(self) -> Decimal:
        """Both."""
        return self.cash + self.value

    def closed(self, trade: Trade) -> None:
        """A trade of this book is over."""
        self.tally.add(trade)

    def since(self, then: Mileage) -> tuple[Decimal, int]:
        """Profit, and trades closed, since then."""
        return self.profit - then.profit, self.tally.count - then.trades

    def begin_day(self) -> None:
        """A day has ended, another begins."""
        self.day = Mileage(self.profit, self.tally.count)

    def begin_month(self) -> None:
        """A month has ended, another begins."""
        self.month = Mileage(self.profit, self.tally.count)

    def snapshot(self) -> Book:
        """As it stands now; what happens later does not change it."""
        book = copy(self)
        book.tally = copy(self.tally)
        book.tally.hour, book.tally.day = self.tally.hour.snapshot(), self.tally.day.snapshot()
        book.curve = copy(self.curve)
        book.curve.returns = copy(self.curve.returns)
        return book
