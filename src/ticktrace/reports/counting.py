"""Count one evaluation of a condition, filter or rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ticktrace.reports.conditions import Condition, ConditionKey, Row
from ticktrace.reports.silence import ratio

if TYPE_CHECKING:
    from ticktrace.reports.event import Event
    from ticktrace.reports.silence import Cell

__all__ = ["VOID", "asked"]

VOID: Final = Row(Condition(ConditionKey("", "", None, "", None)), None)
"""Where evaluations go that are counted for comparison only, or do not fit; nobody reads it."""


def asked(cell: Cell, event: Event, now: float) -> Row:
    """Count an evaluation, and return the row it belongs to."""
    threshold = event.threshold
    if threshold != cell.threshold:
        cell.row = cell.condition.row_for(threshold)
        cell.threshold = threshold
    row, whole = cell.row, cell.whole
    row.last = now
    cell.asked += 1
    if whole is not None:
        whole.asked += 1
    value = event.value
    if event.passed:
        row.passed += 1
        if event.comparison is None:
            row.saw_passing(value)
        return row
    row.failed += 1
    cell.failed += 1
    if whole is not None:
        whole.failed += 1
    if type(value) is type(threshold) is float and row.basis == "threshold" and not event.near_miss:
        row.values.pending.append(value)
        part = value / threshold if threshold else None
    else:
        row.take_failed(value, threshold, event.near_miss)
        part = ratio(value, threshold)
    if part is not None:
        cell.ratios.append(part)
        if whole is not None:
            whole.ratios.append(part)
    return row
