"""Good events and all events since the start, from what the instruments' series have come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace.catalog import Kind
from ticktrace.engine import breathe, warn_once
from ticktrace.objectives._model import has

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ticktrace.catalog import InstrumentSpec
    from ticktrace.engine import SeriesTotal
    from ticktrace.objectives._model import Objective

__all__ = ["Tally"]


class _Sum:
    """A count over series, which goes on where a series is forgotten, or forgotten and begun anew."""

    def __init__(self, count: Callable[[SeriesTotal], tuple[float, float]]) -> None:
        self._count = count
        self._last: dict[object, tuple[float, float]] = {}
        self._gone: tuple[float, float] = (0, 0)

    def update(self, series: Sequence[SeriesTotal]) -> tuple[float, float]:
        """The two counts, of all series that there are and of those that there were."""
        now: dict[object, tuple[float, float]] = {}
        for one in series:
            breathe()
            now[one.life] = self._count(one)
        for life, counts in self._last.items():
            if life not in now:
                self._gone = (self._gone[0] + counts[0], self._gone[1] + counts[1])
        self._last = now
        good = sum((counts[0] for counts in now.values()), self._gone[0])
        return good, sum((counts[1] for counts in now.values()), self._gone[1])


class Tally:
    """Counts the events of one objective. One thread at a time.

    Args:
        objective: which events, and which of them are good.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._events = _Sum(self._of_event)
        self._bad = _Sum(self._of_bad)

    def update(self, read: Callable[[str], Sequence[SeriesTotal]]) -> tuple[float, float]:
        """How many events were good, and how many there were, since the start; neither ever falls.

        Args:
            read: gives the series of an instrument.
        """
        objective = self._objective
        series = read(objective.instrument.name)
        good, total = self._events.update(
            _selected(series, lambda one: has(one.attributes, objective.wanted))
        )
        if objective.threshold is not None or objective.good:
            return good, total
        other = objective.bad_instrument
        counted = series if other is None else read(other.name)
        _, bad = self._bad.update(_selected(counted, lambda one: objective.counts_as_bad(one.attributes)))
        return max(total - bad, 0), total

    def _of_event(self, series: SeriesTotal) -> tuple[float, float]:
        objective = self._objective
        total = _number(objective.instrument, series)
        if objective.threshold is None:
            return (total if objective.good and has(series.attributes, objective.good) else 0), total
        try:
            place = series.bounds.index(objective.threshold)
        except ValueError:
            warn_once(
                f"objectives.{objective.name:.40}",
                "ticktrace: objective %s is not judged: %s has no bucket boundary at %s here",
                objective.name,
                objective.instrument.name,
                objective.threshold,
            )
            return 0, 0
        return sum(series.counts[: place + 1]), total

    def _of_bad(self, series: SeriesTotal) -> tuple[float, float]:
        return 0, _number(self._objective.bad_instrument or self._objective.instrument, series)


def _selected(series: Sequence[SeriesTotal], wanted: Callable[[SeriesTotal], bool]) -> list[SeriesTotal]:
    found = []
    for one in series:
        breathe()
        if wanted(one):
            found.append(one)
    return found


def _number(spec: InstrumentSpec, series: SeriesTotal) -> float:
    return sum(series.counts) if spec.kind is Kind.HISTOGRAM else series.value
