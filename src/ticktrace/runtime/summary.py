"""How figures were over some minutes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ticktrace.runtime.figures import Figures

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FIGURES", "Span", "Summary", "column", "summarise"]

FIGURES: tuple[str, ...] = Figures._fields[2:]
"""The names of the figures, without those of the time."""


class Span(NamedTuple):
    """One figure over some time, in its unit.

    Attributes:
        mean: of all observations.
        least: the lowest.
        most: the highest.
        latest: the last.
    """

    mean: float
    least: float
    most: float
    latest: float


class Summary(NamedTuple):
    """All figures over some time.

    Attributes:
        minutes: that were asked for.
        n: observations in that time.
        seconds: between the first and the last of them.
        figures: by name; a figure that was never read is left out.
    """

    minutes: float
    n: int
    seconds: float
    figures: dict[str, Span]


def column(history: Sequence[Figures], figure: str) -> tuple[list[float], list[float]]:
    """The times and values of one figure, where it could be read.

    Raises:
        ValueError: there is no such figure.
    """
    if figure not in FIGURES:
        raise ValueError(f"there is no figure {figure}; known: {', '.join(FIGURES)}")
    at = Figures._fields.index(figure)
    found = [(figures.at, figures[at]) for figures in history if figures[at] is not None]
    return [time for time, _ in found], [float(value) for _, value in found if value is not None]


def summarise(history: Sequence[Figures], minutes: float) -> Summary:
    """Sum up.

    Args:
        history: observations of these minutes.
        minutes: that were asked for.
    """
    figures = {}
    for name in FIGURES:
        _, values = column(history, name)
        if values:
            figures[name] = Span(math.fsum(values) / len(values), min(values), max(values), values[-1])
    seconds = history[-1].at - history[0].at if history else 0.0
    return Summary(minutes, len(history), seconds, figures)
