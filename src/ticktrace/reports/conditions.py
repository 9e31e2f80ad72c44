"""Conditions, filters and risk rules: how often each was asked, and the values that failed."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

from ticktrace.reports.event import number
from ticktrace.reports.values import ROUGH_BITS, Values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ticktrace.reports.event import Event, Scalar
    from ticktrace.reports.silence import Cell

__all__ = ["UNKNOWN", "Basis", "Condition", "ConditionKey", "Conditions", "Row"]

MOST_CONDITIONS: Final = 3_000
MOST_THRESHOLDS: Final = 10
"""Of one condition; where there are more, the threshold is taken for one that moves with the market."""

MOST_HELD: Final = 6_000_000
"""Failed values in memory, of all conditions together; beyond that, the longest lists are rounded."""

UNKNOWN: Final = "\0"
"""A threshold that no line has, for a cell that does not know its row."""

Basis = str
"""What the threshold of a row is: ``threshold`` itself, or, where it moves, the ``factor`` or ``shift`` to change it by."""


class ConditionKey(NamedTuple):
    """What makes two evaluations one condition."""

    component: str
    stage: str
    strategy: str | None
    name: str
    comparison: str | None


class Row:
    """A condition with one threshold, or one that moves.

    Attributes:
        condition: whose row it is.
        basis: what threshold and values are, see `Basis`.
        threshold: the one in force as the journal has it; 1 for a factor and 0 for a shift.
        passed, failed: evaluations.
        alone: decisions in which nothing else failed and that came to nothing.
        values: those that failed, as far as they are numbers.
        near: those of them that are near misses.
        near_values, near_thresholds, near_distances: of near misses where the threshold moves, as they were.
        thresholds: where they move, those that were missed.
        range_passed: lowest and highest value that passed, where no comparison says which way is up.
        last: when it was asked last.
        into: the row that this one was put into.
    """

    __slots__ = (
        "alone",
        "basis",
        "condition",
        "failed",
        "into",
        "last",
        "near",
        "near_count",
        "near_distances",
        "near_thresholds",
        "near_values",
        "passed",
        "range_passed",
        "threshold",
        "thresholds",
        "values",
    )

    def __init__(self, condition: Condition, threshold: Scalar, basis: Basis = "threshold") -> None:
        self.condition: Condition = condition
        self.basis: Basis = basis
        self.threshold: Scalar = threshold
        self.passed: int = 0
        self.failed: int = 0
        self.alone: int = 0
        self.near_count: int = 0
        self.values: Values = Values()
        self.near: Values = Values()
        self.near_values: Values = Values()
        self.near_thresholds: Values = Values()
        self.near_distances: Values = Values()
        self.thresholds: Values = Values(ROUGH_BITS)
        self.range_passed: tuple[float, float] | None = None
        self.last: float = 0.0
        self.into: Row | None = None

    def blocked_alone(self, count: int = 1) -> None:
        """Count a decision in which nothing else failed; -1 takes it back."""
        (self.into or self).alone += count

    def stores(self) -> Iterator[Values]:
        """Yield everything that grows."""
        yield self.values
        yield self.near
        yield self.near_values
        yield self.near_thresholds
        yield self.near_distances
        yield self.thresholds

    def saw_passing(self, value: Scalar) -> None:
        """Remember between what the values that passed lie."""
        found = number(value)
        if found is not None:
            low, high = self.range_passed or (found, found)
            self.range_passed = min(low, found), max(high, found)

    def take_failed(self, value: Scalar, threshold: Scalar, near: bool) -> None:
        """Count the value of an evaluation that failed; that it failed is counted by the caller."""
        if near:
            self.near_count += 1
        found = number(value)
        if found is None:
            return
        if self.basis != "threshold":
            against = number(threshold)
            if against is None:
                return
            self.thresholds.pending.append(against)
            if near:
                self.near_values.pending.append(found)
                self.near_thresholds.pending.append(against)
                self.near_distances.pending.append(abs(found - against))
            found = found / against if self.basis == "factor" else found - against
        self.values.pending.append(found)
        if near:
            self.near.pending.append(found)


class Condition:
    """A condition, filter or rule with all its thresholds.

    Attributes:
        key: which one.
        rows: by threshold, as long as there are few.
        cells: those who remember a row of it.
        moving: whether the thresholds were too many, so that they are told apart no longer.
    """

    __slots__ = ("_factor", "_shift", "cells", "key", "moving", "rows")

    def __init__(self, key: ConditionKey) -> None:
        self.key: ConditionKey = key
        self.cells: list[Cell] = []
        self.rows: dict[tuple[type, Scalar], Row] = {}
        self.moving: bool = False
        self._factor: Row | None = None
        self._shift: Row | None = None

    def all_rows(self) -> list[Row]:
        """Return what there is to tell."""
        return [row for row in (*self.rows.values(), self._factor, self._shift) if row is not None]

    def row_for(self, threshold: Scalar) -> Row:
        """Return the row that evaluations with this threshold belong to."""
        if self.moving and number(threshold) is not None:
            return self._moving_row(number(threshold) or 0.0)
        kind = type(threshold)
        key = (float if kind is int else kind, threshold)
        row = self.rows.get(key)
        if row is None:
            if len(self.rows) >= MOST_THRESHOLDS:
                self._let_move()
                return self._moving_row(number(threshold) or 0.0)
            row = self.rows[key] = Row(self, threshold)
        return row

    def _moving_row(self, threshold: float) -> Row:
        if threshold > 0:
            if self._factor is None:
                self._factor = Row(self, 1.0, "factor")
            return self._factor
        if self._shift is None:
            self._shift = Row(self, 0.0, "shift")
        return self._shift

    def _let_move(self) -> None:
        """Put the rows of all thresholds into one."""
        self.moving = True
        for cell in self.cells:
            cell.threshold = UNKNOWN
        rows, self.rows = self.rows, {}
        for row in rows.values():
            against = number(row.threshold)
            into = row.into = self._moving_row(against or 0.0)
            into.passed += row.passed
            into.failed += row.failed
            into.alone += row.alone
            into.near_count += row.near_count
            into.last = max(into.last, row.last)
            if against is None:
                continue
            for mine, theirs in ((into.values, row.values), (into.near, row.near)):
                if against > 0:
                    mine.absorb(theirs, lambda values, against=against: values / against)  # type: ignore[misc]
                else:
                    mine.absorb(theirs, lambda values, against=against: values - against)  # type: ignore[misc]
            into.near_values.absorb(row.near, lambda values: values)
            into.near_distances.absorb(row.near, lambda values, against=against: abs(values - against))  # type: ignore[misc]
            into.thresholds.pending.extend(array("d", [against]) * len(row.values))
            into.near_thresholds.pending.extend(array("d", [against]) * len(row.near))


class Conditions:
    """All conditions, as many as fit.

    Attributes:
        beyond: evaluations of conditions that found no place.
        roughened: whether values were rounded to save memory.
    """

    def __init__(self) -> None:
        self._all: dict[ConditionKey, Condition] = {}
        self.beyond: int = 0
        self.roughened: bool = False

    def __iter__(self) -> Iterator[Condition]:
        """Yield them in the order in which they came."""
        return iter(self._all.values())

    def of(self, event: Event) -> Condition | None:
        """Return the condition that was evaluated; None where there are too many."""
        key = ConditionKey(
            event.component, event.stage, event.strategy, event.name or "unnamed", event.comparison
        )
        found = self._all.get(key)
        if found is None and len(self._all) < MOST_CONDITIONS:
            found = self._all[key] = Condition(key)
        return found

    def settle(self) -> None:
        """Keep memory in bounds; to be called every few thousand evaluations."""
        held = 0
        for condition in self._all.values():
            for row in condition.all_rows():
                for store in row.stores():
                    store.settle()
                    held += store.held
        if held > MOST_HELD:
            self._roughen(held)

    def _roughen(self, held: int) -> None:
        self.roughened = True
        stores = [
            store
            for condition in self._all.values()
            for row in condition.all_rows()
            for store in row.stores()
        ]
        for store in sorted(stores, key=lambda store: store.held, reverse=True):
            before = store.held
            store.roughen(max(store.bits - 12, 4))
            held -= before - store.held
            if held <= MOST_HELD * 3 // 4:
                return
