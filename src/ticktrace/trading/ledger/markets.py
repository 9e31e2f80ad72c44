"""Markets: their latest price, and who has a position in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from ticktrace.trading.ledger.book import Book
    from ticktrace.trading.ledger.positions import Position
    from ticktrace.trading.ledger.state import Quote

__all__ = ["Holding", "Market", "Markets"]


class Holding(NamedTuple):
    """A position and the books that it is in."""

    position: Position
    books: tuple[Book, ...]


class Market:
    """A symbol at a venue.

    Attributes:
        quote: its latest price.
        multiplier: value of one unit and one point of price.
        holdings: positions in it.
        books: of all of them, each once.
    """

    __slots__ = ("books", "holdings", "multiplier", "quote")

    def __init__(self, quote: Quote, multiplier: Decimal) -> None:
        self.quote: Quote = quote
        self.multiplier: Decimal = multiplier
        self.holdings: list[Holding] = []
        self.books: tuple[Book, ...] = ()

    def join(self, holding: Holding) -> None:
        """A position was opened."""
        self.holdings.append(holding)
        self._gather()

    def leave(self, position: Position) -> None:
        """A position was closed."""
        self.holdings = [holding for holding in self.holdings if holding.position is not position]
        self._gather()

    def _gather(self) -> None:
        # by identity: books are mutable, and equal ones are not the same
        self.books = tuple({id(book): book for holding in self.holdings for book in holding.books}.values())


class Markets:
    """All markets that were told of; at most `most`, of which those without a position make room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._by_symbol: dict[str, list[Market]] = {}

    def named(self, symbol: str) -> Sequence[Market]:
        """The markets of a symbol, one a venue."""
        return self._by_symbol.get(symbol, ())

    def find(self, venue: str, symbol: str) -> Market | None:
        """The market of a symbol at a venue."""
        for market in self._by_symbol.get(symbol, ()):
            if market.quote.venue == venue:
                return market
        return None

    def add(self, market: Market) -> bool:
        """One that was not known; False when there are too many and every one is held."""
        if self._count >= self._most and not self._drop_one():
            return False
        self._by_symbol.setdefault(market.quote.symbol, []).append(market)
        self._count += 1
        return True

    def _drop_one(self) -> bool:
        idle = next((market for market in self if not market.holdings), None)
        if idle is None:
            return False
        left = self._by_symbol[idle.quote.symbol]
        left.remove(idle)
        if not left:
            del self._by_symbol[idle.quote.symbol]
        self._count -= 1
        return True

    def price(self, symbol: str) -> Decimal | None:
        """The latest price of a symbol, wherever it was told."""
        quotes = (market.quote for market in self._by_symbol.get(symbol, ()))
        latest = max(quotes, key=lambda quote: quote.at, default=None)
        return None if latest is None else latest.price

    def __iter__(self) -> Iterator[Market]:
        for markets in self._by_symbol.values():
            yield from markets
