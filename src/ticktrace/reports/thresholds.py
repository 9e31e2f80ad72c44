"""Thresholds with their curves, near misses, and what may be suggested on that evidence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from ticktrace.reports.curve import MOVABLE, Curve
from ticktrace.reports.event import number
from ticktrace.reports.model import CurvePoint, NearMiss, Suggestion, ThresholdRow
from ticktrace.reports.words import figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ticktrace.reports.conditions import Conditions, Row

__all__ = ["SAYS_NOTHING", "curve_of", "near_misses", "threshold_rows"]

SAYS_NOTHING: Final = (
    "It counts what would have passed this one condition. It says nothing about profit, nor about what other "
    "conditions would have let through."
)


def rows_of(conditions: Conditions) -> Iterator[Row]:
    """Yield everything that was asked."""
    for condition in conditions:
        for row in condition.all_rows():
            if row.passed or row.failed:
                yield row


def comparison_of(row: Row) -> str | None:
    """Return how value and threshold are compared; where lines do not say, which way the values point to.

    Those that failed must all lie on one side and those that passed on the other.
    """
    if row.condition.key.comparison is not None:
        return row.condition.key.comparison
    against, (failed, _) = number(row.threshold), row.values.ordered()
    if against is None or not len(failed):
        return None
    low, high = row.range_passed or (None, None)
    if row.basis != "threshold":
        low = high = None
    if failed[-1] <= against and (low is None or low >= against):
        return ">" if failed[-1] == against else ">="
    if failed[0] >= against and (high is None or high <= against):
        return "<" if failed[0] == against else "<="
    return None


def curve_of(row: Row) -> Curve | None:
    """Return the curve of a row; None for equality, for thresholds that are no numbers, and where nobody knows how."""
    against, comparison = number(row.threshold), comparison_of(row)
    if against is None or comparison not in MOVABLE:
        return None
    return Curve(comparison, against, row.values)


def _shown_threshold(row: Row) -> float | str | bool | None:
    return row.threshold if row.basis == "threshold" else row.thresholds.median()


def threshold_rows(conditions: Conditions, alone: Mapping[int, int]) -> list[ThresholdRow]:
    """Return a row for each condition and threshold, those first that blocked most alone.

    Args:
        conditions: all of them.
        alone: what to add to `Row.alone`, by the row's id.
    """
    found = []
    for row in rows_of(conditions):
        key, curve, comparison = row.condition.key, curve_of(row), comparison_of(row)
        found.append(
            ThresholdRow(
                component=key.component,
                stage=key.stage,
                strategy=key.strategy,
                name=key.name,
                comparison=comparison,
                comparison_inferred=key.comparison is None and comparison is not None,
                basis=row.basis,
                threshold=_shown_threshold(row),
                n=row.passed + row.failed,
                passed=row.passed,
                failed=row.failed,
                near_misses=row.near_count,
                blocked_alone=row.alone + alone.get(id(row), 0),
                off_curve=row.failed - len(curve) if curve is not None else row.failed,
                exact=row.values.exact,
                curve=[] if curve is None else [CurvePoint(*point) for point in curve.points()],
                last_seen=row.last or None,
            )
        )
    return sorted(found, key=lambda row: (-row.blocked_alone, -row.failed, row.strategy or "", row.name))


def near_misses(conditions: Conditions, min_n: int) -> list[NearMiss]:
    """Return the near misses of each condition and threshold, the most frequent first."""
    found = []
    for row in rows_of(conditions):
        if not row.near_count:
            continue
        key = row.condition.key
        n = row.passed + row.failed
        if row.basis == "threshold":
            threshold, value = row.threshold, row.near.median()
            against = number(threshold)
            distance = abs(value - against) if value is not None and against is not None else None
        else:
            threshold, value = row.near_thresholds.median(), row.near_values.median()
            distance = row.near_distances.median()
        found.append(
            NearMiss(
                component=key.component,
                stage=key.stage,
                strategy=key.strategy,
                name=key.name,
                comparison=comparison_of(row),
                n=row.near_count,
                share=row.near_count / n,
                median_value=value,
                threshold=threshold,
                median_distance=distance,
                suggestion=_suggest(row, min_n),
            )
        )
    return sorted(found, key=lambda row: (-row.n, row.strategy or "", row.name))


def _suggest(row: Row, min_n: int) -> Suggestion:
    """Suggest the middle between the threshold and the median near miss, as long as there are enough of them."""
    n, share = row.near_count, row.near_count / (row.passed + row.failed)
    curve, median = curve_of(row), row.near.median()
    middle = additional = None
    withheld = None
    if curve is None or median is None:
        withheld = "there is no threshold that could be moved"
    elif n < min_n:
        withheld = f"fewer than {min_n} near misses are no evidence"
    else:
        middle = _rounded((median + curve.threshold) / 2, abs(median - curve.threshold) / 2)
        if not curve.looser(middle):
            withheld = "the near misses lie on the side that passes"
        else:
            additional = curve.passes_if(middle)
            if not additional:
                withheld = (
                    f"at {figure(middle)}, half-way, no more would pass: "
                    f"the nearest value that failed is {figure(curve.nearest())}"
                )
    if withheld is not None:
        middle = additional = None
    return Suggestion(
        threshold=middle if row.basis == "threshold" else None,
        factor=middle if row.basis == "factor" else None,
        shift=middle if row.basis == "shift" else None,
        additional=additional,
        n=n,
        share=share,
        withheld=withheld,
        note=SAYS_NOTHING,
    )


def _rounded(number: float, distance: float) -> float:
    """Round to what somebody would type; by no more than a hundredth of the distance to the threshold."""
    if not distance or not math.isfinite(distance):
        return number
    return round(number, min(2 - math.floor(math.log10(distance)), 300))
