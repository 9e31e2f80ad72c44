"""Positions: how many are open, how much is at stake, and whether the venue has the same."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from ticktrace import semconv
from ticktrace.engine import contained, report, text_of, warn_once
from ticktrace.trading._figures import result_labels, usable_decimal
from ticktrace.trading._tell import tell
from ticktrace.trading.checks import Number, attribute_number, finite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ticktrace.trading._recorder import Recorder

__all__ = ["Positions"]

MOST_POSITIONS = 10_000
_MOST_SAID = 20  # of the symbols that differ, on the span and in the log; the metric has them all

_NONE = Decimal(0)


class _Holder(NamedTuple):
    """Whose position it is: a symbol at a venue, of a strategy where the bot keeps them apart."""

    venue: str | None
    symbol: str
    strategy: str | None


class _Held(NamedTuple):
    quantity: Decimal
    price: Decimal | None


class Positions:
    """The positions that the bot believes it has; reached as `Trading.positions`. Thread-safe.

    Records ``trading.engine.positions.open`` by venue, ``trading.exposure.ratio`` and ``trading.position.mismatch``.
    What goes into a position when it is opened is told by `Risk.position_sized`.

    The quantities told here are kept while telemetry is off, too, because `reconcile` gives a verdict on them.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._held: dict[_Holder, _Held] = {}
        self._counts: dict[str | None, int] = {}
        self._mismatched: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """How many positions are open."""
        return len(self._held)

    @contained(None)
    def update(
        self,
        symbol: str,
        quantity: Number,
        *,
        price: Number | None = None,
        venue: str | None = None,
        strategy: str | None = None,
    ) -> None:
        """A position is now so large: after a fill, or at a new mark.

        Args:
            symbol: what is held.
            quantity: how much, in units of what is traded; negative for a short position, 0 when it is closed.
            price: the mark of one unit, for the exposure; the last one stays in force when left out.
            venue: where.
            strategy: whose it is, where the bot keeps them apart.
        """
        amount = usable_decimal(quantity)
        if amount is None:
            return
        mark = usable_decimal(price)
        holder = _Holder(
            None if venue is None else text_of(venue),
            text_of(symbol),
            None if strategy is None else text_of(strategy),
        )
        full = False
        with self._lock:
            before = self._held.get(holder)
            if not amount:
                self._held.pop(holder, None)
            elif before is None and len(self._held) >= MOST_POSITIONS:
                full = True
            else:
                known_mark = before.price if mark is None and before is not None else mark
                self._held[holder] = _Held(amount, known_mark)
            self._count(holder.venue, (holder in self._held) - (before is not None))
        if full:
            self._recorder.dropped("positions", "full").add(1)

    def _count(self, venue: str | None, change: int) -> None:
        labels = result_labels(self._recorder.words, venue=venue)
        label = labels.get(semconv.VENUE)
        before = self._counts.get(label)
        if change or before is None:
            count = self._counts[label] = (before or 0) + change
            self._recorder.gauge("engine.positions.open", labels).set(count)

    @contained(None)
    def set_exposure(
        self,
        ratio: float,
        *,
        symbol: str | None = None,
        strategy: str | None = None,
        venue: str | None = None,
    ) -> None:
        """The value of all positions, or of some, is so large a part of equity; above 1 with borrowed money."""
        number = finite(ratio)
        if number is not None:
            labels = result_labels(self._recorder.words, symbol=symbol, strategy=strategy, venue=venue)
            self._recorder.gauge("exposure.ratio", labels).set(number)

    def exposure(self, equity: Number) -> float | None:
        """Set the exposure from the positions told here: the sum of their values, long and short alike, over equity.

        Args:
            equity: cash and positions at market, in the currency of the marks.

        Returns:
            The ratio; None when equity is not positive, or a position never had a price.
        """
        whole = usable_decimal(equity)
        if whole is None or whole <= 0:
            return None
        value = _NONE
        with self._lock:
            for held in self._held.values():
                if held.price is None:
                    return None
                value += abs(held.quantity * held.price)
        ratio = float(value / whole)
        self.set_exposure(ratio)
        return ratio

    def reconcile(
        self,
        theirs: Mapping[str, Number],
        *,
        venue: str,
        ours: Mapping[str, Number] | None = None,
        tolerance: Number = 0,
    ) -> dict[str, Decimal]:
        """Hold the bot's positions against those of the venue (``trading.position.mismatch``: ours minus theirs).

        Every symbol that either side names is compared, exactly. Symbols beyond the limit of series share one, which
        has the largest of their differences. A symbol that agrees again goes back to 0.

        Args:
            theirs: quantity by symbol, as the venue has it; negative for short positions.
            venue: where.
            ours: quantity by symbol, as the bot has it; what was told to `update` for this venue, all strategies
                together, when left out.
            tolerance: a difference up to this, in units of what is traded, is none.

        Returns:
            The differences by symbol, without those that agree; also while telemetry is off.
        """
        try:
            slack = usable_decimal(tolerance) or _NONE
            mine = self._at(text_of(venue)) if ours is None else _quantities(ours.items())
            others = _quantities(theirs.items())
        except Exception as error:  # noqa: BLE001  the barrier: what is no mapping of quantities tells nothing
            report("positions.reconcile", error)
            return {}
        differences = {}
        for symbol in mine.keys() | others.keys():
            difference = mine.get(symbol, _NONE) - others.get(symbol, _NONE)
            if abs(difference) > slack:
                differences[symbol] = difference
        if self._recorder.enabled:
            self._record(text_of(venue), mine, others, differences)
        return differences

    def _at(self, venue: str) -> dict[str, Decimal]:
        with self._lock:
            held = list(self._held.items())
        found: dict[str, Decimal] = {}
        for holder, position in held:
            if holder.venue == venue:
                found[holder.symbol] = found.get(holder.symbol, _NONE) + position.quantity
        return found

    @contained(None)
    def _record(
        self,
        venue: str,
        mine: Mapping[str, Decimal],
        others: Mapping[str, Decimal],
        differences: Mapping[str, Decimal],
    ) -> None:
        words = self._recorder.words
        worst = {words.symbols.label(symbol): _NONE for symbol in mine.keys() | others.keys()}
        for symbol, difference in differences.items():
            label = words.symbols.label(symbol)
            worst[label] = max(worst[label], difference, key=abs)
        at = words.venues.label(venue)
        with self._lock:
            before = self._mismatched.get(at, set())
            self._mismatched[at] = {label for label, difference in worst.items() if difference}
            for label in before - worst.keys():  # neither side has it any more
                worst[label] = _NONE
            for label, difference in worst.items():
                labels = {semconv.VENUE: at, semconv.SYMBOL: label}
                self._recorder.gauge("position.mismatch", labels).set(float(difference))
        largest_first = sorted(differences, key=lambda symbol: abs(differences[symbol]), reverse=True)
        for symbol in largest_first[:_MOST_SAID]:
            self._say(venue, symbol, mine.get(symbol, _NONE), others.get(symbol, _NONE), differences[symbol])

    def _say(self, venue: str, symbol: str, mine: Decimal, theirs: Decimal, difference: Decimal) -> None:
        attributes: dict[str, Any] = {
            semconv.VENUE: venue,
            semconv.SYMBOL: symbol,
            semconv.POSITION_QUANTITY: attribute_number(mine),
            semconv.POSITION_VENUE_QUANTITY: attribute_number(theirs),
        }
        tell(semconv.EVENT_POSITION_MISMATCH, attributes)
        warn_once(
            f"position.{venue:.40}.{symbol:.40}",
            "ticktrace: %s at %s: the bot has %s, the venue %s, a difference of %s",
            symbol,
            venue,
            mine,
            theirs,
            difference,
        )

    def reset_lock(self) -> None:
        """In a forked child, where a thread that held the lock does not exist."""
        self._lock = threading.Lock()


def _quantities(pairs: Iterable[tuple[str, Number]]) -> dict[str, Decimal]:
    found = {}
    for symbol, quantity in pairs:
        amount = usable_decimal(quantity)
        if amount is not None:
            found[text_of(symbol)] = amount
    return found
