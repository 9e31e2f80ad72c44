"""The desk: turns fills and marks into positions, and keeps the books in step with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ticktrace.trading.ledger._exact import ZERO, quotient
from ticktrace.trading.ledger.fees import fee_of_fill
from ticktrace.trading.ledger.markets import Holding, Market, Markets
from ticktrace.trading.ledger.positions import Position
from ticktrace.trading.ledger.state import Plan, Quote
from ticktrace.trading.ledger.trades import closed_trade

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from ticktrace.trading.ledger.book import Book
    from ticktrace.trading.ledger.books import Books
    from ticktrace.trading.ledger.config import LedgerConfig
    from ticktrace.trading.ledger.trades import Trade

__all__ = ["Desk", "Key", "ToldFill"]

_MOST_PLANS = 1_000
# A third told three times as a float is not quite one: a closing fill that is off by no more than this closes.
_FLOAT_ROUNDING = 1e-12


_Amounts = tuple["Decimal", "Decimal", "Decimal", "Decimal"]


class Key(NamedTuple):
    """Whose position it is; "" for what was not told."""

    venue: str
    symbol: str
    strategy: str
    trade_id: str


class ToldFill(NamedTuple):
    """A fill, its numbers checked."""

    key: Key
    buys: bool
    price: Decimal
    units: Decimal
    fee: Decimal
    fee_currency: str
    at: float
    stop: Decimal | None
    risk: Decimal | None
    rounded: bool


class Desk:
    """Positions and markets, and the books they are in. Not thread-safe: the ledger holds its lock."""

    def __init__(self, config: LedgerConfig, books: Books) -> None:
        self._config = config
        self._books = books
        self._state = state = books.state
        self.markets: Markets = Markets(2 * config.most_positions)
        self.holdings: dict[Key, Holding] = {}
        self.plans: dict[Key, Plan] = {Key(*key): plan for key, plan in state.plans}
        for quote in state.quotes:
            self.markets.add(Market(quote, config.multiplier(quote.symbol)))
        for position in state.positions:
            market = self._market(position.venue, position.symbol, ZERO, 0.0)
            self._hold(position, market, books.of(position.strategy, position.symbol))

    def save(self) -> None:
        """Bring the state up to date with what the desk keeps in a form of its own."""
        state = self._state
        state.positions = [holding.position for holding in self.holdings.values()]
        state.quotes = [market.quote for market in self.markets]
        state.plans = [
            ((key.venue, key.symbol, key.strategy, key.trade_id), plan) for key, plan in self.plans.items()
        ]

    # --- what happens ------------------------------------------------------------------------------------------------

    def plan(self, key: Key, planned: Plan) -> None:
        """What will be at stake in the next position of that key; the oldest plan makes room."""
        self.plans.pop(key, None)
        self.plans[key] = planned
        if len(self.plans) > _MOST_PLANS:
            del self.plans[next(iter(self.plans))]

    def fill(self, told: ToldFill) -> Trade | None:
        """Book a fill; returns the trade that it closed.

        Raises:
            ValueError: it cannot be booked; nothing has changed.
        """
        held = self.holdings.get(told.key)
        if held is None and len(self.holdings) >= self._config.most_positions:
            self._books.refuse("too_many_positions")
            raise ValueError(f"{len(self.holdings)} positions are open, and no more are kept")
        units, fee = fee_of_fill(
            self._state,
            self.markets,
            told.key.symbol,
            units=told.units,
            price=told.price,
            fee=told.fee,
            fee_currency=told.fee_currency,
            buys=told.buys,
        )
        now = self._books.advance(told.at)
        market = self._market(told.key.venue, told.key.symbol, told.price, told.at)
        books = self._books.of(told.key.strategy, told.key.symbol) if held is None else held.books
        trade = None
        if held is not None and (held.position.direction > 0) is not told.buys:
            position = held.position
            if told.rounded:
                units = _snapped(units, position)
            leaving, leaving_fee = min(units, position.held), fee
            if (
                leaving < units
            ):  # through zero: one position ends, another begins, and they share the fee by units
                leaving_fee = quotient(fee * leaving, units)
            trade = self._leave(held, market, told, leaving, leaving_fee)
            units, fee, held = units - leaving, fee - leaving_fee, None
        if units:
            self._enter(held or self._open(market, told, books), market, told, units, fee)
        quote = market.quote
        if told.at > quote.at:  # what was paid is what it is worth, until a newer mark says otherwise
            quote.at, quote.marked = told.at, False
            self._revalue(market, told.price)
        self._touch(books, now)
        if trade is not None or len(market.holdings) > 1:  # the price moved for the others in it, too
            self._touch(market.books, now)
        return trade

    def mark(self, venue: str, symbol: str, price: Decimal, at: float) -> None:
        """Value a symbol at `price`, at one venue or, for "", at all."""
        now = self._books.advance(at)
        markets = [
            market for market in self.markets.named(symbol) if not venue or market.quote.venue == venue
        ]
        for market in markets:
            quote = market.quote
            if at < quote.at:
                if quote.marked:  # one that is older than the latest fill is nobody's mistake
                    self._books.refuse("late_mark")
                continue
            quote.at = at
            quote.marked = True
            self._revalue(market, price)
        for market in markets:
            self._touch(market.books, now)
        if not markets and not self.markets.add(
            Market(Quote(venue, symbol, price, at, marked=True), self._config.multiplier(symbol))
        ):
            self._books.refuse("too_many_markets")

    def income(self, key: Key, received: Decimal, at: float) -> None:
        """Book what a position brought without a fill."""
        now = self._books.advance(at)
        held = self.holdings.get(key)
        if held is not None:
            held.position.receive(received)
        books = self._books.of(key.strategy, key.symbol)
        for book in books:
            book.cash += received
            book.income += received
        self._touch(books, now)

    # --- how ---------------------------------------------------------------------------------------------------------

    def _market(self, venue: str, symbol: str, price: Decimal, at: float) -> Market:
        market = self.markets.find(venue, symbol)
        if market is None:
            market = Market(Quote(venue, symbol, price, at), self._config.multiplier(symbol))
            self.markets.add(market)  # there is room: twice as many markets as positions
        return market

    def _open(self, market: Market, told: ToldFill, books: tuple[Book, ...]) -> Holding:
        direction = 1 if told.buys else -1
        return self._hold(Position(*told.key, told.at, market.multiplier, direction), market, books)

    def _hold(self, position: Position, market: Market, books: tuple[Book, ...]) -> Holding:
        held = Holding(position, books)
        self.holdings[Key(*position.key)] = held
        market.join(held)
        return held

    def _enter(self, held: Holding, market: Market, told: ToldFill, units: Decimal, fee: Decimal) -> None:
        position = held.position
        stop, risk = told.stop, told.risk
        if self.plans:
            planned = self.plans.pop(told.key, None)
            if planned is not None and stop is None and risk is None:
                stop, risk = planned.stop, planned.risk
        if risk is not None:
            position.stake(risk)
        elif stop is not None and not position.protect(stop, told.price):
            self._books.refuse("stop_on_winning_side")
        before = _amounts(position)
        if not position.enter(units, told.price, fee, self._config.lots):
            self._books.refuse("lots_merged")
        position.revalue(market.quote.price)
        self._book(held, before, units * told.price * market.multiplier)

    def _leave(
        self, held: Holding, market: Market, told: ToldFill, units: Decimal, fee: Decimal
    ) -> Trade | None:
        position = held.position
        before = _amounts(position)
        position.leave(units, told.price, fee)
        position.revalue(market.quote.price)
        self._book(held, before, units * told.price * market.multiplier)
        if position.quantity:
            return None
        del self.holdings[told.key]
        market.leave(position)
        trade = closed_trade(position, told.at)
        self._books.close(trade, held.books)
        return trade

    def _book(self, held: Holding, before: _Amounts, turnover: Decimal) -> None:
        position = held.position
        cash, cost, value, fees = before
        cash, cost = position.cash - cash, position.cost - cost
        value, fees = position.value - value, position.fees - fees
        turnover = abs(turnover)  # where prices may be negative
        for book in held.books:
            book.cash += cash
            book.cost += cost
            book.value += value
            book.fees += fees
            book.turnover += turnover

    def _revalue(self, market: Market, price: Decimal) -> None:
        market.quote.price = price
        for position, books in market.holdings:
            change = position.revalue(price)
            for book in books:
                book.value += change

    def _touch(self, books: Iterable[Book], now: float) -> None:
        flows = self._state.flows
        for book in books:
            book.curve.move(book.cash + book.value, flows, now)


def _amounts(position: Position) -> _Amounts:
    return position.cash, position.cost, position.value, position.fees


def _snapped(units: Decimal, position: Position) -> Decimal:
    """What a fill told as a float closes: all that is held, where only its rounding is in between."""
    held = position.held
    off = abs(float(units - held))
    return held if off <= _FLOAT_ROUNDING * float(position.entered) else units
