"""A named comparison of a value with a threshold: what a filter or a strategy decides by, and what telemetry reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Comparison", "Condition"]

Comparison = Literal[">=", "<="]


@dataclass(frozen=True, slots=True)
class Condition:
    """`value` compared with `threshold`; `name` must come from a short, fixed list because it becomes a metric label."""

    name: str
    value: float
    comparison: Comparison
    threshold: float

    @property
    def holds(self) -> bool:
        return self.value >= self.threshold if self.comparison == ">=" else self.value <= self.threshold
