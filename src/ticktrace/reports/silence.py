"""Stretches without a signal, of a strategy and of each of its symbols, and what failed in them."""

from __future__ import annotations

import dataclasses
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from ticktrace.reports.conditions import UNKNOWN
from ticktrace.reports.event import number
from ticktrace.reports.values import ROUGH_BITS, Values

if TYPE_CHECKING:
    from ticktrace.reports.conditions import Condition, ConditionKey, Row
    from ticktrace.reports.event import Event, Scalar

__all__ = ["Book", "Cause", "Cell", "PairKey", "Stretch", "Watch", "ratio"]

MOST_CELLS: Final = 50_000
MOST_CAUSES: Final = 5
_PENDING: Final = 2_048

PairKey = tuple[str | None, str | None]
"""Strategy and symbol. Without a symbol: all of the strategy's; without a strategy: what comes before strategies."""


class Cause(NamedTuple):
    """What failed in a stretch.

    Attributes:
        condition: which.
        asked, failed: evaluations in the stretch.
        ratio: the value as a part of the threshold, the median of those that failed, within a thousandth; None where
            there is none, as for a threshold of 0.
    """

    condition: ConditionKey
    asked: int
    failed: int
    ratio: float | None


@dataclass(frozen=True)
class Stretch:
    """A time without a signal.

    Attributes:
        start: of the signal before it, or the first evaluation.
        end: of the signal that ended it, or the newest line.
        evaluations: how often the strategy was asked in it.
        causes: what failed most, in falling order.
    """

    start: float
    end: float
    evaluations: int = 0
    causes: tuple[Cause, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


class Cell:
    """A condition as one pair sees it, since its last signal; and the row that the last threshold belongs to.

    Attributes:
        condition: of which it is.
        row: the one that was used last, for `threshold`.
        pair: whose it is.
        whole: the same condition as the strategy as a whole sees it; None if this is that.
        asked, failed: evaluations since the last signal.
        ratios: value ÷ threshold of those that failed; the newest, and `_older` has the rest.
    """

    __slots__ = ("_older", "asked", "condition", "failed", "pair", "ratios", "row", "threshold", "whole")

    def __init__(self, condition: Condition, row: Row, pair: Pair, whole: Cell | None) -> None:
        self.condition: Condition = condition
        self.row: Row = row
        self.threshold: Scalar = UNKNOWN
        self.pair: Pair = pair
        self.whole: Cell | None = whole
        self.asked: int = 0
        self.failed: int = 0
        self.ratios: array[float] = array("d")
        self._older: Values | None = None

    def clear(self) -> None:
        """Begin anew, after a signal."""
        if self.asked:
            self.asked = self.failed = 0
            self.ratios = array("d")
            self._older = None

    def settle(self) -> None:
        """Keep memory in bounds: ratios need no more than three digits."""
        if len(self.ratios) > _PENDING:
            if self._older is None:
                self._older = Values(ROUGH_BITS)
            self._older.pending.extend(self.ratios)
            self._older.settle()
            self.ratios = array("d")

    def cause(self) -> Cause:
        """Say what it has seen."""
        ratios = Values(ROUGH_BITS)
        if self._older is not None:
            ratios.absorb(self._older, lambda values: values)
        ratios.pending.extend(self.ratios)
        return Cause(self.condition.key, self.asked, self.failed, ratios.median())


@dataclass
class Pair:
    """A strategy on a symbol, since its last signal.

    Attributes:
        start: when the stretch began.
        last: of the newest evaluation.
        began: of the first evaluation of the run; market time that comes back to it is another run.
        evaluations: since the last signal.
        signals: so far.
        signalled: when the last signal came; None before the first.
        longest: of the stretches that are over.
    """

    start: float
    last: float
    began: float
    evaluations: int = 0
    signals: int = 0
    signalled: float | None = None
    longest: Stretch | None = None
    cells: list[Cell] = field(default_factory=list)

    def emitted(self, now: float) -> None:
        """Take note of a signal."""
        self._end(now)
        self.signals += 1
        self.signalled = now

    def restarted(self, now: float) -> None:
        """Begin anew where market time went back: it is another run over the same candles, perhaps of another symbol."""
        self._end(self.last)
        self.start = self.began = now

    def _end(self, now: float) -> None:
        if self.longest is None or now - self.start > self.longest.seconds:
            self.longest = self.stretch(now)
        for cell in self.cells:
            cell.clear()
        self.start = self.last = now
        self.evaluations = 0

    def stretch(self, now: float) -> Stretch:
        """Return the stretch as if it ended now."""
        failing = sorted((cell for cell in self.cells if cell.failed), key=_failing, reverse=True)
        causes = tuple(cell.cause() for cell in failing[:MOST_CAUSES])
        return Stretch(self.start, max(now, self.start), self.evaluations, causes)


def _failing(cell: Cell) -> tuple[float, int]:
    return cell.failed / cell.asked, cell.failed


class Watch:
    """Watches over the pairs of one process.

    Attributes:
        beyond: evaluations whose pair found no place.
        newest: of the process.
    """

    def __init__(self) -> None:
        self.pairs: dict[PairKey, Pair] = {}
        self.cells: dict[tuple[str | None, ...], Cell] = {}
        self.beyond: int = 0
        self.newest: float = 0.0

    def cell(self, key: tuple[str | None, ...], event: Event, condition: Condition, now: float) -> Cell:
        """Return a new cell for the condition of an event; one that all share where there are too many."""
        row = condition.row_for(event.threshold)
        symbol = event.symbol
        if symbol is not None and len(self.cells) >= MOST_CELLS:
            self.beyond += 1
            symbol = None
        if symbol is None:
            whole = None
        else:
            whole_key = (*key[:3], None, *key[4:])
            whole = self.cells.get(whole_key)
            if whole is None:
                whole = self._add(
                    whole_key, Cell(condition, row, self.pair((event.strategy, None), now), None)
                )
        if symbol is None and key[3] is not None:
            key = (*key[:3], None, *key[4:])
            if key in self.cells:
                return self.cells[key]
        return self._add(key, Cell(condition, row, self.pair((event.strategy, symbol), now), whole))

    def _add(self, key: tuple[str | None, ...], cell: Cell) -> Cell:
        self.cells[key] = cell
        cell.pair.cells.append(cell)
        cell.condition.cells.append(cell)
        return cell

    def pair(self, key: PairKey, now: float) -> Pair:
        """Return what is known of a pair."""
        found = self.pairs.get(key)
        if found is None:
            found = self.pairs[key] = Pair(now, now, now)
        return found

    def evaluated(self, strategy: str | None, symbol: str | None, now: float, *, emitted: bool) -> None:
        """Take note of an evaluation of a strategy."""
        for key in dict.fromkeys(((strategy, symbol), (strategy, None), (None, symbol), (None, None))):
            if len(self.pairs) >= MOST_CELLS and key not in self.pairs:
                self.beyond += 1
                continue
            pair = self.pair(key, now)
            if now <= pair.began < pair.last:
                pair.restarted(now)
            pair.last = now
            pair.evaluations += 1
            if emitted:
                pair.emitted(now)

    def emitted(self, strategy: str | None, symbol: str | None, now: float) -> None:
        """Take note of a signal whose evaluation was noted before."""
        for key in dict.fromkeys(((strategy, symbol), (strategy, None), (None, symbol), (None, None))):
            if key in self.pairs:
                self.pairs[key].emitted(now)

    def settle(self) -> None:
        """Keep memory in bounds."""
        for cell in self.cells.values():
            cell.settle()


def ratio(value: Scalar, threshold: Scalar) -> float | None:
    """Return a value as a part of its threshold."""
    found, against = number(value), number(threshold)
    return None if found is None or not against else found / against


@dataclass
class Said:
    """What is known of a pair in all processes."""

    longest: Stretch
    current: Stretch
    newest: float
    signals: int
    signalled: float | None


class Book:
    """The silences of all processes."""

    def __init__(self) -> None:
        self.pairs: dict[PairKey, Said] = {}

    def copy(self) -> dict[PairKey, Said]:
        """Return all of it, to add to without changing this."""
        return {key: dataclasses.replace(said) for key, said in self.pairs.items()}

    def add(self, watch: Watch) -> None:
        """Take over what a process has seen; it may go on."""
        for key, pair in watch.pairs.items():
            current = pair.stretch(max(watch.newest, pair.last))
            longest = (
                current if pair.longest is None else max(pair.longest, current, key=lambda one: one.seconds)
            )
            said = self.pairs.get(key)
            if said is None:
                if len(self.pairs) < MOST_CELLS:
                    self.pairs[key] = Said(longest, current, watch.newest, pair.signals, pair.signalled)
                continue
            said.longest = max(said.longest, longest, key=lambda one: one.seconds)
            said.signals += pair.signals
            if pair.signalled is not None:
                said.signalled = max(said.signalled or pair.signalled, pair.signalled)
            if watch.newest >= said.newest:
                said.newest, said.current = watch.newest, current
