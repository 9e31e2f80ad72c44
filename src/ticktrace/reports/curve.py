"""What another threshold would have let pass: exactly, from every value that failed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ticktrace.reports.values import Values

__all__ = ["MOVABLE", "Curve"]

MOVABLE: Final = frozenset({">", ">=", "<", "<="})
"""Comparisons with a threshold that can be moved a little."""

_POINTS: Final = 40


class Curve:
    """How many more evaluations would have passed, had the threshold been a looser one.

    Attributes:
        comparison: ``value COMPARISON threshold`` passes.
        threshold: the one in force.
        off: values that failed although they pass by comparison and threshold; they are on no curve.
        exact: whether every value is known to the last digit.
    """

    def __init__(self, comparison: str, threshold: float, failed: Values) -> None:
        self.comparison: str = comparison
        self.threshold: float = threshold
        self.exact: bool = failed.exact
        distinct, counts = failed.ordered()
        self._rising = comparison in ("<", "<=")  # whether a looser threshold is a higher one
        self._strict = comparison in ("<", ">")
        keep = ~_passes(distinct, comparison, threshold)
        self.off: int = int(counts[~keep].sum())
        self._values: NDArray[np.float64] = distinct[keep]
        self._reached: NDArray[np.int64] = np.cumsum(counts[keep], dtype=np.int64)

    def __len__(self) -> int:
        """How many values failed and are on the curve."""
        return int(self._reached[-1]) if len(self._reached) else 0

    def passes_if(self, threshold: float) -> int:
        """Return how many of the evaluations that failed pass this threshold.

        Raises:
            ValueError: it is stricter than the one in force: what passed is not kept one by one.
        """
        if not self.looser(threshold) and threshold != self.threshold:
            raise ValueError(f"{threshold!r} is stricter than {self.threshold!r}, not looser")
        if not len(self._values):
            return 0
        if self._rising:
            below = int(np.searchsorted(self._values, threshold, side="left" if self._strict else "right"))
            return int(self._reached[below - 1]) if below else 0
        below = int(np.searchsorted(self._values, threshold, side="right" if self._strict else "left"))
        return len(self) - (int(self._reached[below - 1]) if below else 0)

    def looser(self, threshold: float) -> bool:
        """Whether a threshold lets more pass than the one in force."""
        return threshold > self.threshold if self._rising else threshold < self.threshold

    def nearest(self) -> float | None:
        """Return the value that failed by least."""
        if not len(self._values):
            return None
        return float(self._values[0] if self._rising else self._values[-1])

    def points(self, most: int = _POINTS) -> list[tuple[float, int]]:
        """Return thresholds, from the one in force to the one that lets all pass, and how many more pass each.

        Where the values are more than `most`, near ones are preferred: half of the points are spaced by rank in
        powers, half evenly.
        """
        count = len(self._values)
        if not count:
            return []
        ranks = {0, count - 1}
        if count <= most:
            ranks.update(range(count))
        else:
            half = most // 2
            ranks.update(round(count ** (step / (half - 1))) - 1 for step in range(half))
            ranks.update(round(step * (count - 1) / (half - 1)) for step in range(half))
        return [(threshold, self.passes_if(threshold)) for threshold in map(self._letting, sorted(ranks))]

    def _letting(self, rank: int) -> float:
        """Return the threshold that lets pass the nearest values up to this rank, from 0, and no others."""
        index = rank if self._rising else len(self._values) - 1 - rank
        if not self._strict:
            return float(self._values[index])
        beyond = index + 1 if self._rising else index - 1
        value = float(self._values[index])
        if not 0 <= beyond < len(self._values):
            return math.nextafter(value, math.inf if self._rising else -math.inf)
        other = float(self._values[beyond])
        between = value + (other - value) / 2
        return other if between == value else between


def _passes(values: NDArray[np.float64], comparison: str, threshold: float) -> NDArray[np.bool_]:
    compare = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}[comparison]
    passed: NDArray[np.bool_] = compare(values, threshold)
    return passed
