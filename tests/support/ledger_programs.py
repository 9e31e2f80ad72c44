"""Random histories for the ledger, and books in fractions that know its definitions and nothing else of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple

from hypothesis import strategies as st

if TYPE_CHECKING:
    from decimal import Decimal

    from ticktrace.trading.ledger import Ledger

__all__ = [
    "AMOUNTS",
    "PRICES",
    "UNITS",
    "Event",
    "Flow",
    "FractionBooks",
    "Income",
    "Mark",
    "Trade",
    "histories",
    "tell",
]

START = 1_700_000_000.0


def _decimals(low: str, high: str, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(low, high, places=places, allow_nan=False, allow_infinity=False)


PRICES = _decimals("0.01", "90000", 2)
UNITS = _decimals("0.001", "50", 3)
AMOUNTS = _decimals("-20", "50", 4)
_SYMBOLS = st.sampled_from(["BTC", "ETH"])
_STRATEGIES = st.sampled_from(["momentum", "retest"])
_PAUSES = st.sampled_from([0.0, 0.5, 60.0, 3_600.0, 50_000.0])


class Trade(NamedTuple):
    """A fill."""

    strategy: str
    symbol: str
    side: Literal["buy", "sell"]
    price: Decimal
    units: Decimal
    fee: Decimal


class Mark(NamedTuple):
    symbol: str
    price: Decimal


class Flow(NamedTuple):
    """Paid in, or out when negative."""

    money: Decimal


class Income(NamedTuple):
    strategy: str
    symbol: str
    money: Decimal


class Event(NamedTuple):
    """Something that happens, `pause` seconds after what was before it."""

    pause: float
    what: Trade | Mark | Flow | Income


_TRADES = st.builds(Trade, _STRATEGIES, _SYMBOLS, st.sampled_from(["buy", "sell"]), PRICES, UNITS, AMOUNTS)
_MARKS = st.builds(Mark, _SYMBOLS, PRICES)
_FLOWS = st.builds(Flow, AMOUNTS.filter(bool))
_INCOMES = st.builds(Income, _STRATEGIES, _SYMBOLS, AMOUNTS)
histories = st.lists(st.builds(Event, _PAUSES, _TRADES | _TRADES | _MARKS | _FLOWS | _INCOMES), max_size=40)


def tell(ledger: Ledger, event: Event) -> None:
    """Let an event happen to a ledger."""
    at = (START if ledger.present is None else ledger.present) + event.pause
    match event.what:
        case Trade(strategy, symbol, side, price, units, fee):
            ledger.fill(
                symbol=symbol, side=side, price=price, quantity=units, fee=fee, strategy=strategy, at=at
            )
        case Mark(symbol, price):
            ledger.mark(symbol, price, at)
        case Flow(money) if money > 0:
            ledger.deposit(money, at)
        case Flow(money):
            ledger.withdraw(money.copy_negate(), at)  # a unary minus would round as the context says
        case Income(strategy, symbol, money):
            ledger.income(money, strategy=strategy, symbol=symbol, at=at)


@dataclass
class _Units:
    """A position in fractions: lots of (units, price), oldest first, all of one sign."""

    lots: list[tuple[Fraction, Fraction]] = field(default_factory=list)

    @property
    def held(self) -> Fraction:
        return sum((units for units, _ in self.lots), Fraction(0))

    def fill(self, units: Fraction, price: Fraction, *, average: bool) -> Fraction:
        """Book signed units; returns what was gained on those that were closed."""
        gain = Fraction(0)
        if average and self.lots:
            held = self.held
            cost = sum((each * paid for each, paid in self.lots), Fraction(0))
            self.lots = [(held, cost / held)]
        while units and self.lots and (self.lots[0][0] > 0) != (units > 0):
            lot, paid = self.lots[0]
            closed = min(abs(lot), abs(units)) * (1 if lot > 0 else -1)
            gain += closed * (price - paid)
            units += closed
            self.lots = [(lot - closed, paid), *self.lots[1:]] if lot != closed else self.lots[1:]
        if units:
            self.lots.append((units, price))
        return gain


class FractionBooks:
    """The definitions of docs/performance.md in fractions, which never round."""

    def __init__(self, capital: Decimal, *, average: bool) -> None:
        self._average = average
        self._units: defaultdict[tuple[str, str], _Units] = defaultdict(_Units)
        self._prices: dict[str, tuple[float, bool, Fraction]] = {}
        self._now = START
        self.flows = Fraction(capital)
        self.cash = Fraction(capital)
        self.realized: defaultdict[str, Fraction] = defaultdict(Fraction)

    def tell(self, event: Event) -> None:
        """Let an event happen."""
        self._now += event.pause
        match event.what:
            case Trade(strategy, symbol, side, price, units, fee):
                signed = Fraction(units) if side == "buy" else -Fraction(units)
                self.cash -= signed * Fraction(price) + Fraction(fee)
                position = self._units[strategy, symbol]
                gain = position.fill(signed, Fraction(price), average=self._average)
                self.realized[strategy] += gain - Fraction(fee)
                # what was paid is what it is worth, unless a price is as new
                if symbol not in self._prices or self._now > self._prices[symbol][0]:
                    self._prices[symbol] = (self._now, False, Fraction(price))
            case Mark(symbol, price):
                self._prices[symbol] = (self._now, True, Fraction(price))
            case Flow(money):
                self.cash += Fraction(money)
                self.flows += Fraction(money)
            case Income(strategy, _, money):
                self.cash += Fraction(money)
                self.realized[strategy] += Fraction(money)

    @property
    def equity(self) -> Fraction:
        """Cash and positions at their prices."""
        return self.cash + sum(
            (position.held * self._prices[symbol][2] for (_, symbol), position in self._units.items()),
            Fraction(0),
        )
