"""All books together, and the calendar they share: the one place that knows when a day or period ends."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from ticktrace.trading._limits import WordLimit
from ticktrace.trading.ledger.book import Book
from ticktrace.trading.ledger.calendar import Calendar
from ticktrace.trading.ledger.figures import Moment
from ticktrace.trading.ledger.history import CalendarResult, Sample
from ticktrace.trading.ledger.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date
    from decimal import Decimal
    from typing import Any

    from ticktrace.trading.ledger.config import LedgerConfig
    from ticktrace.trading.ledger.trades import Trade

__all__ = ["Books", "Names"]

_MOST_STRATEGIES = 200
_MOST_SYMBOLS = 100


@dataclass(frozen=True)
class Names:
    """Which book a name belongs to: itself, or one that many share once there are too many.

    Attributes:
        strategy, symbol: from what the bot says to the name of the book.
    """

    strategy: Callable[[str], str]
    symbol: Callable[[str], str]

    @classmethod
    def limited(cls) -> Names:
        """The first two hundred strategies and the first hundred symbols, the rest as ``other``."""
        return cls(WordLimit((), _MOST_STRATEGIES).label, WordLimit((), _MOST_SYMBOLS).label)


class Books:
    """The books and their calendar. Not thread-safe: the ledger holds its lock.

    Time only goes on: what is told of the past is booked at the latest time that was told.

    Attributes:
        state: everything they know.
    """

    def __init__(self, config: LedgerConfig, names: Names, state: State | None = None) -> None:
        self._config = config
        self._names = names
        self._calendar = Calendar(config)
        self._risk_free = config.period_risk_free
        if state is None:
            state = State(config.currency, config.lots, config.zone, config.period, flows=config.opening)
            state.account.curve.open(config.opening, None)
        else:
            trim(state.trades, config.keep_trades)
            trim(state.samples, config.keep_samples)
            trim(state.days, config.keep_days)
            trim(state.months, config.keep_days)
        self.state: State = state
        self._next = min(state.day_end, state.period_end)

    # --- who ---------------------------------------------------------------------------------------------------------

    def of(self, strategy: str, symbol: str) -> tuple[Book, ...]:
        """The books that a fill of a strategy in a symbol goes to; those of no name are left out."""
        state = self.state
        found = [state.account]
        if strategy:
            found.append(self._find(state.strategies, self._names.strategy(strategy)))
        if symbol:
            found.append(self._find(state.symbols, self._names.symbol(symbol)))
        return tuple(found)

    def _find(self, books: dict[str, Book], name: str) -> Book:
        book = books.get(name)
        if book is None:
            book = books[name] = Book()
            book.curve.open(self.state.flows, self.state.present)
        return book

    def __iter__(self) -> Iterator[Book]:
        state = self.state
        return chain((state.account,), state.strategies.values(), state.symbols.values())

    # --- when --------------------------------------------------------------------------------------------------------

    def advance(self, at: float) -> float:
        """Something was told of that time; ends what is over by then.

        Returns:
            The time that it is booked at: never before the latest.

        Raises:
            ValueError, OverflowError, OSError: the time is beyond the calendar; nothing has changed.
        """
        state = self.state
        present = state.present
        if present is None or at > self._next:
            self._turn(at)
        elif at <= present:
            return present
        state.present = at
        return at

    def _turn(self, at: float) -> None:
        """Begin at a time, or end the period or the day that it is beyond."""
        state, calendar = self.state, self._calendar
        today = calendar.day_of(at)
        day_end, period_end = calendar.end_of_day(today), calendar.end_of_period(at)
        if state.today is None:
            state.account.curve.peak_at = at
        else:
            if at > state.period_end:
                self._end_period(state.period_end)
            if at > state.day_end:
                self._end_day(state.today, today)
        state.today, state.day_end, state.period_end = today, day_end, period_end
        self._next = min(day_end, period_end)

    def _end_period(self, ended: float) -> None:
        state = self.state
        account = state.account
        made = [book.curve.sample(self._risk_free) for book in self]
        value, curve = state.flows + account.profit, account.curve
        keep(
            state.samples,
            Sample(ended, value, curve.index, made[0], curve.fall_ratio),
            self._config.keep_samples,
        )

    def _end_day(self, ended: date, begun: date) -> None:
        state = self.state
        account = state.account
        most = self._config.keep_days
        keep(state.days, CalendarResult(ended, *account.since(account.day)), most)
        new_month = (ended.year, ended.month) != (begun.year, begun.month)
        if new_month:
            keep(state.months, CalendarResult(ended.replace(day=1), *account.since(account.month)), most)
        for book in self:
            book.begin_day()
            if new_month:
                book.begin_month()

    def moment(self, now: float | None) -> Moment:
        """What figures are told of: `now`, or the latest time told where that is later (or nothing else is known)."""
        state = self.state
        present = 0.0 if state.present is None else state.present
        now = present if now is None else max(now, present)
        day_over = state.today is not None and now > state.day_end
        month_over = False
        if day_over and state.today is not None:
            day = self._calendar.day_of(now)
            month_over = (day.year, day.month) != (state.today.year, state.today.month)
        period_over = state.present is not None and now >= state.period_end
        return Moment(now, state.flows, period_over, day_over, month_over)

    # --- what --------------------------------------------------------------------------------------------------------

    def pay_in(self, paid_in: Decimal) -> None:
        """Money from outside, or to it when negative."""
        state = self.state
        state.flows += paid_in
        for book in self:
            book.curve.flow(paid_in, state.flows)

    def close(self, trade: Trade, books: Iterable[Book]) -> None:
        """A trade of these books is over."""
        for book in books:
            book.closed(trade)
        keep(self.state.trades, trade, self._config.keep_trades)

    def refuse(self, reason: str) -> None:
        """What was told was left out or bent."""
        refused = self.state.refused
        refused[reason] = refused.get(reason, 0) + 1


def keep(entries: list[Any], entry: object, most: int) -> None:
    """One more of which only the latest are kept."""
    entries.append(entry)
    if len(entries) > most:
        del entries[0]


def trim(entries: list[Any], most: int) -> None:
    """Only the latest."""
    del entries[:-most]
