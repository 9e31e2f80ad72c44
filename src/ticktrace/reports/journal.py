"""Read whole journals and count them; where only their extent tells what is meant, twice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ticktrace.reports.extent import extent_of
from ticktrace.reports.reading import Batch, lines_of
from ticktrace.reports.tally import Scope, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ticktrace.reports.sources import Source

__all__ = ["Question", "count", "count_source", "scope_of"]


@dataclass(frozen=True)
class Question:
    """What a report is asked for.

    Attributes:
        since: from then on, Unix seconds of market time; None for everything.
        back: instead of `since`: so many seconds before the newest line.
        since_trade: instead of `since`: what came after the last fill.
        until: before then.
        symbols, strategies: only those; all where empty.
        min_n: values that a suggestion needs, at least.
    """

    since: float | None = None
    back: float | None = None
    since_trade: bool = False
    until: float | None = None
    symbols: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    min_n: int = 30

    @property
    def passes(self) -> int:
        """How often everything is read."""
        return 2 if self.since is not None or self.back is not None or self.since_trade else 1


def scope_of(question: Question, sources: Sequence[Source], read: Callable[[int], object]) -> Scope:
    """Return which lines are meant; reads the journals where their newest line or last fill decides.

    Raises:
        OSError: a file cannot be read.
    """
    asked = Scope(None, question.until, None, frozenset(question.symbols), frozenset(question.strategies))
    if question.passes == 1:
        return asked
    extent = extent_of(sources, asked, read)
    since = question.since
    if question.back is not None and math.isfinite(extent.newest):
        since = extent.newest - question.back
    if question.since_trade and extent.last_fill is not None:
        since = math.nextafter(extent.last_fill, math.inf)
    if since is None:
        return asked
    end = question.until if question.until is not None else extent.newest
    history = since - max(end - since, 0.0) if math.isfinite(end) else since
    return Scope(since, question.until, history, asked.symbols, asked.strategies)


def count(sources: Sequence[Source], scope: Scope, read: Callable[[int], object]) -> Tally:
    """Read the journals and count what is meant. What is malformed is counted and located.

    Args:
        sources: the journals, those of one process together, as `look_at` orders them.
        scope: what is meant.
        read: is told how many bytes were read.

    Raises:
        OSError: a file cannot be read.
    """
    tally = Tally(scope)
    for number, source in enumerate(sources):
        count_source(tally, source, read)
        following = sources[number + 1].process if number + 1 < len(sources) else None
        if following != source.process:
            tally.finish(source.process)
    tally.settle()
    return tally


def count_source(tally: Tally, source: Source, read: Callable[[int], object]) -> None:
    """Read one journal to its end."""
    process = tally.process(source.process)
    if source.schema is not None:
        tally.newer[source.path] = source.schema
    with source.open() as file:
        for batch in lines_of(file, read):
            if isinstance(batch, Batch):
                tally.take(source.path, process, batch)
            else:
                tally.trouble(source.path, batch)
