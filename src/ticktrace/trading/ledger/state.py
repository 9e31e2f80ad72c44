"""Everything the books know, in a form that survives a restart."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from ticktrace.errors import LedgerStateError
from ticktrace.trading.ledger._exact import ZERO
from ticktrace.trading.ledger.book import Book
from ticktrace.trading.ledger.history import CalendarResult, Sample
from ticktrace.trading.ledger.positions import Position
from ticktrace.trading.ledger.trades import Trade

if TYPE_CHECKING:
    from ticktrace.trading.ledger.config import LedgerConfig

__all__ = ["Plan", "Quote", "State", "decode", "encode"]

_VERSION = 1


class Quote(Struct):
    """The latest price of a market.

    Attributes:
        venue, symbol: the market.
        price: what a unit is valued at.
        at: when that was, Unix s.
        marked: whether it was told as a mark, and not by a fill.
    """

    venue: str
    symbol: str
    price: Decimal
    at: float
    marked: bool = False


class Plan(Struct):
    """The initial risk of a position that is not open yet.

    Attributes:
        stop: the price it is told from; None where the amount was told.
        risk: the amount; None where the stop was told.
    """

    stop: Decimal | None
    risk: Decimal | None


class State(Struct):
    """The books.

    Attributes:
        version: of this form.
        currency, lots, zone, period: as they were kept; figures of other ways do not add up with them.
        present: the latest time that was told, Unix s; None before the first.
        period_end, day_end: when the sampling period and the day end that it belongs to.
        today: that day; None before the first.
        flows: paid in minus paid out.
        account, strategies, symbols: the books.
        positions: open ones.
        quotes: prices of markets.
        plans: initial risks by (venue, symbol, strategy, trade id).
        rates: worth of other currencies.
        fill_ids: the latest fills that said who they are.
        trades, samples, days, months: the latest ones, oldest first.
        unconverted: fees by currency, without a rate.
        refused: how often what was told was left out or bent, by reason.
    """

    currency: str
    lots: str
    zone: str
    period: str
    version: int = _VERSION
    present: float | None = None
    period_end: float = 0.0
    day_end: float = 0.0
    today: date | None = None
    flows: Decimal = ZERO
    account: Book = field(default_factory=Book)
    strategies: dict[str, Book] = {}
    symbols: dict[str, Book] = {}
    positions: list[Position] = []
    quotes: list[Quote] = []
    plans: list[tuple[tuple[str, str, str, str], Plan]] = []
    rates: dict[str, Decimal] = {}
    fill_ids: list[str] = []
    trades: list[Trade] = []
    samples: list[Sample] = []
    days: list[CalendarResult] = []
    months: list[CalendarResult] = []
    unconverted: dict[str, Decimal] = {}
    refused: dict[str, int] = {}


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(State)


def encode(state: State) -> str:
    """The books as JSON; amounts are text, so that they keep their digits."""
    return _ENCODER.encode(state).decode()


def decode(text: str | bytes, config: LedgerConfig) -> State:
    """Books that were saved.

    Args:
        text: what `encode` wrote.
        config: how books are kept now.

    Raises:
        LedgerStateError: the text is no saved books, or they were kept in another way.
    """
    try:
        state = _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LedgerStateError(f"the saved books of the ledger cannot be read: {error}") from error
    if state.version != _VERSION:
        raise LedgerStateError(
            f"the saved books are of version {state.version}; this ticktrace reads {_VERSION}"
        )
    differing = [
        f"{name}: {saved!r} in the saved books, {now!r} now"
        for name, saved, now in (
            ("currency", state.currency, config.currency),
            ("lots", state.lots, config.lots),
            ("zone", state.zone, config.zone),
            ("period", state.period, config.period),
        )
        if saved != now
    ]
    if differing:
        raise LedgerStateError(f"the saved books were kept in another way: {'; '.join(differing)}")
    return state
