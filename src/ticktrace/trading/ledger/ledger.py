"""The ledger: fed with fills, marks and cash flows, it knows what trading has earned."""

from __future__ import annotations

import time
from copy import copy
from typing import TYPE_CHECKING, Literal, Self

from ticktrace.trading.ledger._exact import ZERO, Exactly, amount, positive, unrounded
from ticktrace.trading.ledger.books import Books, Names
from ticktrace.trading.ledger.config import LedgerConfig
from ticktrace.trading.ledger.desk import Desk, Key, ToldFill
from ticktrace.trading.ledger.figures import figures, open_position
from ticktrace.trading.ledger.report import Report
from ticktrace.trading.ledger.state import Plan, decode, encode

if TYPE_CHECKING:
    from decimal import Decimal

    from ticktrace.trading.checks import Number
    from ticktrace.trading.ledger.book import Book
    from ticktrace.trading.ledger.figures import Moment
    from ticktrace.trading.ledger.report import Figures
    from ticktrace.trading.ledger.state import State
    from ticktrace.trading.ledger.trades import Trade

__all__ = ["Ledger"]

_MOST_RATES = 1_000
_LATEST = 1e11  # the year 5138; a number beyond is not in seconds


class Ledger:
    """Books on what trading earns, without any telemetry; `Performance` has one and measures it. Thread-safe.

    All amounts are in the account's currency, all times Unix seconds. A method that is told what cannot be booked raises
    ValueError and books nothing. Definitions and formulas: docs/performance.md.

    Attributes:
        config: how the books are kept.
    """

    def __init__(
        self, config: LedgerConfig | None = None, names: Names | None = None, *, state: State | None = None
    ) -> None:
        self.config: LedgerConfig = LedgerConfig() if config is None else config
        self._exactly = Exactly()
        self._books = Books(self.config, Names.limited() if names is None else names, state)
        self._state = self._books.state
        self._desk = Desk(self.config, self._books)
        self._known = dict.fromkeys(self._state.fill_ids)

    # --- what happens ------------------------------------------------------------------------------------------------

    def fill(
        self,
        *,
        symbol: str,
        side: Literal["buy", "sell"],
        price: Number,
        quantity: Number,
        fee: Number = 0,
        fee_currency: str = "",
        at: float | None = None,
        strategy: str = "",
        venue: str = "",
        trade_id: str = "",
        fill_id: str = "",
        stop: Number | None = None,
        risk: Number | None = None,
    ) -> Trade | None:
        """An order was filled, or a part of it.

        Args:
            symbol: what was traded.
            side: buy or sell.
            price: of a unit.
            quantity: units, above 0.
            fee: what it cost; negative for a rebate.
            fee_currency: what the fee is in; the account's currency when left out.
            at: when; the latest time told, or now where there is none, when left out.
            strategy: whose it is; each strategy has positions of its own.
            venue: where.
            trade_id: the bot's name of the round trip, for bots that have several at once in one market.
            fill_id: the venue's name of the fill; a second one of that name is not booked.
            stop: stop price of an entry, which the initial risk of it and of later entries is told from.
            risk: the initial risk of an entry, as an amount.

        Returns:
            The trade that this fill closed, if it did.

        Raises:
            ValueError: it cannot be booked.
        """
        if side not in ("buy", "sell"):
            raise ValueError(f"side: {side!r} is neither buy nor sell")
        told = ToldFill(
            key=Key(venue, symbol, strategy, trade_id),
            buys=side == "buy",
            price=self._price(price),
            units=positive(quantity, "quantity"),
            fee=amount(fee, "fee"),
            fee_currency=fee_currency,
            at=self._at(at),
            stop=None if stop is None else amount(stop, "stop"),
            risk=None if risk is None else positive(risk, "risk"),
            rounded=isinstance(quantity, float),
        )
        identity = f"{venue} {fill_id}" if fill_id else ""
        with self._exactly:
            if identity in self._known:
                self._books.refuse("fill_told_twice")
                return None
            trade = self._desk.fill(told)
            if identity:
                self._remember(identity)
            return trade

    def _remember(self, identity: str) -> None:
        self._known[identity] = None
        if len(self._known) > self.config.keep_fill_ids:
            del self._known[next(iter(self._known))]

    def mark(self, symbol: str, price: Number, at: float | None = None, venue: str = "") -> None:
        """The market is at `price`: positions in it are worth that from now on.

        Args:
            symbol: of the market.
            price: last, mid or mark price, as the bot values positions.
            at: when; see `fill`. A mark older than the market's latest is left out.
            venue: where; every venue's market of that symbol when left out.

        Raises:
            ValueError: the price is none.
        """
        value, told_at = self._price(price), self._at(at)
        with self._exactly:
            self._desk.mark(venue, symbol, value, told_at)

    def deposit(self, money: Number, at: float | None = None) -> None:
        """Money was paid in: equity grows, and that is no profit.

        Raises:
            ValueError: it is no amount above 0.
        """
        self._flow(positive(money, "deposit"), at)

    def withdraw(self, money: Number, at: float | None = None) -> None:
        """Money was taken out: equity shrinks, and that is no loss.

        Raises:
            ValueError: it is no amount above 0.
        """
        self._flow(positive(money, "withdrawal").copy_negate(), at)

    def _flow(self, paid_in: Decimal, at: float | None) -> None:
        told_at = self._at(at)
        with self._exactly:
            self._books.advance(told_at)
            self._books.pay_in(paid_in)

    def income(
        self,
        money: Number,
        *,
        symbol: str = "",
        strategy: str = "",
        venue: str = "",
        trade_id: str = "",
        at: float | None = None,
    ) -> None:
        """What a position brought without a fill: funding, a dividend, interest; negative when it was paid.

        It is realised at once. If that position is open, it belongs to its trade.

        Raises:
            ValueError: it is no amount.
        """
        received, told_at = amount(money, "income"), self._at(at)
        with self._exactly:
            self._desk.income(Key(venue, symbol, strategy, trade_id), received, told_at)

    def rate(self, currency: str, price: Number) -> None:
        """What a unit of another currency is worth, for fees in it from now on.

        Raises:
            ValueError: it is no amount above 0, or of too many currencies.
        """
        worth = positive(price, "rate")
        with self._exactly:
            rates = self._state.rates
            if currency not in rates and len(rates) >= _MOST_RATES:
                raise ValueError(f"rate: {len(rates)} currencies are known, and no more are kept")
            rates[currency] = worth

    def plan(
        self,
        *,
        symbol: str,
        strategy: str = "",
        venue: str = "",
        trade_id: str = "",
        stop: Number | None = None,
        risk: Number | None = None,
    ) -> None:
        """What will be at stake in the next entry, for bots whose fills arrive without it.

        Args:
            symbol: of the position.
            strategy: whose it is.
            venue: where.
            trade_id: its name, where the bot has one.
            stop: its stop price; the risk is then the distance of each entry from it, times units.
            risk: the amount at stake, instead.

        Raises:
            ValueError: neither is given, or one is no amount.
        """
        if stop is None and risk is None:
            raise ValueError("plan: neither stop nor risk is given")
        planned = Plan(
            None if stop is None else amount(stop, "stop"), None if risk is None else positive(risk, "risk")
        )
        with self._exactly:
            self._desk.plan(Key(venue, symbol, strategy, trade_id), planned)

    def refuse(self, reason: str) -> None:
        """Count what was left out before it came here; `reason` is one of few."""
        with self._exactly:
            self._books.refuse(reason)

    def _price(self, price: Number) -> Decimal:
        return amount(price, "price") if self.config.negative_prices else positive(price, "price")

    def _at(self, at: float | None) -> float:
        if at is None:
            present = self._state.present
            return time.time() if present is None else present
        if not 0 <= at < _LATEST:
            raise ValueError(f"at: {at!r} is no Unix time in seconds")
        return at

    # --- what they say -----------------------------------------------------------------------------------------------

    @property
    def present(self) -> float | None:
        """The latest time that was told; None before the first."""
        return self._state.present

    def report(self, now: float | None = None) -> Report:
        """Everything the books say.

        Args:
            now: the present, for what changes while nothing happens (a new day, trades of the last hour, recovery); the
                latest time told when left out. Reading changes nothing in the books.
        """
        with self._exactly:
            state, desk = self._state, self._desk
            moment, gross = self._books.moment(now), self._gross()
            account = self._snapshot(state.account, gross)
            strategies = {name: self._snapshot(book, gross) for name, book in state.strategies.items()}
            symbols = {name: self._snapshot(book, gross) for name, book in state.symbols.items()}
            positions = [
                (copy(holding.position), market.quote.price)
                for market in desk.markets
                for holding in market.holdings
            ]
            trades, samples = (*state.trades,), (*state.samples,)
            days, months = (*state.days,), (*state.months,)
            at, unconverted, refused = state.present, {**state.unconverted}, {**state.refused}
        with unrounded():
            return Report(
                at=at if now is None else moment.now,
                currency=self.config.currency,
                zone=self.config.zone,
                period=self.config.period,
                periods_per_year=self.config.annual_periods,
                risk_free=self.config.risk_free,
                lots=self.config.lots,
                flows=moment.flows,
                account=self._told(account, moment),
                strategies={name: self._told(taken, moment) for name, taken in strategies.items()},
                symbols={name: self._told(taken, moment) for name, taken in symbols.items()},
                positions=tuple(open_position(position, mark) for position, mark in positions),
                trades=trades,
                samples=samples,
                days=days,
                months=months,
                unconverted_fees=unconverted,
                refused=refused,
            )

    def _gross(self) -> dict[int, Decimal]:
        """The sum of the sizes of positions by the id of the book they are in."""
        gross: dict[int, Decimal] = {}
        for position, books in self._desk.holdings.values():
            size = abs(position.value)
            for book in books:
                gross[id(book)] = gross.get(id(book), ZERO) + size
        return gross

    def _snapshot(self, book: Book, gross: dict[int, Decimal]) -> tuple[Book, Decimal]:
        return book.snapshot(), gross.get(id(book), ZERO)

    def _told(self, taken: tuple[Book, Decimal], moment: Moment) -> Figures:
        book, gross = taken
        return figures(book, gross, moment, self.config)

    # --- over a restart ----------------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """Everything the books know, for `from_json` after a restart."""
        with self._exactly:
            self._desk.save()
            self._state.fill_ids = [*self._known]
            return encode(self._state)

    @classmethod
    def from_json(
        cls, text: str | bytes, config: LedgerConfig | None = None, names: Names | None = None
    ) -> Self:
        """The ledger that wrote `text`, as it was.

        Args:
            text: what `to_json` wrote.
            config: how books are kept now. Currency, lots, zone and period must be those of the saved books; the capital is
                the saved one.
            names: which book a name belongs to.

        Raises:
            LedgerStateError: the text is no saved books, or they were kept in another way.
        """
        config = LedgerConfig() if config is None else config
        return cls(config, names, state=decode(text, config))
